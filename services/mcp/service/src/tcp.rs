//! MCP over TCP on the workload's loopback, framed as on stdio.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use mainstay_mcp_core::jsonrpc::Lines;
use mainstay_runtime::listener;
use mainstay_runtime::net::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::hub::Hub;
use crate::line::Connection;

/// Read at once.
const READ: usize = 64 << 10;

/// Serves clients from now on.
pub(crate) fn serve(hub: Rc<Hub>, address: SocketAddr, max_clients: usize, max_message: usize) {
    listener::keep("tcp", "MCP over TCP", address, max_clients, move |stream, peer| {
        let hub = Rc::clone(&hub);
        async move {
            if let Err(error) = client(hub, stream, max_message).await {
                tracing::debug!(%peer, "MCP over TCP: {error}");
            }
        }
    });
}

async fn client(hub: Rc<Hub>, stream: Socket, max_message: usize) -> io::Result<()> {
    let connection = Connection::open(hub);
    let (mut input, mut output) = tokio::io::split(stream);
    let reading = async {
        let (mut lines, mut buffer) = (Lines::new(max_message), vec![0; READ]);
        loop {
            let read = input.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            connection
                .received(&mut lines, buffer.get(..read).unwrap_or_default())
                .await;
        }
    };
    let mut sent = 0;
    let writing = async {
        while let Some(bytes) = connection.next(&mut sent).await {
            output.write_all(&bytes).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}
