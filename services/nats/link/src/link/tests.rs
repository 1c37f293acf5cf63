use std::cell::RefCell;

use mainstay_nats_core::mux::{self, Mux, Permits, SlowConsumer};
use mainstay_runtime::config::Settings;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::*;

/// Writes down what it is told.
#[derive(Default)]
struct Notes(RefCell<Vec<String>>);

impl Notes {
    fn note(&self, what: &str) {
        self.0.borrow_mut().push(what.to_owned());
    }
}

impl Observer for Notes {
    fn connected(&self, _peer: Peer<'_>) {
        self.note("connected");
    }

    fn disconnected(&self, reason: &str) {
        self.note(reason);
    }

    fn not_connected(&self, attempt: NotConnected<'_>) {
        self.note(attempt.error);
    }

    fn lame_duck(&self, _peer: Peer<'_>) {}

    fn server_refuses(&self, text: &str) {
        self.note(text);
    }
}

fn bridge(notes: &Rc<Notes>) -> Rc<Bridge> {
    let settings = mux::Settings {
        grants: mainstay_nats_core::grants::Grants::default(),
        inbox_prefix: "_INBOX".to_owned(),
        instance: "Ab".to_owned(),
        server_name: "mainstay".to_owned(),
        port: 0,
        max_subscriptions: 0,
        client_buffer: 0,
        slow_consumer: SlowConsumer::default(),
        permits: Permits::default(),
        api: mainstay_nats_core::jetstream::api::Api::default(),
    };
    let observer: Rc<dyn Observer> = notes.clone();
    Bridge::new(Mux::new(settings), 1 << 20, observer)
}

/// A link to a server that is there, from now on.
fn link(listener: &TcpListener, notes: &Rc<Notes>, more: &[(&str, &str)]) -> Rc<Bridge> {
    let url = listener.local_addr().unwrap().to_string();
    let environment = std::iter::once(("NATS_URL", url.as_str())).chain(more.iter().copied());
    let settings = Settings::read_from("NATS_", environment, Connection::read).unwrap();
    let bridge = bridge(notes);
    let link = Link::new(Rc::new(settings), Rc::clone(&bridge), notes.clone(), true);
    tokio::task::spawn_local(link.run());
    bridge
}

/// The server's end of a connection.
struct Server(BufReader<TcpStream>);

impl Server {
    /// Takes the service in.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = Self(BufReader::new(stream));
        server.say("INFO {\"headers\":true,\"max_payload\":1048576}\r\n").await;
        assert!(server.line().await.starts_with("CONNECT {"));
        assert_eq!(server.line().await, "PING");
        server.say("PONG\r\n").await;
        server
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut line));
        read.await.unwrap().unwrap();
        line.trim_end().to_owned()
    }
}

#[tokio::test]
async fn the_connection_goes_on_after_a_refusal() {
    let test = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notes = Rc::default();
        let _bridge = link(&listener, &notes, &[]);
        let mut server = Server::accept(&listener).await;
        assert!(server.line().await.starts_with("SUB _INBOX."));
        assert_eq!(server.line().await, "PING");
        server
            .say("-ERR 'maximum subscriptions exceeded'\r\nPONG\r\nPING\r\n")
            .await;
        assert_eq!(server.line().await, "PONG", "it is still there");
        assert_eq!(*notes.0.borrow(), ["maximum subscriptions exceeded", "connected"]);
        server.say("-ERR 'Stale Connection'\r\n").await;
        assert_eq!(server.line().await, "", "the server's last word");
        assert_eq!(notes.0.borrow().last().unwrap(), "the server says: Stale Connection");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_not_connected_to_again_and_again_without_a_pause() {
    let test = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notes = Rc::default();
        let _bridge = link(&listener, &notes, &[("NATS_RECONNECT_MAX", "400ms")]);
        let began = Instant::now();
        for _ in 0..6 {
            drop(Server::accept(&listener).await);
        }
        // Five pauses of up to 100, 200, 400, 400 and 400 ms: at random they are shorter in all once in a million times.
        assert!(began.elapsed() > Duration::from_millis(50), "{:?}", began.elapsed());
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_read_is_not_taken_for_dead() {
    let notes = Rc::default();
    let bridge = bridge(&notes);
    bridge.connected(ServerInfo::default());
    let (told, interval) = (Told::default(), Duration::from_secs(30));
    bridge.pause();
    let dead = tokio::time::timeout(interval * 10, watch(&bridge, interval, &told));
    assert!(dead.await.is_err());
    bridge.resume();
    let dead = watch(&bridge, interval, &told).await;
    assert_eq!(dead, "the server gives no sign of life for 60s");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_any_more_is_never_sent() {
    let notes = Rc::default();
    let bridge = bridge(&notes);
    let request = mainstay_nats_core::protocol::Message {
        subject: "svc".into(),
        ..Default::default()
    };
    let timeout = Duration::from_secs(1);
    let answer = bridge.request(request.clone(), timeout).await;
    assert_eq!(answer, Err(crate::RequestError::TimedOut(timeout)));
    bridge.connected(ServerInfo::default());
    let text = |out: bytes::BytesMut| String::from_utf8(out.to_vec()).unwrap();
    let out = text(bridge.outgoing().await);
    assert!(out.starts_with("SUB _INBOX.") && !out.contains("PUB"), "{out}");
    let answer = bridge.request(request, timeout).await;
    assert_eq!(answer, Err(crate::RequestError::TimedOut(timeout)));
    assert!(text(bridge.outgoing().await).starts_with("PUB svc _INBOX."));
}
