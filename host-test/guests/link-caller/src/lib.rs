//! A service that calls components as its arguments say, one command after the other, and prints what comes back.
//!
//! - `echo`: every kind of plain value there and back
//! - `count N`, `blocking-count N`: that many calls, one after the other
//! - `overlap N MILLISECONDS`: that many calls at a time that each take that long, and which one in its instance each was
//! - `fail HOW`, `blocking-fail HOW`: a call that fails
//! - `fail-beside HOW`: a call that fails while the service goes on printing
//! - `look AT`, `variable NAME`: what the component sees
//! - `stream CHUNKS BYTES`: that much through the component and back
//! - `converse`: writes a word only when the word before has come back
//! - `bench N`: nanoseconds per call
//! - `listen PORT`: accepts one connection and says what it read
//! - `trap`, `exit CODE`, `error`, `wait MILLISECONDS`: what the service itself does

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../link-callee/wit", world: "caller" });
}

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use bindings::test::link::blocking;
use bindings::test::link::concurrent::{self, Choice, Level, Marks, Sample};
use futures::future::{self, Either};
use wasip3::clocks::monotonic_clock;

struct Caller;

wasip3::cli::command::export!(Caller);

impl wasip3::exports::cli::run::Guest for Caller {
    async fn run() -> Result<(), ()> {
        for command in std::env::args().skip(1) {
            if let Err(error) = obey(&command).await {
                eprintln!("{command}: {error}");
                return Err(());
            }
        }
        Ok(())
    }
}

#[expect(clippy::panic, clippy::exit, reason = "failing is what it is for")]
async fn obey(command: &str) -> Result<(), String> {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let mut numbers = rest.split(' ').filter_map(|word| word.parse::<u32>().ok());
    let mut number = || numbers.next().ok_or_else(|| format!("{verb} needs a number"));
    match verb {
        "echo" => echo().await,
        "count" => {
            for _ in 0..number()? {
                println!("count {}", concurrent::count().await);
            }
        }
        "blocking-count" => {
            for _ in 0..number()? {
                println!("blocking-count {}", blocking::count());
            }
        }
        "overlap" => overlap(number()?, number()?).await,
        "fail" => concurrent::fail(rest.to_owned()).await,
        "fail-beside" => fail_beside(rest).await,
        "blocking-fail" => blocking::fail(rest),
        "look" => match concurrent::look(rest.to_owned()).await {
            Ok(seen) => println!("seen {seen}"),
            Err(error) => println!("not seen {error}"),
        },
        "variable" => println!("variable {:?}", blocking::variable(rest)),
        "bench" => bench(number()?).await,
        "listen" => listen(u16::try_from(number()?).map_err(|error| error.to_string())?)?,
        "trap" => panic!("asked to trap"),
        "exit" => std::process::exit(i32::try_from(number()?).unwrap_or(1)),
        "error" => return Err("asked to fail".to_owned()),
        "stream" => stream(number()?, number()?).await?,
        "converse" => converse().await?,
        "wait" => monotonic_clock::wait_for(u64::from(number()?) * 1_000_000).await,
        _ => return Err("no such command".to_owned()),
    }
    Ok(())
}

async fn echo() {
    let sample = Sample {
        flag: true,
        byte: 200,
        signed: i64::MIN,
        number: 1.5,
        letter: 'ž',
        text: "text".to_owned(),
        bytes: (0..=255).collect(),
        pairs: vec![("one".to_owned(), 1), ("two".to_owned(), 2)],
        maybe: Some(7),
        outcome: Err("error".to_owned()),
        choice: Choice::Text("chosen".to_owned()),
        level: Level::High,
        marks: Marks::FIRST | Marks::THIRD,
    };
    let sent = format!("{sample:?}");
    let back = format!("{:?}", concurrent::echo(sample).await);
    println!("{}", if sent == back { "echo is the same" } else { &back });
}

async fn overlap(calls: u32, milliseconds: u32) {
    let mut counts = future::join_all((0..calls).map(|_| concurrent::wait(milliseconds))).await;
    counts.sort_unstable();
    println!("overlapped {counts:?}");
}

async fn fail_beside(how: &str) {
    let mut call = std::pin::pin!(concurrent::fail(how.to_owned()));
    for tick in 1_u32.. {
        let pause = std::pin::pin!(monotonic_clock::wait_for(10_000_000));
        match future::select(call.as_mut(), pause).await {
            Either::Left(_) => return,
            Either::Right(_) => println!("beside {tick}"),
        }
    }
}

async fn stream(chunks: u32, bytes: u32) -> Result<(), String> {
    let (mut send, text) = bindings::wit_stream::new();
    let chunk = vec![b'x'; usize::try_from(bytes).map_err(|error| error.to_string())?];
    let writing = async {
        for _ in 0..chunks {
            send.write_all(chunk.clone()).await;
        }
        drop(send);
    };
    let reading = async {
        let upper = concurrent::upper(text).await?.collect().await;
        Ok::<_, String>((upper.len(), upper.iter().all(|&byte| byte == b'X')))
    };
    let ((), read) = future::join(writing, reading).await;
    let (length, is_upper) = read?;
    println!("streamed {length}, all upper: {is_upper}");
    Ok(())
}

async fn converse() -> Result<(), String> {
    let (mut send, text) = bindings::wit_stream::new();
    let mut upper = concurrent::upper(text).await?;
    for word in ["one", "two", "three"] {
        send.write_all(word.as_bytes().to_vec()).await;
        let mut heard = Vec::new();
        while heard.len() < word.len() {
            let (_, chunk) = upper.read(Vec::with_capacity(64)).await;
            heard.extend(chunk);
        }
        println!("heard {}", String::from_utf8_lossy(&heard));
    }
    Ok(())
}

async fn bench(calls: u32) {
    let started = Instant::now();
    for _ in 0..calls {
        concurrent::count().await;
    }
    println!("bench {}", started.elapsed().as_nanos() / u128::from(calls.max(1)));
}

fn listen(port: u16) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    println!(
        "listening on {}",
        listener.local_addr().map_err(|error| error.to_string())?
    );
    let (mut stream, _) = listener.accept().map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    println!("heard {text}");
    Ok(())
}
