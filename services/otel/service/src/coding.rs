//! gzip and zstd, in and out, bounded.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::bufread::{GzEncoder, MultiGzDecoder};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::config::Compression;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("more than {0} bytes when decompressed")]
    TooLarge(usize),
    #[error("not {name}: {error}")]
    Malformed { name: &'static str, error: io::Error },
}

/// The coding of this name, as `content-encoding` and `grpc-encoding` call it.
pub(crate) fn named(name: &str) -> Option<Compression> {
    match name.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Compression::None),
        "gzip" => Some(Compression::Gzip),
        "zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

/// The body as it was before it was compressed, of `limit` bytes at most: a few bytes may stand for gigabytes.
pub(crate) fn decode(coding: Compression, body: Bytes, limit: usize) -> Result<Bytes, DecodeError> {
    let malformed = |error| DecodeError::Malformed {
        name: coding.name(),
        error,
    };
    match coding {
        Compression::None if body.len() > limit => Err(DecodeError::TooLarge(limit)),
        Compression::None => Ok(body),
        Compression::Gzip => read(MultiGzDecoder::new(&*body), limit, malformed),
        Compression::Zstd => {
            let decoder = StreamingDecoder::new(&*body).map_err(|error| malformed(io::Error::other(error)))?;
            read(decoder, limit, malformed)
        }
    }
}

fn read(decoder: impl Read, limit: usize, malformed: impl Fn(io::Error) -> DecodeError) -> Result<Bytes, DecodeError> {
    let mut out = Vec::new();
    decoder
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(malformed)?;
    if out.len() > limit {
        return Err(DecodeError::TooLarge(limit));
    }
    Ok(out.into())
}

/// The body compressed; fast rather than small.
pub(crate) fn encode(coding: Compression, body: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        Compression::None => Ok(body.to_vec()),
        Compression::Gzip => {
            let mut out = Vec::with_capacity(body.len() / 4);
            GzEncoder::new(body, Level::fast()).read_to_end(&mut out)?;
            Ok(out)
        }
        Compression::Zstd => Ok(compress_to_vec(body, CompressionLevel::Fastest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_is_read_again_within_the_limit_only() {
        let body: Vec<u8> = (0..100_000_u32)
            .flat_map(|number| (number / 50).to_le_bytes())
            .collect();
        for coding in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let encoded = Bytes::from(encode(coding, &body).unwrap());
            assert!(
                coding == Compression::None || encoded.len() < body.len() / 4,
                "{coding:?} {}",
                encoded.len()
            );
            assert_eq!(decode(coding, encoded.clone(), body.len()).unwrap(), body);
            let error = decode(coding, encoded, body.len() - 1).unwrap_err();
            assert!(matches!(error, DecodeError::TooLarge(_)), "{error}");
        }
    }

    #[test]
    fn what_was_cut_is_malformed() {
        for coding in [Compression::Gzip, Compression::Zstd] {
            let encoded = encode(coding, &[7; 1000]).unwrap();
            let cut = Bytes::copy_from_slice(&encoded[..encoded.len() - 3]);
            assert!(
                matches!(decode(coding, cut, 2000), Err(DecodeError::Malformed { .. })),
                "{coding:?}"
            );
            assert!(matches!(
                decode(coding, Bytes::from_static(b"text"), 2000),
                Err(DecodeError::Malformed { .. })
            ));
        }
    }
}
