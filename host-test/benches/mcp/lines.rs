//! Calls over stdio.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use crate::server::{Calls, Server};

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    id: usize,
    result: serde_json::Value,
}

/// A conversation.
pub(crate) struct Conversation {
    input: BufReader<ChildStdout>,
    output: ChildStdin,
    line: String,
}

impl Conversation {
    /// Shakes hands.
    pub(crate) async fn begin(server: &mut Server) -> Result<Self> {
        let input = server.child.stdout.take().context("no standard output")?;
        let output = server.child.stdin.take().context("no standard input")?;
        let mut begun = Self {
            input: BufReader::new(input),
            output,
            line: String::new(),
        };
        begun
            .send(
                r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
            )
            .await?;
        begun.answer().await?;
        begun
            .send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await?;
        Ok(begun)
    }

    async fn send(&mut self, message: &str) -> Result<()> {
        self.output.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(())
    }

    async fn call(&mut self, id: usize) -> Result<()> {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"add","arguments":{{"a":1,"b":2}}}}}}"#
        );
        self.send(&call).await
    }

    /// Which request was answered.
    async fn answer(&mut self) -> Result<usize> {
        self.line.clear();
        ensure!(self.input.read_line(&mut self.line).await? > 0, "the server has ended");
        let answer: Answer = serde_json::from_str(&self.line).with_context(|| self.line.clone())?;
        ensure!(answer.result.is_object(), "{}", self.line);
        Ok(answer.id)
    }
}

/// Makes `calls`, `at_once` in flight.
pub(crate) async fn measure(server: &mut Server, calls: usize, at_once: usize) -> Result<Calls> {
    let mut conversation = Conversation::begin(server).await?;
    // What is slow only once is not measured.
    run(&mut conversation, calls / 10, at_once).await?;
    run(&mut conversation, calls, at_once).await
}

async fn run(conversation: &mut Conversation, calls: usize, at_once: usize) -> Result<Calls> {
    let (began, mut sent, mut latencies) = (Instant::now(), HashMap::new(), Vec::with_capacity(calls));
    for id in 1..=at_once {
        sent.insert(id, Instant::now());
        conversation.call(id).await?;
    }
    while latencies.len() < calls {
        let id = conversation.answer().await?;
        let begun = sent.remove(&id).context("an answer to nothing")?;
        latencies.push(begun.elapsed());
        let next = id + at_once;
        if latencies.len() + sent.len() < calls {
            sent.insert(next, Instant::now());
            conversation.call(next).await?;
        }
    }
    Ok(Calls::new(latencies, began.elapsed()))
}
