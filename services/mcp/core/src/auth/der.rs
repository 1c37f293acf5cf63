//! As much of DER as a public key in PEM takes (RFC 5280 §4.1, RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa,
    P256,
    P384,
    Ed25519,
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;

/// RFC 3279 §2.3.1, RFC 5480 §2.1.1, RFC 8410 §3.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The keys between `BEGIN PUBLIC KEY` and `END PUBLIC KEY`: algorithm, and the key as signatures are checked with it.
pub(super) fn public_keys(pem: &str) -> Result<Vec<(Algorithm, Vec<u8>)>, &'static str> {
    let mut keys = Vec::new();
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once("-----BEGIN PUBLIC KEY-----") {
        let (body, after) = after
            .split_once("-----END PUBLIC KEY-----")
            .ok_or("a key without an end")?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| "a key that is not Base64")?;
        keys.push(subject_public_key(&der).ok_or("a key that is neither RSA, P-256, P-384 nor Ed25519")?);
        rest = after;
    }
    if keys.is_empty() {
        return Err("no -----BEGIN PUBLIC KEY----- in it");
    }
    Ok(keys)
}

fn subject_public_key(der: &[u8]) -> Option<(Algorithm, Vec<u8>)> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (identifier, rest) = element(outer, SEQUENCE)?;
    let (object, parameters) = element(identifier, OBJECT)?;
    let algorithm = match object {
        RSA => Algorithm::Rsa,
        ED25519 => Algorithm::Ed25519,
        EC => match element(parameters, OBJECT)?.0 {
            P256 => Algorithm::P256,
            P384 => Algorithm::P384,
            _ => return None,
        },
        _ => return None,
    };
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first octet counts unused bits: there are none.
    let key = bits.strip_prefix(&[0])?;
    Some((algorithm, key.to_vec()))
}

/// The content of the first element if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}
