//! What is said to inputs that are not PostgreSQL's protocol, whichever end they come from and however they are cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod malformed;

use std::rc::Rc;

use bytes::BytesMut;
use mainstay_pool_core::postgres::{
    Credentials, Established, Login, Parameters, Pooling, Relay, Server, next_frame, query, read_startup,
};

fn message(tag: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// A message with the length that it should have.
fn whole(tag: u8, body: &[u8]) -> Vec<u8> {
    message(tag, i32::try_from(body.len()).unwrap() + 4, body)
}

fn first(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap() + 8;
    [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

/// As the first message of a client.
fn startup(bytes: &[u8], piece: usize) -> String {
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        match read_startup(&mut buffer) {
            Ok(None) => {}
            Ok(Some(_)) => return "passes".to_owned(),
            Err(fault) => return fault.to_string(),
        }
    }
    "passes".to_owned()
}

fn relay() -> (Relay, Server) {
    let relay = Relay::new(Pooling::Transaction, Rc::default(), Parameters::default());
    (relay, Server::new(Established::default(), 8))
}

/// As what a client says in its session.
fn client(bytes: &[u8], piece: usize) -> String {
    let (mut relay, mut server) = relay();
    let (mut input, mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
    relay.begin(&mut server, &mut to_server);
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(fault) = relay.client(&mut input, &mut server, &mut to_server, &mut to_client) {
            return fault.to_string();
        }
    }
    "passes".to_owned()
}

/// As what a server answers to a query.
fn server(bytes: &[u8], piece: usize) -> String {
    let (mut relay, mut server) = relay();
    let (mut input, mut out, mut to_client) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
    relay.begin(&mut server, &mut out);
    query(&mut input, "SELECT 1");
    relay.client(&mut input, &mut server, &mut out, &mut to_client).unwrap();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(fault) = relay.server(&mut input, &mut server, &mut to_client) {
            return fault.to_string();
        }
    }
    "passes".to_owned()
}

/// As what a server says during the login.
fn login(bytes: &[u8], piece: usize) -> String {
    let credentials = Credentials {
        user: "app".to_owned(),
        database: "app".to_owned(),
        password: Some("secret".to_owned()),
        parameters: Vec::new(),
    };
    let (mut login, mut out) = Login::begin(credentials, None).unwrap();
    let mut input = BytesMut::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            match next_frame(&input) {
                Err(fault) => return fault.to_string(),
                Ok(Some(frame)) if frame.length <= input.len() => {
                    let message = input.split_to(frame.length);
                    match login.message(frame.tag, &message[5..], &mut out) {
                        Err(error) => {
                            let text = error.to_string();
                            assert!(!text.contains("secret"), "{text}");
                            return text;
                        }
                        Ok(Some(_)) => return "passes".to_owned(),
                        Ok(None) => {}
                    }
                }
                Ok(_) => break,
            }
        }
    }
    "passes".to_owned()
}

