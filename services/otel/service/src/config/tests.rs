use std::time::Duration;

use mainstay_otel_core::Signal;
use mainstay_otel_core::backlog::WhenFull;
use mainstay_runtime::config::ConfigError;

use super::{Compression, Configuration, Protocol, Routing, Sync, Target};

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318/base/");

fn read(settings: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
    Configuration::read_from(settings.iter().copied())
}

fn target(settings: &[(&str, &str)], signal: Signal) -> Target {
    let configuration = read(settings).unwrap();
    let targets = &configuration.destinations[0].targets;
    targets.iter().find(|(of, _)| *of == signal).unwrap().1.clone()
}

#[test]
fn what_is_not_set_is_what_the_specification_says() {
    let traces = target(&[ENDPOINT], Signal::Traces);
    assert_eq!(
        (traces.protocol, traces.compression),
        (Protocol::HttpProtobuf, Compression::None)
    );
    assert_eq!(
        (traces.timeout, traces.tls.is_some(), traces.headers.len()),
        (Duration::from_secs(10), true, 0)
    );
    assert_eq!(traces.url.path, "/base/v1/traces");
    let configuration = read(&[ENDPOINT]).unwrap();
    assert_eq!((configuration.routing, configuration.consumers), (Routing::FanOut, 1));
    assert_eq!(configuration.queue.when_full, WhenFull::Refuse);
    assert_eq!(configuration.receive.http.unwrap().to_string(), "127.0.0.1:4318");
    assert_eq!(configuration.receive.grpc.unwrap().to_string(), "127.0.0.1:4317");
}

#[test]
fn a_signal_goes_before_all_signals_and_its_url_is_used_as_it_is() {
    let settings = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces.example/own"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "3s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2%2C3"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=4"),
    ];
    let [traces, metrics, logs] = Signal::ALL.map(|signal| target(&settings, signal));
    assert_eq!(
        (
            traces.url.path.as_str(),
            traces.url.authority().as_str(),
            traces.tls.is_some()
        ),
        ("/own", "traces.example", false)
    );
    assert_eq!(
        (traces.timeout, traces.compression),
        (Duration::from_millis(2500), Compression::Gzip)
    );
    assert_eq!((traces.headers.len(), traces.headers["c"].to_str().unwrap()), (1, "4"));
    assert_eq!(
        (metrics.url.path.as_str(), metrics.compression),
        ("/base/v1/metrics", Compression::None)
    );
    assert_eq!(
        (metrics.timeout, metrics.headers["b"].to_str().unwrap()),
        (Duration::from_secs(3), "2,3")
    );
    assert_eq!(
        (logs.protocol, logs.url.path.as_str()),
        (Protocol::Grpc, Signal::Logs.grpc_path())
    );
}

#[test]
fn grpc_without_a_scheme_is_secure_unless_it_is_said_not_to_be() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let secure = |endpoint, insecure| {
        let settings = [
            grpc,
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ];
        let target = target(&settings, Signal::Logs);
        (target.tls.is_some(), target.url.endpoint.to_string())
    };
    assert_eq!(
        secure("collector.example", ""),
        (true, "collector.example:4317".to_owned())
    );
    assert_eq!(
        secure("collector.example:7", "TRUE"),
        (false, "collector.example:7".to_owned())
    );
    // A scheme goes before it.
    assert!(secure("https://collector.example", "true").0);
    assert!(!secure("http://collector.example", "false").0);
}

#[test]
fn an_empty_value_is_an_unset_one_and_what_is_for_an_sdk_is_no_mistake() {
    let settings = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", ""),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_PYTHON_LOG_CORRELATION", "true"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ];
    assert_eq!(target(&settings, Signal::Traces).protocol, Protocol::HttpProtobuf);
}

#[test]
fn destinations_have_names_and_signals_of_their_own() {
    let text = r#"
        [[destination]]
        name = "vendor"
        endpoint = "https://otlp.vendor.example"
        signals = ["traces", "logs"]
        compression = "zstd"
        [[destination]]
        name = "near"
        protocol = "grpc"
        metrics_endpoint = "http://near.example:4317"
    "#;
    let configuration = read(&[("OTEL_DESTINATIONS", text), ("OTEL_ROUTING", "failover")]).unwrap();
    let names: Vec<(&str, usize)> = configuration
        .destinations
        .iter()
        .map(|each| (each.name.as_str(), each.targets.len()))
        .collect();
    assert_eq!(names, [("vendor", 2), ("near", 1)]);
    assert_eq!(
        configuration.destinations[0].targets[0].1.url.endpoint.to_string(),
        "otlp.vendor.example:443"
    );
}

#[test]
fn a_queue_on_a_volume_says_how_safe_it_is() {
    let sync = |text| {
        read(&[ENDPOINT, ("OTEL_QUEUE_FOLDER", "/state"), ("OTEL_QUEUE_SYNC", text)])
            .unwrap()
            .queue
            .disk
            .unwrap()
            .sync
    };
    assert_eq!(sync(""), Sync::Always);
    assert_eq!(sync("never"), Sync::Never);
    assert_eq!(sync("2s"), Sync::Every(Duration::from_secs(2)));
}

