//! Conversations, message by message.

use super::*;
use crate::postgres::{Established, query, scan};
use proptest::prelude::*;

/// A client, the server that it has, and what was said.
struct Talk {
    relay: Relay,
    server: Server,
    to_server: BytesMut,
    to_client: BytesMut,
}

fn server(registry_size: usize) -> Server {
    Server::new(Established::default(), registry_size)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

fn bind(name: &str) -> Vec<u8> {
    message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes())
}

fn describe(name: &str) -> Vec<u8> {
    message(b'D', format!("S{name}\0").as_bytes())
}

fn close(name: &str) -> Vec<u8> {
    message(b'C', format!("S{name}\0").as_bytes())
}

fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

fn simple(sql: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    query(&mut out, sql);
    out.to_vec()
}

impl Talk {
    fn new(pooling: Pooling) -> Self {
        Self::with(pooling, Rc::default(), server(8))
    }

    fn with(pooling: Pooling, registry: Rc<RefCell<Registry>>, server: Server) -> Self {
        let mut talk = Self {
            relay: Relay::new(pooling, registry, Parameters::default()),
            server,
            to_server: BytesMut::new(),
            to_client: BytesMut::new(),
        };
        talk.relay.begin(&mut talk.server, &mut talk.to_server);
        talk
    }

    /// The client says this; gives what the server hears.
    fn client(&mut self, messages: &[Vec<u8>]) -> Vec<u8> {
        let mut input = BytesMut::from(&messages.concat()[..]);
        let heard = self
            .relay
            .client(&mut input, &mut self.server, &mut self.to_server, &mut self.to_client);
        assert_eq!(heard, Ok(Heard::Passed));
        assert!(input.is_empty());
        self.to_server.split().to_vec()
    }

    /// The server says this; gives what the client hears.
    fn server(&mut self, messages: &[Vec<u8>]) -> Vec<u8> {
        let mut input = BytesMut::from(&messages.concat()[..]);
        self.relay
            .server(&mut input, &mut self.server, &mut self.to_client)
            .unwrap();
        self.to_client.split().to_vec()
    }

    /// Another server.
    fn moves(&mut self) {
        assert!(self.relay.is_at_rest());
        self.relay.end();
        self.server = server(8);
        self.relay.begin(&mut self.server, &mut self.to_server);
    }
}

fn done() -> Vec<u8> {
    message(b'C', b"SELECT 1\0")
}

fn parsed() -> Vec<u8> {
    message(b'1', b"")
}

fn bound() -> Vec<u8> {
    message(b'2', b"")
}

fn failure() -> Vec<u8> {
    message(b'E', b"SERROR\0C42601\0Mno\0\0")
}

#[test]
fn a_simple_query_goes_through_as_it_is_and_the_server_is_free_after_it() {
    let mut talk = Talk::new(Pooling::Transaction);
    assert_eq!(talk.client(&[simple("SELECT 1")]), simple("SELECT 1"));
    assert!(!talk.relay.is_at_rest());
    let answer = [message(b'T', b"x"), message(b'D', b"y"), done(), ready(b'I')];
    assert_eq!(talk.server(&answer), answer.concat());
    assert!(talk.relay.is_at_rest());
    assert!(!talk.server.is_changed());
}

#[test]
fn a_transaction_keeps_its_server() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[simple("BEGIN")]);
    talk.server(&[message(b'C', b"BEGIN\0"), ready(b'T')]);
    assert!(!talk.relay.is_at_rest());
    talk.client(&[simple("oops")]);
    talk.server(&[failure(), ready(b'E')]);
    assert!(!talk.relay.is_at_rest());
    talk.client(&[simple("ROLLBACK")]);
    talk.server(&[message(b'C', b"ROLLBACK\0"), ready(b'I')]);
    assert!(talk.relay.is_at_rest());
}

