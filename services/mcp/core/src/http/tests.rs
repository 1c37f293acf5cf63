//! Requests and what they come to.

use serde_json::{Value, json};

use super::{Gate, Head, Reply, Response, Stream};
use crate::catalogue::Offer;
use crate::channel::Next;
use crate::engine::{Action, Changed, Engine, Settings};
use crate::model::{self, Content, Done, Outcome, Tool, ToolResult};
use crate::origin::Allowed;
use crate::seal::Seal;

fn engine(settings: Settings) -> Engine {
    let mut engine = Engine::new(settings, Seal::random());
    engine.tick(1_000_000);
    let schema = r#"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}"#;
    let tool = Tool {
        name: "here".to_owned(),
        title: None,
        description: None,
        input_schema: model::json(schema.to_owned()).unwrap(),
        output_schema: None,
        annotations: None,
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    };
    let offer = Offer {
        tools: vec![tool],
        ..Offer::default()
    };
    assert_eq!(engine.offer(offer), Vec::<String>::new());
    engine
}

fn head(method: &str, headers: &[(&str, &str)]) -> Head {
    let always = [
        ("host", "localhost:1"),
        ("content-type", "application/json; charset=utf-8"),
        ("accept", "application/json, text/event-stream"),
    ];
    let headers = always
        .iter()
        .filter(|(name, _)| headers.iter().all(|(other, _)| other != name))
        .chain(headers);
    Head {
        method: method.to_owned(),
        path: "/mcp".to_owned(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn post(engine: &mut Engine, headers: &[(&str, &str)], body: &Value) -> Reply {
    engine.http(&head("POST", headers), body.to_string().as_bytes(), None)
}

fn stream(reply: Reply) -> Stream {
    match reply {
        Reply::Stream(stream) => stream,
        Reply::Done(response) => panic!("{response:?}"),
    }
}

fn done(reply: Reply) -> Response {
    match reply {
        Reply::Done(response) => response,
        Reply::Stream(stream) => panic!("{stream:?}"),
    }
}

/// The message after this number, its status, and whether it is the last.
fn message(engine: &mut Engine, stream: &Stream, after: u64) -> (Value, u16, bool) {
    match engine.take(stream.channel, after) {
        Next::Event(event) => (serde_json::from_str(&event.json).unwrap(), event.status, event.last),
        other => panic!("{other:?}"),
    }
}

fn session(engine: &mut Engine, revision: &str) -> String {
    let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let begun = stream(post(engine, &[], &initialize));
    assert!(message(engine, &begun, 0).2);
    begun.session.unwrap()
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

#[test]
fn a_stateless_request_is_answered_for_itself() {
    let mut engine = engine(Settings::default());
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}});
    let answer = stream(post(&mut engine, &headers, &list));
    let (answer, status, last) = message(&mut engine, &answer, 0);
    assert_eq!(
        (answer["result"]["tools"][0]["name"].as_str(), status, last),
        (Some("here"), 200, true)
    );
    assert_eq!(engine.clients(), 0);
}

#[test]
fn headers_must_say_what_the_body_says() {
    let mut engine = engine(Settings::default());
    let version = ("mcp-protocol-version", "2026-07-28");
    let call = |arguments: Value| {
        let params = json!({"name": "here", "arguments": arguments, "_meta": meta()});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    };
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "here"));
    let region = ("mcp-param-region", "=?base64?ZXU=?=");
    for (headers, arguments, code) in [
        (vec![method, name], json!({}), Some(-32_020)),
        (vec![version, name], json!({}), Some(-32_020)),
        (vec![version, method], json!({}), Some(-32_020)),
        (
            vec![version, ("mcp-method", "tools/list"), name],
            json!({}),
            Some(-32_020),
        ),
        (vec![version, method, ("mcp-name", "there")], json!({}), Some(-32_020)),
        (vec![version, method, name], json!({"region": "eu"}), Some(-32_020)),
        (
            vec![("mcp-protocol-version", "2025-11-25"), method, name],
            json!({}),
            Some(-32_020),
        ),
        (vec![version, method, name, region], json!({"region": "eu"}), None),
        (vec![version, method, ("mcp-name", "  here ")], json!({}), None),
    ] {
        let answer = stream(post(&mut engine, &headers, &call(arguments)));
        match code {
            Some(code) => {
                let (answer, status, _) = message(&mut engine, &answer, 0);
                assert_eq!(
                    (answer["error"]["code"].as_i64(), status),
                    (Some(code), 400),
                    "{headers:?}"
                );
            }
            None => assert!(matches!(engine.next_action(), Some(Action::Call(..))), "{headers:?}"),
        }
    }
}

#[test]
fn a_client_that_hangs_up_cancels_its_stateless_request() {
    let mut engine = engine(Settings::default());
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "here"),
    ];
    let params = json!({"name": "here", "_meta": meta()});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let stream = stream(post(&mut engine, &headers, &call));
    let Some(Action::Call(id, _)) = engine.next_action() else {
        panic!()
    };
    engine.hung_up(stream.peer);
    assert!(matches!(engine.next_action(), Some(Action::Cancel(cancelled)) if cancelled == id));
    assert_eq!(engine.take(stream.channel, 0), Next::End);
}

