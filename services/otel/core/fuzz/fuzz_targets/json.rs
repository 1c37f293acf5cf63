//! Whatever is sent as JSON: refused, or a request in protobuf whose JSON reads as the same request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_otel_core::status::Status;
use mainstay_otel_core::wire::check;
use mainstay_otel_core::{Signal, json, response};

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, text) = input;
    let signal = Signal::ALL[usize::from(choice) % 3];
    // What a collector may say.
    let _ = Status::from_json(text);
    let _ = Status::from_protobuf(text);
    let _ = response::from_json(signal, text);
    let Ok(bytes) = json::decode(signal.request(), text) else { return };
    let items = check(signal.request(), &bytes).expect("what was JSON is a request");
    let again = json::encode(signal.request(), &bytes).expect("and has a form in JSON");
    let bytes = json::decode(signal.request(), &again).expect("which is read again");
    assert_eq!(check(signal.request(), &bytes), Ok(items));
});
