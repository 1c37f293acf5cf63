//! One request to a server, on a connection of its own.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::{Dialer, Endpoint};

/// Asks a server over HTTP/1.1. The request names its `Host` itself; a body of more than `limit` bytes is not taken.
///
/// # Errors
/// There is no response, or not a whole one; in one line.
pub async fn ask(
    dialer: &Dialer,
    endpoint: &Endpoint,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Response<Bytes>, String> {
    let stream = dialer.connect(endpoint).await.map_err(|error| error.to_string())?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let ask = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    tokio::pin!(ask);
    tokio::select! {
        answer = &mut ask => answer,
        // What ended it is told to whoever asks.
        _ = connection => ask.await,
    }
}