#[test]
fn what_is_pipelined_behind_a_transaction_keeps_its_server_too() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[simple("SELECT 1"), simple("SELECT 2")]);
    talk.server(&[done(), ready(b'I')]);
    assert!(!talk.relay.is_at_rest());
    talk.server(&[done(), ready(b'I')]);
    assert!(talk.relay.is_at_rest());
}

#[test]
fn a_prepared_statement_is_prepared_again_on_another_server_unseen() {
    let mut talk = Talk::new(Pooling::Transaction);
    let heard = talk.client(&[parse("a", "SELECT $1"), describe("a"), sync()]);
    let expected = [parse("mainstay_1", "SELECT $1"), describe("mainstay_1"), sync()];
    assert_eq!(heard, expected.concat());
    let answer = [parsed(), message(b't', b"x"), message(b'T', b"y"), ready(b'I')];
    assert_eq!(talk.server(&answer), answer.concat());
    talk.moves();
    let heard = talk.client(&[bind("a"), execute(), sync()]);
    let expected = [parse("mainstay_1", "SELECT $1"), bind("mainstay_1"), execute(), sync()];
    assert_eq!(heard, expected.concat());
    let said = talk.server(&[parsed(), bound(), done(), ready(b'I')]);
    assert_eq!(said, [bound(), done(), ready(b'I')].concat());
    let heard = talk.client(&[bind("a"), execute(), sync()]);
    assert_eq!(heard, [bind("mainstay_1"), execute(), sync()].concat());
}

#[test]
fn what_the_server_has_prepared_already_is_not_prepared_again_and_answered_in_turn() {
    let registry = Rc::<RefCell<Registry>>::default();
    let mut talk = Talk::with(Pooling::Transaction, Rc::clone(&registry), server(8));
    talk.client(&[parse("a", "SELECT 1"), sync()]);
    talk.server(&[parsed(), ready(b'I')]);
    let mut other = Talk::with(Pooling::Transaction, registry, talk.server);
    let heard = other.client(&[bind("none"), parse("b", "SELECT 1"), bind("b"), sync()]);
    assert_eq!(heard, [bind("none"), bind("mainstay_1"), sync()].concat());
    // The first fails, so the rest is skipped, the answer that no server gives too.
    let said = other.server(&[failure(), ready(b'I')]);
    assert_eq!(said, [failure(), ready(b'I')].concat());
    other.client(&[parse("b", "SELECT 1"), bind("b"), execute(), sync()]);
    let said = other.server(&[bound(), done(), ready(b'I')]);
    assert_eq!(said, [parsed(), bound(), done(), ready(b'I')].concat());
}

#[test]
fn an_answer_of_no_server_waits_for_its_turn() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("a", "SELECT 1"), close("a"), parse("b", "SELECT 1"), sync()]);
    assert!(talk.to_client.is_empty());
    let said = talk.server(&[parsed(), ready(b'I')]);
    assert_eq!(said, [parsed(), message(b'3', b""), parsed(), ready(b'I')].concat());
}

#[test]
fn an_unnamed_statement_outlives_its_server_and_no_other_client_can_run_it() {
    let mut talk = Talk::new(Pooling::Transaction);
    assert_eq!(
        talk.client(&[parse("", "SELECT 1"), sync()]),
        [parse("", "SELECT 1"), sync()].concat()
    );
    talk.server(&[parsed(), ready(b'I')]);
    talk.moves();
    let heard = talk.client(&[bind(""), execute(), sync()]);
    assert_eq!(heard, [parse("", "SELECT 1"), bind(""), execute(), sync()].concat());
    talk.server(&[parsed(), bound(), done(), ready(b'I')]);
    // The same server for another client.
    let mut other = Talk::with(Pooling::Transaction, Rc::default(), talk.server);
    let heard = other.client(&[bind(""), sync()]);
    assert_eq!(heard, [bind("no_mainstay_"), sync()].concat());
}

#[test]
fn nobody_reaches_the_statements_of_others_by_their_names_on_the_server() {
    let mut talk = Talk::new(Pooling::Transaction);
    assert_eq!(talk.client(&[bind("mainstay_1")]), bind("no_mainstay_mainstay_1"));
}

