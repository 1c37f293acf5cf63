use super::*;
use crate::protocol::from_client::Decoder;
use crate::protocol::from_server;
use bytes::Bytes;

fn settings() -> Settings {
    Settings {
        grants: Grants::parse("orders.>, $JS.API.>, svc", "orders.>, >").unwrap(),
        inbox_prefix: "_INBOX".to_owned(),
        instance: "Ab".to_owned(),
        server_name: "mainstay".to_owned(),
        port: 4222,
        max_subscriptions: 100,
        client_buffer: 1000,
        slow_consumer: SlowConsumer::Disconnect,
        permits: Permits::default(),
        api: Api::default(),
    }
}

/// A multiplexer that is connected, and the wire on both of its sides.
struct Wire(Mux);

impl Wire {
    fn new() -> Self {
        let mut mux = Mux::new(settings());
        mux.connected(unknown_server());
        Self(mux)
    }

    fn client(&mut self, connect: &str) -> ConnectionId {
        let id = self.0.open();
        self.says(id, &format!("CONNECT {connect}\r\n"));
        let greeting = self.told(id);
        assert!(greeting.starts_with("INFO {"), "{greeting}");
        id
    }

    fn plain_client(&mut self) -> ConnectionId {
        self.client(r#"{"verbose":false,"headers":true,"no_responders":true,"protocol":1}"#)
    }

    /// A client says something.
    fn says(&mut self, id: ConnectionId, text: &str) {
        let mut decoder = Decoder::new(1 << 20);
        decoder.buffer().extend_from_slice(b"CONNECT {\"headers\":true}\r\n");
        decoder.next().unwrap();
        decoder.buffer().extend_from_slice(text.as_bytes());
        while let Some(operation) = decoder.next().unwrap() {
            let _ = self.0.client(id, operation);
        }
    }

    /// The server says something.
    fn server_says(&mut self, text: &str) -> Vec<Delivered> {
        let mut decoder = from_server::Decoder::default();
        decoder.buffer().extend_from_slice(text.as_bytes());
        let mut delivered = Vec::new();
        while let Some(operation) = decoder.next().unwrap() {
            delivered.push(self.0.server(operation));
        }
        delivered
    }

    /// The server refuses something.
    fn refuses(&mut self, text: &str) {
        self.0.server_refuses(&Refusal::parse(text).unwrap());
    }

    /// What a client is told.
    fn told(&mut self, id: ConnectionId) -> String {
        String::from_utf8(self.0.take_output(id).to_vec()).unwrap()
    }

    /// What the server is told.
    fn sent(&mut self) -> String {
        String::from_utf8(self.0.take_upstream().to_vec()).unwrap()
    }
}

#[test]
fn two_clients_share_one_connection_and_keep_their_own_names() {
    let mut wire = Wire::new();
    let (a, b) = (wire.plain_client(), wire.plain_client());
    wire.says(a, "SUB orders.* 1\r\n");
    wire.says(b, "SUB orders.eu workers 1\r\n");
    assert_eq!(wire.sent(), "SUB orders.* 1\r\nSUB orders.eu workers 2\r\n");
    wire.server_says("MSG orders.eu 1 2\r\nhi\r\nMSG orders.eu 2 2\r\nhi\r\n");
    assert_eq!(wire.told(a), "MSG orders.eu 1 2\r\nhi\r\n");
    assert_eq!(wire.told(b), "MSG orders.eu 1 2\r\nhi\r\n");
    wire.says(a, "UNSUB 1\r\nPUB orders.x 1\r\n!\r\n");
    assert_eq!(wire.sent(), "UNSUB 1\r\nPUB orders.x 1\r\n!\r\n");
    wire.server_says("MSG orders.eu 1 2\r\nhi\r\n");
    assert_eq!(wire.told(a), "");
}

#[test]
fn a_closed_client_takes_its_subscriptions_with_it() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB orders.a 1\r\n");
    wire.0.close(a);
    assert_eq!(wire.sent(), "SUB orders.a 1\r\nUNSUB 1\r\n");
    assert_eq!((wire.0.connections(), wire.0.subscriptions()), (0, 0));
    assert!(wire.0.is_ending(a));
}

