//! What both tables of malformed inputs have in common.

#![allow(unreachable_pub, reason = "each test file has it as a module")]

/// Says what becomes of the bytes, if they come in pieces of this size: the error, or `passes`.
pub type Judge = fn(&[u8], usize) -> String;

/// What it is, who judges it, its bytes, and what is to be said of them.
pub type Input = (&'static str, Judge, Vec<u8>, &'static str);

/// Gives each input to its judge whole and in pieces: the same has to be said of it.
pub fn check(inputs: &[Input]) {
    assert!(inputs.len() >= 40);
    let mut wrong = Vec::new();
    for (what, judge, bytes, expected) in inputs {
        for piece in [1, 7, usize::MAX] {
            let said = judge(bytes, piece);
            if said != *expected {
                wrong.push(format!("{what} in pieces of {piece}: {said}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
