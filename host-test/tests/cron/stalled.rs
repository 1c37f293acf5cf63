//! Clients that do not read: they cost their own connections, and nobody else's time.

use std::time::{Duration, Instant};

use mainstay_host_test::workload::{Phase, Workload};
use tokio::io::AsyncWriteExt as _;

use crate::common::{self, service};
use crate::support::{all, lines, lines_of, metrics, page, said};

/// The admin pages end a connection after 30 s; so much longer may it take until it is seen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until so many abandoned connections stay open.
async fn lingering(workload: &Workload, count: &str) {
    let began = Instant::now();
    let wanted = format!("\nmainstay_lingering_sockets {count}\n");
    while !metrics(workload).await.contains(&wanted) {
        assert!(began.elapsed() < PATIENCE, "not {count}:\n{}", all(workload));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_client_that_pipelines_requests_and_never_reads_stops_neither_ticks_nor_pages() {
    let workload = service("cron")
        .component("example-cron")
        .environment("CRON_NAME", "tick")
        .environment("CRON_SCHEDULE", "* * * * * *")
        .start();
    said(&workload, "hello, world (tick@").await;
    let mut stalled = common::connect(&workload, 8082).await;
    let requests = "GET /jobs HTTP/1.1\r\nhost: cron\r\n\r\n".repeat(1000);
    // As long as the service reads, which it does not once it has no room for answers.
    while tokio::time::timeout(Duration::from_secs(2), stalled.write_all(requests.as_bytes()))
        .await
        .is_ok_and(|written| written.is_ok())
    {}
    lingering(&workload, "1").await;
    let ticks = lines(&workload, "hello, world (tick@").len();
    lines_of(&workload, "hello, world (tick@", ticks + 3).await;
    assert!(page(&workload, "/readyz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    drop(stalled);
    lingering(&workload, "0").await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
}
