//! From 2026-07-28 on.

use serde_json::{Value, json};

use super::support::{Conversation, meta, sum, text};
use crate::engine::{Action, Changed};
use crate::model::{self, Ask, NeedsInput, Outcome};

fn needs(state: Option<&str>) -> Outcome {
    let schema = model::json(r#"{"type":"object","properties":{}}"#.to_owned()).unwrap();
    Outcome::NeedsInput(NeedsInput {
        asks: vec![("name".to_owned(), Ask::Form("Who?".to_owned(), schema))],
        state: state.map(str::to_owned),
    })
}

#[test]
fn a_server_says_what_it_is_without_a_handshake() {
    let answer = Conversation::new().request("d", "server/discover", json!({"_meta": meta(json!({}))}));
    let result = &answer["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "mainstay-mcp"
    );
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(0), &json!("private"))
    );
    assert_eq!(
        result["capabilities"]["resources"],
        json!({"subscribe": true, "listChanged": true})
    );
}

#[test]
fn metadata_that_is_missing_or_wrong_is_refused() {
    let mut conversation = Conversation::new();
    for (member, value, code) in [
        ("protocolVersion", Value::Null, -32602),
        ("protocolVersion", json!(7), -32602),
        ("protocolVersion", json!("v999.0.0"), -32022),
        ("protocolVersion", json!("2025-11-25"), -32022),
        ("clientCapabilities", Value::Null, -32602),
        ("clientCapabilities", json!([]), -32602),
        ("logLevel", json!("loud"), -32602),
    ] {
        let mut meta = meta(json!({}));
        let key = format!("io.modelcontextprotocol/{member}");
        meta[&key] = value.clone();
        let answer = conversation.request("x", "tools/list", json!({ "_meta": meta }));
        assert_eq!(answer["error"]["code"], code, "{member} {value}: {answer}");
    }
    let mut unknown = meta(json!({}));
    unknown["io.modelcontextprotocol/protocolVersion"] = json!("v9");
    let answer = conversation.request("x", "tools/list", json!({ "_meta": unknown }));
    assert_eq!(
        answer["error"]["data"],
        json!({"supported": ["2026-07-28"], "requested": "v9"})
    );
    let mut nameless = meta(json!({}));
    nameless
        .as_object_mut()
        .unwrap()
        .remove("io.modelcontextprotocol/clientInfo");
    assert!(
        conversation
            .request("x", "tools/list", json!({ "_meta": nameless }))
            .get("result")
            .is_some()
    );
}

#[test]
fn methods_of_the_other_era_are_not_there() {
    let mut conversation = Conversation::new();
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "x",
    ] {
        let answer = conversation.request("x", method, json!({"_meta": meta(json!({}))}));
        assert_eq!(answer["error"]["code"], -32601, "{method}");
    }
}

#[test]
fn both_eras_are_served_on_one_connection() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let legacy = conversation.request("a", "tools/list", json!({}));
    assert!(legacy["result"].get("resultType").is_none());
    let modern = conversation.request("b", "tools/list", json!({"_meta": meta(json!({}))}));
    assert_eq!(modern["result"]["resultType"], "complete");
}

#[test]
fn a_call_that_needs_input_is_made_again_with_the_answers() {
    let mut conversation = Conversation::new();
    let params = json!({"name": "ask", "arguments": {}, "_meta": meta(json!({"elicitation": {}}))});
    let (call, request) = conversation.begin("1", "tools/call", params.clone());
    assert_eq!((request.input, request.state), (vec![], None));
    let answer = conversation.finish(call, needs(Some("step 2")));
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(result["inputRequests"]["name"]["method"], "elicitation/create");
    assert_eq!(result["inputRequests"]["name"]["params"]["mode"], "form");
    assert!(result.get("ttlMs").is_none());
    let state = result["requestState"].as_str().unwrap().to_owned();
    let retry = |state: &str, name: &str| {
        let mut params = params.clone();
        params["name"] = json!(name);
        params["requestState"] = json!(state);
        params["inputResponses"] = json!({"name": {"action": "accept", "content": {}}, "other": {}});
        params
    };
    let (call, request) = conversation.begin("2", "tools/call", retry(&state, "ask"));
    assert_eq!(request.state.as_deref(), Some("step 2"));
    assert_eq!(
        request.input[0],
        ("name".to_owned(), r#"{"action":"accept","content":{}}"#.to_owned())
    );
    assert_eq!(
        conversation.finish(call, text("hello"))["result"]["content"][0]["text"],
        "hello"
    );
    for wrong in [format!("{state}-TAMPERED"), "x".to_owned()] {
        let answer = conversation.request("3", "tools/call", retry(&wrong, "ask"));
        assert_eq!(answer["error"]["code"], -32602);
    }
    let mut elsewhere = retry(&state, "add");
    elsewhere["arguments"] = json!({"a": 1, "b": 2});
    assert_eq!(
        conversation.request("4", "tools/call", elsewhere)["error"]["code"],
        -32602
    );
    conversation.engine.tick(1_000_000 + 600_001);
    let answer = conversation.request("5", "tools/call", retry(&state, "ask"));
    assert_eq!(answer["error"]["message"], "\"requestState\" has expired");
}

#[test]
fn answers_that_are_none_are_refused() {
    let mut conversation = Conversation::new();
    for (member, value) in [
        ("inputResponses", json!({"name": 12345})),
        ("inputResponses", Value::Null),
        ("inputResponses", json!([])),
        ("requestState", json!(1)),
    ] {
        let mut params = json!({"name": "ask", "_meta": meta(json!({"elicitation": {}}))});
        params[member] = value;
        assert_eq!(conversation.request("1", "tools/call", params)["error"]["code"], -32602);
    }
}

#[test]
fn a_client_is_asked_only_what_it_has_declared() {
    let mut conversation = Conversation::new();
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}}), json!({"sampling": {}})] {
        let params = json!({"name": "ask", "_meta": meta(capabilities)});
        let (call, _) = conversation.begin("1", "tools/call", params);
        let answer = conversation.finish(call, needs(None));
        assert_eq!(answer["error"]["code"], -32021);
        assert_eq!(
            answer["error"]["data"],
            json!({"requiredCapabilities": {"elicitation": {}}})
        );
    }
}

