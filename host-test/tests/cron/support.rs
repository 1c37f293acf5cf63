//! What the tests of cron share: waiting for what components and the service say, and the admin pages.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::time::{Duration, Instant};

use mainstay_host_test::workload::Workload;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, DEADLINE};

/// Waits until a component has written `text`.
pub async fn said(workload: &Workload, text: &str) {
    if workload.stdout().unwrap().wait_for(text, DEADLINE).await.is_err() {
        panic!("{text:?} was not said:\n{}", all(workload));
    }
}

/// Waits until the service has logged `text`.
pub async fn logged(workload: &Workload, text: &str) {
    if workload.stderr().unwrap().wait_for(text, DEADLINE).await.is_err() {
        panic!("{text:?} was not logged:\n{}", all(workload));
    }
}

/// Waits until components have written so many lines that start so, and returns those there are.
pub async fn lines_of(workload: &Workload, start: &str, count: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let lines = lines(workload, start);
        if lines.len() >= count {
            return lines;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "not {count} lines {start:?}:\n{}",
            all(workload)
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The lines of components that start so.
pub fn lines(workload: &Workload, start: &str) -> Vec<String> {
    let text = workload.stdout().unwrap().text();
    text.lines()
        .filter(|line| line.starts_with(start))
        .map(str::to_owned)
        .collect()
}

/// All that was said and logged.
pub fn all(workload: &Workload) -> String {
    format!(
        "{}\n{}\n{}",
        workload.status(),
        workload.stdout().unwrap().text(),
        workload.stderr().unwrap().text()
    )
}

/// Asks the service's admin pages: `GET /jobs`.
pub async fn admin(workload: &Workload, request: &str) -> (u16, Value) {
    let mut stream = common::connect(workload, 8082).await;
    let request = format!("{request} HTTP/1.1\r\nhost: cron\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// The metrics page.
pub async fn metrics(workload: &Workload) -> String {
    page(workload, "/metrics").await
}

/// One of the health pages, the response's head with it.
pub async fn page(workload: &Workload, path: &str) -> String {
    let mut stream = common::connect(workload, 8081).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: cron\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}