#[test]
fn two_clients_never_see_each_others_replies() {
    let mut wire = Wire::new();
    let (a, b) = (wire.plain_client(), wire.plain_client());
    for client in [a, b] {
        wire.says(client, "SUB _INBOX.same.* 1\r\nPUB svc _INBOX.same.7 0\r\n\r\n");
    }
    wire.says(b, "SUB > 2\r\n");
    let sent = wire.sent();
    assert!(
        sent.contains("SUB _INBOX.mainstay-inbox.Ab.1.same.* 1\r\nPUB svc _INBOX.mainstay-inbox.Ab.1.same.7 0\r\n\r\n"),
        "{sent}"
    );
    assert!(
        sent.contains("SUB _INBOX.mainstay-inbox.Ab.2.same.* 2\r\nPUB svc _INBOX.mainstay-inbox.Ab.2.same.7 0\r\n\r\n"),
        "{sent}"
    );
    // The reply for the first client, as the server hands it to its subscription and to the second client's `>`.
    wire.server_says(
        "MSG _INBOX.mainstay-inbox.Ab.1.same.7 1 2\r\nhi\r\nMSG _INBOX.mainstay-inbox.Ab.1.same.7 3 2\r\nhi\r\n",
    );
    assert_eq!(wire.told(a), "MSG _INBOX.same.7 1 2\r\nhi\r\n");
    assert_eq!(wire.told(b), "");
    // Nor those of another replica, or of a client with a connection to the server to itself.
    let all = wire.0.subscribe_local(">".parse().unwrap(), None);
    let elsewhere = "MSG _INBOX_team.mainstay-inbox.Zz.1.same.7";
    let delivered = wire.server_says(&format!("{elsewhere} 3 2\r\nhi\r\n{elsewhere} 4 2\r\nhi\r\n"));
    assert_eq!(delivered, [Delivered::Nothing, Delivered::Nothing]);
    assert_eq!(wire.told(b), "");
    wire.0.unsubscribe_local(all);
}

#[test]
fn a_wildcard_shows_neither_the_system_nor_the_servers_own_subjects() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB > 1\r\n");
    wire.server_says("MSG $SYS.x 1 0\r\n\r\nMSG $JS.EVENT.x 1 0\r\n\r\nMSG orders 1 0\r\n\r\n");
    assert_eq!(wire.told(a), "MSG orders 1 0\r\n\r\n");
}

#[test]
fn who_was_asked_may_answer_and_so_may_any_component_beside_it() {
    let mut wire = Wire::new();
    let (a, b) = (wire.plain_client(), wire.plain_client());
    wire.says(a, "SUB svc 1\r\n");
    wire.says(b, "PUB _INBOX.elsewhere 2\r\nno\r\n");
    assert_eq!(
        wire.told(b),
        "-ERR 'Permissions Violation for Publish to \"_INBOX.elsewhere\"'\r\n"
    );
    wire.server_says("MSG svc 1 _INBOX.elsewhere 1\r\n?\r\n");
    assert_eq!(wire.told(a), "MSG svc 1 _INBOX.elsewhere 1\r\n?\r\n");
    wire.sent();
    wire.says(a, "PUB _INBOX.elsewhere 3\r\nyes\r\n");
    wire.says(b, "PUB _INBOX.elsewhere 3\r\ntoo\r\n");
    assert_eq!(
        wire.sent(),
        "PUB _INBOX.elsewhere 3\r\nyes\r\nPUB _INBOX.elsewhere 3\r\ntoo\r\n"
    );
}

#[test]
fn a_reply_subject_opens_neither_jetstream_nor_the_system() {
    let mut wire = Wire(Mux::new(Settings {
        grants: Grants::parse("", "svc").unwrap(),
        ..settings()
    }));
    wire.0.connected(unknown_server());
    let a = wire.plain_client();
    wire.says(a, "SUB svc 1\r\n");
    for reply in ["$JS.API.STREAM.DELETE.S", "$SYS.REQ.SERVER.PING", "$KV.b.k"] {
        wire.server_says(&format!("MSG svc 1 {reply} 1\r\n?\r\n"));
        wire.0.permit_reply(reply.as_bytes());
        wire.told(a);
        wire.says(a, &format!("PUB {reply} 0\r\n\r\n"));
        let refused = format!("-ERR 'Permissions Violation for Publish to \"{reply}\"'\r\n");
        assert_eq!(wire.told(a), refused);
        assert!(!wire.0.may_answer(reply.as_bytes()));
    }
}