#[test]
fn too_many_statements_on_a_server_drop_the_least_recently_used() {
    let mut talk = Talk::with(Pooling::Transaction, Rc::default(), server(2));
    talk.client(&[parse("a", "1"), parse("b", "2"), bind("a")]);
    let heard = talk.client(&[parse("c", "3"), sync()]);
    assert_eq!(heard, [parse("mainstay_3", "3"), close("mainstay_2"), sync()].concat());
    let said = talk.server(&[parsed(), parsed(), bound(), parsed(), message(b'3', b""), ready(b'I')]);
    assert_eq!(said, [parsed(), parsed(), bound(), parsed(), ready(b'I')].concat());
    assert_eq!(talk.server.prepared(), 2);
}

#[test]
fn a_statement_that_was_not_prepared_because_of_an_error_is_prepared_the_next_time() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("a", "oops"), bind("a"), sync()]);
    assert_eq!(
        talk.server(&[failure(), ready(b'I')]),
        [failure(), ready(b'I')].concat()
    );
    assert_eq!(talk.server.prepared(), 0);
    assert_eq!(
        talk.client(&[bind("a"), sync()]),
        [parse("mainstay_1", "oops"), bind("mainstay_1"), sync()].concat()
    );
}

#[test]
fn a_statement_that_cannot_be_run_any_more_is_prepared_anew() {
    let failed = |code: &str| message(b'E', format!("SERROR\0C{code}\0Mno\0\0").as_bytes());
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("a", "SELECT *"), sync()]);
    talk.server(&[parsed(), ready(b'I')]);
    // The table has another column: the statement is there and has to go first.
    talk.client(&[bind("a"), execute(), sync()]);
    talk.server(&[failed("0A000"), ready(b'I')]);
    let again = [
        close("mainstay_1"),
        parse("mainstay_1", "SELECT *"),
        bind("mainstay_1"),
        sync(),
    ];
    assert_eq!(talk.client(&[bind("a"), sync()]), again.concat());
    // In a transaction that has failed before, all of that is skipped; so it is said again.
    talk.server(&[failure(), ready(b'I')]);
    assert_eq!(talk.client(&[bind("a"), sync()]), again.concat());
    assert_eq!(
        talk.server(&[message(b'3', b""), parsed(), bound(), ready(b'I')]),
        [bound(), ready(b'I')].concat()
    );
    assert_eq!(talk.client(&[bind("a"), sync()]), [bind("mainstay_1"), sync()].concat());
    // Somebody has dropped it: it is not there.
    talk.server(&[failed("26000"), ready(b'I')]);
    assert_eq!(
        talk.client(&[bind("a"), sync()]),
        [parse("mainstay_1", "SELECT *"), bind("mainstay_1"), sync()].concat()
    );
    talk.server(&[parsed(), bound(), ready(b'I')]);
    // Who prepares it again gets one that no server has.
    assert_eq!(
        talk.client(&[parse("b", "SELECT *"), sync()]),
        [parse("mainstay_2", "SELECT *"), sync()].concat()
    );
}

#[test]
fn after_an_error_nothing_is_owed_before_the_sync() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("", "oops"), message(b'H', b"")]);
    assert_eq!(talk.server(&[failure()]), failure());
    talk.client(&[parse("", "SELECT 1"), bind(""), execute()]);
    assert!(!talk.relay.is_at_rest());
    talk.client(&[sync()]);
    assert_eq!(talk.server(&[ready(b'I')]), ready(b'I'));
    assert!(talk.relay.is_at_rest());
}

