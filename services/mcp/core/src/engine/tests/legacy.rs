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
    assert_eq!(conversation.request("x", "tools/call", add.clone())["error"]["code"], -32600);
    assert_eq!(conversation.finish(call, super::support::sum(3.0))["id"], "x");
    let (call, _) = conversation.begin("x", "tools/call", add.clone());
    assert_eq!(conversation.request("x", "tools/call", add)["error"]["code"], -32600);
    conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"}}));
    let cancelled = conversation.engine.next_action();
    assert!(matches!(cancelled, Some(Action::Cancel(id)) if id == call), "the first is still known: {cancelled:?}");
}
