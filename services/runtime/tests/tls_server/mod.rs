//! A TLS server on the machine's loopback that echoes, and an authority that issues certificates for it. Real peers:
//! rustls's server side and rcgen.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses what it needs")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's own certificate and key, which a server had better not use.
    pub fn identity(&self) -> Identity {
        Identity {
            certificate: self.pem(),
            key: self.issuer.key().serialize_pem(),
        }
    }

    /// A certificate for these names or addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, 4096)
    }

    /// A certificate that runs out as its year begins.
    pub fn issue_until(&self, names: &[&str], year: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// The versions of TLS, each alone.
pub static VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

/// What a server accepts.
pub struct Options {
    pub identity: Identity,
    pub versions: &'static [&'static SupportedProtocolVersion],
    /// PEM of the authority whose clients alone are let in.
    pub clients_of: Option<String>,
    pub protocols: Vec<Vec<u8>>,
}

impl Options {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            versions: rustls::ALL_VERSIONS,
            clients_of: None,
            protocols: Vec::new(),
        }
    }
}

/// What a server saw of a client whose handshake succeeded.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: Option<String>,
    pub version: Option<ProtocolVersion>,
    pub suite: Option<CipherSuite>,
    pub protocol: Option<Vec<u8>>,
    pub client_certificate: bool,
}

/// A server on a thread of its own, which ends when this is dropped.
pub struct TlsServer {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    pub fn start(options: Options) -> Self {
        let config = config(options);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (started, start) = mpsc::channel();
        let shared = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! { () = serve(listener, config, shared) => {}, _ = stopped => {} }
            });
        });
        let address = start.recv().unwrap();
        Self {
            address,
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The clients so far, first one first.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || matches!(ended, Some(Ok(()))),
            "the server has panicked"
        );
    }
}

fn config(options: Options) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(options.versions);
    let builder = match options.clients_of {
        None => builder.unwrap().with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(options.identity.certificate.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(options.identity.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain.unwrap(), key).unwrap();
    config.alpn_protocols = options.protocols;
    Arc::new(config)
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, seen: Arc<Mutex<Vec<Seen>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(echo(stream, TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&seen)));
    }
}

/// Echoes until the client hangs up. Every error is the client's, which its own test sees.
async fn echo(stream: TcpStream, acceptor: TlsAcceptor, seen: Arc<Mutex<Vec<Seen>>>) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let session = stream.get_ref().1;
    seen.lock().unwrap().push(Seen {
        name: session.server_name().map(str::to_owned),
        version: session.protocol_version(),
        suite: session.negotiated_cipher_suite().map(|suite| suite.suite()),
        protocol: session.alpn_protocol().map(<[u8]>::to_vec),
        client_certificate: session.peer_certificates().is_some(),
    });
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..read]).await?;
        stream.flush().await?;
    }
}
