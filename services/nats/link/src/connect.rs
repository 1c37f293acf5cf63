//! One connection to one server: dial, INFO, TLS, CONNECT.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_nats_core::auth::AuthError;
use mainstay_nats_core::protocol::from_server::{Decoder, ServerFault, ServerInfo, ServerOperation};
use mainstay_nats_core::protocol::to_server;
use mainstay_runtime::net::{self, Dialer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::servers::Server;
use crate::settings::Connection;

/// A stream of bytes, with or without TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// A connection that the server has accepted.
pub(crate) struct Connected {
    pub(crate) server: Server,
    pub(crate) stream: Box<dyn Transport>,
    /// What the server has said already, and is not understood yet.
    pub(crate) decoder: Decoder,
    pub(crate) info: ServerInfo,
    /// The address that answered.
    pub(crate) address: std::net::SocketAddr,
    pub(crate) encrypted: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Dial(#[from] net::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Fault(#[from] ServerFault),
    #[error("the server hangs up during the handshake")]
    Closed,
    #[error("the server says something in the clear before the TLS handshake, which anybody could have put there")]
    InTheClear,
    #[error("the server speaks no TLS, which tls:// in the URL or a setting of TLS insists on")]
    NoTls,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the server says: {0}")]
    Refused(String),
    #[error("the credentials cannot be used: {0}")]
    Auth(#[from] AuthError),
}

impl ConnectError {
    /// Whether the server does not want the credentials. It will not want them a second later.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(text) => {
                let text = text.to_ascii_lowercase();
                ["authorization", "authentication", "expired", "revoked"]
                    .iter()
                    .any(|word| text.contains(word))
            }
            Self::Auth(_) => true,
            _ => false,
        }
    }
}

/// How much is read at once.
pub const READ: usize = 64 * 1024;

/// Connects to a server, and presents the service to it.
pub(crate) async fn connect(
    settings: &Connection,
    dialer: &Dialer,
    server: &Server,
    echo: bool,
) -> Result<Connected, ConnectError> {
    let handshake = attempt(settings, dialer, server, echo);
    // Dialing is bounded by itself; this bounds a server that accepts and then is silent.
    let limit = settings.timeout * 4;
    tokio::time::timeout(limit, handshake)
        .await
        .unwrap_or(Err(ConnectError::TimedOut(limit)))
}

async fn attempt(
    settings: &Connection,
    dialer: &Dialer,
    server: &Server,
    echo: bool,
) -> Result<Connected, ConnectError> {
    let plain = dialer.connect(&server.address.endpoint).await?;
    let address = plain.peer();
    let mut decoder = Decoder::default();
    let first = |operation| match operation {
        ServerOperation::Info(info) => Ok(*info),
        ServerOperation::Error(text) => Err(ConnectError::Refused(text)),
        other => Err(ConnectError::Refused(format!("{other:?} in place of INFO"))),
    };
    let (mut stream, info, encrypted): (Box<dyn Transport>, ServerInfo, bool) = if settings.tls_first {
        let mut stream = settings.tls.handshake(&server.host, plain).await?;
        let info = first(next(&mut stream, &mut decoder).await?)?;
        (Box::new(stream), info, true)
    } else {
        let mut plain = plain;
        let info = first(next(&mut plain, &mut decoder).await?)?;
        if server.address.tls && !info.tls_required && !info.tls_available {
            return Err(ConnectError::NoTls);
        }
        if info.tls_required || server.address.tls {
            if !decoder.buffer().is_empty() {
                return Err(ConnectError::InTheClear);
            }
            let stream = settings.tls.handshake(&server.host, plain).await?;
            (Box::new(stream), info, true)
        } else {
            (Box::new(plain), info, false)
        }
    };
    let mut hello = BytesMut::new();
    to_server::connect(&mut hello, &presentation(settings, &info, encrypted, echo)?);
    to_server::ping(&mut hello);
    stream.write_all(&hello).await?;
    stream.flush().await?;
    let mut info = info;
    loop {
        match next(&mut stream, &mut decoder).await? {
            ServerOperation::Pong => break,
            ServerOperation::Info(newer) => info = *newer,
            ServerOperation::Error(text) => return Err(ConnectError::Refused(text)),
            _ => {}
        }
    }
    Ok(Connected {
        server: server.clone(),
        stream,
        decoder,
        info,
        address,
        encrypted,
    })
}

fn presentation(
    settings: &Connection,
    info: &ServerInfo,
    encrypted: bool,
    echo: bool,
) -> Result<to_server::Connect, AuthError> {
    Ok(to_server::Connect {
        verbose: false,
        pedantic: false,
        tls_required: encrypted,
        name: settings.name.clone(),
        lang: "rust",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        echo,
        headers: true,
        no_responders: true,
        proof: settings.credentials.proof(&info.nonce)?,
    })
}

/// The next thing that the server says.
async fn next(stream: &mut (impl Transport + ?Sized), decoder: &mut Decoder) -> Result<ServerOperation, ConnectError> {
    loop {
        if let Some(operation) = decoder.next()? {
            return Ok(operation);
        }
        decoder.buffer().reserve(READ);
        if stream.read_buf(decoder.buffer()).await? == 0 {
            return Err(ConnectError::Closed);
        }
    }
}
