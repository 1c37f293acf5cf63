//! A NATS handler that does what a message's headers say, and prints what it was called for.
//!
//! `Do` is one or more of `sleep MILLISECONDS`, `retry [MILLISECONDS]`, `reject`, `fail TEXT`, `hang`, `trap`, `trace`
//! (prints the trace context), `bare` (replies without headers), separated by commas, `Until` the last attempt that does
//! so. Otherwise it echoes subject, headers and body.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/nats", world: "message-handler" });
    use super::Handler;
    export!(Handler);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};

struct Handler;

impl Guest for Handler {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        let attempt = message.delivery.as_ref().map_or(1, |delivery| delivery.attempt);
        let sequence = message.delivery.as_ref().map_or(0, |delivery| delivery.stream_sequence);
        let body = String::from_utf8_lossy(&message.body);
        println!("begin {} {sequence}/{attempt} {body}", message.subject);
        let header = |name: &str| {
            let found = message.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let until: u64 = header("Until").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        if attempt <= until {
            for action in header("Do").unwrap_or_default().split(',') {
                if action == "trace" {
                    println!("trace {}", message.traceparent);
                }
                act(action.trim()).await?;
            }
        }
        println!("end {} {sequence}/{attempt} {body}", message.subject);
        let is_bare = header("Do").is_some_and(|actions| actions.contains("bare"));
        let mut headers = if is_bare { Vec::new() } else { message.headers };
        headers.push(("Subject".to_owned(), message.subject));
        Ok(message.reply_to.map(|_| Reply {
            headers,
            body: message.body,
        }))
    }
}

async fn act(action: &str) -> Result<(), Disposition> {
    let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
    let milliseconds = || rest.parse::<u64>().ok().map(|number| number * 1_000_000);
    match verb {
        "sleep" => wasip3::clocks::monotonic_clock::wait_for(milliseconds().unwrap_or_default()).await,
        "retry" => return Err(Disposition::Retry(milliseconds())),
        "reject" => return Err(Disposition::Reject),
        "fail" => return Err(Disposition::Failed(rest.to_owned())),
        "hang" => std::future::pending().await,
        "trap" => trap(),
        _ => {}
    }
    Ok(())
}

#[expect(clippy::panic, reason = "failing is what it is for")]
fn trap() {
    panic!("asked to trap");
}
