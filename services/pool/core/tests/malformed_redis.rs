//! What is said to inputs that are not RESP, whichever end they come from and however they are cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod malformed;

use bytes::BytesMut;
use mainstay_pool_core::redis::{ClientId, Commands, Dedicated, Login, Mux};

const PREFIX: &str = "Protocol error: ";

fn shown(error: &impl ToString) -> String {
    error.to_string().replace(PREFIX, "")
}

/// As what a client says.
fn client(bytes: &[u8], piece: usize) -> String {
    let mut commands = Commands::default();
    let (mut at, mut seen) = (0, 0);
    while seen < bytes.len() {
        seen = seen.saturating_add(piece).min(bytes.len());
        loop {
            match commands.next(&bytes[at..seen]) {
                Ok(Some(command)) => at += command.length,
                Ok(None) => break,
                Err(fault) => return shown(&fault),
            }
        }
    }
    "passes".to_owned()
}

const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";

/// As what a server answers to one command of one client among others.
fn server(bytes: &[u8], piece: usize) -> String {
    let mut mux = Mux::default();
    mux.open(ClientId(1));
    mux.push(ClientId(1), GET.into(), 1, true);
    mux.take_output(&mut BytesMut::new(), usize::MAX);
    let mut input = BytesMut::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(fault) = mux.input(&mut input) {
            return shown(&fault);
        }
    }
    "passes".to_owned()
}

/// As what a server answers to a client with a connection of its own.
fn own(bytes: &[u8], piece: usize) -> String {
    let mut dedicated = Dedicated::default();
    dedicated.say(&Commands::default().next(b"MULTI\n").unwrap().unwrap(), 0);
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(fault) = dedicated.input(&mut input, &mut out) {
            return shown(&fault);
        }
    }
    "passes".to_owned()
}

/// As what a server says during the login.
fn login(bytes: &[u8], piece: usize) -> String {
    let (mut login, _) = Login::begin(None, Some("secret"), 0);
    let mut input = BytesMut::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(error) = login.answer(&mut input) {
            assert!(!error.to_string().contains("secret"));
            return shown(&error);
        }
    }
    "passes".to_owned()
}

