//! The event loop of `mainstay-runtime`, as a service on a host sees it. The probe measures from within and says what
//! it saw by one line of JSON.

use mainstay_host_test::workload::Phase;
use serde_json::Value;

use crate::common;

/// The probe with the callee composed in: its calls never leave the store.
fn composed(mode: &str) -> (tempfile::NamedTempFile, common::Builder) {
    let decode = |name: &str| {
        let bytes = std::fs::read(common::component_path(name)).unwrap();
        mainstay_compose::Component::decode(name, &bytes).unwrap()
    };
    let (service, callee) = (decode("test/loop-probe"), decode("test/loop-callee"));
    let joined = mainstay_compose::join(&service, &[callee], &mainstay_compose::Host::new(["wasi"])).unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
    std::fs::write(file.path(), joined).unwrap();
    let builder = common::service("test/loop-probe")
        .with_service(|service| service.image = file.path().to_owned())
        .environment("PROBE_MODE", mode);
    (file, builder)
}

/// What the probe saw.
async fn probe(probe: common::Builder) -> Value {
    let (status, stdout, stderr) = probe.run().await;
    assert_eq!(status.state, Phase::Completed, "{status}\n{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"))
}

fn probing(mode: &str) -> common::Builder {
    common::service("test/loop-probe")
        .component("test/loop-callee")
        .environment("PROBE_MODE", mode)
}

#[tokio::test]
async fn thirty_two_callbacks_are_in_flight_at_once_while_an_echo_goes_on_answering() {
    let seen = probe(probing("overlap").environment("PROBE_IN_FLIGHT", "32")).await;
    assert_eq!(seen["in_flight"], 32, "{seen}");
    assert_eq!(seen["echoes"], 200, "{seen}");
    assert_eq!(seen["sum"], seen["expected"], "{seen}");
    assert_eq!(seen["left"], 0, "{seen}");
}

#[tokio::test]
async fn a_loop_that_may_not_block_serves_sockets_and_callbacks_too() {
    let seen = probe(probing("overlap").environment("PROBE_WAITING", "component-model")).await;
    assert_eq!(
        (&seen["in_flight"], &seen["echoes"]),
        (&32.into(), &200.into()),
        "{seen}"
    );
    assert_eq!(seen["sum"], seen["expected"], "{seen}");

    let idle = probing("idle")
        .environment("PROBE_WAITING", "component-model")
        .environment("PROBE_SECONDS", "2");
    let seen = probe(idle).await;
    assert_eq!(seen["wakeups"], 0, "{seen}");
    assert!((1..=200).contains(&seen["turns"].as_u64().unwrap()), "{seen}");
}

#[tokio::test]
async fn a_service_that_waits_for_a_callback_slows_down() {
    let seen = probe(probing("waiting").environment("PROBE_SECONDS", "2")).await;
    // Every 5 ms at the slowest pace, and a few more at first and for the timers of the probe itself.
    assert!(seen["turns"].as_u64().unwrap() <= 2 * 250, "{seen}");
}

#[tokio::test]
async fn no_completion_of_a_hundred_thousand_is_lost() {
    // Twenty thousand are queued at once.
    let probing = probing("completions")
        .environment("PROBE_CALLS", "100000")
        .environment("PROBE_IN_FLIGHT", "256");
    let seen = probe(probing).await;
    assert_eq!(seen["calls"], 100_000, "{seen}");
    assert_eq!(seen["sum"], seen["expected"], "{seen}");
    assert!(seen["most"].as_u64().unwrap() <= 256, "{seen}");
}

#[tokio::test]
async fn an_idle_service_wakes_at_most_once_a_second() {
    let seen = probe(probing("idle").environment("PROBE_SECONDS", "10")).await;
    assert!(seen["wakeups"].as_u64().unwrap() <= 10, "{seen}");
    assert_eq!(seen["turns"], 0, "{seen}");
}

#[tokio::test]
async fn a_composed_service_loses_no_completion_either() {
    let (_file, probing) = composed("completions");
    let seen = probe(
        probing
            .environment("PROBE_CALLS", "50000")
            .environment("PROBE_IN_FLIGHT", "1024"),
    )
    .await;
    assert_eq!(seen["calls"], 50_000, "{seen}");
    assert_eq!(seen["sum"], seen["expected"], "{seen}");
}

#[tokio::test]
async fn a_call_past_its_deadline_or_dropped_is_cancelled_and_its_place_is_free_again() {
    let (_file, composed) = composed("surroundings");
    for probing in [probing("surroundings"), composed] {
        let folder = tempfile::tempdir().unwrap();
        let seen = probe(probing.volume(folder.path(), "/state")).await;
        assert_eq!(seen["timed_out"], 64, "{seen}");
        assert_eq!(seen["cancelled"], 32, "{seen}");
        assert_eq!(seen["port_in_use"], true, "{seen}");
        assert_eq!(seen["state"], "checksum 7bc32879, must be 00000000", "{seen}");
        let entries = std::fs::read_dir(folder.path().join("probe")).unwrap();
        let files: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["counts.state.corrupt-1"]);
    }
}
