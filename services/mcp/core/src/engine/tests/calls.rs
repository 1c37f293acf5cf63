//! Calls of components, in both eras.

use serde_json::json;

use super::support::{Conversation, meta, sum, text};
use crate::engine::{Action, Operation};
use crate::error::RpcError;
use crate::model::{self, Ask, LogLevel, NeedsInput, Outcome};

fn data(text: &str) -> model::Json {
    model::json(json!(text).to_string()).unwrap()
}

#[test]
fn components_are_told_who_asks_and_how() {
    let mut conversation = Conversation::of("2025-06-18", json!({"roots": {}}));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    let params = json!({"name": "add", "arguments": {"b": 2, "a": 1}, "_meta": {"traceparent": trace, "x": 1}});
    let (_, request) = conversation.begin("1", "tools/call", params);
    let arguments = r#"{"a":1,"b":2}"#.to_owned();
    assert_eq!(
        request.operation,
        Operation::Tool {
            name: "add".to_owned(),
            arguments
        }
    );
    assert!(request.traceparent.starts_with(trace.split_at(36).0) && request.traceparent != trace);
    assert_eq!(request.meta, json!({"traceparent": trace, "x": 1}).to_string());
    assert_eq!(request.caller.client, Some(("test".to_owned(), "1".to_owned())));
    assert_eq!(*request.caller.capabilities, json!({"roots": {}}));
    assert_eq!(request.token.len(), 32);
}

#[test]
fn answers_come_in_the_order_in_which_components_give_them() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let calls = ["1", "2", "3"].map(|id| conversation.begin(id, "tools/call", json!({"name": "ask"})).0);
    for at in [2, 0, 1] {
        let answer = conversation.finish(calls[at], text("x"));
        assert_eq!(answer["id"], (at + 1).to_string());
    }
}

#[test]
fn a_cancelled_call_has_no_answer() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let (call, request) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    for params in [json!({"requestId": "none"}), json!({}), json!({"requestId": null})] {
        conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
        assert!(conversation.engine.next_action().is_none());
    }
    conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "1"}}));
    assert!(matches!(conversation.engine.next_action(), Some(Action::Cancel(id)) if id == call));
    conversation.engine.finish(call, text("late"));
    assert_eq!(conversation.next(), None);
    assert!(conversation.engine.progress(&request.token, 1.0, None, None).is_err());
    assert_eq!(conversation.engine.calls(), 0);
}

#[test]
fn the_end_of_a_connection_cancels_its_calls() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    conversation.engine.disconnect(conversation.peer);
    assert!(matches!(conversation.engine.next_action(), Some(Action::Cancel(id)) if id == call));
    assert_eq!((conversation.engine.calls(), conversation.engine.clients()), (0, 0));
}

#[test]
fn progress_is_told_to_those_who_asked_for_it_and_grows() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let params = json!({"name": "ask", "_meta": {"progressToken": 7}});
    let (_, request) = conversation.begin("1", "tools/call", params);
    conversation
        .engine
        .progress(&request.token, 0.0, Some(100.0), None)
        .unwrap();
    conversation
        .engine
        .progress(&request.token, 0.5, Some(100.0), Some("half a percent"))
        .unwrap();
    let told = conversation.next().unwrap();
    assert_eq!(told["method"], "notifications/progress");
    assert_eq!(told["params"], json!({"progressToken": 7, "progress": 0, "total": 100}));
    assert_eq!(conversation.next().unwrap()["params"]["message"], "half a percent");
    for less in [0.5, 0.0, f64::NAN] {
        assert!(conversation.engine.progress(&request.token, less, None, None).is_err());
    }
    let (_, silent) = conversation.begin("2", "tools/call", json!({"name": "ask"}));
    assert_eq!(conversation.engine.progress(&silent.token, 1.0, None, None), Ok(None));
    assert_eq!(conversation.next(), None);
}

