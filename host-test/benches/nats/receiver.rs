//! The handler behind the service, or behind async-nats: ready to be measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::jetstream;
use mainstay_compose::Component as Decoded;
use mainstay_host_test::workload::spec::{Component, Service, Spec};
use mainstay_host_test::workload::stdio::Output;
use mainstay_host_test::workload::{Host, Options, Workload};
use mainstay_peers::NatsServer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::native::{Native, Threads};

/// Longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Calls of the handler at once, the service's own default.
pub(crate) const CONCURRENCY: usize = 64;

/// Where messages for the handler are published.
pub(crate) const SUBJECT: &str = "bench.work";

/// The stream of what is published there, and its consumer.
pub(crate) const STREAM: &str = "BENCH";
pub(crate) const CONSUMER: &str = "worker";

/// Where the service's metrics are, within its workload.
const HEALTH_PORT: u16 = 8081;

/// What all measurements share.
pub(crate) struct Bench {
    host: Host,
    folder: TempDir,
    delayed_sends: bool,
    settings: Vec<(String, String)>,
    pub(crate) server: NatsServer,
}

/// Who receives messages and calls the handler.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum By {
    Service,
    AsyncNats(Threads),
}

/// Where the handler's code runs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Callee {
    /// An instance for each call.
    Fresh,
    /// Warm instances, each with one call at a time.
    Warm,
    /// In the service itself.
    Composed,
}

/// Where the handler's messages come from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Source {
    Core,
    /// A durable pull consumer; each message is acknowledged after it was handled.
    JetStream,
}

/// A handler that receives messages.
pub(crate) struct Receiver {
    workload: Workload,
    native: Option<Native>,
    composed: bool,
}

impl Bench {
    pub(crate) fn new(delayed_sends: bool, settings: &[String]) -> Result<Self> {
        let setting = |text: &String| {
            let (name, value) = text.split_once('=').context("--setting takes NAME=VALUE")?;
            Ok((name.to_owned(), value.to_owned()))
        };
        Ok(Self {
            // The cache that `run` and the tests use too.
            host: Host::new(Some(&target().join("host-test-cache")))?,
            folder: tempfile::tempdir()?,
            delayed_sends,
            settings: settings.iter().map(setting).collect::<Result<_>>()?,
            server: NatsServer::with_jetstream()?,
        })
    }

