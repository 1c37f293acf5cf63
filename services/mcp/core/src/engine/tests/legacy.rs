//! Up to 2025-11-25.

use serde_json::{Value, json};

use super::support::Conversation;
use crate::engine::{Action, Changed, Event};

#[test]
fn both_sides_agree_on_a_revision() {
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = Conversation::new().request("i", "initialize", params);
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "mainstay-mcp");
        assert_eq!(result["capabilities"]["tools"], json!({"listChanged": true}));
        assert_eq!(
            result["capabilities"].get("completions").is_some(),
            agreed > "2024-11-05"
        );
        assert!(
            result.get("resultType").is_none() && result.get("_meta").is_none(),
            "{result}"
        );
    }
}

#[test]
fn the_handshake_comes_first_and_once() {
    let mut conversation = Conversation::new();
    assert_eq!(conversation.request("p", "ping", json!({}))["result"], json!({}));
    let error = conversation.request("l", "tools/list", json!({}))["error"].clone();
    assert_eq!(error["code"], -32602);
    let mut conversation = Conversation::of("2025-06-18", json!({}));
    let params =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    assert_eq!(
        conversation.request("again", "initialize", params)["error"]["code"],
        -32600
    );
}

#[test]
fn a_malformed_handshake_names_what_is_missing() {
    let full =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    for missing in ["protocolVersion", "capabilities", "clientInfo"] {
        let mut params = full.clone();
        params.as_object_mut().unwrap().remove(missing);
        let answer = Conversation::new().request("i", "initialize", params);
        assert_eq!(answer["error"]["code"], -32602);
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(missing),
            "{answer}"
        );
    }
}

#[test]
fn batches_are_answered_together_where_the_revision_has_them() {
    for revision in ["2024-11-05", "2025-03-26"] {
        let mut conversation = Conversation::of(revision, json!({}));
        conversation.send(&json!([
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/whatever"},
            {"jsonrpc": "2.0", "id": 2, "method": "none"},
            7,
            {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}},
        ]));
        assert_eq!(conversation.next(), None, "all or nothing");
        let (call, _) = conversation.call().unwrap();
        let answers = conversation.finish(call, super::support::sum(3.0));
        let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
        assert_eq!(ids, [&json!(1), &json!(2), &Value::Null, &json!(3)]);
        conversation.send(&json!([{"jsonrpc": "2.0", "method": "notifications/whatever"}]));
        assert_eq!(conversation.next(), None, "a batch of notifications has no answer");
    }
    for revision in ["2025-06-18", "2025-11-25"] {
        let mut conversation = Conversation::of(revision, json!({}));
        conversation.send(&json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]));
        assert_eq!(conversation.next().unwrap()["error"]["code"], -32600);
    }
}

#[test]
fn a_cancelled_request_of_a_batch_leaves_the_others_their_answer() {
    let mut conversation = Conversation::of("2025-03-26", json!({}));
    let add = json!({"name": "add", "arguments": {"a": 1, "b": 2}});
    conversation.send(&json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": add},
    ]));
    let (call, _) = conversation.call().unwrap();
    conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}));
    assert!(matches!(conversation.engine.next_action(), Some(Action::Cancel(id)) if id == call));
    assert_eq!(
        conversation.next().unwrap(),
        json!([{"jsonrpc": "2.0", "id": 1, "result": {}}])
    );
}

#[test]
fn resources_are_subscribed_to_and_changes_are_told() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let uri = json!({"uri": "test://a"});
    assert_eq!(
        conversation.request("s", "resources/subscribe", uri.clone())["result"],
        json!({})
    );
    let subscribed = Event::Subscribed(conversation.peer, "test://a".to_owned());
    assert!(matches!(conversation.engine.next_action(), Some(Action::Event(event)) if event == subscribed));
    conversation.engine.updated("test://b");
    conversation.engine.updated("test://a");
    let told = conversation.next().unwrap();
    assert_eq!(
        told,
        json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": uri})
    );
    assert_eq!(
        conversation.request("u", "resources/unsubscribe", uri)["result"],
        json!({})
    );
    conversation.engine.updated("test://a");
    assert_eq!(conversation.next(), None);
    conversation.engine.changed(Changed::Prompts);
    let told = conversation.next().unwrap();
    assert_eq!(
        told,
        json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"})
    );
}

#[test]
fn an_unknown_method_and_wrong_parameters_have_errors_of_their_own() {
    let mut conversation = Conversation::of("2025-06-18", json!({}));
    for (method, params, code) in [
        ("no/such", json!({}), -32601),
        ("server/discover", json!({}), -32601),
        ("tools/call", json!({}), -32602),
        ("tools/call", json!({"name": "none"}), -32602),
        ("tools/call", json!({"name": "add", "arguments": []}), -32602),
        ("tools/call", json!({"name": "add", "arguments": {"a": 1}}), -32602),
        ("tools/list", json!({"cursor": "x"}), -32602),
        ("tools/list", json!({"cursor": 1}), -32602),
        ("prompts/get", json!({"name": "none"}), -32602),
        ("prompts/get", json!({"name": "greet", "arguments": {"a": 1}}), -32602),
        ("resources/read", json!({}), -32602),
        ("resources/subscribe", json!({}), -32602),
        ("logging/setLevel", json!({"level": "loud"}), -32602),
        ("completion/complete", json!({"ref": {"type": "x"}}), -32602),
    ] {
        let answer = conversation.request("x", method, params);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }
}

