//! Teaches the pool a line protocol that nobody else speaks. See `host-test/tests/pool/hooks.rs` for its server.
//!
//! | the pool | the server |
//! |---|---|
//! | | `knock`, a line that changes from connection to connection |
//! | `open NAME`, then the line backwards with the secret behind it | `welcome`, or `go away` |
//! | `ping` | `pong` |
//! | `reset` | `fresh` |
//! | `bye` | |

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/socket-pool", world: "callbacks" });
    use super::Hooks;
    export!(Hooks);
}

use bindings::exports::mainstay::socket_pool::hooks::{
    Connection, Exchange, Expectation, Failure, Guest, Kinds, Reason, Step, Usage,
};

struct Hooks;

fn exchange(send: String, expect: Expectation) -> Step {
    Step::Continue(Exchange {
        send: send.into_bytes(),
        expect,
    })
}

fn line() -> Expectation {
    Expectation::Until(b"\n".to_vec())
}

/// What has to be answered with this and nothing else.
fn asked(question: &str, answer: &str, heard: &[Vec<u8>]) -> Step {
    match heard {
        [] => exchange(question.to_owned(), Expectation::These(answer.as_bytes().to_vec())),
        _ => Step::Done,
    }
}

impl Guest for Hooks {
    async fn wanted(pool: String) -> Kinds {
        match pool.as_str() {
            "lines" => Kinds::all(),
            _ => Kinds::empty(),
        }
    }

    async fn on_connect(connection: Connection, heard: Vec<Vec<u8>>) -> Result<Step, Failure> {
        match heard.as_slice() {
            [] => Ok(exchange(String::new(), line())),
            [knock] => {
                let backwards: String = String::from_utf8_lossy(knock).trim().chars().rev().collect();
                let secret = std::env::var("LINES_SECRET").unwrap_or_default();
                let text = format!("open {}\n{backwards}{secret}\n", connection.pool);
                Ok(exchange(text, line()))
            }
            [_, answer] if answer == b"welcome\n" => Ok(Step::Done),
            [_, answer] if answer == b"busy\n" => Err(Failure::Retry("the server is busy".to_owned())),
            _ => Err(Failure::Reject("the server does not take the secret".to_owned())),
        }
    }

    async fn validate(_connection: Connection, heard: Vec<Vec<u8>>) -> Result<Step, String> {
        Ok(asked("ping\n", "pong\n", &heard))
    }

    async fn on_release(_connection: Connection, usage: Usage, heard: Vec<Vec<u8>>) -> Result<Step, String> {
        if usage.received > 1000 {
            return Err("nobody gets a connection that has said so much".to_owned());
        }
        Ok(asked("reset\n", "fresh\n", &heard))
    }

    async fn on_evict(_connection: Connection, reason: Reason) -> Vec<u8> {
        format!("bye {reason:?}\n").into_bytes()
    }
}