    /// The versions of what stands beside ours.
    pub(crate) async fn print_peers(&self) -> Result<()> {
        let client = self.client().await?;
        let lock = include_str!("../../../Cargo.lock");
        let version = lock
            .split_once("name = \"async-nats\"\nversion = \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map_or("?", |(version, _)| version);
        let server = client.server_info().version;
        println!("{:<9} async-nats {version}, nats-server {server}", "beside");
        if self.delayed_sends {
            println!("{:<9} without TCP_NODELAY in guests", "sockets");
        }
        println!();
        Ok(())
    }

    /// A native client of the server.
    pub(crate) async fn client(&self) -> Result<async_nats::Client> {
        Ok(async_nats::connect(self.server.url()).await?)
    }

    /// Lets the handler receive messages, and waits until it does.
    pub(crate) async fn receive(&self, by: By, callee: Callee, source: Source) -> Result<Receiver> {
        self.receive_with(by, callee, source, &[]).await
    }

    /// The same, with further settings of the service.
    pub(crate) async fn receive_with(
        &self,
        by: By,
        callee: Callee,
        source: Source,
        settings: &[(&str, &str)],
    ) -> Result<Receiver> {
        let mut spec = Spec {
            name: "nats".to_owned(),
            components: match callee {
                Callee::Fresh => vec![handler(0)],
                Callee::Warm => vec![handler(u32::try_from(CONCURRENCY)?)],
                Callee::Composed => Vec::new(),
            },
            ..Spec::default()
        };
        self.prepare(source).await?;
        if by == By::Service {
            spec.service = Some(self.service(&self.image(callee)?, source, settings));
        }
        let workload = self.start(&spec)?;
        let native = match by {
            By::Service => None,
            By::AsyncNats(threads) => {
                let handler = workload.export("mainstay:nats/handler@0.1.0", "handle")?;
                Some(Native::start(threads, self.server.url(), handler, source)?)
            }
        };
        let receiver = Receiver {
            workload,
            native,
            composed: callee == Callee::Composed,
        };
        receiver.wait_until_it_receives(&self.client().await?, source).await?;
        Ok(receiver)
    }

    /// Starts a workload.
    pub(crate) fn start(&self, spec: &Spec) -> Result<Workload> {
        let options = Options {
            output: Output::Capture,
            delayed_sends: self.delayed_sends,
            ..Options::default()
        };
        Workload::start(&self.host, spec, &options)
    }

    /// The service, without a subscription if it has no source.
    pub(crate) fn program(&self, image: &str) -> Service {
        let mut service = Service {
            image: component(image),
            ..Service::default()
        };
        let (port, resources) = (self.server.port(), &mut service.resources);
        resources.allowed_host_loopback_ports.push(port);
        let mut set = |name: &str, value: &str| resources.environment.insert(name.to_owned(), value.to_owned());
        set("NATS_URL", &format!("nats://host.wasmcloud.internal:{port}"));
        set("MAINSTAY_LOG", "warn");
        for (name, value) in &self.settings {
            set(name, value);
        }
        service
    }

    fn service(&self, image: &Path, source: Source, settings: &[(&str, &str)]) -> Service {
        let mut service = self.program("nats");
        service.image = image.to_owned();
        let own = match source {
            Source::Core => vec![("NATS_SUBJECTS", SUBJECT)],
            Source::JetStream => vec![
                ("NATS_STREAM", STREAM),
                ("NATS_CONSUMER", CONSUMER),
                ("NATS_ENSURE", "true"),
            ],
        };
        for (name, value) in own.into_iter().chain(settings.iter().copied()) {
            service.resources.environment.insert(name.to_owned(), value.to_owned());
        }
        service
    }

    fn image(&self, callee: Callee) -> Result<PathBuf> {
        if callee != Callee::Composed {
            return Ok(component("nats"));
        }
        let decode = |name: &str| -> Result<Decoded> { Ok(Decoded::decode(name, &fs::read(component(name))?)?) };
        let joined = mainstay_compose::join(
            &decode("nats")?,
            &[decode("test/nats-echo")?],
            &mainstay_compose::Host::new(["wasi"]),
        )?;
        let path = self.folder.path().join("composed.wasm");
        fs::write(&path, joined)?;
        Ok(path)
    }

    /// Messages go to an empty stream with an untouched consumer, or to none: a stream would answer requests by itself.
    async fn prepare(&self, source: Source) -> Result<()> {
        let jetstream = jetstream::new(self.client().await?);
        // It need not be there.
        let _ = jetstream.delete_stream(STREAM).await;
        if source == Source::Core {
            return Ok(());
        }
        let config = jetstream::stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            storage: jetstream::stream::StorageType::Memory,
            retention: jetstream::stream::RetentionPolicy::WorkQueue,
            ..Default::default()
        };
        let stream = jetstream.create_stream(config).await?;
        let config = jetstream::consumer::pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            max_ack_pending: 100_000,
            ..Default::default()
        };
        stream.create_consumer(config).await?;
        Ok(())
    }
}

impl Receiver {
    /// Messages handled so far.
    pub(crate) async fn done(&self) -> Result<u64> {
        if self.composed {
            // Calls within one component are not the host's to count.
            return self
                .metric("nats_deliveries_total{subscription=\"default\",outcome=\"handled\"}")
                .await;
        }
        Ok(self.workload.status().calls.finished)
    }

    /// How often it is worth asking.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_millis(if self.composed { 5 } else { 1 })
    }

    async fn wait_until_it_receives(&self, client: &async_nats::Client, source: Source) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let asked = client.request(SUBJECT, "".into());
            let answered = tokio::time::timeout(Duration::from_secs(2), asked).await;
            // A stream answers by itself.
            let receives = match source {
                Source::Core => answered.is_ok_and(|answer| answer.is_ok()),
                Source::JetStream => self.done().await.unwrap_or_default() > 0,
            };
            if receives {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("nothing is received: {}\n{}", self.workload.status(), self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A metric of the service, 0 if it does not show it.
    pub(crate) async fn metric(&self, series: &str) -> Result<u64> {
        let mut stream = TcpStream::connect((self.workload.loopback(), HEALTH_PORT)).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: nats\r\nconnection: close\r\n\r\n")
            .await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.map_or(Ok(0), |value| value.trim().parse())?)
    }

    pub(crate) fn log(&self) -> String {
        self.workload.stderr().map_or(String::new(), |stderr| stderr.text())
    }

    /// Ends it; all must have gone well until now.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(native) = self.native.take() {
            native.stop()?;
        }
        let status = self.workload.status();
        ensure!(
            !status.is_final() && status.restarts == 0 && status.calls.failed == 0,
            "it did not go on: {status}\n{}",
            self.log()
        );
        self.workload.stop().await;
        Ok(())
    }
}

pub(crate) fn handler(pool_size: u32) -> Component {
    Component {
        name: "handler".to_owned(),
        image: component("test/nats-echo"),
        pool_size,
        ..Component::default()
    }
}

/// Where `cargo xtask build` leaves a component.
fn component(name: &str) -> PathBuf {
    target().join("components").join(format!("{name}.wasm"))
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")
}
