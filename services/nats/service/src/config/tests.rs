use std::time::Duration;

use mainstay_nats_core::delivery::dispatch::WhenFull;
use mainstay_nats_core::delivery::order::Order;

use super::*;

const URL: (&str, &str) = ("NATS_URL", "nats.example");

fn read(settings: &[(&str, &str)]) -> Result<Configuration, String> {
    let with_url = std::iter::once(URL).filter(|_| !settings.iter().any(|(key, _)| *key == "NATS_URL"));
    Configuration::read_from(with_url.chain(settings.iter().copied())).map_err(|error| error.to_string())
}

#[test]
fn a_url_is_all_that_has_to_be_said() {
    let configuration = read(&[]).unwrap();
    assert_eq!(configuration.connection.servers.len(), 1);
    assert_eq!(configuration.connection.inbox_prefix, "_INBOX");
    assert_eq!(configuration.endpoint.listen.unwrap().to_string(), "127.0.0.1:4222");
    assert!(configuration.subscriptions.is_empty());
    assert_eq!(configuration.health.unwrap().port(), 8081);
}

#[test]
fn a_setting_of_tls_insists_on_it() {
    let tls = |settings: &[(&str, &str)]| {
        let servers = read(settings).unwrap().connection.servers;
        servers.iter().map(|server| server.tls).collect::<Vec<_>>()
    };
    let url = ("NATS_URL", "nats://a, tls://b");
    assert_eq!(tls(&[url]), [false, true]);
    assert_eq!(tls(&[url, ("NATS_TLS_SERVER_NAME", "nats.example")]), [true, true]);
}

#[test]
fn one_subscription_is_told_by_variables() {
    let configuration = read(&[
        ("NATS_SUBJECTS", "orders.*, news.>"),
        ("NATS_QUEUE", "workers"),
        ("NATS_CONCURRENCY", "8"),
        ("NATS_MAX_BYTES", "1MiB"),
        ("NATS_WHEN_FULL", "drop-old"),
        ("NATS_ORDER", "header:customer"),
    ])
    .unwrap();
    let subscription = &configuration.subscriptions[0];
    assert_eq!(subscription.name, "default");
    assert_eq!((subscription.limits.running, subscription.limits.bytes), (8, 1 << 20));
    assert_eq!(subscription.limits.when_full, WhenFull::DropOld);
    assert_eq!(subscription.order, Order::Header("customer".to_owned()));
    let Source::Core { subjects, queue } = &subscription.source else {
        panic!("not core")
    };
    assert_eq!((subjects.len(), queue.as_deref()), (2, Some("workers")));
}

#[test]
fn several_are_told_by_tables() {
    let toml = r#"
        [[subscription]]
        name = "orders"
        stream = "ORDERS"
        consumer = "worker"
        ensure = true
        filter = ["orders.eu.>", "orders.us.>"]
        deliver = "new"
        ack = "double"
        ack_wait = "1m"
        max_deliver = 3
        back_off = ["100ms", "1s"]
        dead_letter = "dead.orders"

        [[subscription]]
        name = "ping"
        subjects = "ping"
    "#;
    let configuration = read(&[("NATS_SUBSCRIPTIONS", toml)]).unwrap();
    let [orders, ping] = &configuration.subscriptions[..] else {
        panic!("not two")
    };
    assert_eq!(ping.name, "ping");
    let Source::JetStream(consumer) = &orders.source else {
        panic!("not JetStream")
    };
    assert!(consumer.ensure && consumer.double_ack);
    assert_eq!((consumer.filter.len(), consumer.start), (2, StartAt::New));
    assert_eq!(consumer.ack_wait, Duration::from_secs(60));
    assert_eq!(consumer.retries.max_deliver, Some(3));
    assert_eq!(
        consumer.retries.back_off,
        [Duration::from_millis(100), Duration::from_secs(1)]
    );
    let dead_letter = consumer.dead_letter.as_ref().unwrap();
    assert_eq!(
        (dead_letter.subject.as_str(), dead_letter.stored),
        ("dead.orders", true)
    );
}

