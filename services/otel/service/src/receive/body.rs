//! Reading a request within its bounds.

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::memory::{Memory, Reservation};
use crate::coding::{self, DecodeError};
use crate::config::Compression;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("nothing more of it came for {0:?}")]
    Stalled(Duration),
    #[error("too much is being received at once")]
    NoMemory,
    #[error("the request was not read to its end: {0}")]
    Broken(#[from] hyper::Error),
}

/// Reads a body of `limit` bytes at most.
pub(super) async fn read(
    mut body: Incoming,
    limit: usize,
    memory: &Rc<Memory>,
) -> Result<(Bytes, Reservation), BodyError> {
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        drain(body, limit).await;
        return Err(BodyError::TooLarge(limit));
    }
    let mut reserved = Reservation::new(memory);
    // What is announced may never come: memory is reserved for what has.
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    loop {
        // Who stops in the middle gives back what is reserved for it; who is slow does not.
        let frame = tokio::time::timeout(STALLED, body.frame()).await;
        let Some(frame) = frame.map_err(|_| BodyError::Stalled(STALLED))? else {
            break;
        };
        let Ok(data) = frame?.into_data() else { continue };
        let length = first.as_ref().map_or(0, Bytes::len) + whole.len() + data.len();
        if length > limit || !reserved.grow(data.len()) {
            drop((first, whole, reserved));
            drain(body, limit).await;
            return Err(if length > limit {
                BodyError::TooLarge(limit)
            } else {
                BodyError::NoMemory
            });
        }
        // Small requests come in one piece, which needs no copy.
        match first.take() {
            None if whole.is_empty() => first = Some(data),
            None => whole.extend_from_slice(&data),
            Some(start) => {
                let announced = usize::try_from(hint.exact().unwrap_or(0)).unwrap_or(0);
                whole.reserve(announced.min(limit).max(length));
                whole.extend_from_slice(&start);
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok((first.unwrap_or_else(|| whole.freeze()), reserved))
}

/// Reads on, and throws it away: an answer that comes before the request is over is easily lost, as the system resets a
/// connection that is closed with something unread. Not for ever.
async fn drain(mut body: Incoming, limit: usize) {
    let rest = async {
        let mut left = limit.saturating_mul(4);
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Over or not, it is answered then.
    let _ = tokio::time::timeout(DRAIN, rest).await;
}

/// How long the next piece of a request may take.
const STALLED: Duration = Duration::from_secs(30);

/// How long a request that is not wanted may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Decompresses a body; what comes out is reserved too.
pub(super) fn decode(
    coding: Compression,
    body: Bytes,
    limit: usize,
    reserved: &mut Reservation,
) -> Result<Bytes, BodyError> {
    let decoded = coding::decode(coding, body, limit)?;
    if coding != Compression::None && !reserved.grow(decoded.len()) {
        return Err(BodyError::NoMemory);
    }
    Ok(decoded)
}