#[test]
fn log_messages_below_the_level_are_left_out() {
    let mut conversation = Conversation::of("2025-06-18", json!({}));
    conversation.request("l", "logging/setLevel", json!({"level": "warning"}));
    let (_, request) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    for level in [LogLevel::Info, LogLevel::Warning, LogLevel::Alert] {
        conversation
            .engine
            .log(&request.token, level, Some("db"), &data("hm"))
            .unwrap();
    }
    let told = conversation.next().unwrap();
    assert_eq!(
        told["params"],
        json!({"level": "warning", "logger": "db", "data": "hm"})
    );
    assert_eq!(conversation.next().unwrap()["params"]["level"], "alert");

    let mut conversation = Conversation::new();
    let mut loud = meta(json!({}));
    loud["io.modelcontextprotocol/logLevel"] = json!("info");
    for (meta, told) in [(meta(json!({})), false), (loud, true)] {
        let (call, request) = conversation.begin("1", "tools/call", json!({"name": "ask", "_meta": meta}));
        conversation
            .engine
            .log(&request.token, LogLevel::Info, None, &data("hm"))
            .unwrap();
        assert_eq!(conversation.next().is_some(), told);
        conversation.finish(call, text("x"));
    }
}

#[test]
fn what_a_tool_promises_it_has_to_keep() {
    let mut conversation = Conversation::of("2025-06-18", json!({}));
    let add = json!({"name": "add", "arguments": {"a": 1, "b": 2}});
    for (outcome, part) in [
        (text("3"), "no structured content"),
        (sum(f64::INFINITY), "output schema"),
    ] {
        let (call, _) = conversation.begin("1", "tools/call", add.clone());
        let error = conversation.finish(call, outcome)["error"].clone();
        assert_eq!(error["code"], -32603);
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}

#[test]
fn what_nobody_has_is_told_as_the_revision_wants() {
    for (mut conversation, params, code) in [
        (
            Conversation::of("2025-11-25", json!({})),
            json!({"uri": "test://z"}),
            -32002,
        ),
        (
            Conversation::new(),
            json!({"uri": "test://z", "_meta": meta(json!({}))}),
            -32602,
        ),
    ] {
        let (call, _) = conversation.begin("1", "resources/read", params);
        let error = conversation.finish(call, Outcome::NotMine)["error"].clone();
        assert_eq!(
            (&error["code"], &error["data"]["uri"]),
            (&json!(code), &json!("test://z"))
        );
    }
}

#[test]
fn a_failure_of_a_component_is_an_error() {
    let mut conversation = Conversation::of("2025-11-25", json!({}));
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let answer = conversation.finish(call, Outcome::Failed(RpcError::internal("out of paper")));
    assert_eq!(answer["error"], json!({"code": -32603, "message": "out of paper"}));
}

#[test]
fn before_2026_the_server_asks_by_requests_of_its_own() {
    let mut conversation = Conversation::of("2025-11-25", json!({"elicitation": {}, "sampling": {}}));
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let schema = model::json(r#"{"type":"object","properties":{}}"#.to_owned()).unwrap();
    let sample = model::json(r#"{"messages":[],"maxTokens":1}"#.to_owned()).unwrap();
    let asks = vec![
        ("a".to_owned(), Ask::Form("Who?".to_owned(), schema)),
        ("b".to_owned(), Ask::Sample(sample)),
    ];
    let state = Some("two".to_owned());
    conversation
        .engine
        .finish(call, Outcome::NeedsInput(NeedsInput { asks, state }));
    let (form, sample) = (conversation.next().unwrap(), conversation.next().unwrap());
    assert_eq!(
        (&form["method"], &sample["method"]),
        (&json!("elicitation/create"), &json!("sampling/createMessage"))
    );
    conversation.send(&json!({"jsonrpc": "2.0", "id": sample["id"], "result": {"model": "m"}}));
    assert!(conversation.call().is_none(), "one is missing");
    conversation.send(&json!({"jsonrpc": "2.0", "id": form["id"], "result": {"action": "decline"}}));
    let (again, request) = conversation.call().unwrap();
    assert_eq!((again, request.state.as_deref()), (call, Some("two")));
    let keys: Vec<&str> = request.input.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(conversation.finish(call, text("done"))["id"], "1");
}

#[test]
fn a_client_that_cannot_be_asked_or_refuses_fails_the_call() {
    let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
    let needs = |ask| {
        let asks = vec![("a".to_owned(), ask)];
        Outcome::NeedsInput(NeedsInput { asks, state: None })
    };
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let page = Ask::Page("Log in".to_owned(), "https://example.com".to_owned());
    assert_eq!(conversation.finish(call, needs(page))["error"]["code"], -32600);
    let (call, request) = conversation.begin("2", "tools/call", json!({"name": "ask"}));
    let ask = conversation.engine.ask(&request.token, &Ask::Roots).unwrap();
    let asked = conversation.next().unwrap();
    conversation.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 1, "message": "no"}}));
    let refused = conversation.engine.next_action();
    assert!(matches!(refused, Some(Action::Answered(id, Err(error))) if id == ask && error.message == "no"));
    let asked = conversation.finish(call, needs(Ask::Roots));
    conversation.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 1, "message": "no"}}));
    assert_eq!(conversation.next().unwrap()["error"]["code"], -32603);
}