/// Settings, and what is said of them.
const WRONG: &[(&[(&str, &str)], &str)] = &[
    (
        &[("NATS_URL", "")],
        r#"NATS_URL "": no server, for example nats://nats.example:4222"#,
    ),
    (
        &[("NATS_URL", "nats://a, ws://b")],
        r#"NATS_URL "ws://b": websockets are not spoken here, use nats:// or tls://"#,
    ),
    (
        &[("NATS_URL", "nats://me:s3cr3t@h:x")],
        r#"NATS_URL "nats://***@h:x": port "x" is not in 1-65535"#,
    ),
    (
        &[("NATS_USER", "me")],
        "NATS_USER is set and NATS_PASSWORD is not, must be both",
    ),
    (
        &[("NATS_PASSWORD", "s3cr3t")],
        "NATS_PASSWORD is set and NATS_USER is not, must be both",
    ),
    (
        &[
            ("NATS_TOKEN", "s3cr3t"),
            ("NATS_USER", "me"),
            ("NATS_PASSWORD", "s3cr3t"),
        ],
        "NATS_USER and NATS_TOKEN are both set, must be one",
    ),
    (
        &[("NATS_URL", "nats://s3cr3t@h"), ("NATS_TOKEN", "s3cr3t")],
        "the user of NATS_URL and NATS_TOKEN are both set, must be one",
    ),
    (
        &[("NATS_NKEY", "s3cr3t")],
        "NATS_NKEY is not an nkey seed: a seed begins with S and has 58 letters and digits",
    ),
    (
        &[("NATS_JWT", "ey.s3cr3t")],
        "NATS_JWT is set and NATS_NKEY, the seed that signs, is not",
    ),
    (
        &[("NATS_CREDS", "-----BEGIN s3cr3t")],
        "NATS_CREDS holds no -----BEGIN NATS USER JWT----- block; nsc writes one: nsc generate creds",
    ),
    (
        &[("NATS_INBOX_PREFIX", "a.>")],
        r#"NATS_INBOX_PREFIX "a.>": not a subject without wildcards, for example _INBOX_orders"#,
    ),
    (
        &[("NATS_JS_DOMAIN", "hub"), ("NATS_JS_API_PREFIX", "X.API")],
        "NATS_JS_DOMAIN and NATS_JS_API_PREFIX are both set, must be one",
    ),
    (
        &[("NATS_TIMEOUT", "5")],
        r#"NATS_TIMEOUT "5": 5 has no unit (d, h, m, s, ms, us), for example 5s"#,
    ),
    (
        &[("NATS_TLS_FIRST", "yes")],
        r#"NATS_TLS_FIRST "yes": not one of true, false"#,
    ),
    (
        &[("NATS_LISTEN", "4222")],
        r#"NATS_LISTEN "4222": not off, nor an IP address and a port, for example 127.0.0.1:4222"#,
    ),
    (
        &[("NATS_PUBLISH_ALLOW", "$SYS.>")],
        r#"NATS_PUBLISH_ALLOW "$SYS.>": "$SYS.>" is the server's own; no grant can reach below $SYS"#,
    ),
    (
        &[("NATS_SUBSCRIBE_ALLOW", "a..b")],
        "NATS_SUBSCRIBE_ALLOW \"a..b\": \"a..b\" is not a subject: tokens between dots, none empty, without blanks; \
         * stands for one, a last > for many",
    ),
    (
        &[("NATS_SLOW_CONSUMER", "wait")],
        r#"NATS_SLOW_CONSUMER "wait": not one of disconnect, drop"#,
    ),
    (
        &[("NATS_LISTEN", "off")],
        "nothing to do: set NATS_SUBJECTS or NATS_STREAM and NATS_CONSUMER, or [[subscription]] tables in the file of \
         NATS_CONFIG or the text of NATS_SUBSCRIPTIONS, or NATS_KV_WATCH, or do not switch NATS_LISTEN off",
    ),
    (&[("NATS_QUEUE", "q")], "queue is set and subjects are not"),
    (
        &[("NATS_NAME", "orders")],
        r#"NATS_NAME "orders": names a subscription that is not there; set NATS_SUBJECTS or NATS_STREAM too"#,
    ),
    (
        &[("NATS_SUBJECTS", "a.>, a.b")],
        r#"NATS_SUBJECTS "a.b": overlaps with a.>, and a message would come twice"#,
    ),
    (
        &[("NATS_SUBJECTS", "a"), ("NATS_STREAM", "S"), ("NATS_CONSUMER", "c")],
        "subjects and stream are both set; a subscription is one of core NATS or of JetStream, whose subjects are chosen \
         by filter",
    ),
    (
        &[("NATS_STREAM", "S")],
        r#"NATS_STREAM "S": needs a consumer, the name of a durable pull consumer"#,
    ),
    (
        &[("NATS_STREAM", "a.b"), ("NATS_CONSUMER", "c")],
        r#"NATS_STREAM "a.b": not a name: it may hold no blanks and none of . * > / \"#,
    ),
    (
        &[("NATS_STREAM", "S"), ("NATS_CONSUMER", "c"), ("NATS_FILTER", "a.>")],
        "filter is set; it is a part of the consumer, which is made only with ensure = true",
    ),
    (
        &[
            ("NATS_STREAM", "S"),
            ("NATS_CONSUMER", "c"),
            ("NATS_WHEN_FULL", "drop-new"),
        ],
        "NATS_WHEN_FULL \"drop-new\": is for core subscriptions; a full JetStream subscription asks for no more messages",
    ),
    (
        &[("NATS_SUBJECTS", "a"), ("NATS_MAX_DELIVER", "3")],
        "NATS_MAX_DELIVER \"3\": is for JetStream subscriptions, those with stream and consumer; core NATS has no \
         acknowledgements",
    ),
    (
        &[(
            "NATS_SUBSCRIPTIONS",
            "[[subscription]]\nname = \"a\"\nsubjects = \"b\"\nack_wait = \"5s\"\n",
        )],
        "NATS_SUBSCRIPTIONS line 4: ack_wait \"5s\": is for JetStream subscriptions, those with stream and consumer; core \
         NATS has no acknowledgements",
    ),
    (
        &[
            ("NATS_STREAM", "S"),
            ("NATS_CONSUMER", "c"),
            ("NATS_DEAD_LETTER", "dead.*"),
        ],
        r#"NATS_DEAD_LETTER "dead.*": not a subject to publish to, for example dead.orders"#,
    ),
    (
        &[
            ("NATS_STREAM", "S"),
            ("NATS_CONSUMER", "c"),
            ("NATS_BACK_OFF", "1s,soon"),
        ],
        r#"NATS_BACK_OFF "soon": not a number and a unit, for example 30s, 1m30s or 500ms"#,
    ),
    (
        &[("NATS_SUBJECTS", "a"), ("NATS_ORDER", "key")],
        r#"NATS_ORDER "key": not one of none, subject, header:<name>"#,
    ),
    (
        &[("NATS_SUBSCRIPTIONS", "[[subscription]]\nname = \"a\"\n")],
        "NATS_SUBSCRIPTIONS line 1: neither subjects nor stream and consumer are set",
    ),
    (
        &[
            ("NATS_SUBJECTS", "a"),
            (
                "NATS_SUBSCRIPTIONS",
                "[[subscription]]\nname = \"default\"\nsubjects = \"b\"\n",
            ),
        ],
        r#"subscription "default" is there twice; each needs a name of its own"#,
    ),
];

