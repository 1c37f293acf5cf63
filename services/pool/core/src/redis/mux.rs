//! Commands of many clients on one connection, and whose the answers are.
//!
//! A server answers in the order in which it was asked, so a queue of who asked is all that is needed. An answer that
//! no server gives stands in the same queue, and so comes in its turn. When the connection is lost, what was not said
//! yet is said on the next one; what was said and not answered is said again only if it changes nothing.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::{Commands, Fault, Kind, Scanner};

/// A client of a multiplexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// How often a command is said at most.
const MAX_ATTEMPTS: u8 = 3;

/// A client that has not read so many bytes of its answers holds up the others.
const CONGESTED: usize = 4 * 1024 * 1024;

/// Commands of one client that stand together.
#[derive(Debug)]
struct Entry {
    client: ClientId,
    /// Answers that are still to come.
    owed: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Commands {
        bytes: Bytes,
        /// How many commands `bytes` holds.
        count: usize,
        read_only: bool,
        attempts: u8,
    },
    /// An answer that no server gives.
    Answer(Bytes),
}

#[derive(Debug, Default)]
struct Client {
    /// Answers that it has not read yet.
    out: BytesMut,
    /// Answers that are still to come.
    owed: usize,
}

/// One connection, for many.
#[derive(Debug, Default)]
pub struct Mux {
    /// In the order of the answers.
    entries: VecDeque<Entry>,
    /// So many of them are with the server.
    said: usize,
    clients: HashMap<ClientId, Client>,
    scanner: Scanner,
    /// Clients that have something to read since the last [`touched`](Self::touched).
    touched: Vec<ClientId>,
    /// A client that got an answer though it had not read enough of the ones before.
    congested: Option<ClientId>,
}

/// What became of commands when a connection was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Will be said again.
    pub retried: usize,
    /// Failed: nobody knows whether they were heard.
    pub failed: usize,
}

impl Mux {
    /// A client comes.
    pub fn open(&mut self, client: ClientId) {
        self.clients.insert(client, Client::default());
    }