#[test]
fn a_copy_to_the_server_takes_no_notice_of_a_sync_within_it() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("", "COPY t FROM STDIN"), bind(""), execute(), sync()]);
    let begin = [parsed(), bound(), message(b'G', b"\0\0\0")];
    assert_eq!(talk.server(&begin), begin.concat());
    let data = [
        message(b'd', b"1\n"),
        sync(),
        message(b'd', b"2\n"),
        message(b'c', b""),
        sync(),
    ];
    assert_eq!(talk.client(&data), data.concat());
    talk.server(&[message(b'C', b"COPY 2\0")]);
    assert!(!talk.relay.is_at_rest());
    talk.server(&[ready(b'I')]);
    assert!(talk.relay.is_at_rest());
}

#[test]
fn a_copy_by_a_simple_query_ends_with_it_however_it_goes() {
    for end in [message(b'c', b""), message(b'f', b"no\0")] {
        for answer in [message(b'C', b"COPY 2\0"), failure()] {
            let mut talk = Talk::new(Pooling::Transaction);
            talk.client(&[simple("COPY t FROM STDIN")]);
            talk.server(&[message(b'G', b"\0\0\0")]);
            talk.client(&[message(b'd', b"1\n"), end.clone()]);
            talk.server(&[answer, ready(b'I')]);
            assert!(talk.relay.is_at_rest());
        }
    }
}

#[test]
fn listen_is_refused_by_the_server_itself_under_transaction_pooling() {
    let mut talk = Talk::new(Pooling::Transaction);
    let heard = talk.client(&[simple("LISTEN a")]);
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.contains("RAISE EXCEPTION USING ERRCODE = '0A000'"), "{heard}");
    talk.server(&[failure(), ready(b'I')]);
    for name in ["", "a"] {
        let heard = talk.client(&[parse(name, "LISTEN a"), bind(name), execute(), sync()]);
        assert!(!heard.windows(6).any(|window| window == b"LISTEN a"), "{heard:?}");
        talk.server(&[parsed(), bound(), failure(), ready(b'I')]);
    }
    assert!(!talk.server.is_changed());
    let mut talk = Talk::new(Pooling::Session);
    assert_eq!(talk.client(&[simple("LISTEN a")]), simple("LISTEN a"));
    assert!(talk.server.is_changed());
}

#[test]
fn a_notification_for_who_had_the_server_before_is_not_passed_on() {
    let notification = message(b'A', b"\0\0\0\0a\0b\0");
    let mut talk = Talk::new(Pooling::Transaction);
    assert_eq!(talk.server(std::slice::from_ref(&notification)), b"");
    let mut talk = Talk::new(Pooling::Session);
    assert_eq!(talk.server(std::slice::from_ref(&notification)), notification);
}

#[test]
fn settings_follow_the_client_from_server_to_server() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[simple("SET TimeZone TO 'UTC'")]);
    let status = message(b'S', b"TimeZone\0UTC\0");
    talk.server(&[message(b'C', b"SET\0"), status.clone(), ready(b'I')]);
    assert!(talk.server.is_changed());
    talk.relay.end();
    talk.server = server(8);
    talk.server.parameters_mut().set(b"TimeZone", b"Europe/Berlin");
    talk.relay.begin(&mut talk.server, &mut talk.to_server);
    let heard = talk.client(&[simple("SELECT 1")]);
    assert_eq!(heard, [simple("SET TimeZone TO 'UTC';"), simple("SELECT 1")].concat());
    let said = talk.server(&[message(b'C', b"SET\0"), status, ready(b'I'), done(), ready(b'I')]);
    assert_eq!(said, [done(), ready(b'I')].concat());
    assert!(talk.relay.is_at_rest());
}

/// A client that brings this search path.
fn with_search_path(server: Server) -> Talk {
    let mut settings = Parameters::default();
    settings.set(b"search_path", b"a, b");
    let mut talk = Talk::with(Pooling::Transaction, Rc::default(), server);
    talk.relay = Relay::new(Pooling::Transaction, Rc::default(), settings);
    talk.relay.begin(&mut talk.server, &mut talk.to_server);
    talk
}

const SEARCH_PATH: &str = "SELECT pg_catalog.set_config('search_path', 'a, b', false);";