#[test]
fn a_component_answers_on_another_connection_to_the_server_than_the_one_that_brought_the_question() {
    let shared = settings();
    let [mut one, mut other] = [shared.clone(), shared].map(|settings| Wire(Mux::new(settings)));
    one.0.connected(unknown_server());
    other.0.connected(unknown_server());
    one.0.permit_reply(b"_INBOX.elsewhere");
    let a = other.plain_client();
    other.says(a, "PUB _INBOX.elsewhere 3\r\nyes\r\n");
    assert_eq!(other.sent(), "PUB _INBOX.elsewhere 3\r\nyes\r\n");
}

#[test]
fn a_subscription_ends_after_its_maximum_on_both_sides() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB orders.a 1\r\nUNSUB 1 2\r\n");
    wire.server_says("MSG orders.a 1 0\r\n\r\n");
    assert_eq!(wire.0.subscriptions(), 1);
    // A new server is asked for what is left.
    wire.0.disconnected();
    wire.0.connected(unknown_server());
    assert_eq!(wire.sent(), "SUB orders.a 1\r\nUNSUB 1 1\r\n");
    wire.server_says("MSG orders.a 1 0\r\n\r\n");
    assert_eq!(wire.0.subscriptions(), 0);
    wire.says(a, "SUB orders.b 1\r\n");
    assert_eq!(wire.sent(), "SUB orders.b 2\r\n");
}

#[test]
fn nobody_there_is_said_only_to_those_who_asked_to_be_told() {
    let mut wire = Wire::new();
    let told = wire.plain_client();
    let untold = wire.client(r#"{"verbose":false,"headers":true}"#);
    for client in [told, untold] {
        wire.says(client, "SUB _INBOX.x 1\r\n");
    }
    for (sid, client) in [(1, 1), (2, 2)] {
        let inbox = format!("_INBOX.mainstay-inbox.Ab.{client}.x");
        wire.server_says(&format!("HMSG {inbox} {sid} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"));
    }
    assert_eq!(wire.told(told), "HMSG _INBOX.x 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
    assert_eq!(wire.told(untold), "");
}

#[test]
fn a_pong_comes_when_the_server_has_seen_it_all() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "PING\r\n");
    assert_eq!(wire.told(a), "PONG\r\n", "nothing is under way");
    wire.says(a, "PUB orders.a 0\r\n\r\nPING\r\nPING\r\n");
    assert_eq!(wire.told(a), "");
    assert_eq!(wire.sent(), "PUB orders.a 0\r\n\r\nPING\r\nPING\r\n");
    wire.server_says("PONG\r\n");
    assert_eq!(wire.told(a), "PONG\r\n");
    wire.server_says("PONG\r\n");
    assert_eq!(wire.told(a), "PONG\r\n");
}

#[test]
fn a_client_whose_publishes_may_be_lost_is_disconnected_and_others_never_notice() {
    let mut wire = Wire::new();
    let (a, b, c) = (wire.plain_client(), wire.plain_client(), wire.plain_client());
    wire.says(a, "PUB orders.a 0\r\n\r\nPING\r\n");
    wire.says(b, "SUB orders.b 1\r\nPING\r\n");
    wire.sent();
    assert!(wire.0.disconnected().is_empty());
    wire.says(c, "PUB orders.c 0\r\n\r\nPING\r\n");
    assert_eq!(wire.told(a), "-ERR 'Stale Connection'\r\n");
    assert!(wire.0.is_ending(a) && !wire.0.is_ending(b) && !wire.0.is_ending(c));
    wire.0.connected(unknown_server());
    assert_eq!(wire.sent(), "SUB orders.b 1\r\nPUB orders.c 0\r\n\r\nPING\r\nPING\r\n");
    wire.server_says("PONG\r\nPONG\r\n");
    // They are told that the server is gone and back, and nothing else.
    let heard = [b, c].map(|client| without_info(&wire.told(client)));
    assert_eq!(heard, ["PONG\r\n", "PONG\r\n"]);
}

