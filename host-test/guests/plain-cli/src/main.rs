//! A WASI 0.2 program without any code of ours: what a user might bring.
//!
//! Its first argument is what it does; the rest is what it does it with.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["arguments", rest @ ..] => println!("arguments {rest:?}"),
        ["variable", name] => println!("variable {:?}", std::env::var(name)),
        ["upper"] => upper(),
        ["fail"] => return ExitCode::FAILURE,
        ["exit", code] => std::process::exit(code.parse().unwrap_or(1)),
        ["spin"] => spin(),
        ["allocate"] => allocate(),
        ["serve", port] => serve(&format!("127.0.0.1:{port}")),
        ["serve-at", address] => serve(address),
        ["serve-twice", port] => serve_twice(port).unwrap_or_else(|error| println!("not served: {error}")),
        ["connect", address] => connect(address).unwrap_or_else(|error| println!("not connected: {error}")),
        _ => println!("hello"),
    }
    ExitCode::SUCCESS
}

/// Standard input in upper case, line by line.
fn upper() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        println!("{}", line.to_uppercase());
    }
}

fn spin() {
    println!("spinning");
    loop {
        std::hint::black_box(());
    }
}

fn allocate() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(vec![1; 1 << 20]);
        std::hint::black_box(&all);
    }
}

fn serve(address: &str) {
    if let Err(error) = echo(address) {
        println!("not served: {error}");
    }
}

/// Echoes what it hears, for one connection after the other.
fn echo(address: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("serving on {}", listener.local_addr()?);
    loop {
        let (mut stream, peer) = listener.accept()?;
        println!("peer {} of {}", peer.ip(), stream.local_addr()?);
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer)?;
            let (heard, _) = buffer.split_at(count);
            match heard {
                [] => break,
                b"trap\n" => std::process::abort(),
                heard => stream.write_all(heard)?,
            }
        }
    }
}

/// Answers each byte by two, one write each.
fn serve_twice(port: &str) -> std::io::Result<()> {
    let (mut stream, _) = TcpListener::bind(format!("127.0.0.1:{port}"))?.accept()?;
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        stream.write_all(&byte)?;
        stream.write_all(&byte)?;
    }
    Ok(())
}

fn connect(address: &str) -> std::io::Result<()> {
    let stream = TcpStream::connect(address)?;
    println!(
        "connected to {} from {}",
        stream.peer_addr()?,
        stream.local_addr()?.ip()
    );
    Ok(())
}
