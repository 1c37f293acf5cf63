//! A service that dials what it is told to, one endpoint after the other, has its peer echo some bytes, and says what
//! happened by one line of JSON for each. Then it ends, or stays until it is told to fail.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::health;
use mainstay_runtime::listener::Listener;
use mainstay_runtime::net::{Dialer, Endpoint, Stream, Tls, TlsSettings, Verification};
use mainstay_runtime::{Context, Error};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Probe;

wasip3::cli::command::export!(Probe);

impl wasip3::exports::cli::run::Guest for Probe {
    async fn run() -> Result<(), ()> {
        mainstay_runtime::run("net-probe", start).await
    }
}

/// The settings, with the prefix `PROBE_`.
struct Probing {
    endpoints: Vec<Endpoint>,
    /// How many bytes are echoed.
    bytes: usize,
    timeout: Duration,
    tls: TlsSettings,
    /// Where the health pages are.
    health: Option<SocketAddr>,
    /// Where it listens for the connection that makes it fail.
    stay: Option<SocketAddr>,
}

async fn start(context: Context) -> Result<(), Error> {
    let probing = Settings::read("PROBE_", |settings| {
        let endpoints = settings.or("dial", Vec::new(), |value| value.list())?;
        Ok(Probing {
            endpoints: endpoints
                .iter()
                .map(|value| value.parse(str::parse))
                .collect::<Result<_, ConfigError>>()?,
            bytes: settings.or("bytes", 5, |value| value.integer(1..=1_000_000_000))?,
            timeout: settings.or("timeout", Duration::from_secs(10), |value| {
                value.duration(Duration::from_millis(1)..=Duration::from_secs(60))
            })?,
            health: health::address(settings)?,
            stay: settings.or("stay", None, |value| value.address().map(Some))?,
            tls: TlsSettings::read(settings, Verification::VerifyFull)?,
        })
    })?;
    context.serve_health(probing.health);
    let tls = probing.tls.load().map_err(Error::start)?;
    for endpoint in &probing.endpoints {
        println!("{}", probe(endpoint, &probing, tls.clone()).await);
    }
    match probing.stay {
        None => Ok(()),
        Some(address) => stay(&context, address).await,
    }
}

async fn stay(context: &Context, address: SocketAddr) -> Result<(), Error> {
    let listener = Listener::bind(address).map_err(Error::start)?;
    context.health.ready();
    let (_, peer) = listener.accept().await.map_err(Error::start)?;
    Err(Error::start(format!("told to fail by {peer}")))
}

async fn probe(endpoint: &Endpoint, probing: &Probing, tls: Option<Tls>) -> Value {
    let dialer = Dialer::new(probing.timeout).with_tls(tls);
    let begin = Instant::now();
    let mut stream = match dialer.connect(endpoint).await {
        Ok(stream) => stream,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    let connected = begin.elapsed();
    let session = stream.session();
    let version = session
        .and_then(|session| session.protocol_version())
        .map(|version| format!("{version:?}"));
    let suite = session
        .and_then(|session| session.negotiated_cipher_suite())
        .map(|suite| format!("{:?}", suite.suite()));
    let begin = Instant::now();
    match echo(&mut stream, probing.bytes).await {
        Ok(true) => json!({
            "peer": stream.peer().to_string(),
            "version": version,
            "suite": suite,
            "connected_us": u64::try_from(connected.as_micros()).ok(),
            "echoed_us": u64::try_from(begin.elapsed().as_micros()).ok(),
        }),
        Ok(false) => json!({ "error": "other bytes came back" }),
        Err(error) => {
            let explained = mainstay_runtime::net::tls::explain(&error);
            json!({ "error": explained.unwrap_or_else(|| error.to_string()) })
        }
    }
}

async fn echo(stream: &mut Stream, bytes: usize) -> std::io::Result<bool> {
    let sent: Vec<u8> = (0..bytes)
        .map(|n| n.to_le_bytes().iter().fold(7, |sum, byte| sum ^ byte))
        .collect();
    let mut received = vec![0; bytes];
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        writer.write_all(&sent).await?;
        writer.flush().await
    };
    let (written, read) = tokio::join!(write, reader.read_exact(&mut received));
    written?;
    read?;
    Ok(sent == received)
}
