//! Tools that take long, for clients that come back for the answer.

use serde_json::{Value, json};

use crate::bindings::exports::mainstay::mcp::tools::{Outcome, ToolResult};
use crate::bindings::mainstay::mcp::context;
use crate::bindings::mainstay::mcp::types::{Caller, Failure, Input};
use crate::talking::pause;
use crate::{asking, said};

pub(crate) async fn call(
    name: &str,
    arguments: &Value,
    input: &Input,
    caller: &Caller,
) -> Option<Result<Outcome, Failure>> {
    let text = |name: &str| {
        arguments
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("world")
            .to_owned()
    };
    Some(match name {
        "greet" => Ok(Outcome::Done(said(format!("Hello, {}!", text("name"))))),
        "slow_compute" => {
            let seconds = arguments.get("seconds").and_then(Value::as_f64).unwrap_or(1.0);
            if seconds > 0.0 {
                come_back(caller).await;
            }
            pause(milliseconds(seconds)).await;
            Ok(Outcome::Done(said(format!("computed for {seconds} s"))))
        }
        "failing_job" => {
            come_back(caller).await;
            pause(1000).await;
            Ok(Outcome::Done(ToolResult {
                is_error: true,
                ..said("the job failed")
            }))
        }
        "protocol_error_job" => {
            come_back(caller).await;
            pause(200).await;
            Err(Failure::Broken("the job broke".to_owned()))
        }
        "confirm_delete" => {
            come_back(caller).await;
            asked(input, &["confirm"])
        }
        "multi_input" => {
            come_back(caller).await;
            asked(input, &["first", "second"])
        }
        "test_tool_with_task" => match asking::answer(input, "user_name") {
            None => {
                let name = json!({ "name": { "type": "string" } });
                let question = asking::form("What is your name?", &name, &["name"]);
                Ok(Outcome::NeedsInput(asking::needs(
                    [("user_name", question)],
                    Some("asked"),
                )))
            }
            Some(answer) => {
                come_back(caller).await;
                pause(200).await;
                Ok(Outcome::Done(said(format!("Hello, {answer}"))))
            }
        },
        _ => return None,
    })
}

/// Lets the client come back; one that cannot waits.
async fn come_back(caller: &Caller) {
    if let Err(error) = context::pause(caller.call.clone()).await {
        eprintln!("the client waits: {error:?}");
    }
}

fn asked(input: &Input, keys: &[&str]) -> Result<Outcome, Failure> {
    let answers: Option<Vec<Value>> = keys.iter().map(|key| asking::answer(input, key)).collect();
    if let Some(answers) = answers {
        return Ok(Outcome::Done(said(format!("answered: {answers:?}"))));
    }
    let mut needed = asking::needs([], None);
    for key in keys {
        let question = asking::form(
            "Please confirm",
            &json!({ "confirm": { "type": "boolean" } }),
            &["confirm"],
        );
        needed.questions.push(((*key).to_owned(), question));
    }
    Ok(Outcome::NeedsInput(needed))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test's own seconds"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds.clamp(0.0, 3600.0) * 1000.0) as u64
}
