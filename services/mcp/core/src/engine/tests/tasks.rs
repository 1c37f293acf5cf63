//! Calls that the client comes back for.

use std::rc::Rc;

use serde_json::{Value, json};

use super::support::{Conversation, meta, text, tool};
use crate::catalogue::Offer;
use crate::engine::{Action, CallId, Identity, Settings};
use crate::error::RpcError;
use crate::model::{self, Ask, NeedsInput, Outcome};

fn patient() -> Value {
    meta(json!({"elicitation": {}, "roots": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}))
}

/// A call that has become a task.
fn begun(conversation: &mut Conversation) -> (CallId, String, String) {
    let params = json!({"name": "ask", "arguments": {}, "_meta": patient()});
    let (call, request) = conversation.begin("begin", "tools/call", params);
    conversation.engine.pause(&request.token).unwrap();
    let answer = conversation.next().unwrap();
    let result = &answer["result"];
    assert_eq!(
        (&answer["id"], &result["resultType"]),
        (&json!("begin"), &json!("task"))
    );
    assert_eq!(
        (&result["status"], &result["createdAt"]),
        (&json!("working"), &json!("1970-01-01T00:16:40.000Z"))
    );
    assert!(result.get("requestState").is_none());
    (call, request.token, result["taskId"].as_str().unwrap().to_owned())
}

fn get(conversation: &mut Conversation, task: &str) -> Value {
    let answer = conversation.request("get", "tasks/get", json!({"taskId": task, "_meta": patient()}));
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    answer["result"].clone()
}

fn update(conversation: &mut Conversation, task: &str, responses: Value) -> Value {
    let params = json!({"taskId": task, "inputResponses": responses, "_meta": patient()});
    conversation.request("update", "tasks/update", params)
}

#[test]
fn what_comes_of_a_task_is_kept_until_the_client_asks() {
    let mut conversation = Conversation::new();
    let (call, token, task) = begun(&mut conversation);
    conversation.engine.pause(&token).unwrap();
    assert_eq!(conversation.next(), None, "it is a task already");
    assert_eq!(get(&mut conversation, &task)["status"], "working");
    conversation.engine.finish(call, text("late"));
    assert_eq!(conversation.next(), None);
    let done = get(&mut conversation, &task);
    assert_eq!(
        (&done["status"], &done["result"]["content"][0]["text"]),
        (&json!("completed"), &json!("late"))
    );
    let (call, _, task) = begun(&mut conversation);
    conversation
        .engine
        .finish(call, Outcome::Failed(RpcError::internal("broken")));
    let failed = get(&mut conversation, &task);
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!(-32603))
    );
    assert!(failed.get("result").is_none());
    conversation.engine.tick(1_000_000 + 3_600_001);
    let gone = conversation.request("get", "tasks/get", json!({"taskId": task, "_meta": patient()}));
    assert_eq!(gone["error"]["code"], -32602);
}

#[test]
fn a_task_whose_time_is_over_is_dropped_whatever_it_does() {
    let mut conversation = Conversation::new();
    let (call, token, task) = begun(&mut conversation);
    let ask = conversation.engine.ask(&token, &Ask::Roots).unwrap();
    conversation.engine.tick(1_000_000 + 3_600_000);
    assert_eq!(get(&mut conversation, &task)["status"], "input_required");
    conversation.engine.tick(1_000_000 + 3_601_000);
    let answered = conversation.engine.next_action();
    assert!(
        matches!(answered, Some(Action::Answered(id, Err(_))) if id == ask),
        "{answered:?}"
    );
    assert!(matches!(conversation.engine.next_action(), Some(Action::Cancel(id)) if id == call));
    let gone = conversation.request("get", "tasks/get", json!({"taskId": task, "_meta": patient()}));
    assert_eq!(gone["error"]["code"], -32602);
    assert!(!conversation.engine.waits());
}

#[test]
fn tasks_are_kept_as_long_as_was_told_and_more_than_the_bound_do_not_begin() {
    let settings = Settings {
        tasks: 3,
        own_tasks: 1,
        ..Settings::default()
    };
    let mut conversation = Conversation::set(settings);
    let identity = |subject: &str| {
        let (subject, issuer) = (subject.to_owned(), "issuer".to_owned());
        Some(Rc::new(Identity {
            subject,
            issuer,
            scopes: Vec::new(),
            claims: "{}".to_owned(),
        }))
    };
    let params = || json!({"name": "ask", "arguments": {}, "_meta": patient()});
    let mut pauses = Vec::new();
    for who in [Some("a"), Some("a"), Some("b"), None, None] {
        conversation.reconnect_as(who.and_then(identity));
        let (call, request) = conversation.begin("1", "tools/call", params());
        conversation.engine.pause(&request.token).unwrap();
        assert_eq!(conversation.engine.is_task(call), conversation.next().is_some());
        pauses.push(conversation.engine.is_task(call));
        conversation.engine.finish(call, text("x"));
    }
    assert_eq!(pauses, [true, false, true, true, false]);
}