fn without_info(told: &str) -> String {
    told.split_inclusive('\n')
        .filter(|line| !line.starts_with("INFO "))
        .collect()
}

#[test]
fn a_new_limit_is_told_to_clients_that_understand_it() {
    let mut wire = Wire::new();
    let (new, old) = (wire.plain_client(), wire.client(r#"{"verbose":false}"#));
    wire.0.disconnected();
    wire.0.connected(ServerInfo {
        max_payload: 512,
        ..unknown_server()
    });
    assert!(wire.told(new).contains("\"max_payload\":512"));
    assert_eq!(wire.told(old), "");
}

/// A client has not read one message, as it was told, and another does not fit.
fn slow(client: ConnectionId, told: &str) -> Delivered {
    Delivered::Slow {
        connection: client,
        subject: Bytes::from("orders.a"),
        messages: 1,
        bytes: told.len(),
    }
}

#[test]
fn a_client_that_does_not_read_is_disconnected_as_by_nats_server() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB orders.a 1\r\n");
    let big = format!("MSG orders.a 1 900\r\n{}\r\n", "x".repeat(900));
    assert_eq!(wire.server_says(&big), [Delivered::Nothing]);
    assert_eq!(wire.server_says(&big), [slow(a, &big)]);
    assert!(wire.told(a).ends_with("-ERR 'Slow Consumer'\r\n") && wire.0.is_ending(a));
}

#[test]
fn or_loses_what_does_not_fit_one_by_one_and_is_told_once() {
    let mut wire = Wire(Mux::new(Settings {
        slow_consumer: SlowConsumer::Drop,
        ..settings()
    }));
    wire.0.connected(unknown_server());
    let a = wire.plain_client();
    wire.says(a, "SUB orders.a 1\r\n");
    let big = format!("MSG orders.a 1 900\r\n{}\r\n", "x".repeat(900));
    let delivered = wire.server_says(&big.repeat(3));
    assert_eq!(delivered[..2], [Delivered::Nothing, slow(a, &big)]);
    assert!(matches!(delivered[2], Delivered::Slow { messages: 1, .. }));
    let told = wire.told(a);
    assert_eq!(told.matches("-ERR 'Slow Consumer'\r\n").count(), 1);
    assert!(!wire.0.is_ending(a));
    assert_eq!(wire.server_says(&big), [Delivered::Nothing]);
}

#[test]
fn a_message_larger_than_the_buffer_comes_when_nothing_else_waits() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB orders.a 1\r\nPING\r\n");
    let huge = format!("MSG orders.a 1 5000\r\n{}\r\n", "x".repeat(5000));
    assert_eq!(wire.server_says(&huge), [Delivered::Nothing]);
    assert_eq!(wire.told(a), huge);
    assert!(!wire.0.is_ending(a));
}

#[test]
fn a_client_that_asks_and_never_reads_the_answers_has_to_go_too() {
    for said in ["PING\r\n", "PUB secret 0\r\n\r\n", "SUB a..b 1\r\n"] {
        for policy in [SlowConsumer::Disconnect, SlowConsumer::Drop] {
            let mut wire = Wire(Mux::new(Settings {
                slow_consumer: policy,
                ..settings()
            }));
            wire.0.connected(unknown_server());
            let a = wire.plain_client();
            wire.says(a, &said.repeat(1000));
            assert!(wire.0.is_ending(a), "{said:?}");
            let told = wire.told(a);
            assert!(
                told.len() < 1100 && told.ends_with("-ERR 'Slow Consumer'\r\n"),
                "{told}"
            );
        }
    }
}

