//! Inputs that are not the protocol, and what is answered: the texts of nats-server, to the byte.
//!
//! Where nats-server closes the connection without a word, the answer here is `Parser Error`. Each input follows INFO
//! and, where it needs one, a CONNECT of its own.

/// One input.
pub(crate) struct Input {
    pub(crate) what: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) answer: String,
    /// Whether the connection ends with it.
    pub(crate) ends: bool,
}

const QUIET: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n";

fn fatal(what: &'static str, text: impl AsRef<[u8]>, error: &str) -> Input {
    let bytes = [QUIET.as_bytes(), text.as_ref()].concat();
    Input {
        what,
        bytes,
        answer: format!("-ERR '{error}'\r\n"),
        ends: true,
    }
}

const PEDANTIC: &str = "CONNECT {\"verbose\":false,\"pedantic\":true}\r\n";

fn pedantic(what: &'static str, text: &str, error: &str) -> Input {
    let bytes = format!("{PEDANTIC}{text}").into();
    Input {
        what,
        bytes,
        answer: format!("-ERR '{error}'\r\n"),
        ends: false,
    }
}

fn bare(what: &'static str, text: &str, error: &str) -> Input {
    Input {
        what,
        bytes: text.into(),
        answer: format!("-ERR '{error}'\r\n"),
        ends: true,
    }
}

fn refused(what: &'static str, text: &str, error: &str) -> Input {
    Input {
        ends: false,
        ..fatal(what, text, error)
    }
}

const UNKNOWN: &str = "Unknown Protocol Operation";
const PARSER: &str = "Parser Error";

