//! Changes of key-value buckets as callbacks: the present values first, then each change, in order, none left out.

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, kv};
use futures::StreamExt;
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;

use crate::common::{self, Builder};
use crate::support::{client, count, eventually, log, metric, page, printed, ready, service};

fn watcher(server: &NatsServer, watch: &str) -> Builder {
    service("nats-open", server)
        .component("test/nats-recorder")
        .environment("NATS_KV_WATCH", watch)
        .environment("NATS_RECONNECT_MAX", "100ms")
}

async fn context(server: &NatsServer) -> jetstream::Context {
    jetstream::new(client(server).await)
}

async fn bucket(context: &jetstream::Context, name: &str) -> kv::Store {
    let config = kv::Config {
        bucket: name.to_owned(),
        history: 5,
        ..kv::Config::default()
    };
    context.create_key_value(config).await.unwrap()
}

/// What the component was told, `<bucket>/<key> <value> <revision>`.
fn changes(workload: &Workload) -> Vec<String> {
    let printed = printed(workload);
    let changes = printed.lines().filter_map(|line| line.strip_prefix("changed "));
    changes.map(str::to_owned).collect()
}

async fn told(workload: &Workload, expected: &[&str]) {
    eventually(&format!("{expected:?}"), workload, async || {
        changes(workload).len() >= expected.len()
    })
    .await;
    assert_eq!(changes(workload), expected);
}

#[tokio::test]
async fn the_present_values_come_first_and_then_each_change() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    let store = bucket(&context, "settings").await;
    for (key, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")] {
        store.put(key, value.into()).await.unwrap();
    }
    store.delete("c").await.unwrap();
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    let present = [
        "settings/b Some(\"1\") revision 2 pending 2",
        "settings/a Some(\"2\") revision 3 pending 1",
        "settings/c None revision 5 pending 0",
    ];
    told(&workload, &present).await;
    store.put("b", "2".into()).await.unwrap();
    store.purge("a").await.unwrap();
    let mut all = present.to_vec();
    all.push("settings/b Some(\"2\") revision 6 pending 0");
    all.push("settings/a None revision 7 pending 0");
    told(&workload, &all).await;
    let handled = r#"nats_kv_changes_total{bucket="settings",outcome="handled"}"#;
    assert_eq!(metric(&workload, handled).await, 5.0);
}

#[tokio::test]
async fn some_keys_of_several_buckets_are_watched() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    let (settings, flags) = (bucket(&context, "settings").await, bucket(&context, "flags").await);
    settings.put("colour.wall", "red".into()).await.unwrap();
    settings.put("shape", "round".into()).await.unwrap();
    let workload = watcher(&server, "settings/colour.>, settings/size.*, flags/x").start();
    ready(&workload).await;
    told(&workload, &["settings/colour.wall Some(\"red\") revision 1 pending 0"]).await;
    settings.put("size", "none".into()).await.unwrap();
    settings.put("size.door", "2".into()).await.unwrap();
    flags.put("y", "no".into()).await.unwrap();
    flags.put("x", "yes".into()).await.unwrap();
    eventually("both are told", &workload, async || changes(&workload).len() >= 3).await;
    let mut changes = changes(&workload);
    changes.sort_unstable();
    assert_eq!(
        changes,
        [
            "flags/x Some(\"yes\") revision 2 pending 0",
            "settings/colour.wall Some(\"red\") revision 1 pending 0",
            "settings/size.door Some(\"2\") revision 4 pending 0"
        ]
    );
}

#[tokio::test]
async fn one_call_at_a_time_in_the_order_of_revisions_however_slow_they_are() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    // A bucket that keeps all of it: what it drops while the component is slow is never told.
    let config = kv::Config {
        bucket: "settings".to_owned(),
        history: 64,
        ..kv::Config::default()
    };
    let store = context.create_key_value(config).await.unwrap();
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    for n in 1..=400u64 {
        let value = if n % 40 == 0 { "sleep 50" } else { "fast" };
        store.put(format!("k{}", n % 7), value.into()).await.unwrap();
    }
    eventually("all are told", &workload, async || changes(&workload).len() >= 400).await;
    let revisions: Vec<u64> = changes(&workload)
        .iter()
        .map(|line| line.split(' ').nth_back(2).unwrap().parse().unwrap())
        .collect();
    assert_eq!(revisions, (1..=400).collect::<Vec<u64>>());
}