#[test]
fn a_session_begins_goes_on_and_ends() {
    let mut engine = engine(Settings::default());
    let id = session(&mut engine, "2025-11-25");
    assert!(id.bytes().all(|byte| byte.is_ascii_graphic()));
    let headers = [("mcp-session-id", id.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(done(post(&mut engine, &headers, &initialized)).status, 202);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let answer = stream(post(&mut engine, &headers, &ping));
    assert_eq!(message(&mut engine, &answer, 0).0["result"], json!({}));
    assert_eq!(done(post(&mut engine, &[], &ping)).status, 400);
    assert_eq!(
        done(post(&mut engine, &[("mcp-session-id", "none")], &ping)).status,
        404
    );
    let newer = [("mcp-session-id", id.as_str()), ("mcp-protocol-version", "2024-01-01")];
    assert_eq!(message_or_status(&mut engine, &newer, &ping), 400);
    assert_eq!(done(engine.http(&head("DELETE", &headers), b"", None)).status, 204);
    assert_eq!(done(post(&mut engine, &headers, &ping)).status, 404);
    assert_eq!(done(engine.http(&head("DELETE", &headers), b"", None)).status, 404);
    assert_eq!(done(engine.http(&head("DELETE", &[]), b"", None)).status, 405);
    assert_eq!(done(engine.http(&head("PUT", &headers), b"", None)).status, 405);
}

fn message_or_status(engine: &mut Engine, headers: &[(&str, &str)], body: &Value) -> u16 {
    match post(engine, headers, body) {
        Reply::Done(response) => response.status,
        Reply::Stream(stream) => message(engine, &stream, 0).1,
    }
}

#[test]
fn a_lost_stream_is_taken_up_where_it_was_lost() {
    let mut engine = engine(Settings::default());
    let id = session(&mut engine, "2025-11-25");
    let headers = [("mcp-session-id", id.as_str())];
    let params = json!({"name": "here", "_meta": {"progressToken": 1}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let first = stream(post(&mut engine, &headers, &call));
    assert!(first.primed && first.resumable);
    while let Some(action) = engine.next_action() {
        let Action::Call(call, request) = action else { continue };
        engine.progress(&request.token, 1.0, None, None).unwrap();
        engine.progress(&request.token, 2.0, None, None).unwrap();
        engine.pause(&request.token).unwrap();
        assert_eq!(message(&mut engine, &first, 0).0["params"]["progress"], 1);
        assert_eq!(message(&mut engine, &first, 1).0["params"]["progress"], 2);
        assert_eq!(engine.take(first.channel, 2), Next::End, "closed for polling");
        let result = ToolResult {
            content: vec![Content::text("late")],
            ..ToolResult::default()
        };
        engine.finish(call, Outcome::Done(Done::Tool(result)));
    }
    let last_event = format!("{}-1", first.channel);
    let get = |id: &str, last: &str| head("GET", &[("mcp-session-id", id), ("last-event-id", last)]);
    let again = stream(engine.http(&get(&id, &last_event), b"", None));
    assert_eq!((again.channel, again.after), (first.channel, 1));
    assert_eq!(message(&mut engine, &again, 1).0["params"]["progress"], 2);
    let (answer, _, last) = message(&mut engine, &again, 2);
    assert_eq!(
        (answer["result"]["content"][0]["text"].as_str(), last),
        (Some("late"), true)
    );
    let other = session(&mut engine, "2025-11-25");
    assert_eq!(
        done(engine.http(&get(&other, &last_event), b"", None)).status,
        404,
        "somebody else's"
    );
    assert_eq!(done(engine.http(&get(&id, "x"), b"", None)).status, 404);
}

#[test]
fn a_sessions_own_stream_is_read_by_one_and_misses_nothing() {
    let mut engine = engine(Settings::default());
    let id = session(&mut engine, "2025-06-18");
    engine.changed(Changed::Tools);
    let get = head("GET", &[("mcp-session-id", &id)]);
    let own = stream(engine.http(&get, b"", None));
    assert_eq!(
        message(&mut engine, &own, own.after).0["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(done(engine.http(&get, b"", None)).status, 409);
    engine.released(own.peer, own.reader);
    engine.changed(Changed::Tools);
    let own = stream(engine.http(&get, b"", None));
    assert_eq!(own.after, 1);
    let last_event = format!("{}-1", own.channel);
    let resumed = head("GET", &[("mcp-session-id", &id), ("last-event-id", &last_event)]);
    let resumed = stream(engine.http(&resumed, b"", None));
    engine.released(own.peer, own.reader);
    assert_eq!(done(engine.http(&get, b"", None)).status, 409, "the new one reads on");
    let own = resumed;
    assert_eq!(
        message(&mut engine, &own, 1).0["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(done(engine.http(&head("GET", &[]), b"", None)).status, 405);
}

#[test]
fn idle_sessions_go_and_so_does_the_idlest_of_too_many() {
    let mut engine = engine(Settings {
        sessions: 2,
        session_ttl: 1000,
        ..Settings::default()
    });
    let first = session(&mut engine, "2025-11-25");
    engine.tick(1_000_100);
    let second = session(&mut engine, "2025-11-25");
    engine.tick(1_000_200);
    let third = session(&mut engine, "2025-11-25");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let status = |engine: &mut Engine, id: &str| message_or_status(engine, &[("mcp-session-id", id)], &ping);
    assert_eq!(status(&mut engine, &first), 404);
    assert_eq!(status(&mut engine, &third), 200);
    engine.tick(1_001_150);
    assert_eq!((status(&mut engine, &second), status(&mut engine, &third)), (404, 200));
}

#[test]
fn what_is_no_message_is_refused_with_the_reason() {
    let mut engine = engine(Settings::default());
    let kinds: [&[(&str, &str)]; 3] = [&[("content-type", "text/plain")], &[("accept", "text/html")], &[]];
    for (headers, status) in kinds.into_iter().zip([415, 406, 400]) {
        let response = done(engine.http(&head("POST", headers), b"{", None));
        assert_eq!(response.status, status, "{response:?}");
        assert!(response.body.contains("error"), "{response:?}");
    }
}

#[test]
fn the_gate_lets_in_pages_of_this_machine_only() {
    let gate = Gate {
        allowed: Allowed::default(),
        path: "/mcp".to_owned(),
    };
    assert_eq!(
        gate.admit(&head("POST", &[("origin", "http://localhost:3000")])),
        Ok(())
    );
    for headers in [
        vec![("origin", "http://localhost.evil.example")],
        vec![("host", "evil.example"), ("origin", "http://evil.example")],
        vec![("host", "evil.example")],
        vec![("origin", "http://localhost"), ("origin", "http://evil.example")],
        vec![("host", "localhost"), ("host", "evil.example")],
    ] {
        assert_eq!(
            gate.admit(&head("POST", &headers)).unwrap_err().status,
            403,
            "{headers:?}"
        );
    }
    let mut elsewhere = head("POST", &[]);
    elsewhere.path = "/other".to_owned();
    assert_eq!(gate.admit(&elsewhere).unwrap_err().status, 404);
    let preflight = head(
        "OPTIONS",
        &[("access-control-request-headers", "Mcp-Param-Region, X-Evil")],
    );
    let response = gate.admit(&preflight).unwrap_err();
    let allowed = response
        .headers
        .iter()
        .find(|(name, _)| *name == "access-control-allow-headers")
        .unwrap();
    assert!(allowed.1.ends_with("Last-Event-ID, Mcp-Param-Region"), "{}", allowed.1);
    assert_eq!(
        gate.for_pages(&head("POST", &[("origin", "http://localhost")]))[0].1,
        "http://localhost"
    );
    assert_eq!(gate.for_pages(&head("POST", &[("origin", "http://evil.example")])), []);
}

#[test]
fn a_batch_is_one_response_when_all_of_it_is_answered() {
    let mut engine = engine(Settings::default());
    let id = session(&mut engine, "2025-03-26");
    let headers = [("mcp-session-id", id.as_str())];
    let ping = |id: u8| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let pong = |id: u8| json!({"jsonrpc": "2.0", "id": id, "result": {}});
    let both = stream(post(&mut engine, &headers, &json!([ping(1), ping(2)])));
    assert_eq!(
        message(&mut engine, &both, 0),
        (json!([pong(1), pong(2)]), 200, true),
        "requests that are answered at once"
    );
    let malformed = stream(post(&mut engine, &headers, &json!([7])));
    let (answer, _, last) = message(&mut engine, &malformed, 0);
    assert_eq!((&answer[0]["error"]["code"], last), (&json!(-32600), true));
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "here"}});
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/whatever"});
    while engine.next_action().is_some() {}
    let mixed = stream(post(
        &mut engine,
        &headers,
        &json!([ping(4), call, 7, notification, ping(4)]),
    ));
    assert_eq!(engine.take(mixed.channel, 0), Next::Wait, "all or nothing");
    let Some(Action::Call(call, _)) = engine.next_action() else {
        panic!()
    };
    engine.finish(call, Outcome::Done(Done::Tool(ToolResult::default())));
    let (answers, _, last) = message(&mut engine, &mixed, 0);
    assert_eq!((answers.as_array().unwrap().len(), last), (4, true), "{answers}");
    let silent = post(&mut engine, &headers, &json!([notification, notification]));
    assert_eq!(done(silent).status, 202);
}

#[test]
fn a_batch_that_is_not_served_is_refused_and_its_response_ends() {
    let mut engine = engine(Settings::default());
    let id = session(&mut engine, "2025-11-25");
    let headers = [("mcp-session-id", id.as_str())];
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/whatever"});
    for batch in [
        json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]),
        json!([7]),
        json!([notification]),
    ] {
        let refused = stream(post(&mut engine, &headers, &batch));
        let (answer, status, last) = message(&mut engine, &refused, 0);
        assert_eq!(
            (&answer["error"]["code"], status, last),
            (&json!(-32600), 400, true),
            "{batch}"
        );
    }
}
