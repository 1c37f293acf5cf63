//! Guest failures in words.

use wasmtime_wasi::I32Exit;

/// What went wrong in one line: the chain of causes without the Wasm backtrace.
pub(super) fn in_words(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("exit with code {code}");
    }
    let mut words: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let is_backtrace = text.starts_with("error while executing at");
        if !is_backtrace && words.last() != Some(&text) {
            words.push(text.trim_start_matches("wasm trap: ").replace('\n', " "));
        }
    }
    words.join(": ")
}