#[test]
fn a_task_outlives_the_connection_that_began_it() {
    let mut conversation = Conversation::new();
    let (call, _, task) = begun(&mut conversation);
    conversation.engine.disconnect(conversation.peer);
    while let Some(action) = conversation.engine.next_action() {
        assert!(!matches!(action, Action::Cancel(_)), "{action:?}");
    }
    conversation.reconnect();
    conversation.engine.finish(call, text("late"));
    assert_eq!(get(&mut conversation, &task)["status"], "completed");
}

#[test]
fn a_cancelled_task_is_dropped_and_stays_cancelled() {
    let mut conversation = Conversation::new();
    let (call, _, task) = begun(&mut conversation);
    let params = json!({"taskId": task, "_meta": patient()});
    for first in [true, false] {
        let answer = conversation.request("c", "tasks/cancel", params.clone());
        assert_eq!(answer["result"]["resultType"], "complete");
        assert!(answer["result"].get("taskId").is_none());
        let cancelled = matches!(conversation.engine.next_action(), Some(Action::Cancel(id)) if id == call);
        assert_eq!(cancelled, first);
    }
    conversation.engine.finish(call, text("late"));
    assert_eq!(get(&mut conversation, &task)["status"], "cancelled");
}

#[test]
fn a_component_of_a_cancelled_task_does_not_wait_for_an_answer() {
    let mut conversation = Conversation::new();
    let (_, token, task) = begun(&mut conversation);
    let withdrawn = conversation.engine.ask(&token, &Ask::Roots).unwrap();
    conversation.engine.withdraw(&token, withdrawn);
    assert_eq!(get(&mut conversation, &task)["status"], "working");
    let ask = conversation.engine.ask(&token, &Ask::Roots).unwrap();
    conversation.request("c", "tasks/cancel", json!({"taskId": task, "_meta": patient()}));
    let answered = conversation.engine.next_action();
    assert!(
        matches!(answered, Some(Action::Answered(id, Err(_))) if id == ask),
        "{answered:?}"
    );
}

#[test]
fn a_task_asks_when_the_client_comes_and_goes_on_when_all_is_answered() {
    let mut conversation = Conversation::new();
    let (call, token, task) = begun(&mut conversation);
    let form = || {
        Ask::Form(
            "?".to_owned(),
            model::json(r#"{"type":"object","properties":{}}"#.to_owned()).unwrap(),
        )
    };
    let asks = vec![("a".to_owned(), form()), ("b".to_owned(), form())];
    let state = Some("two".to_owned());
    conversation
        .engine
        .finish(call, Outcome::NeedsInput(NeedsInput { asks, state }));
    let asked = get(&mut conversation, &task);
    assert_eq!(asked["status"], "input_required");
    let keys: Vec<String> = asked["inputRequests"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(
        update(&mut conversation, &task, json!({"other": {}}))["result"]["resultType"],
        "complete"
    );
    update(&mut conversation, &task, json!({&keys[0]: {"action": "accept"}}));
    assert!(conversation.call().is_none());
    let asked = get(&mut conversation, &task);
    assert_eq!(
        asked["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(),
        [&keys[1]]
    );
    update(&mut conversation, &task, json!({&keys[1]: {"action": "decline"}}));
    let (again, request) = conversation.call().unwrap();
    assert_eq!((again, request.state.as_deref()), (call, Some("two")));
    assert_eq!(request.input[0], ("a".to_owned(), r#"{"action":"accept"}"#.to_owned()));
    assert_eq!(get(&mut conversation, &task)["status"], "working");
    let ask = conversation.engine.ask(&token, &Ask::Roots).unwrap();
    let asked = get(&mut conversation, &task);
    let key = asked["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    update(&mut conversation, &task, json!({key: {"roots": []}}));
    assert!(matches!(conversation.engine.next_action(), Some(Action::Answered(id, Ok(_))) if id == ask));
}

#[test]
fn clients_that_know_no_tasks_wait_or_are_told_what_they_need() {
    let mut conversation = Conversation::new();
    let params = json!({"name": "ask", "arguments": {}, "_meta": meta(json!({}))});
    let (call, request) = conversation.begin("1", "tools/call", params);
    conversation.engine.pause(&request.token).unwrap();
    assert_eq!(conversation.next(), None);
    assert_eq!(
        conversation.finish(call, text("waited"))["result"]["resultType"],
        "complete"
    );
    let needed = json!({"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params = json!({"taskId": "x", "inputResponses": {}, "_meta": meta(json!({}))});
        let error = conversation.request("2", method, params)["error"].clone();
        assert_eq!((&error["code"], &error["data"]), (&json!(-32021), &needed));
        let params = json!({"taskId": "x", "inputResponses": {}, "_meta": patient()});
        assert_eq!(conversation.request("3", method, params)["error"]["code"], -32602);
    }
    for method in ["tasks/list", "tasks/result"] {
        let answer = conversation.request("4", method, json!({"taskId": "x", "_meta": patient()}));
        assert_eq!(answer["error"]["code"], -32601);
    }
    let mut long = tool("long", &json!({"type": "object"}), None);
    long.needs_tasks = true;
    let tools = vec![long];
    conversation.engine.offer(Offer {
        tools,
        ..Offer::default()
    });
    let params = json!({"name": "long", "arguments": {}, "_meta": meta(json!({}))});
    assert_eq!(conversation.request("5", "tools/call", params)["error"]["code"], -32021);
}
