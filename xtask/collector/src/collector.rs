//! The collector as a value.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use prost_reflect::DynamicMessage;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::{Answer, Export, Signal, server};

/// A running collector. It is gone when this is dropped, with every connection it has.
#[derive(Debug)]
pub struct Collector {
    http: SocketAddr,
    grpc: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

/// What its connections and its owner share.
pub(crate) struct Shared {
    exports: watch::Sender<Vec<Export>>,
    answer: Mutex<Decide>,
}

type Decide = Box<dyn FnMut(&Export) -> Answer + Send>;

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Records what is accepted, and says what to answer.
    pub(crate) fn receive(&self, export: Export) -> Answer {
        let answer = match export.message() {
            Ok(_) => (self.answer.lock().unwrap_or_else(PoisonError::into_inner))(&export),
            Err(error) => Answer::bad(&format!("{error:#}")),
        };
        if matches!(answer, Answer::Accept | Answer::Partial { .. }) {
            self.exports.send_modify(|exports| exports.push(export));
        }
        answer
    }
}

impl Collector {
    /// Starts one on free ports of 127.0.0.1 that takes everything.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start() -> Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::at(any, any)
    }

    /// Starts one where a workload with this loopback expects its sidecar.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn in_place_of_the_sidecar(loopback: IpAddr) -> Result<Self> {
        Self::at((loopback, 4318).into(), (loopback, 4317).into())
    }

    /// Starts one that listens here for HTTP and there for gRPC.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn at(http: SocketAddr, grpc: SocketAddr) -> Result<Self> {
        let bind = |address| {
            let listener = std::net::TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
            listener.set_nonblocking(true)?;
            anyhow::Ok(listener)
        };
        let (http, grpc) = (bind(http)?, bind(grpc)?);
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::new(Shared {
            exports: watch::Sender::new(Vec::new()),
            answer: Mutex::new(Box::new(|_| Answer::Accept)),
        });
        let collector = Self {
            http: http.local_addr()?,
            grpc: grpc.local_addr()?,
            shared: Arc::clone(&shared),
            _stop: stop,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // A thread of its own: it answers while a test blocks.
        thread::Builder::new().name("collector".to_owned()).spawn(move || {
            runtime.block_on(async move {
                // Both are there already; this registers them with the runtime.
                if let (Ok(http), Ok(grpc)) = (TcpListener::from_std(http), TcpListener::from_std(grpc)) {
                    tokio::select! {
                        () = server::http(http, Arc::clone(&shared)) => {}
                        () = server::grpc(grpc, shared) => {}
                        _ = stopped => {}
                    }
                }
            });
        })?;
        Ok(collector)
    }

    /// Where it takes OTLP/HTTP.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it takes OTLP/gRPC.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// From now on, answers as `decide` says. What it does not accept is not recorded.
    pub fn answer(&self, decide: impl FnMut(&Export) -> Answer + Send + 'static) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(decide);
    }

    /// What it has accepted so far.
    pub fn exports(&self) -> Vec<Export> {
        self.shared.exports.borrow().clone()
    }

    /// Takes what it has accepted so far, as if it had not come.
    pub fn take(&self) -> Vec<Export> {
        let mut taken = Vec::new();
        self.shared.exports.send_modify(|exports| taken.append(exports));
        taken
    }

    /// Waits until what it has accepted is as wanted.
    ///
    /// # Errors
    /// It is not within `limit`; what there is.
    pub async fn wait_for(&self, limit: Duration, mut wanted: impl FnMut(&[Export]) -> bool) -> Result<Vec<Export>> {
        let mut watch = self.shared.exports.subscribe();
        let waited = tokio::time::timeout(limit, watch.wait_for(|exports| wanted(exports))).await;
        if let Ok(Ok(exports)) = waited {
            return Ok(exports.clone());
        }
        let came: Vec<String> = self.exports().iter().map(describe).collect();
        bail!("not within {limit:?}; what came: {came:#?}")
    }

    /// All that came of a signal so far, as one request: requests of a signal merge by merging their lists.
    ///
    /// # Errors
    /// A message does not read.
    pub fn merged(&self, signal: Signal) -> Result<DynamicMessage> {
        merge(signal, &self.exports())
    }
}

/// All requests of a signal as one.
fn merge(signal: Signal, exports: &[Export]) -> Result<DynamicMessage> {
    let mut merged = DynamicMessage::new(crate::json::descriptor(signal)?);
    for export in exports.iter().filter(|export| export.signal == signal) {
        let bytes = prost::Message::encode_to_vec(&export.message()?);
        prost::Message::merge(&mut merged, bytes.as_slice())?;
    }
    Ok(merged)
}

fn describe(export: &Export) -> String {
    match export.message() {
        Ok(message) => format!("{} {:?} {message}", export.signal, export.encoding),
        Err(error) => format!("{} {:?} {error:#}", export.signal, export.encoding),
    }
}
