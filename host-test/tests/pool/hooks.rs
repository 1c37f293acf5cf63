//! A component teaches the pool a protocol that it does not know.

use mainstay_host_test::workload::{Phase, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, Builder};
use crate::line_server::{Lines, Manner, SECRET};
use crate::support::{self, eventually, figures, operate, ready};

const LOGIN: Manner = Manner {
    login: true,
    busy: 0,
    together: 1,
};

fn before(server: &Lines, settings: &str, secret: &str) -> Builder {
    let port = server.port;
    let url = format!("tcp://host.wasmcloud.internal:{port}?listen=9000&reuse=callback&{settings}");
    support::service_of("pool-open", &[port])
        .environment("POOL_LINES_URL", &url)
        .component_with("test/pool-hooks", |component| {
            let secret = ("LINES_SECRET".to_owned(), secret.to_owned());
            component.resources.environment.extend([secret]);
        })
}

/// A client of the pool's port that knows nothing of logins: says a line, hears one, and goes.
async fn say(workload: &Workload, text: &str) -> String {
    let mut stream = common::connect(workload, 9000).await;
    stream.write_all(format!("{text}\n").as_bytes()).await.unwrap();
    let mut heard = vec![0; text.len() + 1];
    let read = tokio::time::timeout(common::DEADLINE, stream.read_exact(&mut heard)).await;
    read.unwrap()
        .unwrap_or_else(|error| panic!("{error}\n{}", support::log(workload)));
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn the_pool_logs_in_resets_and_says_goodbye_as_a_component_tells_it_to() {
    let server = Lines::start(LOGIN).await;
    let workload = before(&server, "max=1&check_after=0s", SECRET).start();
    ready(&workload).await;
    for text in ["one", "two", "three"] {
        assert_eq!(say(&workload, text).await, format!("{text}\n"));
        eventually("it is back", &workload, async || {
            figures(&workload, "lines").await["idle"] == 1
        })
        .await;
    }
    let expected = [
        "1 welcome",
        "1 one",
        "1 reset",
        "1 ping",
        "1 two",
        "1 reset",
        "1 ping",
        "1 three",
        "1 reset",
    ];
    assert_eq!(server.told(), expected);
    operate(&workload, "lines", "reconnect").await;
    eventually("it says goodbye", &workload, async || server.was_told("1 gone")).await;
    assert!(server.was_told("1 bye Reason::Operator"), "{:?}", server.told());
}

#[tokio::test]
async fn a_connection_that_the_hook_does_not_take_back_is_closed() {
    let server = Lines::start(LOGIN).await;
    let workload = before(&server, "max=1", SECRET).start();
    ready(&workload).await;
    say(&workload, &"x".repeat(2000)).await;
    eventually("it is closed", &workload, async || server.was_told("1 gone")).await;
    // Gone before its answer: nobody asks the hook, the rest of a request may be on its way.
    let mut stream = common::connect(&workload, 9000).await;
    stream.write_all(b"silence\n").await.unwrap();
    eventually("it is heard", &workload, async || server.was_told("2 silence")).await;
    drop(stream);
    eventually("it is closed too", &workload, async || server.was_told("2 gone")).await;
    assert_eq!(say(&workload, "three").await, "three\n");
    let resets = server.told().iter().filter(|told| told.ends_with("reset")).count();
    assert!(resets <= 1, "{:?}", server.told());
    assert!(support::log(&workload).contains("on-release: nobody gets a connection that has said so much"));
}

#[tokio::test]
async fn a_login_that_fails_is_tried_again_only_if_the_hook_says_so() {
    let busy = Lines::start(Manner { busy: 2, ..LOGIN }).await;
    let workload = before(&busy, "max=1", SECRET).start();
    assert_eq!(say(&workload, "hello").await, "hello\n");
    assert_eq!(
        busy.told()[..],
        ["1 busy", "1 gone", "2 busy", "2 gone", "3 welcome", "3 hello"]
    );

    let server = Lines::start(LOGIN).await;
    let workload = before(&server, "max=1&acquire_timeout=1m", "wrong").start();
    let mut stream = common::connect(&workload, 9000).await;
    let mut heard = Vec::new();
    let read = tokio::time::timeout(common::DEADLINE / 2, stream.read_to_end(&mut heard)).await;
    assert_eq!(read.expect("at once, not after a minute").unwrap(), 0);
    assert!(support::log(&workload).contains("client: the server does not take the secret"));
}

#[tokio::test]
async fn a_pool_that_relies_on_a_hook_does_not_start_without_one() {
    let url = "tcp://host.wasmcloud.internal:1?listen=9000&reuse=callback";
    let (status, _, stderr) = support::service(&[]).environment("POOL_LINES_URL", url).run().await;
    assert_eq!(status.state, Phase::Error, "{status}");
    let error = "pool \"lines\": reuse is \"callback\", but no component wants on-release for it; use \"on-idle\" or \
                 \"never\", or link one to pool-open.wasm";
    assert!(
        stderr.contains(error) || stderr.replace("\\\"", "\"").contains(error),
        "{stderr}"
    );
}