#[test]
fn a_setting_that_the_server_does_not_report_is_set_before_anything_is_done_and_taken_back() {
    let mut talk = with_search_path(server(8));
    let mut input = BytesMut::from(&simple("SELECT 1")[..]);
    let say = |talk: &mut Talk, input: &mut BytesMut| {
        talk.relay
            .client(input, &mut talk.server, &mut talk.to_server, &mut talk.to_client)
            .unwrap();
        talk.to_server.split().to_vec()
    };
    assert_eq!(say(&mut talk, &mut input), simple(SEARCH_PATH));
    assert!(!input.is_empty(), "it waits until its settings are taken");
    let answer = [message(b'T', b"x"), message(b'D', b"y"), done(), ready(b'I')];
    assert_eq!(talk.server(&answer), b"");
    assert_eq!(say(&mut talk, &mut input), simple("SELECT 1"));
    assert_eq!(talk.server(&answer), answer.concat());
    assert!(talk.relay.is_at_rest() && !talk.server.is_changed());
    // The server keeps it for this client, and not for others.
    talk.relay.end();
    talk.relay.begin(&mut talk.server, &mut talk.to_server);
    assert!(talk.to_server.is_empty());
    let other = Talk::with(Pooling::Transaction, Rc::default(), talk.server);
    assert_eq!(other.to_server, simple("RESET search_path;"));
}

#[test]
fn who_resets_its_settings_has_those_that_it_brought() {
    let mut talk = with_search_path(server(8));
    talk.server(&[message(b'D', b"y"), done(), ready(b'I')]);
    talk.client(&[simple("RESET ALL")]);
    talk.server(&[message(b'C', b"RESET\0"), ready(b'I')]);
    assert!(talk.server.is_changed());
    let heard = talk.client(&[simple("SELECT 1")]);
    assert_eq!(heard, [simple(SEARCH_PATH), simple("SELECT 1")].concat());
}

#[test]
fn settings_that_the_server_does_not_take_are_the_clients_fault_and_the_server_is_none_the_worse() {
    let mut talk = with_search_path(server(8));
    let error = b"SERROR\0VERROR\0C22023\0Mno\0Dwhy\0\0";
    assert_eq!(talk.server(&[message(b'E', error), ready(b'I')]), b"");
    assert!(talk.relay.is_at_rest() && talk.server.unreported.is_empty());
    let mut told = BytesMut::new();
    crate::postgres::fatal(&mut told, &talk.relay.refused().unwrap());
    assert_eq!(told, message(b'E', b"SFATAL\0VFATAL\0C22023\0Mno\0Dwhy\0\0"));
}

#[test]
fn dropping_all_statements_is_noticed() {
    for (sql, tag) in [("DISCARD ALL", "DISCARD ALL\0"), ("DEALLOCATE ALL", "DEALLOCATE ALL\0")] {
        let mut talk = Talk::new(Pooling::Transaction);
        talk.client(&[parse("a", "SELECT 1"), sync()]);
        talk.server(&[parsed(), ready(b'I')]);
        talk.client(&[simple(sql)]);
        talk.server(&[message(b'C', tag.as_bytes()), ready(b'I')]);
        assert_eq!(talk.server.prepared(), 0);
        assert_eq!(
            talk.client(&[bind("a")]),
            bind("a"),
            "the server says that there is none"
        );
    }
}

#[test]
fn session_pooling_rewrites_nothing_and_knows_when_the_session_changed() {
    let mut talk = Talk::new(Pooling::Session);
    let messages = [
        parse("a", "SELECT 1"),
        bind("a"),
        execute(),
        describe("a"),
        close("a"),
        sync(),
    ];
    assert_eq!(talk.client(&messages), messages.concat());
    let answer = [
        parsed(),
        bound(),
        done(),
        message(b't', b""),
        message(b'n', b""),
        message(b'3', b""),
        ready(b'I'),
    ];
    assert_eq!(talk.server(&answer), answer.concat());
    assert!(talk.server.is_changed() && talk.relay.is_at_rest());
}