fn inputs() -> Vec<malformed::Input> {
    let user = b"user\0app\0\0";
    let too_long = "message 'Q' is 67108870 bytes long, more than the 67108864 that the pool takes";
    vec![
        // The first message.
        (
            "a length of zero",
            startup,
            vec![0; 8],
            "message '\\0' says that it is 0 bytes long, which none can be",
        ),
        (
            "a negative length",
            startup,
            vec![0xff; 8],
            "message '\\0' says that it is -1 bytes long, which none can be",
        ),
        (
            "a length of seven",
            startup,
            [0, 0, 0, 7].into(),
            "message '\\0' says that it is 7 bytes long, which none can be",
        ),
        (
            "HTTP",
            startup,
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            "message '\\0' says that it is 1195725856 bytes long, which none can be",
        ),
        (
            "TLS without asking",
            startup,
            vec![0x16, 3, 1, 2, 0, 1, 0, 1],
            "message '\\0' says that it is 369295618 bytes long, which none can be",
        ),
        (
            "protocol 2.0",
            startup,
            first(0x0002_0000, user),
            "protocol version 2.0 is not 3.x",
        ),
        (
            "protocol 4.1",
            startup,
            first(0x0004_0001, user),
            "protocol version 4.1 is not 3.x",
        ),
        (
            "no user",
            startup,
            first(0x0003_0000, b"database\0a\0\0"),
            "message '\\0' is malformed: no user is named",
        ),
        (
            "an empty user",
            startup,
            first(0x0003_0000, b"user\0\0\0"),
            "message '\\0' is malformed: no user is named",
        ),
        (
            "a name without end",
            startup,
            first(0x0003_0000, b"user"),
            "message '\\0' is malformed: a parameter's name has no end",
        ),
        (
            "a name without value",
            startup,
            first(0x0003_0000, b"user\0"),
            "message '\\0' is malformed: a parameter has no value",
        ),
        (
            "no end",
            startup,
            first(0x0003_0000, b"user\0a\0"),
            "message '\\0' is malformed: a parameter's name has no end",
        ),
        (
            "more after its end",
            startup,
            first(0x0003_0000, b"user\0a\0\0x"),
            "message '\\0' is malformed: there is more after its end",
        ),
        (
            "not UTF-8",
            startup,
            first(0x0003_0000, b"user\0\xff\0\0"),
            "message '\\0' is malformed: not UTF-8",
        ),
        (
            "a cancel request without key",
            startup,
            first(80_877_102, &[1, 2, 3, 4]),
            "message '\\0' is malformed: a cancel request holds a process and a key",
        ),
        (
            "a cancel request with a long key",
            startup,
            first(80_877_102, &[7; 300]),
            "message '\\0' is malformed: a cancel request holds a process and a key",
        ),
        // What a client says.
        (
            "an unknown type",
            client,
            whole(b'!', b""),
            "message type '!' is not one that belongs here",
        ),
        (
            "a server's message",
            client,
            whole(b'Z', b"I"),
            "message type 'Z' is not one that belongs here",
        ),
        (
            "a password in the midst",
            client,
            whole(b'p', b"x\0"),
            "message type 'p' is not one that belongs here",
        ),
        (
            "a startup in the midst",
            client,
            first(0x0003_0000, user),
            "message type '\\0' is not one that belongs here",
        ),
        (
            "a length of three",
            client,
            message(b'Q', 3, b""),
            "message 'Q' says that it is 3 bytes long, which none can be",
        ),
        (
            "a negative length",
            client,
            message(b'S', -4, b""),
            "message 'S' says that it is -4 bytes long, which none can be",
        ),
        (
            "two gigabytes",
            client,
            message(b'd', i32::MAX, b""),
            "message 'd' says that it is 2147483647 bytes long, which none can be",
        ),
        (
            "a query of 64 MiB",
            client,
            message(b'Q', (64 << 20) + 5, b""),
            too_long,
        ),
        (
            "a query without zero",
            client,
            whole(b'Q', b"SELECT 1"),
            "message 'Q' is malformed: a query ends in a zero",
        ),
        (
            "an empty Parse",
            client,
            whole(b'P', b""),
            "message 'P' is malformed: its name has no end",
        ),
        (
            "a Parse without query",
            client,
            whole(b'P', b"a\0SELECT"),
            "message 'P' is malformed: its query has no end",
        ),
        (
            "a Bind without names",
            client,
            whole(b'B', b"a"),
            "message 'B' is malformed: its names have no end",
        ),
        (
            "a Describe of nothing",
            client,
            whole(b'D', b""),
            "message 'D' is malformed: it names neither a statement nor a portal",
        ),
        (
            "a Describe of something else",
            client,
            whole(b'D', b"Xa\0"),
            "message 'D' is malformed: it names neither a statement nor a portal",
        ),
        (
            "a Describe without end",
            client,
            whole(b'D', b"Sa"),
            "message 'D' is malformed: it names neither a statement nor a portal",
        ),
        (
            "a Close without end",
            client,
            whole(b'C', b"Pa"),
            "message 'C' is malformed: it names neither a statement nor a portal",
        ),
        // What a server says.
        (
            "an unknown type",
            server,
            whole(b'!', b""),
            "message type '!' is not one that belongs here",
        ),
        (
            "ReadyForQuery of no status",
            server,
            whole(b'Z', b""),
            "message 'Z' is malformed: its status is not I, T or E",
        ),
        (
            "ReadyForQuery of an odd status",
            server,
            whole(b'Z', b"x"),
            "message 'Z' is malformed: its status is not I, T or E",
        ),
        (
            "ReadyForQuery twice",
            server,
            [whole(b'Z', b"I"), whole(b'Z', b"I")].concat(),
            "message type 'Z' is not one that belongs here",
        ),
        (
            "ParseComplete to a query",
            server,
            whole(b'1', b""),
            "message type '1' is not one that belongs here",
        ),
        (
            "a login in the midst",
            server,
            whole(b'R', &[0; 4]),
            "message type 'R' is not one that belongs here",
        ),
        (
            "a setting without end",
            server,
            whole(b'S', b"TimeZone"),
            "message 'S' is malformed: a setting has no end",
        ),
        (
            "a length of zero",
            server,
            message(b'C', 0, b""),
            "message 'C' says that it is 0 bytes long, which none can be",
        ),
        (
            "a row of minus one",
            server,
            message(b'D', -1, b""),
            "message 'D' says that it is -1 bytes long, which none can be",
        ),
        // What a server says during the login.
        (
            "a wish too short",
            login,
            whole(b'R', &[0]),
            "the server breaks the protocol: its wish for authentication is too short",
        ),
        (
            "Kerberos",
            login,
            whole(b'R', &[0, 0, 0, 2]),
            "the server wants authentication by Kerberos, which is not one of SCRAM-SHA-256, MD5, password",
        ),
        (
            "GSSAPI",
            login,
            whole(b'R', &[0, 0, 0, 7]),
            "the server wants authentication by GSSAPI or SSPI, which is not one of SCRAM-SHA-256, MD5, password",
        ),
        (
            "a method of no name",
            login,
            whole(b'R', &[0, 0, 0, 99]),
            "the server wants authentication by method 99, which is not one of SCRAM-SHA-256, MD5, password",
        ),
        (
            "MD5 without salt",
            login,
            whole(b'R', &[0, 0, 0, 5, 1]),
            "the server breaks the protocol: its salt is too short",
        ),
        (
            "SCRAM of another kind",
            login,
            whole(b'R', b"\0\0\0\x0aSCRAM-SHA-1\0\0"),
            "the server wants authentication by SCRAM-SHA-1, which is not one of SCRAM-SHA-256, MD5, password",
        ),
        (
            "SCRAM that goes on first",
            login,
            whole(b'R', b"\0\0\0\x0br=x"),
            "the server breaks the protocol: SCRAM goes on before it began",
        ),
        (
            "SCRAM that ends first",
            login,
            whole(b'R', b"\0\0\0\x0cv=x"),
            "the server breaks the protocol: SCRAM ends before it began",
        ),
        (
            "SCRAM without proof",
            login,
            [whole(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"), whole(b'R', &[0; 4])].concat(),
            "the server fails to prove that it knows the password: it skips its part",
        ),
        (
            "SCRAM with another's nonce",
            login,
            [
                whole(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
                whole(b'R', b"\0\0\0\x0br=x,s=c2FsdA==,i=4096"),
            ]
            .concat(),
            "the server fails to prove that it knows the password: invalid nonce",
        ),
        (
            "key data too short",
            login,
            whole(b'K', b"abc"),
            "the server breaks the protocol: its key data is too short",
        ),
        (
            "rows",
            login,
            whole(b'D', b""),
            "the server breaks the protocol: message 'D' during the login",
        ),
        (
            "a refusal",
            login,
            whole(b'E', b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"),
            "the server says: password authentication failed (SQLSTATE 28P01)",
        ),
    ]
}

#[test]
fn every_malformed_input_is_an_error_that_says_what_is_wrong() {
    malformed::check(&inputs());
}
