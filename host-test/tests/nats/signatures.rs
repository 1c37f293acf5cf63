//! Components of wasmCloud's own messaging interfaces link with the client, the service and the adapter: names, order and
//! types are the same, `async` where it is there.

use mainstay_compose::Component;

use crate::dummy;
use crate::dummy::{links, ours};

/// The signatures of `wasmcloud:messaging` as wasmCloud has them (wash-runtime 2.7, `wit/deps`), and nothing else of it.
const MESSAGING: &str = "
    package wasmcloud:messaging@0.2.0 {
        interface types { record broker-message { subject: string, body: list<u8>, reply-to: option<string> } }
        interface handler {
            use types.{broker-message};
            handle-message: func(msg: broker-message) -> result<_, string>;
        }
        interface consumer {
            use types.{broker-message};
            request: func(subject: string, body: list<u8>, timeout-ms: u32) -> result<broker-message, string>;
            publish: func(msg: broker-message) -> result<_, string>;
        }
    }
    package wasmcloud:messaging@0.3.0 {
        interface types {
            record broker-message { subject: string, body: stream<u8>, reply-to: option<string> }
            variant error {
                subject-invalid, access-denied, timeout, broker-unavailable, message-too-large, quota-exceeded,
                other(string),
            }
            variant handle-message-error { reject, retry, other(string) }
        }
        interface handler {
            use types.{broker-message, handle-message-error};
            handle-message: async func(msg: broker-message) -> result<_, handle-message-error>;
        }
        interface consumer {
            use types.{broker-message, error};
            request: async func(subject: string, body: stream<u8>, timeout-ms: option<u32>)
                -> result<broker-message, error>;
            publish: async func(msg: broker-message) -> result<_, error>;
        }
    }";

fn users(items: &str) -> Component {
    dummy::component(items, MESSAGING)
}

#[test]
fn the_client_serves_both_revisions_of_the_consumer_and_their_types() {
    for version in ["0.2.0", "0.3.0"] {
        let user = users(&format!(
            "import wasmcloud:messaging/types@{version}; import wasmcloud:messaging/consumer@{version};"
        ));
        let client = ours("nats-client");
        // Else `wash dev` takes the host's plugin without a word.
        assert!(client.export(&format!("wasmcloud:messaging/types@{version}")).is_some());
        let expected = format!("wasmcloud:messaging/consumer@{version} of nats-client");
        assert_eq!(links(None, &[user, client]), [expected]);
    }
}

#[test]
fn the_service_calls_a_handler_of_the_asynchronous_revision() {
    let user = users("export wasmcloud:messaging/handler@0.3.0;");
    assert_eq!(
        links(Some(&ours("nats-messaging")), &[user]),
        ["wasmcloud:messaging/handler@0.3.0 of user"]
    );
}

#[test]
fn the_adapter_calls_a_handler_of_the_synchronous_revision() {
    let user = users("export wasmcloud:messaging/handler@0.2.0;");
    let adapter = ours("messaging-sync-adapter");
    assert!(adapter.export("wasmcloud:messaging/types@0.3.0").is_some());
    assert_eq!(
        links(Some(&ours("nats-messaging")), &[user, adapter]),
        [
            "wasmcloud:messaging/handler@0.3.0 of messaging-sync-adapter",
            "wasmcloud:messaging/handler@0.2.0 of user"
        ]
    );
    assert_eq!(
        links(
            Some(&ours("nats")),
            &[
                users("export wasmcloud:messaging/handler@0.2.0;"),
                ours("messaging-sync-adapter")
            ]
        ),
        [
            "mainstay:nats/handler@0.1.0 of messaging-sync-adapter",
            "wasmcloud:messaging/handler@0.2.0 of user"
        ]
    );
}