/// All of them.
pub(crate) fn inputs() -> Vec<Input> {
    let long = "x".repeat(5000);
    vec![
        // Another protocol, or none.
        bare("HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", UNKNOWN),
        bare("a binary zero", "\0\r\n", UNKNOWN),
        bare("an empty line", "\r\n", UNKNOWN),
        bare("a blank first", " PING\r\n", UNKNOWN),
        bare("half an operation", "PIXG\r\n", UNKNOWN),
        bare("an operation without arguments or end", "SUBx", UNKNOWN),
        bare("a server's operation", "MSG foo 1 2\r\nhi\r\n", UNKNOWN),
        bare("a cluster's operation", "RS+ $G foo\r\n", UNKNOWN),
        bare("an account's operation", "A+ ACC\r\n", UNKNOWN),
        fatal("invalid UTF-8", b"\xff\xfe\xfd\r\n", UNKNOWN),
        // CONNECT.
        bare("CONNECT without JSON", "CONNECT \r\n", PARSER),
        bare("CONNECT with half of it", "CONNECT {\"verbose\":\r\n", PARSER),
        bare("CONNECT with a list", "CONNECT []x\r\n", PARSER),
        bare(
            "CONNECT with a text for a flag",
            "CONNECT {\"verbose\":\"yes\"}\r\n",
            PARSER,
        ),
        bare(
            "CONNECT of protocol 2",
            "CONNECT {\"protocol\":2}\r\n",
            "invalid client protocol",
        ),
        bare(
            "CONNECT of protocol -1",
            "CONNECT {\"protocol\":-1}\r\n",
            "invalid client protocol",
        ),
        bare(
            "CONNECT with no_responders but without headers",
            "CONNECT {\"verbose\":false,\"no_responders\":true}\r\n",
            "no responders requires headers support",
        ),
        // PUB.
        fatal("PUB without a size", "PUB foo\r\n", PARSER),
        fatal("PUB without anything", "PUB \r\n", PARSER),
        fatal("PUB with too much", "PUB foo bar 2 extra\r\nok\r\n", PARSER),
        fatal("PUB with a size that is none", "PUB foo five\r\nhello\r\n", PARSER),
        fatal("PUB with a negative size", "PUB foo -1\r\n\r\n", PARSER),
        fatal("PUB with a size of ten digits", "PUB foo 9999999999\r\n", PARSER),
        fatal(
            "PUB over max_payload",
            "PUB foo 1048577\r\n",
            "Maximum Payload Violation",
        ),
        fatal("PUB with more than it said", "PUB foo 2\r\nhello\r\n", UNKNOWN),
        fatal("PUB with a lone line feed", "PUB foo 2\r\nhi\nPING\r\n", UNKNOWN),
        fatal(
            "PUB with an endless subject",
            format!("PUB {long} 0\r\n\r\n"),
            "maximum control line exceeded",
        ),
        fatal(
            "PUB that never ends its line",
            format!("PUB {long}"),
            "maximum control line exceeded",
        ),
        pedantic("PUB to a wildcard", "PUB foo.* 0\r\n\r\n", "Invalid Publish Subject"),
        pedantic(
            "PUB to an empty token",
            "PUB foo..bar 0\r\n\r\n",
            "Invalid Publish Subject",
        ),
        pedantic(
            "PUB with a wildcard reply",
            "PUB foo bar.> 0\r\n\r\n",
            "Invalid Publish Subject",
        ),
        refused(
            "PUB without a grant",
            "PUB bar 0\r\n\r\n",
            "Permissions Violation for Publish to \"bar\"",
        ),
        refused(
            "PUB to the system",
            "PUB $SYS.REQ 0\r\n\r\n",
            "Permissions Violation for Publish to \"$SYS.REQ\"",
        ),
        refused(
            "PUB of others",
            "PUB foo bar 0\r\n\r\n",
            "Permissions Violation for Publish with Reply of \"bar\"",
        ),
        refused(
            "PUB to a guess",
            "PUB _INBOX.x 0\r\n\r\n",
            "Permissions Violation for Publish to \"_INBOX.x\"",
        ),
        // HPUB.
        bare(
            "HPUB before CONNECT",
            "HPUB foo 12 12\r\nNATS/1.0\r\n\r\n\r\n",
            "message headers not supported",
        ),
        fatal("HPUB without a size", "HPUB foo 12\r\n", PARSER),
        fatal(
            "HPUB with more headers than bytes",
            "HPUB foo 14 12\r\nNATS/1.0\r\n\r\n\r\n",
            PARSER,
        ),
        fatal("HPUB with a size that is none", "HPUB foo x 12\r\n", PARSER),
        fatal(
            "HPUB over max_payload",
            "HPUB foo 12 1048577\r\n",
            "Maximum Payload Violation",
        ),
        fatal("HPUB without a version", "HPUB foo 6 6\r\na: b\r\n\r\n", PARSER),
        fatal(
            "HPUB with an open block",
            "HPUB foo 10 12\r\nNATS/1.0\r\nhi\r\n",
            PARSER,
        ),
        // SUB and UNSUB.
        fatal("SUB without a name", "SUB foo\r\n", PARSER),
        fatal("SUB with too much", "SUB foo q 1 extra\r\n", PARSER),
        refused("SUB to an empty token", "SUB foo..bar 1\r\n", "Invalid Subject"),
        refused("SUB with > in the middle", "SUB foo.>.bar 1\r\n", "Invalid Subject"),
        refused(
            "SUB without a grant",
            "SUB > 1\r\n",
            "Permissions Violation for Subscription to \">\"",
        ),
        refused(
            "SUB in a group without a grant",
            "SUB bar q 1\r\n",
            "Permissions Violation for Subscription to \"bar\" using queue \"q\"",
        ),
        refused(
            "SUB to others' inboxes",
            "SUB _INBOX.mainstay-inbox.instance.2.> 1\r\n",
            "Permissions Violation for Subscription to \"_INBOX.mainstay-inbox.instance.2.>\"",
        ),
        // To a subject that no other input publishes to: nats-server hands even half a message on to a subscriber.
        refused(
            "SUB once too often",
            "SUB foo.once 1\r\nSUB foo.once 2\r\nSUB foo.once 3\r\n",
            "maximum subscriptions exceeded",
        ),
        fatal("UNSUB without a name", "UNSUB \r\n", PARSER),
        fatal("UNSUB with a maximum that is none", "UNSUB 1 many\r\n", PARSER),
        fatal("UNSUB with too much", "UNSUB 1 2 3\r\n", PARSER),
    ]
}