#[test]
fn a_push_consumer_and_its_answers_know_the_client_by_its_own_inbox() {
    let mut wire = Wire::new();
    let a = wire.plain_client();
    wire.says(a, "SUB _INBOX.push 1\r\nSUB _INBOX.r 2\r\n");
    wire.sent();
    let request = r#"{"config":{"deliver_subject":"_INBOX.push"}}"#;
    wire.says(
        a,
        &format!(
            "PUB $JS.API.CONSUMER.CREATE.S _INBOX.r {}\r\n{request}\r\n",
            request.len()
        ),
    );
    let upstream = r#"{"config":{"deliver_subject":"_INBOX.mainstay-inbox.Ab.1.push"}}"#;
    assert_eq!(
        wire.sent(),
        format!(
            "PUB $JS.API.CONSUMER.CREATE.S _INBOX.mainstay-inbox.Ab.1.r {}\r\n{upstream}\r\n",
            upstream.len()
        )
    );
    wire.server_says(&format!(
        "MSG _INBOX.mainstay-inbox.Ab.1.r 2 {}\r\n{upstream}\r\n",
        upstream.len()
    ));
    assert_eq!(
        wire.told(a),
        format!("MSG _INBOX.r 2 {}\r\n{request}\r\n", request.len())
    );
    // A message of the stream comes by its own subject, and may be acknowledged.
    wire.server_says("MSG $KV.b.k 1 $JS.ACK.S.c.1.2.3.4.5 1\r\nv\r\n");
    assert_eq!(wire.told(a), "MSG $KV.b.k 1 $JS.ACK.S.c.1.2.3.4.5 1\r\nv\r\n");
    wire.says(a, "PUB $JS.ACK.S.c.1.2.3.4.5 4\r\n+ACK\r\n");
    assert_eq!(wire.sent(), "PUB $JS.ACK.S.c.1.2.3.4.5 4\r\n+ACK\r\n");
    // A stalled consumer names in a heartbeat where it wants to be answered.
    let stalled = "NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: $JS.FC.S.c.xyz\r\n\r\n";
    let size = stalled.len();
    wire.server_says(&format!(
        "HMSG _INBOX.mainstay-inbox.Ab.1.push 1 {size} {size}\r\n{stalled}\r\n"
    ));
    wire.says(a, "PUB $JS.FC.S.c.xyz 0\r\n\r\n");
    assert_eq!(wire.sent(), "PUB $JS.FC.S.c.xyz 0\r\n\r\n");
}