#[test]
fn secrets_are_in_no_error_and_no_debug_output() {
    let settings = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2"),
        ("OTEL_EXPORTER_OTLP_BEARER_TOKEN", "hunter2"),
    ];
    assert!(!format!("{:?}", read(&settings).unwrap()).contains("hunter2"));
    for wrong in ["hunter2", "api-key=hunter2%0A", "=hunter2"] {
        let error = read(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", wrong)])
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn wrong_settings_are_told_in_one_line() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[],
            "OTEL_EXPORTER_OTLP_ENDPOINT is not set, for example OTEL_EXPORTER_OTLP_ENDPOINT=\"https://collector.example:4318\"",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector.example:4318")],
            "OTEL_EXPORTER_OTLP_ENDPOINT \"collector.example:4318\": no scheme, for example https://collector.example:4318",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector.example")],
            "OTEL_EXPORTER_OTLP_ENDPOINT \"ftp://collector.example\": scheme ftp is not http or https, for example https://collector.example:4318",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:b@collector.example")],
            "OTEL_EXPORTER_OTLP_ENDPOINT \"http://a:b@collector.example\": a user in a URL is not taken: set a user and a password of their own",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http")],
            "OTEL_EXPORTER_OTLP_PROTOCOL \"http\": not one of grpc, http/protobuf, http/json",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_COMPRESSION", "lz4")],
            "OTEL_EXPORTER_OTLP_COMPRESSION \"lz4\": not one of none, gzip, zstd",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "0")],
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT \"0\": not in 1 to 3600000 (milliseconds), nor a duration up to 1h",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_INSECURE", "yes")],
            "OTEL_EXPORTER_OTLP_INSECURE \"yes\": not one of true, false",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "api-key")],
            "exporter_otlp_headers: an entry without a =, for example api-key=secret",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_USERNAME", "me")],
            "of exporter_otlp_username and exporter_otlp_password one is set, must be both",
        ),
        (
            &[ENDPOINT, ("OTEL_EXPORTER_OTLP_ENDPIONT", "x")],
            "OTEL_EXPORTER_OTLP_ENDPIONT: no such setting, the nearest is OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")],
            "OTEL_EXPORTER_OTLP_ENDPOINT \"http://localhost:4318\": the service itself listens there; where components share this \
             variable, name the collector in a [[destination]] of OTEL_CONFIG or OTEL_DESTINATIONS",
        ),
        (
            &[ENDPOINT, ("OTEL_QUEUE_FULL", "block")],
            "OTEL_QUEUE_FULL \"block\": not one of refuse, drop-newest, drop-oldest",
        ),
        (
            &[ENDPOINT, ("OTEL_QUEUE_BYTES", "1GB")],
            "OTEL_QUEUE_BYTES \"1GB\": unit GB is not one of B, KiB, MiB, GiB, for example 1KiB",
        ),
        (
            &[ENDPOINT, ("OTEL_QUEUE_SYNC", "1ms")],
            "OTEL_QUEUE_SYNC \"1ms\": not always, never or a duration of 10ms to 1h, for example 1s",
        ),
        (
            &[ENDPOINT, ("OTEL_RETRY_MIN", "1m")],
            "OTEL_RETRY_MIN is more than OTEL_RETRY_MAX, must be at most that",
        ),
        (
            &[ENDPOINT, ("OTEL_CONSUMERS", "0")],
            "OTEL_CONSUMERS \"0\": not a whole number in 1-64",
        ),
        (
            &[ENDPOINT, ("OTEL_SAMPLE_RATIO", "1.5")],
            "OTEL_SAMPLE_RATIO \"1.5\": not a number from 0 to 1, for example 0.1",
        ),
        (
            &[ENDPOINT, ("OTEL_ATTRIBUTES_DROP", "a.*.b")],
            "OTEL_ATTRIBUTES_DROP \"a.*.b\": \"a.*.b\" has a * that is not at its end, for example user.*",
        ),
        (
            &[ENDPOINT, ("OTEL_RESOURCE_ATTRIBUTES", "region")],
            "OTEL_RESOURCE_ATTRIBUTES \"region\": \"region\" is not key=value, for example deployment.environment=prod",
        ),
        (
            &[(
                "OTEL_DESTINATIONS",
                "[[destination]]\nname = \"a b\"\nendpoint = \"http://x\"\n",
            )],
            "OTEL_DESTINATIONS line 2: name \"a b\": not 1 to 64 letters, digits and . _ -",
        ),
        (
            &[("OTEL_DESTINATIONS", "[[destination]]\nname = \"a\"\n")],
            "OTEL_DESTINATIONS line 1: endpoint is not set, for example endpoint = \"https://collector.example:4318\"",
        ),
        (
            &[(
                "OTEL_DESTINATIONS",
                "[[destination]]\nname = \"a\"\nendpoint = \"http://x\"\n[[destination]]\nname = \"a\"\nendpoint = \"http://y\"\n",
            )],
            "destination \"a\": the name is there twice",
        ),
        (
            &[
                ENDPOINT,
                ("OTEL_TAIL_POLICIES", "[[tail_policy]]\npolicy = \"latency\"\n"),
            ],
            "OTEL_TAIL_POLICIES line 1: threshold is not set, for example threshold = \"500ms\"",
        ),
        (
            &[ENDPOINT, ("OTEL_TAIL_POLICIES", "[[tail_policy]]\npolicy = \"luck\"\n")],
            "OTEL_TAIL_POLICIES line 2: policy \"luck\": not one of always, latency, status, rate, probability, attribute, composite",
        ),
        (
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://x"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such.pem"),
            ],
            "OTEL_EXPORTER_OTLP_ENDPOINT: tls authorities (not shown): neither PEM text nor the path of a readable file: No such file or directory (os error 2); \
             is its volume among the service's volumeMounts?",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(read(settings).unwrap_err().to_string(), *expected, "{settings:?}");
    }
}