fn inputs() -> Vec<malformed::Input> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    vec![
        // What a client says.
        (
            "a count that is none",
            client,
            bytes("*x\r\n"),
            "invalid multibulk length",
        ),
        ("an empty count", client, bytes("*\r\n"), "invalid multibulk length"),
        (
            "a count with a sign",
            client,
            bytes("*+1\r\n"),
            "invalid multibulk length",
        ),
        (
            "a count with a blank",
            client,
            bytes("* 1\r\n"),
            "invalid multibulk length",
        ),
        (
            "two million words",
            client,
            bytes("*2000000\r\n"),
            "invalid multibulk length",
        ),
        (
            "a count of twenty digits",
            client,
            bytes("*99999999999999999999\r\n"),
            "invalid multibulk length",
        ),
        (
            "a count without end",
            client,
            bytes(&format!("*{}", "1".repeat(40))),
            "too big mbulk count string",
        ),
        (
            "a word that is no string",
            client,
            bytes("*1\r\n:1\r\n"),
            "expected '$', got ':'",
        ),
        (
            "a word that is an array",
            client,
            bytes("*1\r\n*1\r\n"),
            "expected '$', got '*'",
        ),
        (
            "a word without type",
            client,
            bytes("*1\r\nGET\r\n"),
            "expected '$', got 'G'",
        ),
        (
            "a length that is none",
            client,
            bytes("*1\r\n$x\r\n"),
            "invalid bulk length",
        ),
        ("an empty length", client, bytes("*1\r\n$\r\n"), "invalid bulk length"),
        ("a null", client, bytes("*1\r\n$-1\r\n"), "invalid bulk length"),
        (
            "a word of a gigabyte",
            client,
            bytes("*1\r\n$1073741824\r\n"),
            "invalid bulk length",
        ),
        (
            "a length without end",
            client,
            bytes(&format!("*1\r\n${}", "1".repeat(40))),
            "too big bulk count string",
        ),
        (
            "a word longer than it says",
            client,
            bytes("*1\r\n$1\r\nab\r\n"),
            "a word is longer than it says",
        ),
        (
            "a word without line end",
            client,
            bytes("*2\r\n$1\r\na$1\r\nb\r\n"),
            "a word is longer than it says",
        ),
        (
            "a second word of no type",
            client,
            bytes("*2\r\n$1\r\na\r\nb\r\n"),
            "expected '$', got 'b'",
        ),
        (
            "a line without end",
            client,
            bytes(&"x".repeat(70_000)),
            "too big inline request",
        ),
        (
            "a quote",
            client,
            bytes("SET a \"b c\"\r\n"),
            "quotes in an inline request",
        ),
        (
            "an apostrophe",
            client,
            bytes("SET a 'b\r\n"),
            "quotes in an inline request",
        ),
        (
            "a command of many words and bytes",
            client,
            bytes("*2\r\n$1\r\na\r\n$67108864\r\n"),
            "a command is longer than 67108864 bytes",
        ),
        // What a server says.
        ("no type", server, bytes("OK\r\n"), "'O' begins no value"),
        ("an empty line", server, bytes("\r\n"), "an empty line"),
        (
            "HTTP",
            server,
            bytes("HTTP/1.1 400 Bad Request\r\n\r\n"),
            "'H' begins no value",
        ),
        (
            "a length that is none",
            server,
            bytes("$x\r\n"),
            "a length is not a number",
        ),
        (
            "a length of minus two",
            server,
            bytes("$-2\r\n"),
            "a length is negative",
        ),
        (
            "a stream of unknown length",
            server,
            bytes("$?\r\n"),
            "a length is not a number",
        ),
        (
            "an array of minus two",
            server,
            bytes("*-2\r\n"),
            "a length is negative",
        ),
        (
            "an array of unknown length",
            server,
            bytes("*?\r\n"),
            "a length is not a number",
        ),
        ("a map of minus one", server, bytes("%-1\r\n"), "a length is negative"),
        ("a set of nothing", server, bytes("~\r\n"), "a length is not a number"),
        ("a set of minus one", server, bytes("~-1\r\n"), "a length is negative"),
        (
            "an error of minus one",
            server,
            bytes("!-1\r\n"),
            "a length is negative",
        ),
        ("a text of minus one", server, bytes("=-1\r\n"), "a length is negative"),
        (
            "attributes of minus one",
            server,
            bytes("|-1\r\n"),
            "a length is negative",
        ),
        (
            "more values than there are",
            server,
            bytes("*999999999999999999\r\n"),
            "too many values",
        ),
        (
            "too many values by nesting",
            server,
            bytes("*1000000000000\r\n%999999999999\r\n"),
            "too many values",
        ),
        (
            "CR without LF",
            server,
            bytes("+a\rb\r\n"),
            "a line ends in CR without LF",
        ),
        (
            "a line without end",
            server,
            bytes(&format!("+{}", "x".repeat(70_000))),
            "a line has no end",
        ),
        (
            "an array of an unknown value",
            server,
            bytes("*1\r\n?\r\n"),
            "'?' begins no value",
        ),
        (
            "an answer too many",
            server,
            bytes("+OK\r\n+OK\r\n"),
            "an answer that nobody asked for",
        ),
        (
            "an answer too many",
            own,
            bytes("+OK\r\n+OK\r\n"),
            "an answer that nobody asked for",
        ),
        ("no type", own, bytes("OK\r\n"), "'O' begins no value"),
        (
            "a refusal",
            login,
            bytes("-WRONGPASS no\r\n"),
            "the server says: WRONGPASS no",
        ),
        (
            "no password wanted",
            login,
            bytes("-ERR AUTH <password> called\r\n"),
            "the server says: ERR AUTH <password> called",
        ),
        (
            "another protocol",
            login,
            bytes("SSH-2.0-OpenSSH\r\n"),
            "the server does not speak Redis's protocol: 'S' begins no value",
        ),
    ]
}

#[test]
fn every_malformed_input_is_an_error_that_says_what_is_wrong() {
    malformed::check(&inputs());
}
