//! Tokens whose keys the service fetches from their issuer, a server of HTTP or HTTPS that is started here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainstay_host_test::workload::Workload;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::common::{self, Builder, DEADLINE};
use crate::support;
use crate::support::exchange::Exchange;

const HOST: &str = "host.wasmcloud.internal";

/// A key by its id, which is in its tokens too.
struct Key {
    id: &'static str,
    key: Ed25519KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self { id, key }
    }

    fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x}]}).to_string()
    }

    fn token(&self) -> String {
        self.token_for("ann", "")
    }

    fn token_for(&self, subject: &str, scope: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"alg": "EdDSA", "kid": self.id});
        let claims = json!({
            "iss": "https://issuer.example", "aud": "https://tools.example/mcp", "sub": subject, "scope": scope,
            "exp": now + 600,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Who issues tokens: what it serves, and how often it was asked.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<(Option<String>, usize)>>);

impl Issuer {
    /// Serves these keys from now on.
    fn serve(&self, key: &Key) {
        self.0.lock().unwrap().0 = Some(key.jwks());
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }

    /// Starts the server; its address.
    async fn start(&self, tls: Option<TlsAcceptor>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (issuer, tls) = (issuer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => issuer.answer(tls.accept(stream).await?).await,
                        None => issuer.answer(stream).await,
                    }
                });
            }
        });
        address
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("get /keys?v=1 http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nhost: {HOST}:")), "{head}");
        let served = {
            let mut issuer = self.0.lock().unwrap();
            issuer.1 += 1;
            issuer.0.clone()
        };
        let (status, body) = served.map_or(("503 Later", String::new()), |keys| ("200 OK", keys));
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await
    }
}

/// The service, which may reach the issuer.
fn guarded(scheme: &str, issuer: SocketAddr, pause: &str) -> Builder {
    let url = format!("{scheme}://{HOST}:{}/keys?v=1", issuer.port());
    common::service("mcp")
        .component("example-mcp")
        .environment("MCP_AUTH_ISSUER", "https://issuer.example")
        .environment("MCP_AUTH_RESOURCE", "https://tools.example/mcp")
        .environment("MCP_AUTH_JWKS_URL", &url)
        .environment("MCP_AUTH_JWKS_PAUSE", pause)
        .with_service(|service| service.resources.allowed_host_loopback_ports.push(issuer.port()))
        .with_service(|service| service.resources.allowed_ip_name_lookups.push(HOST.parse().unwrap()))
        .http()
}

/// What comes of a request with a token.
async fn status(workload: &Workload, token: Option<String>) -> u16 {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).to_string();
    let token = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    headers.extend(token.as_deref().map(|token| ("authorization", token)));
    Exchange::begin(workload.http().unwrap(), "POST", &headers, &body)
        .await
        .status
}