#[tokio::test]
async fn after_the_server_has_restarted_the_watch_begins_anew() {
    let mut server = NatsServer::with_jetstream().unwrap();
    let store = bucket(&context(&server).await, "settings").await;
    store.put("a", "1".into()).await.unwrap();
    store.put("b", "1".into()).await.unwrap();
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    let first = [
        "settings/a Some(\"1\") revision 1 pending 1",
        "settings/b Some(\"1\") revision 2 pending 0",
    ];
    told(&workload, &first).await;
    server.restart().unwrap();
    let store = context(&server).await.get_key_value("settings").await.unwrap();
    eventually("it begins anew", &workload, async || {
        metric(&workload, r#"nats_kv_watches_begun_total{bucket="settings"}"#).await >= 2.0
            && changes(&workload).len() >= 4
    })
    .await;
    store.put("a", "2".into()).await.unwrap();
    eventually("the change is told", &workload, async || {
        changes(&workload).last().unwrap() == "settings/a Some(\"2\") revision 3 pending 0"
    })
    .await;
    let changes = changes(&workload);
    let anew = &changes[2..changes.len() - 1];
    assert!(anew.chunks(2).all(|pair| pair == first), "{changes:?}");
}

/// The consumer of the watch of a bucket.
async fn consumer(context: &jetstream::Context, workload: &Workload) -> PullConsumer {
    let stream = context.get_stream("KV_settings").await.unwrap();
    let mut name = None;
    eventually("the watch has one consumer", workload, async || {
        let names: Vec<_> = stream.consumer_names().collect().await;
        let mut names = names.into_iter().map(Result::unwrap);
        name = names.next();
        name.is_some() && names.next().is_none()
    })
    .await;
    context
        .get_consumer_from_stream(&name.unwrap(), "KV_settings")
        .await
        .unwrap()
}

#[tokio::test]
async fn a_delivery_that_went_missing_is_asked_for_again() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    let store = bucket(&context, "settings").await;
    store.put("a", "0".into()).await.unwrap();
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    told(&workload, &["settings/a Some(\"0\") revision 1 pending 0"]).await;
    // A thief: deliveries go in turn to those who ask the consumer, so it takes every other one.
    let consumer = consumer(&context, &workload).await;
    let mut stolen = consumer.batch().max_messages(3).messages().await.unwrap();
    let stealing = tokio::spawn(async move {
        let mut count = 0;
        while let Some(Ok(_)) = stolen.next().await {
            count += 1;
        }
        count
    });
    for n in 1..=50 {
        store.put("a", n.to_string().into()).await.unwrap();
    }
    eventually("the last is told", &workload, async || {
        changes(&workload)
            .last()
            .unwrap()
            .starts_with("settings/a Some(\"50\")")
    })
    .await;
    let expected: Vec<String> = (0..=50)
        .map(|n| format!("settings/a Some(\"{n}\") revision {}", n + 1))
        .collect();
    let changes = changes(&workload);
    let without_pending = changes.iter().map(|line| line.split(" pending").next().unwrap());
    // What is older than the history of the bucket may be gone when it is asked for again; what was told is in order.
    let mut last = 0;
    for line in without_pending {
        let place = expected.iter().position(|known| known == line).unwrap();
        assert!(place == 0 || place > last, "{changes:?}");
        last = place;
    }
    assert!(
        metric(&workload, r#"nats_kv_gaps_total{bucket="settings"}"#).await >= 1.0,
        "nothing was stolen: {}",
        log(&workload)
    );
    stealing.abort();
}

#[tokio::test]
async fn a_last_delivery_that_went_missing_is_noticed_by_the_next_sign_of_life() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    let store = bucket(&context, "settings").await;
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    let consumer = consumer(&context, &workload).await;
    let mut stolen = consumer.batch().max_messages(1).messages().await.unwrap();
    let mut written = 0;
    // Until the thief has got one; then nothing else is written.
    let thief = async {
        stolen.next().await.unwrap().unwrap();
    };
    tokio::pin!(thief);
    loop {
        written += 1;
        store.put(format!("k{written}"), "x".into()).await.unwrap();
        let got = tokio::time::timeout(std::time::Duration::from_millis(300), &mut thief).await;
        if got.is_ok() {
            break;
        }
    }
    eventually("all are told", &workload, async || changes(&workload).len() == written).await;
    assert!(metric(&workload, r#"nats_kv_gaps_total{bucket="settings"}"#).await >= 1.0);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_a_state_and_is_watched_when_it_comes() {
    let server = NatsServer::with_jetstream().unwrap();
    let workload = watcher(&server, "settings").start();
    drop(common::connect(&workload, 8081).await);
    eventually("it says so", &workload, async || {
        let readyz = page(&workload, "/readyz").await;
        readyz.contains("503") && readyz.contains("there is no bucket \"settings\"; create it")
    })
    .await;
    let store = bucket(&context(&server).await, "settings").await;
    store.put("a", "1".into()).await.unwrap();
    ready(&workload).await;
    told(&workload, &["settings/a Some(\"1\") revision 1 pending 0"]).await;
}

#[tokio::test]
async fn a_bucket_that_is_made_anew_is_watched_from_its_beginning() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = context(&server).await;
    let store = bucket(&context, "settings").await;
    for _ in 0..3 {
        store.put("a", "old".into()).await.unwrap();
    }
    let workload = watcher(&server, "settings").start();
    ready(&workload).await;
    told(&workload, &["settings/a Some(\"old\") revision 3 pending 0"]).await;
    context.delete_key_value("settings").await.unwrap();
    let store = bucket(&context, "settings").await;
    store.put("a", "new".into()).await.unwrap();
    eventually("the new one is told", &workload, async || {
        count(&workload, "changed settings/a Some(\"new\") revision 1") >= 1
    })
    .await;
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cancelled_and_the_next_change_told() {
    let server = NatsServer::with_jetstream().unwrap();
    let store = bucket(&context(&server).await, "settings").await;
    let workload = watcher(&server, "settings")
        .environment("NATS_KV_WATCH_TIMEOUT", "200ms")
        .start();
    ready(&workload).await;
    store.put("a", "sleep 100000".into()).await.unwrap();
    store.put("b", "1".into()).await.unwrap();
    told(&workload, &["settings/b Some(\"1\") revision 2 pending 0"]).await;
    let late = r#"nats_kv_changes_total{bucket="settings",outcome="timed-out"}"#;
    assert_eq!(metric(&workload, late).await, 1.0);
    assert!(log(&workload).contains("a change is not handled"), "{}", log(&workload));
}
