//! Text and bytes, whole or from a stream.

use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::mcp::Failure;
use crate::wasmcp::{BlobData, TextData};

/// Read at once.
const READ: u64 = 64 << 10;

/// A stream is read to here at most: nothing bounds it otherwise, and all of it is held.
const MOST: usize = 64 << 20;

/// The text.
///
/// # Errors
/// A stream breaks, is too long or is not UTF-8.
pub fn text(data: TextData) -> Result<String, Failure> {
    match data {
        TextData::Text(text) => Ok(text),
        TextData::TextStream(stream) => String::from_utf8(read(&stream)?)
            .map_err(|error| Failure::Broken(format!("a stream of text: {}", error.utf8_error()))),
    }
}

/// The bytes.
///
/// # Errors
/// A stream breaks or is too long.
pub fn bytes(data: BlobData) -> Result<Vec<u8>, Failure> {
    match data {
        BlobData::Blob(bytes) => Ok(bytes),
        BlobData::BlobStream(stream) => read(&stream),
    }
}

fn read(stream: &InputStream) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(bytes) => whole.extend_from_slice(&bytes),
            Err(StreamError::Closed) => return Ok(whole),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Failure::Broken(format!("a stream: {}", error.to_debug_string())));
            }
        }
        if whole.len() > MOST {
            return Err(Failure::Broken("a stream: longer than 64 MiB".to_owned()));
        }
    }
}
