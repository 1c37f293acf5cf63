//! MCP over standard input and output, as programs that start a server speak it.
//!
//! The streams are the component model's own: std's would block, and nothing else would go on.

use std::rc::Rc;

use mainstay_mcp_core::jsonrpc::Lines;
use wasip3::cli::{stdin, stdout};
use wasip3::wit_bindgen::StreamResult;
use wasip3::wit_stream;

use crate::hub::Hub;
use crate::line::Connection;

/// Read at once.
const READ: usize = 64 << 10;

/// Serves the client that started this program, until it closes the input.
pub(crate) async fn serve(hub: Rc<Hub>, max_message: usize) {
    let connection = Connection::open(hub);
    let (mut input, _ended) = stdin::read_via_stream();
    let (mut output, to_client) = wit_stream::new();
    let written = stdout::write_via_stream(to_client);
    let mut sent = 0;
    let reading = async {
        let (mut lines, mut buffer) = (Lines::new(max_message), Vec::with_capacity(READ));
        loop {
            let (status, read) = input.read(buffer).await;
            connection.received(&mut lines, &read).await;
            if matches!(status, StreamResult::Dropped) {
                return;
            }
            buffer = read;
            buffer.clear();
        }
    };
    let writing = async {
        while let Some(bytes) = connection.next(&mut sent).await {
            if !output.write_all(bytes).await.is_empty() {
                // Nobody reads.
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => return,
    }
    // What is answered already is still told; what is not will never be.
    let rest = connection.rest(&mut sent);
    output.write_all(rest).await;
    drop(output);
    let _ = written.await;
}