#[test]
fn long_messages_go_on_in_pieces() {
    let mut talk = Talk::new(Pooling::Transaction);
    talk.client(&[parse("a", "SELECT $1"), sync()]);
    talk.server(&[parsed(), ready(b'I')]);
    let parameters = [&b"\0\0\0\x01\x00\x01\x00\x00"[..], &[7; 65_536], b"\0\0"].concat();
    let long = message(b'B', &[b"\0a\0", &parameters[..]].concat());
    let expected = message(b'B', &[b"\0mainstay_1\0", &parameters[..]].concat());
    let mut input = BytesMut::new();
    let mut heard = Vec::new();
    for piece in long.chunks(10_000) {
        input.extend_from_slice(piece);
        talk.relay
            .client(&mut input, &mut talk.server, &mut talk.to_server, &mut talk.to_client)
            .unwrap();
        assert!(input.is_empty(), "nothing is kept");
        heard.extend_from_slice(&talk.to_server.split());
        assert!(!talk.relay.is_at_rest());
    }
    assert_eq!(heard, expected);
}

#[test]
fn who_needs_no_server_gets_none() {
    let talk = Talk::new(Pooling::Transaction);
    let wants = |bytes: &[u8]| {
        let (mut input, mut out) = (BytesMut::from(bytes), BytesMut::new());
        (talk.relay.wants(&mut input, &mut out), out.to_vec())
    };
    assert_eq!(wants(&sync()), (Ok(Wanted::More), ready(b'I')));
    assert_eq!(wants(&message(b'H', b"")), (Ok(Wanted::More), vec![]));
    assert_eq!(wants(&message(b'X', b"")), (Ok(Wanted::Nothing), vec![]));
    assert_eq!(wants(&simple("SELECT 1")), (Ok(Wanted::Server), vec![]));
    assert_eq!(wants(&simple("SELECT 1")[..9]), (Ok(Wanted::More), vec![]));
    assert!(!scan(b"SELECT 1").changes);
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![Just(""), Just("a"), Just("b"), Just("mainstay_1")];
    let sql = prop_oneof![
        Just("SELECT 1"),
        Just("LISTEN x"),
        Just("SET a = 1"),
        Just("DEALLOCATE ALL")
    ];
    prop_oneof![
        (name.clone(), sql.clone()).prop_map(|(name, sql)| parse(name, sql)),
        (name.clone(), 0..30_000usize)
            .prop_map(|(name, size)| { message(b'B', &[format!("\0{name}\0").as_bytes(), &vec![9; size]].concat()) }),
        name.clone().prop_map(describe),
        name.prop_map(close),
        Just(execute()),
        Just(sync()),
        sql.prop_map(simple),
        (0..30_000usize).prop_map(|size| message(b'd', &vec![1; size])),
        Just(message(b'c', b"")),
        Just(message(b'H', b"")),
    ]
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        messages in prop::collection::vec(any_message(), 0..12), cuts in prop::collection::vec(1..20_000usize, 1..20),
    ) {
        let mut whole = Talk::new(Pooling::Transaction);
        let expected = whole.client(&messages);
        let mut talk = Talk::new(Pooling::Transaction);
        let bytes = messages.concat();
        let (mut input, mut heard, mut rest) = (BytesMut::new(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            input.extend_from_slice(piece);
            talk.relay.client(&mut input, &mut talk.server, &mut talk.to_server, &mut talk.to_client).unwrap();
            heard.extend_from_slice(&talk.to_server.split());
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn whatever_a_server_says_is_an_error_or_passes(
        messages in prop::collection::vec(any_message(), 0..6), answer in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut talk = Talk::new(Pooling::Transaction);
        talk.client(&messages);
        let mut input = BytesMut::from(&answer[..]);
        let _ = talk.relay.server(&mut input, &mut talk.server, &mut talk.to_client);
    }
}