#[test]
fn a_component_that_asks_for_ever_is_given_up() {
    let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
    let (mut call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    for round in 1.. {
        let asks = vec![("a".to_owned(), Ask::Roots)];
        let told = conversation.finish(call, Outcome::NeedsInput(NeedsInput { asks, state: None }));
        if told.get("error").is_some() {
            assert_eq!(round, 16);
            return;
        }
        conversation.send(&json!({"jsonrpc": "2.0", "id": told["id"], "result": {"roots": []}}));
        call = conversation.call().unwrap().0;
    }
}

#[test]
fn json_of_components_with_line_breaks_is_told_in_one_line() {
    let pretty = |value: serde_json::Value| model::json(serde_json::to_string_pretty(&value).unwrap()).unwrap();
    let mut conversation = Conversation::of("2025-11-25", json!({"elicitation": {}}));
    let mut lines = Vec::new();
    let mut tool = super::support::tool("pretty", &json!({"type": "object"}), None);
    tool.input_schema = pretty(json!({"type": "object", "properties": {"a": {"type": "number"}}}));
    tool.output_schema = Some(pretty(json!({"type": "object"})));
    tool.meta = Some(pretty(json!({"a": [1, 2]})));
    conversation.engine.offer(crate::catalogue::Offer {
        tools: vec![tool],
        ..crate::catalogue::Offer::default()
    });
    conversation.send(&json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list"}));
    lines.push(conversation.next_line().unwrap());
    let (call, request) = conversation.begin("c", "tools/call", json!({"name": "pretty"}));
    let log = pretty(json!({"a": [1, 2]}));
    conversation
        .engine
        .log(&request.token, LogLevel::Error, None, &log)
        .unwrap();
    lines.push(conversation.next_line().unwrap());
    let form = Ask::Form("?".to_owned(), pretty(json!({"type": "object", "properties": {}})));
    conversation.engine.ask(&request.token, &form).unwrap();
    lines.push(conversation.next_line().unwrap());
    let result = model::ToolResult {
        structured: Some(pretty(json!({"a": 1}))),
        meta: Some(pretty(json!({"b": {}}))),
        ..model::ToolResult::default()
    };
    conversation
        .engine
        .finish(call, Outcome::Done(model::Done::Tool(result)));
    lines.extend(std::iter::from_fn(|| conversation.next_line()));
    assert!(lines.len() >= 4, "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(['\n', '\r'])), "{lines:?}");
}

/// The questions of components that have no answer any more, among what is to be done.
fn unanswered(conversation: &mut Conversation) -> Vec<u64> {
    let actions = std::iter::from_fn(|| conversation.engine.next_action());
    let unanswered = actions.filter_map(|action| match action {
        Action::Answered(ask, Err(_)) => Some(ask),
        _ => None,
    });
    unanswered.collect()
}

/// What ends a call.
type End = fn(&mut Conversation, u64);

#[test]
fn questions_of_a_call_that_has_ended_are_taken_back() {
    let ends: [(&str, End); 3] = [
        ("it is answered", |conversation, call| {
            conversation.engine.finish(call, text("x"))
        }),
        ("it is cancelled", |conversation, _| {
            conversation.send(&json!({
                "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "1"},
            }));
        }),
        ("its client goes", |conversation, _| {
            conversation.engine.disconnect(conversation.peer)
        }),
    ];
    for (how, end) in ends {
        let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
        let (call, request) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
        let asks = [(); 2].map(|()| conversation.engine.ask(&request.token, &Ask::Roots).unwrap());
        let asked = [(); 2].map(|()| conversation.next().unwrap()["id"].clone());
        end(&mut conversation, call);
        let mut found = unanswered(&mut conversation);
        found.sort_unstable();
        assert_eq!(found, asks, "{how}");
        if how == "its client goes" {
            continue;
        }
        let mut told = [(); 2].map(|()| conversation.next().unwrap());
        told.sort_by_key(|told| told["params"]["requestId"].as_i64());
        let cancelled = |id: &serde_json::Value| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        assert_eq!(told, [cancelled(&asked[0]), cancelled(&asked[1])], "{how}");
        // Late: nobody waits for it.
        conversation.send(&json!({"jsonrpc": "2.0", "id": asked[0], "result": {"roots": []}}));
        assert!(conversation.engine.next_action().is_none());
    }
}

#[test]
fn questions_of_a_round_are_taken_back_when_the_client_refuses_one() {
    let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let asks = ["a", "b"].map(|key| (key.to_owned(), Ask::Roots)).to_vec();
    let first = conversation.finish(call, Outcome::NeedsInput(NeedsInput { asks, state: None }));
    let second = conversation.next().unwrap();
    conversation.send(&json!({"jsonrpc": "2.0", "id": first["id"], "error": {"code": 1, "message": "no"}}));
    let told = conversation.next().unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["requestId"]),
        (&json!("notifications/cancelled"), &second["id"])
    );
    assert_eq!(conversation.next().unwrap()["error"]["code"], -32603);
}

#[test]
fn a_question_that_its_component_gave_up_is_taken_back() {
    let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
    let (call, request) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let ask = conversation.engine.ask(&request.token, &Ask::Roots).unwrap();
    let asked = conversation.next().unwrap();
    conversation.engine.withdraw(&request.token, ask);
    let told = conversation.next().unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["requestId"]),
        (&json!("notifications/cancelled"), &asked["id"])
    );
    assert_eq!(conversation.finish(call, text("x"))["id"], "1");
    assert!(conversation.engine.next_action().is_none());
}