#[test]
fn a_component_may_wait_for_an_answer_while_the_client_asks_again() {
    let mut conversation = Conversation::new();
    let params = json!({"name": "ask", "arguments": {}, "_meta": meta(json!({"roots": {}}))});
    let (call, request) = conversation.begin("1", "tools/call", params.clone());
    let ask = conversation.engine.ask(&request.token, &Ask::Roots).unwrap();
    let result = conversation.next().unwrap()["result"].clone();
    assert_eq!(
        result["inputRequests"],
        json!({"input": {"method": "roots/list", "params": {}}})
    );
    assert!(
        conversation.engine.ask(&request.token, &Ask::Roots).is_err(),
        "one after the other"
    );
    let mut retry = params;
    retry["requestState"] = result["requestState"].clone();
    assert_eq!(
        conversation.request("2", "tools/call", retry.clone())["error"]["code"],
        -32602,
        "no answer in it"
    );
    retry["inputResponses"] = json!({"input": {"roots": []}});
    conversation.send(&json!({"jsonrpc": "2.0", "id": "3", "method": "tools/call", "params": retry}));
    let Some(Action::Answered(answered, Ok(roots))) = conversation.engine.next_action() else {
        panic!()
    };
    assert_eq!((answered, roots.as_str()), (ask, r#"{"roots":[]}"#));
    let answer = conversation.finish(call, text("done"));
    assert_eq!(
        (&answer["id"], &answer["result"]["resultType"]),
        (&json!("3"), &json!("complete"))
    );
    let again = conversation.request("4", "tools/call", retry);
    assert_eq!(again["error"]["code"], -32602, "the call has ended");
}

#[test]
fn a_stream_of_notifications_brings_what_was_asked_for() {
    let mut conversation = Conversation::new();
    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://a"]});
    let params = json!({"notifications": filter, "_meta": meta(json!({}))});
    let tag = json!({"io.modelcontextprotocol/subscriptionId": "s"});
    let acknowledged = conversation.request("s", "subscriptions/listen", params.clone());
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"], json!({"_meta": tag, "notifications": filter}));
    while let Some(Action::Event(_)) = conversation.engine.next_action() {}
    conversation.engine.changed(Changed::Prompts);
    conversation.engine.updated("test://b");
    conversation.engine.changed(Changed::Tools);
    conversation.engine.updated("test://a");
    let told = conversation.next().unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["_meta"]),
        (&json!("notifications/tools/list_changed"), &tag)
    );
    let told = conversation.next().unwrap();
    assert_eq!(told["params"], json!({"_meta": tag, "uri": "test://a"}));
    assert_eq!(conversation.next(), None);
    conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}}));
    conversation.engine.changed(Changed::Tools);
    assert_eq!(conversation.next(), None);
    conversation.request("s", "subscriptions/listen", params);
    conversation.engine.end_listening();
    let end = conversation.next().unwrap();
    assert_eq!(
        (&end["id"], &end["result"]["resultType"]),
        (&json!("s"), &json!("complete"))
    );
}

#[test]
fn arguments_that_do_not_fit_are_told_to_the_model() {
    let mut conversation = Conversation::new();
    let params = json!({"name": "add", "arguments": {"a": "x", "b": 2}, "_meta": meta(json!({}))});
    let result = conversation.request("1", "tools/call", params)["result"].clone();
    assert_eq!(
        (&result["isError"], &result["resultType"]),
        (&json!(true), &json!("complete"))
    );
    assert_eq!(
        result["content"][0]["text"],
        "invalid arguments: /a: \"x\" is not of type \"number\""
    );
    let params = json!({"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": meta(json!({}))});
    let (call, _) = conversation.begin("2", "tools/call", params);
    let result = conversation.finish(call, sum(3.0))["result"].clone();
    assert_eq!(result["structuredContent"], json!({"sum": 3.0}));
    assert_eq!(result["content"][0]["text"], r#"{"sum":3.0}"#);
}
