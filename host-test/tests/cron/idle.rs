//! What cron costs while there is nothing to do.

use std::time::{Duration, Instant};

use mainstay_host_test::workload::{Phase, Workload};

use crate::common::service;
use crate::support::{logged, metrics};

/// How often the event loop has woken up, as a page says that wakes it up itself.
async fn wakeups(workload: &Workload) -> u64 {
    let metrics = metrics(workload).await;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("mainstay_loop_wakeups_total "));
    value.expect(&metrics).parse().unwrap()
}

#[tokio::test]
async fn cron_wakes_up_less_than_once_a_second_while_nothing_is_due() {
    let workload = service("cron")
        .component("example-cron")
        .environment("CRON_SCHEDULE", "0 0 29 2 *")
        .start();
    logged(&workload, "next=").await;
    // The first page may still wait for the port.
    wakeups(&workload).await;
    let before = wakeups(&workload).await;
    let begin = wakeups(&workload).await;
    let of_a_page = begin - before;
    let idle = Instant::now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let woken = (wakeups(&workload).await - begin).saturating_sub(of_a_page);
    assert!(woken <= 10, "{woken} times within {:?}", idle.elapsed());
    assert_eq!(workload.stop().await.state, Phase::Completed);
}
