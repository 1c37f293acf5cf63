//! `host-test jobs`: what cron's admin page says, as a table.
//!
//! The page is on the loopback of a workload, which for a workload of this host is an address of this machine: `run`
//! prints it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use serde::Deserialize;
use tokio::net::TcpStream;
use wasmtime_wasi_http::io::TokioIo;

use super::JobsArguments;
use super::value::print;

/// How long the service may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The most that one page may hold; a page has 100 jobs at most.
const PAGE_LIMIT: usize = 16 << 20;

/// One page of jobs, as `services/cron/service/src/admin` writes it.
#[derive(Debug, Deserialize)]
struct Page {
    jobs: Vec<Job>,
    /// How many jobs come after these.
    more: usize,
}

#[derive(Debug, Deserialize)]
struct Job {
    name: String,
    schedule: String,
    zone: String,
    /// Why it has no ticks now.
    suspended: Option<String>,
    next: Vec<String>,
    active: Vec<serde::de::IgnoredAny>,
    last: Vec<Past>,
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Past {
    outcome: String,
}

/// Prints the table.
///
/// # Errors
/// When nobody answers at the address, or something other than cron does.
pub(super) fn execute(arguments: &JobsArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let jobs = runtime.block_on(all_jobs(arguments.address))?;
    print(&table(&jobs))?;
    Ok(ExitCode::SUCCESS)
}

async fn all_jobs(address: SocketAddr) -> anyhow::Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let after = jobs.last().map(|job| job.name.clone()).unwrap_or_default();
        let page = tokio::time::timeout(DEADLINE, page(address, &after))
            .await
            .with_context(|| format!("{address} gave no answer within {DEADLINE:?}"))??;
        let is_last = page.more == 0 || page.jobs.is_empty();
        jobs.extend(page.jobs);
        if is_last {
            return Ok(jobs);
        }
    }
}

/// The jobs whose names come after `after`. Names hold nothing that a query would have to escape.
async fn page(address: SocketAddr, after: &str) -> anyhow::Result<Page> {
    let stream = TcpStream::connect(address).await.with_context(|| {
        format!("nothing listens on {address}; `host-test run` prints the workload's own 127.0.0.1, CRON_ADMIN sets the port")
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(format!("/jobs?after={after}"))
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        bail!("{address} answers {}: it is not cron's admin page", response.status());
    }
    let body = Limited::new(response.into_body(), PAGE_LIMIT)
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?
        .to_bytes();
    serde_json::from_slice(&body).with_context(|| format!("{address} does not answer as cron's admin page does"))
}

fn table(jobs: &[Job]) -> String {
    let head = ["JOB", "SCHEDULE", "ZONE", "NEXT", "RUNNING", "LAST"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(jobs.iter().map(row)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string does not fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

fn row(job: &Job) -> [String; 6] {
    let next = match &job.suspended {
        Some(why) => format!("suspended {why}"),
        None => job.next.first().cloned().unwrap_or_else(|| "never".to_owned()),
    };
    let outcomes: Vec<&str> = job.last.iter().map(|past| past.outcome.as_str()).collect();
    let last = match (outcomes.as_slice(), &job.last_error) {
        ([], _) => "none yet".to_owned(),
        ([newest, ..], Some(error)) if *newest != "succeeded" => format!("{newest}: {error}"),
        (newest_first, _) => newest_first.join(", "),
    };
    [
        job.name.clone(),
        job.schedule.clone(),
        job.zone.clone(),
        next,
        job.active.len().to_string(),
        last,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_row_and_columns_line_up() {
        let page = r#"{"now": "2026-11-22T20:00:00Z", "more": 0, "jobs": [
            {"name": "bell", "schedule": "30 9 * * MON-FRI", "zone": "America/New_York", "suspended": null,
             "next": ["2026-11-23T09:30:00-05:00"], "active": [{}],
             "last": [{"outcome": "succeeded"}, {"outcome": "failed"}], "last_error": "shut"},
            {"name": "report", "schedule": "@daily", "zone": "UTC", "suspended": "until it is resumed",
             "next": [], "active": [], "last": [{"outcome": "failed"}], "last_error": "no such table"}]}"#;
        let page: Page = serde_json::from_str(page).unwrap();
        let rows = "\
JOB     SCHEDULE          ZONE              NEXT                           RUNNING  LAST
bell    30 9 * * MON-FRI  America/New_York  2026-11-23T09:30:00-05:00      1        succeeded, failed
report  @daily            UTC               suspended until it is resumed  0        failed: no such table
";
        assert_eq!(table(&page.jobs), rows);
    }
}
