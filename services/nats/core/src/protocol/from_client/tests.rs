use super::*;
use crate::protocol::to_server;
use proptest::prelude::*;

fn decode(bytes: &[u8], piece: usize) -> Result<Vec<ClientOperation>, ProtocolError> {
    let mut decoder = Decoder::new(1024);
    let mut operations = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.buffer().extend_from_slice(piece);
        while let Some(operation) = decoder.next()? {
            operations.push(operation);
        }
    }
    Ok(operations)
}

#[test]
fn all_operations_of_a_client_are_understood_in_pieces_of_any_size() {
    let said = b"connect {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1,\"pass\":\"x\",\"name\":null}\r\n\
                 SUB foo.*  1\r\nSub foo.> q\t2\r\nUNSUB 1\r\nUNSUB 2 5\nPING\r\npong\r\nPUB foo 5\r\nhello\r\n\
                 PUB foo _INBOX.1 0\r\n\r\nHPUB foo bar 12 14\r\nNATS/1.0\r\n\r\nhi\r\n+OK\r\n-ERR 'x'\r\nINFO {}\r\n";
    let whole = decode(said, said.len()).unwrap();
    assert_eq!(whole.len(), 10);
    let ClientOperation::Connect(connect) = &whole[0] else {
        panic!("{:?}", whole[0])
    };
    assert!(!connect.verbose && connect.echo && connect.headers && connect.no_responders);
    let subscribe = ClientOperation::Subscribe {
        subject: Bytes::from("foo.>"),
        queue: Some(Bytes::from("q")),
        sid: Bytes::from("2"),
    };
    assert_eq!(whole[2], subscribe);
    assert_eq!(
        whole[4],
        ClientOperation::Unsubscribe {
            sid: Bytes::from("2"),
            max: Some(5)
        }
    );
    let with_headers = Message {
        subject: Bytes::from("foo"),
        reply: Some(Bytes::from("bar")),
        headers: Some(Bytes::from("NATS/1.0\r\n\r\n")),
        payload: Bytes::from("hi"),
    };
    assert_eq!(whole[9], ClientOperation::Publish(with_headers));
    for piece in 1..said.len() {
        assert_eq!(decode(said, piece).as_ref(), Ok(&whole), "pieces of {piece}");
    }
}

#[test]
fn what_connect_leaves_out_is_what_nats_server_assumes() {
    let operations = decode(b"CONNECT {}\r\n", 99).unwrap();
    assert_eq!(operations, [ClientOperation::Connect(Connect::default())]);
}

#[test]
fn a_payload_is_not_copied() {
    let mut decoder = Decoder::new(1024);
    decoder.buffer().extend_from_slice(b"PUB foo 5\r\nhello\r\n");
    let at = decoder.buffer()[11..].as_ptr();
    let Ok(Some(ClientOperation::Publish(message))) = decoder.next() else {
        panic!("no publish")
    };
    assert_eq!(message.payload.as_ptr(), at);
}

proptest! {
    #[test]
    fn any_bytes_are_operations_or_an_error(bytes in any::<Vec<u8>>(), piece in 1usize..9) {
        let _ = decode(&bytes, piece);
    }

    #[test]
    fn almost_the_protocol_is_operations_or_an_error(
        words in prop::collection::vec("(PUB|HPUB|SUB|UNSUB|PING|CONNECT|foo|1|12|\\{\\}|NATS/1.0| |\t|\r\n){1,3}", 0..20),
        piece in 1usize..9,
    ) {
        let text = words.concat();
        let whole = decode(text.as_bytes(), text.len().max(1));
        prop_assert_eq!(decode(text.as_bytes(), piece), whole);
    }

    #[test]
    fn what_one_end_writes_the_other_reads(
        subject in "[a-z]{1,5}(\\.[a-z]{1,5}){0,3}",
        reply in prop::option::of("[a-z]{1,9}"),
        header in prop::option::of("[a-z]{0,9}"),
        payload in prop::collection::vec(any::<u8>(), 0..100),
        piece in 1usize..200,
    ) {
        let message = Message {
            subject: Bytes::from(subject),
            reply: reply.map(Bytes::from),
            headers: header.map(|value| Bytes::from(format!("NATS/1.0\r\nA: {value}\r\n\r\n"))),
            payload: Bytes::from(payload),
        };
        let mut out = BytesMut::from("CONNECT {\"headers\":true}\r\n");
        to_server::publish(&mut out, &message);
        let operations = decode(&out, piece).unwrap();
        prop_assert_eq!(&operations[1], &ClientOperation::Publish(message));
    }
}

#[test]
fn a_header_block_of_no_bytes_is_none() {
    let said = b"CONNECT {\"headers\":true}\r\nHPUB foo _INBOX.1 0 3\r\nred\r\n";
    let message = Message {
        subject: Bytes::from("foo"),
        reply: Some(Bytes::from("_INBOX.1")),
        headers: None,
        payload: Bytes::from("red"),
    };
    let operations = decode(said, said.len()).unwrap();
    assert_eq!(operations[1], ClientOperation::Publish(message));
}