#[test]
fn an_id_in_use_is_refused() {
    let mut conversation = Conversation::of("2025-06-18", json!({}));
    let add = json!({"name": "add", "arguments": {"a": 1, "b": 2}});
    let (call, _) = conversation.begin("x", "tools/call", add.clone());
    assert_eq!(
        conversation.request("x", "tools/call", add.clone())["error"]["code"],
        -32600
    );
    assert_eq!(conversation.finish(call, super::support::sum(3.0))["id"], "x");
    let (call, _) = conversation.begin("x", "tools/call", add.clone());
    assert_eq!(conversation.request("x", "tools/call", add)["error"]["code"], -32600);
    conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}));
    let cancelled = conversation.engine.next_action();
    assert!(
        matches!(cancelled, Some(Action::Cancel(id)) if id == call),
        "the first is still known: {cancelled:?}"
    );
}

#[test]
fn what_is_kept_for_a_client_is_bounded() {
    let long = "x".repeat((4 << 10) + 1);
    let full = |name: &str, capabilities: Value| json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": name, "version": "1"}});
    for params in [full(&long, json!({})), full("t", json!({"experimental": {&long: {}}}))] {
        let error = Conversation::new().request("i", "initialize", params)["error"].clone();
        assert_eq!(error["code"], -32602);
        assert!(
            error["message"].as_str().unwrap().ends_with("bytes: 4096 at most"),
            "{error}"
        );
    }
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let subscribed = conversation.request("s", "resources/subscribe", json!({"uri": long}));
    assert_eq!(subscribed["error"]["code"], -32602);
    assert_eq!(conversation.request(&long, "ping", json!({}))["error"]["code"], -32600);
    let listen = json!({"notifications": {"resourceSubscriptions": [long]}, "_meta": super::support::meta(json!({}))});
    assert_eq!(
        conversation.request("l", "subscriptions/listen", listen)["error"]["code"],
        -32602
    );
}

#[test]
fn a_batch_has_a_hundred_messages_at_most() {
    let mut conversation = Conversation::of("2025-03-26", json!({}));
    let batch = |length| Value::Array(vec![json!(7); length]);
    conversation.send(&batch(100));
    assert_eq!(conversation.next().unwrap().as_array().map(Vec::len), Some(100));
    conversation.send(&batch(101));
    let error = conversation.next().unwrap()["error"].clone();
    let message = "a batch of 101 messages: 100 at most";
    assert_eq!(error, json!({"code": -32600, "message": message}));
}

#[test]
fn a_client_that_does_not_read_is_told_of_each_change_once() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    conversation.request("s", "resources/subscribe", json!({"uri": "test://a"}));
    while conversation.engine.next_action().is_some() {}
    for _ in 0..1000 {
        conversation.engine.updated("test://a");
        conversation.engine.changed(Changed::Tools);
    }
    let told: Vec<Value> = std::iter::from_fn(|| conversation.next()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(conversation.engine.next_action().is_none(), "nothing is lost");
    conversation.engine.updated("test://a");
    assert_eq!(
        conversation.next().unwrap()["method"],
        "notifications/resources/updated"
    );
}

#[test]
fn news_that_a_client_does_not_read_are_lost_beyond_the_bound_and_counted() {
    let settings = crate::engine::Settings {
        keep: 1000,
        ..crate::engine::Settings::default()
    };
    let mut conversation = Conversation::with(settings, "2025-11-25", json!({}));
    for number in 0..100 {
        conversation.request("s", "resources/subscribe", json!({"uri": format!("test://{number}")}));
    }
    while conversation.engine.next_action().is_some() {}
    for number in 0..100 {
        conversation.engine.updated(&format!("test://{number}"));
    }
    assert!(conversation.engine.backlog(conversation.channel) <= 1000);
    let lost = std::iter::from_fn(|| conversation.engine.next_action());
    let lost: u64 = lost
        .map(|action| if let Action::Lost(lost) = action { lost } else { 0 })
        .sum();
    let told: Vec<Value> = std::iter::from_fn(|| conversation.next()).collect();
    assert_eq!(told.len() as u64 + lost, 100);
    assert_eq!(told.last().unwrap()["params"]["uri"], "test://99", "the newest stay");
}

#[test]
fn more_calls_than_the_bound_are_refused() {
    let settings = crate::engine::Settings {
        all_calls: 1,
        ..crate::engine::Settings::default()
    };
    let mut conversation = Conversation::with(settings, "2025-11-25", json!({}));
    let ask = json!({"name": "ask"});
    let (call, _) = conversation.begin("1", "tools/call", ask.clone());
    assert_eq!(
        conversation.request("2", "tools/call", ask.clone())["error"]["code"],
        -32603
    );
    assert!(matches!(conversation.engine.next_action(), Some(Action::Refused)));
    assert_eq!(conversation.finish(call, super::support::text("x"))["id"], "1");
    conversation.begin("2", "tools/call", ask);
}