#[tokio::test]
async fn an_issuer_that_is_down_is_waited_for_and_one_that_rotates_its_keys_is_asked_again() {
    let (issuer, old, new) = (Issuer::default(), Key::new("old"), Key::new("new"));
    let address = issuer.start(None).await;
    let workload = guarded("http", address, "10ms").start();
    let log = workload.stderr().unwrap();
    log.wait_for("the keys of the issuer are not known", DEADLINE)
        .await
        .unwrap();
    assert_eq!(status(&workload, Some(old.token())).await, 503);
    assert_eq!(status(&workload, None).await, 401);
    // Whoever watches it needs no token.
    let page = async |path: &str| {
        let host = [("host", "mcp.mainstay-example.svc")];
        Exchange::get(workload.http().unwrap(), path, &host).await
    };
    assert_eq!(page("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(
        page("/readyz").await,
        (503, "the keys of the issuer are not known\n".to_owned())
    );

    issuer.serve(&old);
    // Not the "not ready" before it.
    log.wait_for("health: ready", DEADLINE).await.unwrap();
    assert_eq!(status(&workload, Some(old.token())).await, 200);
    assert_eq!(status(&workload, Some(new.token())).await, 401);
    assert_eq!(page("/readyz").await, (200, "ok\n".to_owned()));

    issuer.serve(&new);
    // It was asked a moment ago, and is not again before the pause is over.
    let taken = async {
        while status(&workload, Some(new.token())).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, taken)
        .await
        .expect("the new key is known");
    // The old key is none of the issuer's any more, and asking it changes nothing.
    assert_eq!(status(&workload, Some(old.token())).await, 401);
}

#[tokio::test]
async fn keys_that_nobody_knows_do_not_make_the_service_ask_over_and_over() {
    let (issuer, key, foreign) = (Issuer::default(), Key::new("a"), Key::new("b"));
    issuer.serve(&key);
    let (tls, authority) = tls();
    let address = issuer.start(Some(tls)).await;
    let workload = guarded("https", address, "1h")
        .environment("MCP_AUTH_JWKS_CA", &authority)
        .start();
    support::ready(&workload).await;
    assert_eq!(status(&workload, Some(key.token())).await, 200);
    for _ in 0..20 {
        assert_eq!(status(&workload, Some(foreign.token())).await, 401);
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn an_issuer_with_a_foreign_certificate_is_not_believed() {
    let (issuer, key) = (Issuer::default(), Key::new("a"));
    issuer.serve(&key);
    let (acceptor, _) = tls();
    let address = issuer.start(Some(acceptor)).await;
    let workload = guarded("https", address, "1h").start();
    let log = workload.stderr().unwrap();
    log.wait_for("the keys of the issuer are not known", DEADLINE)
        .await
        .unwrap();
    assert_eq!(issuer.asked(), 0);
    assert_eq!(status(&workload, Some(key.token())).await, 503);
}

#[tokio::test]
async fn a_tool_is_told_who_calls_and_who_lacks_its_scopes_does_not_reach_it() {
    let (issuer, key) = (Issuer::default(), Key::new("a"));
    issuer.serve(&key);
    let address = issuer.start(None).await;
    let url = format!("http://{HOST}:{}/keys?v=1", address.port());
    let workload = support::everything()
        .environment("MCP_AUTH_ISSUER", "https://issuer.example")
        .environment("MCP_AUTH_RESOURCE", "https://tools.example/mcp")
        .environment("MCP_AUTH_JWKS_URL", &url)
        .environment("MCP_AUTH_SCOPES", "tools")
        .environment("MCP_AUTH_TOOL_SCOPES", "who=admin")
        .with_service(|service| service.resources.allowed_host_loopback_ports.push(address.port()))
        .with_service(|service| service.resources.allowed_ip_name_lookups.push(HOST.parse().unwrap()))
        .http()
        .start();
    workload
        .stderr()
        .unwrap()
        .wait_for("health: ready", DEADLINE)
        .await
        .unwrap();
    for (subject, scope, tool, expected) in [
        (
            "ann",
            "tools admin",
            "who",
            Ok("ann of https://issuer.example: tools admin"),
        ),
        (
            "bob",
            "tools admin other",
            "who",
            Ok("bob of https://issuer.example: tools admin other"),
        ),
        ("bob", "tools", "who", Err(403)),
        ("bob", "admin", "who", Err(403)),
        (
            "bob",
            "tools",
            "test_simple_text",
            Ok("This is a simple text response for testing."),
        ),
        ("bob", "", "test_simple_text", Err(403)),
    ] {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({"name": tool, "arguments": {}, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        let token = format!("Bearer {}", key.token_for(subject, scope));
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
            ("authorization", token.as_str()),
        ];
        let exchange = Exchange::begin(workload.http().unwrap(), "POST", &headers, &body).await;
        match expected {
            Ok(text) => assert_eq!(
                exchange.json().await["result"]["content"][0]["text"],
                text,
                "{subject} {scope}"
            ),
            Err(status) => assert_eq!(exchange.status, status, "{subject} {scope} {tool}"),
        }
    }
}

/// A server's side of TLS, and the authority that vouches for it.
fn tls() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([HOST.to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