#[test]
fn a_component_whose_client_has_to_ask_again_is_not_kept_waiting_when_its_call_ends() {
    let mut conversation = Conversation::new();
    let params = json!({"name": "ask", "_meta": meta(json!({"roots": {}}))});
    let (call, request) = conversation.begin("1", "tools/call", params);
    let ask = conversation.engine.ask(&request.token, &Ask::Roots).unwrap();
    conversation.engine.finish(call, text("late"));
    assert_eq!(unanswered(&mut conversation), [ask]);
}

#[test]
fn a_client_that_does_not_answer_the_questions_of_a_call_is_not_waited_for_for_ever() {
    let mut conversation = Conversation::of("2025-11-25", json!({"roots": {}}));
    let (call, _) = conversation.begin("1", "tools/call", json!({"name": "ask"}));
    let asks = vec![("a".to_owned(), Ask::Roots)];
    let asked = conversation.finish(call, Outcome::NeedsInput(NeedsInput { asks, state: None }));
    conversation.engine.tick(1_000_000 + 600_000);
    assert!(conversation.next().is_none() && conversation.engine.waits());
    conversation.engine.tick(1_000_000 + 601_001);
    assert_eq!(conversation.next().unwrap()["params"]["requestId"], asked["id"]);
    let error = conversation.next().unwrap()["error"].clone();
    let message = "the client has not answered within 600000 ms";
    assert_eq!(error, json!({"code": -32603, "message": message}));
    assert!(!conversation.engine.waits());
}
