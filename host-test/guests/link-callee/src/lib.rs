//! A component with functions of every kind, that counts, fails and looks around.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "wit", world: "callee", generate_all });
    use super::Callee;
    export!(Callee);
}

use std::cell::Cell;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};

use bindings::exports::test::link::blocking;
use bindings::exports::test::link::concurrent::{self, Sample};
use bindings::wasi::config::store;
use wasip3::clocks::monotonic_clock;
use wit_bindgen::{StreamReader, StreamResult};

struct Callee;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn count() -> u32 {
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}

impl concurrent::Guest for Callee {
    async fn echo(sample: Sample) -> Sample {
        sample
    }

    async fn count() -> u32 {
        count()
    }

    async fn wait(milliseconds: u32) -> u32 {
        let called = count();
        monotonic_clock::wait_for(u64::from(milliseconds) * 1_000_000).await;
        called
    }

    async fn fail(how: String) {
        match how.as_str() {
            "hang" => std::future::pending().await,
            how => fail(how),
        }
    }

    async fn upper(mut text: StreamReader<u8>) -> Result<StreamReader<u8>, String> {
        let (mut answer, upper) = bindings::wit_stream::new();
        wit_bindgen::spawn_local(async move {
            loop {
                let (status, mut chunk) = text.read(Vec::with_capacity(4096)).await;
                chunk.make_ascii_uppercase();
                if !answer.write_all(chunk).await.is_empty() || matches!(status, StreamResult::Dropped) {
                    return;
                }
            }
        });
        Ok(upper)
    }

    async fn look(at: String) -> Result<String, String> {
        look(&at)
    }
}

impl blocking::Guest for Callee {
    fn count() -> u32 {
        count()
    }

    fn fail(how: String) {
        fail(&how);
    }

    fn variable(name: String) -> Option<String> {
        std::env::var(name).ok()
    }
}

#[expect(
    clippy::panic,
    clippy::exit,
    clippy::infinite_loop,
    reason = "failing is what it is for"
)]
fn fail(how: &str) {
    match how {
        "trap" => panic!("asked to trap"),
        "exit" => std::process::exit(3),
        "spin" => loop {
            std::hint::black_box(());
        },
        "allocate" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 1 << 20]);
                std::hint::black_box(&all);
            }
        }
        _ => {}
    }
}

fn look(at: &str) -> Result<String, String> {
    let mut words = at.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    let text = |error: std::io::Error| error.to_string();
    match (word(), word(), word()) {
        ("env", name, _) => std::env::var(name).map_err(|error| error.to_string()),
        ("config", name, _) => match store::get(name) {
            Ok(value) => value.ok_or_else(|| "not configured".to_owned()),
            Err(error) => Err(format!("{error:?}")),
        },
        ("read", path, _) => std::fs::read_to_string(path).map_err(text),
        ("write", path, contents) => std::fs::write(path, contents).map(|()| String::new()).map_err(text),
        ("connect", address, _) => TcpStream::connect(address)
            .map(|_| "connected".to_owned())
            .map_err(text),
        ("listen", address, _) => TcpListener::bind(address).map(|_| "listening".to_owned()).map_err(text),
        ("resolve", name, _) => match (name, 80).to_socket_addrs() {
            Ok(addresses) => Ok(addresses
                .map(|address| address.ip().to_string())
                .collect::<Vec<_>>()
                .join(" ")),
            Err(error) => Err(error.to_string()),
        },
        _ => Err(format!("\"{at}\" is nothing to look at")),
    }
}