#[test]
fn what_is_wrong_is_said_in_one_line_that_shows_no_secret() {
    for (settings, message) in WRONG {
        let error = read(settings).map(drop).expect_err(message);
        assert_eq!(&error, message);
        assert!(!error.contains('\n') && !error.contains("s3cr3t"), "{error}");
    }
}

#[test]
fn an_unknown_setting_is_an_error_with_the_nearest_known_one() {
    let error = read(&[("NATS_SUBJECT", "a")]).unwrap_err();
    assert!(
        error.contains("NATS_SUBJECT") && error.contains("NATS_SUBJECTS"),
        "{error}"
    );
}

#[test]
fn no_setting_shows_a_secret_when_it_is_printed() {
    let configuration = read(&[("NATS_URL", "nats://me:s3cr3t@h")]).unwrap();
    assert!(!format!("{configuration:?}").contains("s3cr3t"));
}

#[test]
fn buckets_are_watched_as_a_whole_or_by_keys() {
    let configuration = read(&[
        ("NATS_KV_WATCH", "settings, flags/eu.>, flags/us.*.x, files/a/b"),
        ("NATS_KV_WATCH_TIMEOUT", "5s"),
    ])
    .unwrap();
    let watches: Vec<(String, Vec<String>)> = configuration
        .watches
        .iter()
        .map(|watch| {
            let keys = watch.keys.iter().map(ToString::to_string);
            (watch.bucket.clone(), keys.collect())
        })
        .collect();
    let expected = [
        ("settings", vec![">"]),
        ("flags", vec!["eu.>", "us.*.x"]),
        ("files", vec!["a/b"]),
    ];
    let expected = expected.map(|(bucket, keys)| (bucket.to_owned(), keys.into_iter().map(str::to_owned).collect()));
    assert_eq!(watches, expected);
    assert_eq!(configuration.watches[0].timeout, Duration::from_secs(5));
    assert!(read(&[("NATS_KV_WATCH", "settings"), ("NATS_LISTEN", "off")]).is_ok());
}

#[test]
fn what_cannot_be_watched_is_refused_with_the_rule() {
    for (text, error) in [
        (
            "a.b",
            "the bucket is not letters, digits, _ and -, for example settings/colours.>",
        ),
        (
            "/x",
            "the bucket is not letters, digits, _ and -, for example settings/colours.>",
        ),
        (
            "b/x..y",
            "not keys of a bucket: letters, digits and - / _ = between dots; * stands for one token, a last > for many",
        ),
        (
            "b/>.x",
            "not keys of a bucket: letters, digits and - / _ = between dots; * stands for one token, a last > for many",
        ),
    ] {
        let said = read(&[("NATS_KV_WATCH", text)]).unwrap_err();
        assert_eq!(said, format!("NATS_KV_WATCH {text:?}: {error}"));
    }
    let said = read(&[("NATS_KV_WATCH", "b, b/x")]).unwrap_err();
    assert!(
        said.ends_with("overlaps with b/>, and a change would come twice"),
        "{said}"
    );
}
