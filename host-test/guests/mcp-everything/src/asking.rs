//! Tools and a prompt that need input.

use serde_json::{Value, json};

use crate::bindings::exports::mainstay::mcp::tools::Outcome;
use crate::bindings::mainstay::mcp::types::{Caller, Failure, Form, Input, InputNeeded, Question};
use crate::said;

pub(crate) fn form(message: &str, properties: &Value, required: &[&str]) -> Question {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    Question::Form(Form {
        message: message.to_owned(),
        schema: schema.to_string(),
    })
}

pub(crate) fn sample(prompt: &str, tokens: u32) -> Question {
    let content = json!({ "type": "text", "text": prompt });
    let message = json!({ "role": "user", "content": content });
    Question::Sample(json!({ "messages": [message], "maxTokens": tokens }).to_string())
}

pub(crate) fn needs<const N: usize>(questions: [(&str, Question); N], state: Option<&str>) -> InputNeeded {
    InputNeeded {
        questions: questions.map(|(key, question)| (key.to_owned(), question)).into(),
        state: state.map(str::to_owned),
    }
}

/// The answer to a question, if there is one.
pub(crate) fn answer(input: &Input, key: &str) -> Option<Value> {
    let (_, json) = input.answers.iter().find(|(name, _)| name == key)?;
    serde_json::from_str(json).ok()
}

fn asks(questions: InputNeeded) -> Result<Outcome, Failure> {
    Ok(Outcome::NeedsInput(questions))
}

fn done(text: String) -> Result<Outcome, Failure> {
    Ok(Outcome::Done(said(text)))
}

pub(crate) fn call(name: &str, arguments: &str, input: &Input, caller: &Caller) -> Result<Outcome, Failure> {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
    let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    match name {
        "test_sampling" => one(input, "sample", sample(argument("prompt"), 100), "LLM response"),
        "test_elicitation" => {
            let text = |what: &str| json!({ "type": "string", "description": what });
            let properties = json!({ "username": text("User's response"), "email": text("User's email address") });
            let question = form(argument("message"), &properties, &["username", "email"]);
            one(input, "user", question, "User response")
        }
        "test_elicitation_sep1034_defaults" => one(input, "defaults", defaults(), "Elicitation completed"),
        "test_elicitation_sep1330_enums" => one(input, "choices", choices(), "Elicitation completed"),
        "test_missing_capability" => one(input, "model", sample("Hello", 10), "LLM response"),
        "test_streaming_elicitation" | "test_input_required_result_elicitation" => {
            let name = json!({ "name": { "type": "string" } });
            one(
                input,
                "user_name",
                form("What is your name?", &name, &["name"]),
                "Hello",
            )
        }
        "test_input_required_result_sampling" => one(
            input,
            "capital_question",
            sample("What is the capital of France?", 100),
            "The model says",
        ),
        "test_input_required_result_list_roots" => one(input, "client_roots", Question::Roots, "Roots"),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => remembering(input),
        "test_input_required_result_multiple_inputs" => three(input),
        "test_input_required_result_multi_round" => twice(input),
        "test_input_required_result_capabilities" => what_it_can(input, caller),
        _ => Ok(Outcome::NotMine),
    }
}

/// Asks one question, and tells its answer.
fn one(input: &Input, key: &str, question: Question, told: &str) -> Result<Outcome, Failure> {
    match answer(input, key) {
        Some(answer) => done(format!("{told}: {answer}")),
        None => asks(needs([(key, question)], None)),
    }
}

fn confirm() -> Question {
    form("Please confirm", &json!({ "ok": { "type": "boolean" } }), &["ok"])
}

fn remembering(input: &Input) -> Result<Outcome, Failure> {
    match (answer(input, "confirm"), input.state.as_deref()) {
        (Some(_), Some("asked")) => done("state-ok".to_owned()),
        _ => asks(needs([("confirm", confirm())], Some("asked"))),
    }
}

fn three(input: &Input) -> Result<Outcome, Failure> {
    let keys = ["user_name", "greeting", "client_roots"];
    if keys.iter().all(|key| answer(input, key).is_some()) {
        return done("all three are answered".to_owned());
    }
    let name = json!({ "name": { "type": "string" } });
    let questions = [
        ("user_name", form("What is your name?", &name, &["name"])),
        ("greeting", sample("Generate a greeting", 50)),
        ("client_roots", Question::Roots),
    ];
    asks(needs(questions, Some("asked")))
}

fn twice(input: &Input) -> Result<Outcome, Failure> {
    let text = |name: &str| json!({ name: { "type": "string" } });
    match input.state.as_deref() {
        Some("two") if answer(input, "step2").is_some() => done("both steps are done".to_owned()),
        Some("one" | "two") if answer(input, "step1").is_some() || input.state.as_deref() == Some("two") => {
            let question = form("Step 2: What is your favorite color?", &text("color"), &["color"]);
            asks(needs([("step2", question)], Some("two")))
        }
        _ => asks(needs(
            [("step1", form("Step 1: What is your name?", &text("name"), &["name"]))],
            Some("one"),
        )),
    }
}

fn what_it_can(input: &Input, caller: &Caller) -> Result<Outcome, Failure> {
    if !input.answers.is_empty() {
        return done("answered".to_owned());
    }
    let capabilities: Value = serde_json::from_str(&caller.capabilities).unwrap_or_default();
    let mut needed = needs([], None);
    if capabilities.get("sampling").is_some() {
        needed.questions.push(("model".to_owned(), sample("Hello", 10)));
    }
    if capabilities.get("elicitation").is_some() {
        needed.questions.push(("confirm".to_owned(), confirm()));
    }
    if needed.questions.is_empty() {
        return done("the client cannot be asked".to_owned());
    }
    asks(needed)
}

fn defaults() -> Question {
    let properties = json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
    });
    form("Please review", &properties, &[])
}

fn choices() -> Question {
    let options = ["option1", "option2", "option3"];
    let titled = json!([
        { "const": "value1", "title": "First Option" },
        { "const": "value2", "title": "Second Option" },
        { "const": "value3", "title": "Third Option" },
    ]);
    let properties = json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled } },
    });
    form("Please choose", &properties, &[])
}
