//! Does with a request of spans as the name of one of them says, and prints the events. See
//! `host-test/tests/otel/hooks.rs`.
//!
//! | a span called | its request |
//! |---|---|
//! | `replace` | becomes one span called `replaced` |
//! | `drop` | goes no further |
//! | `error`, `hang` | makes the processor fail that way |
//! | anything else | is kept |

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/otel", world: "callbacks" });
    use super::Hooks;
    export!(Hooks);
}

use bindings::exports::mainstay::otel::{events, processor};
use events::{Event, Kinds};
use processor::{Signal, Signals, Verdict};

struct Hooks;

/// `ExportTraceServiceRequest` with one span, which has nothing but a name.
const REPLACED: &[u8] = b"\x0a\x0e\x12\x0c\x12\x0a\x2a\x08replaced";

/// Whether a request has a span of this name: a field 5 of so many bytes.
fn has(request: &[u8], name: &str) -> bool {
    let length = u8::try_from(name.len()).unwrap_or_default();
    let field = [&[0x2a, length], name.as_bytes()].concat();
    request.windows(field.len()).any(|bytes| bytes == field)
}

impl processor::Guest for Hooks {
    async fn wanted() -> Signals {
        Signals::TRACES
    }

    async fn process(signal: Signal, request: Vec<u8>) -> Result<Verdict, String> {
        println!("process {signal:?}");
        if has(&request, "replace") {
            Ok(Verdict::Replace(REPLACED.to_vec()))
        } else if has(&request, "drop") {
            Ok(Verdict::Drop)
        } else if has(&request, "error") {
            Err("asked to fail".to_owned())
        } else if has(&request, "hang") {
            std::future::pending().await
        } else {
            Ok(Verdict::Keep)
        }
    }
}

impl events::Guest for Hooks {
    async fn wanted() -> Kinds {
        Kinds::all()
    }

    async fn deliver(events: Vec<Event>) {
        for event in events {
            match event {
                Event::ExportFailed(failed) => {
                    println!("failed {:?} {}: {}", failed.signal, failed.destination, failed.reason);
                }
                Event::Dropped(dropped) => println!(
                    "dropped {} {:?} {}: {}",
                    dropped.items, dropped.signal, dropped.destination, dropped.reason
                ),
                Event::Recovered(recovered) => println!(
                    "recovered {:?} {} after {}",
                    recovered.signal, recovered.destination, recovered.after
                ),
            }
        }
    }
}
