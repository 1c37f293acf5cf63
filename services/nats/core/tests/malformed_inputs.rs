//! What the loopback endpoint answers to inputs that are not the protocol, to the byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod endpoint;
mod malformed;

use endpoint::Endpoint;

#[test]
fn every_malformed_input_is_answered_by_an_error_and_none_by_a_panic() {
    assert!(malformed::inputs().len() >= 40);
    for input in malformed::inputs() {
        for piece in [1, 7, usize::MAX] {
            let mut endpoint = Endpoint::new();
            let answer = endpoint.converse(&input.bytes, piece);
            assert_eq!(answer, input.answer, "{} in pieces of {piece}", input.what);
            assert_eq!(endpoint.is_ending(), input.ends, "{} in pieces of {piece}", input.what);
        }
    }
}