    /// A client goes. Its answers will be read and thrown away.
    pub fn close(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    /// A client says `count` commands, which are `bytes`.
    pub fn push(&mut self, client: ClientId, bytes: Bytes, count: usize, read_only: bool) {
        self.owe(client, count);
        let what = What::Commands {
            bytes,
            count,
            read_only,
            attempts: 0,
        };
        self.entries.push_back(Entry {
            client,
            owed: count,
            what,
        });
    }

    /// A client is answered this, in its turn.
    pub fn answer(&mut self, client: ClientId, answer: Bytes) {
        if self.owed(client) == 0 {
            self.deliver(client, &answer);
            return;
        }
        self.owe(client, 1);
        self.entries.push_back(Entry {
            client,
            owed: 1,
            what: What::Answer(answer),
        });
    }

    /// Whether somebody waits for something to be said.
    pub fn has_output(&self) -> bool {
        let unsaid = self.entries.range(self.said.min(self.entries.len())..);
        unsaid
            .into_iter()
            .any(|entry| matches!(entry.what, What::Commands { .. }))
    }

    /// Whether nothing is owed.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the server owes an answer.
    pub fn awaits(&self) -> bool {
        self.said > 0
    }

    /// Writes what is to be said now, up to about `limit` bytes.
    pub fn take_output(&mut self, out: &mut BytesMut, limit: usize) {
        for entry in self.entries.range_mut(self.said.min(self.entries.len())..) {
            if out.len() >= limit {
                break;
            }
            if let What::Commands { bytes, attempts, .. } = &mut entry.what {
                out.extend_from_slice(bytes);
                *attempts += 1;
            }
            self.said += 1;
        }
    }

    /// Takes off `input` what the server answers.
    ///
    /// # Errors
    /// It does not speak RESP, or says what nobody asked for. The connection is lost.
    pub fn input(&mut self, input: &mut BytesMut) -> Result<(), Fault> {
        let bytes = input.split();
        let mut at = 0;
        loop {
            self.settle();
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            let Some(client) = self.entries.front().filter(|_| self.said > 0).map(|entry| entry.client) else {
                return self.unasked(rest);
            };
            // As many answers as are this client's, at once.
            let (mut run, mut answers, mut push) = (0, 0, None);
            let owed = self.entries.front().map_or(0, |entry| entry.owed);
            while answers < owed {
                let progress = self.scanner.scan(rest.get(run..).unwrap_or_default())?;
                match progress.complete {
                    Some(Kind::Push) => {
                        push = Some(progress.consumed);
                        break;
                    }
                    Some(_) => answers += 1,
                    None => {}
                }
                run += progress.consumed;
                if progress.complete.is_none() {
                    break;
                }
            }
            self.deliver(client, rest.get(..run).unwrap_or_default());
            self.answered(client, answers);
            // Pushes are for nobody: what asks for them has a connection of its own.
            at += run + push.unwrap_or(0);
            if run == 0 && push.is_none() {
                // The rest is a line that is not complete.
                input.extend_from_slice(bytes.get(at..).unwrap_or_default());
                return Ok(());
            }
        }
    }

    /// What comes though nobody asked: a push, and nothing else.
    fn unasked(&mut self, mut rest: &[u8]) -> Result<(), Fault> {
        while !rest.is_empty() {
            let progress = self.scanner.scan(rest)?;
            match progress.complete {
                Some(Kind::Push) => rest = rest.get(progress.consumed..).unwrap_or_default(),
                _ => return Err(Fault::new("an answer that nobody asked for")),
            }
        }
        Ok(())
    }

    fn answered(&mut self, client: ClientId, answers: usize) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.owed = client.owed.saturating_sub(answers);
        }
        let Some(entry) = self.entries.front_mut() else { return };
        entry.owed = entry.owed.saturating_sub(answers);
        if entry.owed == 0 {
            self.entries.pop_front();
            self.said = self.said.saturating_sub(1);
        }
    }

    /// Gives those answers whose turn it is and that no server gives.
    fn settle(&mut self) {
        while let Some(Entry {
            what: What::Answer(answer),
            client,
            ..
        }) = self.entries.front()
        {
            let (client, answer) = (*client, answer.clone());
            self.deliver(client, &answer);
            self.answered(client, 1);
        }
    }

    /// The connection is lost, for the reason that clients are told.
    pub fn disconnected(&mut self, error: &str) -> Lost {
        // Half an answer cannot be taken back: who has got it has to go.
        if self.scanner.is_within()
            && let Some(entry) = self.entries.front()
        {
            let client = entry.client;
            self.kill(client);
        }
        self.scanner = Scanner::default();
        let mut lost = Lost::default();
        let said = std::mem::take(&mut self.said);
        for entry in self.entries.iter_mut().take(said) {
            let What::Commands {
                bytes,
                count,
                read_only,
                attempts,
            } = &mut entry.what
            else {
                continue;
            };
            if !self.clients.contains_key(&entry.client) {
                // Nobody waits for it any more.
                entry.what = What::Answer(Bytes::new());
            } else if *read_only && *attempts < MAX_ATTEMPTS {
                lost.retried += entry.owed;
                *bytes = without_first(bytes, count.saturating_sub(entry.owed));
                *count = entry.owed;
            } else {
                lost.failed += entry.owed;
                entry.what = What::Answer(errors(error, entry.owed));
            }
        }
        self.merge_answers();
        lost
    }

    /// Nothing will be said within the time that clients give: all fails.
    pub fn fail(&mut self, error: &str) -> usize {
        let mut failed = 0;
        for entry in &mut self.entries {
            if matches!(entry.what, What::Commands { .. }) {
                failed += entry.owed;
                entry.what = What::Answer(errors(error, entry.owed));
            }
        }
        self.said = 0;
        self.merge_answers();
        failed
    }

    /// An entry of errors counts as one answer.
    fn merge_answers(&mut self) {
        for entry in &mut self.entries {
            if matches!(entry.what, What::Answer(_)) && entry.owed > 1 {
                if let Some(client) = self.clients.get_mut(&entry.client) {
                    client.owed = client.owed.saturating_sub(entry.owed - 1);
                }
                entry.owed = 1;
            }
        }
        self.settle();
    }

    /// A client that cannot be helped: its answers go nowhere, and it will be told to go.
    fn kill(&mut self, client: ClientId) {
        self.clients.remove(&client);
        self.touched.push(client);
    }

    /// Clients that have something to read, or have to go, since the last time.
    pub fn touched(&mut self) -> Vec<ClientId> {
        std::mem::take(&mut self.touched)
    }

    /// What a client is to read; none if it has to go.
    pub fn take_answers(&mut self, client: ClientId) -> Option<BytesMut> {
        Some(self.clients.get_mut(&client)?.out.split())
    }

    /// Whether a client is there.
    pub fn is_open(&self, client: ClientId) -> bool {
        self.clients.contains_key(&client)
    }

    /// Answers that a client waits for.
    pub fn owed(&self, client: ClientId) -> usize {
        self.clients.get(&client).map_or(0, |client| client.owed)
    }

    /// Bytes that a client has not read yet.
    pub fn unread(&self, client: ClientId) -> usize {
        self.clients.get(&client).map_or(0, |client| client.out.len())
    }

    /// A client that does not read its answers: nothing more is to be read from the server until it does, or is gone.
    pub fn congested(&self) -> Option<ClientId> {
        self.congested.filter(|client| self.unread(*client) > CONGESTED)
    }

    fn owe(&mut self, client: ClientId, answers: usize) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.owed += answers;
        }
    }

    fn deliver(&mut self, id: ClientId, answer: &[u8]) {
        if let Some(client) = self.clients.get_mut(&id).filter(|_| !answer.is_empty()) {
            if client.out.is_empty() {
                self.touched.push(id);
            }
            client.out.extend_from_slice(answer);
            if client.out.len() > CONGESTED {
                self.congested = Some(id);
            }
        }
    }
}

