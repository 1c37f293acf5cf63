//! The component that the event loop probe calls.

#[expect(unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../loop-probe/wit", world: "loop-callee" });
    use super::Callee;
    export!(Callee);
}

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use bindings::exports::mainstay::loop_test::callee::Guest;

struct Callee;

impl Guest for Callee {
    async fn echo(id: u64) -> u64 {
        id
    }

    async fn meet(id: u64, port: u16) -> Result<u64, String> {
        meet(id, port).map_err(|error| error.to_string())
    }

    async fn linger(milliseconds: u64) {
        let duration = Duration::from_millis(milliseconds);
        wasip3::clocks::monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
    }
}

fn meet(id: u64, port: u16) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&id.to_be_bytes())?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    Ok(u64::from_be_bytes(answer))
}