#[test]
fn an_api_that_the_account_imports_under_another_name_delivers_to_the_real_inbox_too() {
    let mut wire = Wire(Mux::new(Settings {
        grants: Grants::parse("acme.API.>", "").unwrap(),
        api: Api::prefix("acme.API"),
        ..settings()
    }));
    wire.0.connected(unknown_server());
    let a = wire.plain_client();
    let request = r#"{"config":{"deliver_subject":"_INBOX.push"}}"#;
    let size = request.len();
    wire.says(a, &format!("PUB acme.API.CONSUMER.CREATE.S {size}\r\n{request}\r\n"));
    let sent = wire.sent();
    assert!(
        sent.contains(r#""deliver_subject":"_INBOX.mainstay-inbox.Ab.1.push""#),
        "{sent}"
    );
}

#[test]
fn the_services_own_subscriptions_stand_beside_those_of_clients() {
    let mut wire = Wire::new();
    let id = wire.0.subscribe_local("$JS.EVENT.>".parse().unwrap(), Some("q"));
    wire.0.flush_local(9);
    assert_eq!(wire.sent(), "SUB $JS.EVENT.> q 1\r\nPING\r\n");
    let delivered = wire.server_says("MSG $JS.EVENT.x 1 2\r\nhi\r\nPONG\r\nPING\r\n");
    let message = Message {
        subject: Bytes::from("$JS.EVENT.x"),
        payload: Bytes::from("hi"),
        ..Message::default()
    };
    assert_eq!(
        delivered,
        [Delivered::Local(id, message), Delivered::Flushed(9), Delivered::Nothing]
    );
    wire.0.unsubscribe_local(id);
    assert_eq!(wire.sent(), "PONG\r\nUNSUB 1\r\n");
    wire.0.flush_local(10);
    assert_eq!(wire.0.disconnected(), [10]);
}

#[test]
fn verbose_clients_get_ok_for_what_was_taken() {
    let mut wire = Wire::new();
    let a = wire.client("{}");
    wire.says(
        a,
        "SUB orders.a 1\r\nPUB orders.a 0\r\n\r\nPUB secret 0\r\n\r\nUNSUB 1\r\n",
    );
    let told = wire.told(a);
    assert_eq!(
        told,
        "+OK\r\n+OK\r\n-ERR 'Permissions Violation for Publish to \"secret\"'\r\n+OK\r\n"
    );
}

#[test]
fn what_the_server_refuses_is_told_to_the_one_who_asked() {
    let mut wire = Wire::new();
    let (a, b) = (wire.plain_client(), wire.plain_client());
    wire.says(a, "SUB _INBOX.x 1\r\n");
    wire.refuses("Permissions Violation for Subscription to \"_INBOX.mainstay-inbox.Ab.1.x\"");
    assert_eq!(
        wire.told(a),
        "-ERR 'Permissions Violation for Subscription to \"_INBOX.x\"'\r\n"
    );
    assert_eq!(wire.told(b), "");
    wire.refuses("Permissions Violation for Publish to \"orders.subscription\"");
    for client in [a, b] {
        assert_eq!(
            wire.told(client),
            "-ERR 'Permissions Violation for Publish to \"orders.subscription\"'\r\n"
        );
    }
    wire.refuses("maximum subscriptions exceeded");
    assert_eq!((wire.told(a), wire.told(b)), (String::new(), String::new()));
}

#[test]
fn a_line_that_is_too_long_for_the_server_costs_its_client_alone_the_connection() {
    for said in ["PUB svc _INBOX.{} 0\r\n\r\n", "SUB _INBOX.{} 1\r\n"] {
        let mut wire = Wire::new();
        let (a, b) = (wire.plain_client(), wire.plain_client());
        // As long as a client may say it, and too long with the real inbox.
        let long = said.replace("{}", &"x".repeat(4096 - "svc _INBOX. 0".len()));
        wire.says(a, &long);
        assert_eq!(wire.told(a), "-ERR 'maximum control line exceeded'\r\n");
        assert!(wire.0.is_ending(a) && !wire.0.is_ending(b));
        assert_eq!(wire.sent(), "");
        wire.says(b, &said.replace("{}", &"x".repeat(4000)));
        assert!(wire.sent().len() > 4000);
    }
}

#[test]
fn a_filter_in_the_subject_of_a_request_is_no_wildcard() {
    let mut wire = Wire::new();
    let a = wire.client(r#"{"verbose":false,"pedantic":false}"#);
    wire.says(
        a,
        "PUB $JS.API.CONSUMER.CREATE.S.c.orders.> 0\r\n\r\nPUB orders.* 0\r\n\r\nPUB svc.> 0\r\n\r\n",
    );
    assert_eq!(
        wire.sent(),
        "PUB $JS.API.CONSUMER.CREATE.S.c.orders.> 0\r\n\r\nPUB orders.* 0\r\n\r\n"
    );
    assert_eq!(
        wire.told(a),
        "-ERR 'Permissions Violation for Publish to \"svc.>\"'\r\n"
    );
}

#[test]
fn clients_are_told_whether_there_is_a_server_behind_the_endpoint() {
    let mut wire = Wire::new();
    let (a, old) = (wire.plain_client(), wire.client(r#"{"verbose":false,"protocol":0}"#));
    wire.0.disconnected();
    let told = wire.told(a);
    assert!(
        told.starts_with("INFO {") && told.contains(r#""connected":false"#),
        "{told}"
    );
    let late = wire.0.open();
    assert!(wire.told(late).contains(r#""connected":false"#));
    wire.0.connected(unknown_server());
    let told = wire.told(a);
    assert!(
        told.starts_with("INFO {") && told.contains(r#""connected":true"#),
        "{told}"
    );
    assert_eq!(wire.told(late), "", "it has not said yet what it understands");
    wire.says(late, "CONNECT {\"protocol\":1}\r\n");
    assert!(wire.told(late).contains(r#""connected":true"#));
    assert_eq!(wire.told(old), "", "version 0 of the protocol knows one INFO only");
}