/// The same error so many times.
fn errors(error: &str, count: usize) -> Bytes {
    format!("-ERR {}\r\n", error.replace(['\r', '\n'], " "))
        .repeat(count)
        .into()
}

/// Commands without the first of them.
fn without_first(bytes: &Bytes, count: usize) -> Bytes {
    let mut commands = Commands::default();
    let mut at = 0;
    for _ in 0..count {
        match commands.next(bytes.get(at..).unwrap_or_default()) {
            Ok(Some(command)) => at += command.length,
            // They were read once, so they are commands.
            _ => break,
        }
    }
    bytes.slice(at.min(bytes.len())..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: ClientId = ClientId(1);
    const B: ClientId = ClientId(2);

    fn get(key: &str) -> Bytes {
        format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into()
    }

    fn mux() -> Mux {
        let mut mux = Mux::default();
        mux.open(A);
        mux.open(B);
        mux
    }

    fn said(mux: &mut Mux) -> BytesMut {
        let mut out = BytesMut::new();
        mux.take_output(&mut out, usize::MAX);
        out
    }

    fn heard(mux: &mut Mux, client: ClientId) -> String {
        String::from_utf8(mux.take_answers(client).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn answers_go_to_who_asked_in_their_order() {
        let mut mux = mux();
        mux.push(A, get("a"), 1, true);
        mux.push(B, [get("b"), get("c")].concat().into(), 2, true);
        mux.answer(B, "+local\r\n".into());
        mux.push(A, get("d"), 1, true);
        assert_eq!(said(&mut mux), [get("a"), get("b"), get("c"), get("d")].concat());
        let mut input = BytesMut::from("$1\r\n1\r\n$1\r\n2\r\n$");
        mux.input(&mut input).unwrap();
        assert_eq!(input, "$");
        input.extend_from_slice(b"1\r\n3\r\n$1\r\n4\r\n");
        mux.input(&mut input).unwrap();
        assert_eq!(heard(&mut mux, A), "$1\r\n1\r\n$1\r\n4\r\n");
        assert_eq!(heard(&mut mux, B), "$1\r\n2\r\n$1\r\n3\r\n+local\r\n");
        assert!(mux.is_idle() && mux.owed(A) == 0 && mux.owed(B) == 0);
    }

    #[test]
    fn an_answer_of_no_server_comes_at_once_when_nothing_is_owed() {
        let mut mux = mux();
        mux.answer(A, "+OK\r\n".into());
        assert_eq!(heard(&mut mux, A), "+OK\r\n");
        assert_eq!(mux.touched(), [A]);
    }

    #[test]
    fn who_does_not_read_is_noticed_until_it_does_or_is_gone() {
        let mut mux = mux();
        let answer = format!("${}\r\n{}\r\n", CONGESTED, "x".repeat(CONGESTED));
        for leaves in [false, true] {
            mux.push(A, get("a"), 1, true);
            said(&mut mux);
            mux.input(&mut BytesMut::from(&*answer)).unwrap();
            assert_eq!(mux.congested(), Some(A));
            match leaves {
                true => mux.close(A),
                false => assert_eq!(heard(&mut mux, A).len(), answer.len()),
            }
            assert_eq!(mux.congested(), None);
        }
    }

    #[test]
    fn answers_of_who_is_gone_are_thrown_away() {
        let mut mux = mux();
        mux.push(A, get("a"), 1, true);
        mux.push(B, get("b"), 1, true);
        said(&mut mux);
        mux.close(A);
        mux.input(&mut BytesMut::from("+1\r\n+2\r\n")).unwrap();
        assert_eq!(heard(&mut mux, B), "+2\r\n");
        assert_eq!(mux.take_answers(A), None);
    }

    #[test]
    fn a_lost_connection_says_again_only_what_changes_nothing() {
        let mut mux = mux();
        mux.push(A, [get("a"), get("b")].concat().into(), 2, true);
        mux.push(B, "*1\r\n$4\r\nINCR\r\n".into(), 1, false);
        mux.push(B, get("c"), 1, true);
        let mut out = BytesMut::new();
        mux.take_output(&mut out, usize::MAX);
        mux.push(A, "*1\r\n$4\r\nINCR\r\n".into(), 1, false);
        mux.input(&mut BytesMut::from("+a\r\n")).unwrap();
        assert_eq!(mux.disconnected("lost"), Lost { retried: 2, failed: 1 });
        assert_eq!(
            said(&mut mux),
            [&get("b")[..], &get("c"), b"*1\r\n$4\r\nINCR\r\n"].concat()
        );
        mux.input(&mut BytesMut::from("+b\r\n+c\r\n+d\r\n")).unwrap();
        assert_eq!(heard(&mut mux, A), "+a\r\n+b\r\n+d\r\n");
        assert_eq!(heard(&mut mux, B), "-ERR lost\r\n+c\r\n");
        assert!(mux.is_idle() && mux.owed(B) == 0);
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_said_again() {
        let mut mux = mux();
        mux.push(A, [get("a"), get("b")].concat().into(), 2, true);
        mux.push(B, get("c"), 1, true);
        said(&mut mux);
        mux.close(A);
        assert_eq!(mux.disconnected("lost"), Lost { retried: 1, failed: 0 });
        assert_eq!(said(&mut mux), get("c"));
    }

    #[test]
    fn a_command_that_kills_every_connection_is_not_said_for_ever() {
        let mut mux = mux();
        mux.push(A, get("a"), 1, true);
        for _ in 1..MAX_ATTEMPTS {
            said(&mut mux);
            assert_eq!(mux.disconnected("lost"), Lost { retried: 1, failed: 0 });
        }
        said(&mut mux);
        assert_eq!(mux.disconnected("lost"), Lost { retried: 0, failed: 1 });
        assert_eq!(heard(&mut mux, A), "-ERR lost\r\n");
    }

    #[test]
    fn who_has_got_half_an_answer_has_to_go() {
        let mut mux = mux();
        mux.push(A, get("a"), 1, true);
        mux.push(B, get("b"), 1, true);
        said(&mut mux);
        mux.input(&mut BytesMut::from("$100\r\nhalf")).unwrap();
        assert_eq!(heard(&mut mux, A), "$100\r\nhalf");
        mux.disconnected("lost");
        assert_eq!(mux.take_answers(A), None);
        assert!(mux.touched().contains(&A));
        assert_eq!(said(&mut mux), get("b"));
        mux.input(&mut BytesMut::from("+b\r\n")).unwrap();
        assert_eq!(heard(&mut mux, B), "+b\r\n");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_a_fault_but_a_push_is_not() {
        let mut mux = mux();
        assert_eq!(mux.input(&mut BytesMut::from(">1\r\n+x\r\n")), Ok(()));
        assert!(mux.input(&mut BytesMut::from("+OK\r\n")).is_err());
        let mut mux = self::mux();
        mux.push(A, get("a"), 1, true);
        said(&mut mux);
        mux.input(&mut BytesMut::from(">1\r\n+x\r\n+a\r\n")).unwrap();
        assert_eq!(heard(&mut mux, A), "+a\r\n");
    }

    #[test]
    fn what_cannot_be_said_in_time_fails() {
        let mut mux = mux();
        mux.push(A, [get("a"), get("b")].concat().into(), 2, true);
        mux.answer(A, "+OK\r\n".into());
        assert_eq!(mux.fail("no connection"), 2);
        assert_eq!(
            heard(&mut mux, A),
            "-ERR no connection\r\n-ERR no connection\r\n+OK\r\n"
        );
        assert!(mux.is_idle() && mux.owed(A) == 0);
    }

    proptest! {
        /// Any clients, any pieces, connections that are lost at any byte: each client gets its answers in its order,
        /// one for each command, and never another's.
        #[test]
        fn no_answer_goes_to_another(
            commands in prop::collection::vec((0..5u64, 1..4usize, any::<bool>(), any::<bool>()), 1..60),
            pieces in prop::collection::vec((1..40usize, prop::bool::weighted(0.1)), 1..40),
        ) {
            let mut mux = Mux::default();
            let mut expected: HashMap<u64, Vec<String>> = HashMap::new();
            for client in 0..5 {
                mux.open(ClientId(client));
            }
            let mut next = 0;
            for (client, count, read_only, local) in &commands {
                let mut bytes = Vec::new();
                for _ in 0..*count {
                    next += 1;
                    expected.entry(*client).or_default().push(format!("{client}.{next}"));
                    bytes.extend_from_slice(&get(&format!("{client}.{next}")));
                }
                if *local {
                    mux.answer(ClientId(*client), "+local\r\n".into());
                    let answers = expected.entry(*client).or_default();
                    answers.insert(answers.len() - count, "local".to_owned());
                }
                mux.push(ClientId(*client), bytes.into(), *count, *read_only);
            }
            let mut got: HashMap<u64, Vec<u8>> = HashMap::new();
            let mut alive: Vec<u64> = (0..5).collect();
            let (mut server, mut input) = (BytesMut::new(), BytesMut::new());
            for round in 0..10_000 {
                let mut out = BytesMut::new();
                mux.take_output(&mut out, 200);
                // The server answers each GET with its key.
                let mut parser = Commands::default();
                let mut at = 0;
                while let Some(command) = parser.next(&out[at..]).unwrap() {
                    server.extend_from_slice(b"+");
                    server.extend_from_slice(command.word(1).unwrap());
                    server.extend_from_slice(b"\r\n");
                    at += command.length;
                }
                let (size, cut) = pieces[round % pieces.len()];
                let piece = server.split_to(size.min(server.len()));
                input.extend_from_slice(&piece);
                mux.input(&mut input).unwrap();
                if cut && round < 200 {
                    mux.disconnected("lost");
                    (server, input) = (BytesMut::new(), BytesMut::new());
                }
                alive.retain(|client| match mux.take_answers(ClientId(*client)) {
                    Some(answers) => {
                        got.entry(*client).or_default().extend_from_slice(&answers);
                        true
                    }
                    None => false,
                });
                if mux.is_idle() {
                    break;
                }
            }
            prop_assert!(mux.is_idle());
            for client in alive {
                let text = String::from_utf8(got.remove(&client).unwrap_or_default()).unwrap();
                let answers: Vec<&str> = text.split_terminator("\r\n").collect();
                let expected = expected.remove(&client).unwrap_or_default();
                prop_assert_eq!(answers.len(), expected.len());
                for (answer, expected) in answers.iter().zip(&expected) {
                    prop_assert!(*answer == "-ERR lost" || answer.get(1..) == Some(expected.as_str()), "{} for {}", answer, expected);
                }
            }
        }
    }
}
