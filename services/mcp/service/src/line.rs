//! MCP over a connection: one message a line, both ways.

use std::rc::Rc;

use mainstay_mcp_core::channel::{ChannelId, Next};
use mainstay_mcp_core::engine::PeerId;
use mainstay_mcp_core::jsonrpc::Lines;

use crate::hub::Hub;

/// Messages that are there are written at once, up to so many bytes: each write is a packet.
const WRITE: usize = 64 << 10;

/// One end of a connection. When it is dropped, the client is gone.
#[derive(Debug)]
pub(crate) struct Connection {
    hub: Rc<Hub>,
    peer: PeerId,
    channel: ChannelId,
}

impl Connection {
    pub(crate) fn open(hub: Rc<Hub>) -> Self {
        let (peer, channel) = hub.with(|engine| engine.connect(None));
        Self { hub, peer, channel }
    }

    #[cfg(test)]
    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Takes what came. `lines` cuts it. Before each line it is waited for until the client has read most of what it was sent:
    /// who does not read is not read from, and short requests may have long answers.
    pub(crate) async fn received(&self, lines: &mut Lines, bytes: &[u8]) {
        lines.push(bytes);
        while let Some(line) = lines.next_line() {
            self.hub.room(self.channel).await;
            self.hub.with(|engine| engine.receive(self.peer, self.channel, &line));
        }
    }

    /// What is to be written next, when there is something; none when the connection is over.
    pub(crate) async fn next(&self, sent: &mut u64) -> Option<Vec<u8>> {
        let event = self.hub.next(self.channel, *sent).await?;
        *sent = event.number;
        let mut bytes = event.json.as_bytes().to_vec();
        bytes.push(b'\n');
        self.gather(sent, &mut bytes);
        Some(bytes)
    }

    /// What is to be written still, without waiting for more.
    #[cfg(target_family = "wasm")]
    pub(crate) fn rest(&self, sent: &mut u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            self.gather(sent, &mut bytes);
            if bytes.len() == before {
                return bytes;
            }
        }
    }

    fn gather(&self, sent: &mut u64, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        while bytes.len() - start < WRITE
            && let Next::Event(event) = self.hub.try_next(self.channel, *sent)
        {
            *sent = event.number;
            bytes.extend_from_slice(event.json.as_bytes());
            bytes.push(b'\n');
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.hub.with(|engine| engine.disconnect(self.peer));
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use serde_json::json;
    use tokio::task::LocalSet;

    use super::*;
    use crate::scripted::{Scripted, offered, text};

    #[tokio::test]
    async fn short_requests_with_long_answers_are_read_as_fast_as_the_client_reads() {
        let test = async {
            let components = Rc::new(Scripted::new(|_| ready(text("unused"))));
            let (hub, _) = offered(&components).await;
            let connection = Connection::open(Rc::clone(&hub));
            let echo = format!(
                "{}\n",
                json!({"jsonrpc": "2.0", "id": "x".repeat(4000), "method": "ping"})
            );
            let (mut lines, flood, mut sent, mut answers) = (Lines::new(1 << 20), echo.repeat(1000), 0, 0);
            let mut most = 0;
            let reading = connection.received(&mut lines, flood.as_bytes());
            let writing = async {
                while let Some(bytes) = connection.next(&mut sent).await {
                    answers += bytes.iter().filter(|byte| **byte == b'\n').count();
                    most = most.max(hub.with(|engine| engine.backlog(connection.channel)));
                    if answers == 1000 {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(reading, writing);
            assert!(most <= (1 << 20) + 5000, "{most} bytes waited");
        };
        LocalSet::new().run_until(test).await;
    }
}
