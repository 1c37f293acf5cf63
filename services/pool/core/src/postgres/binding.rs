//! `tls-server-end-point` of RFC 5929 §4.1: the hash of the server's certificate, by the hash of its signature.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// Algorithms of signatures that hash by something else than SHA-256: the tails of their object identifiers.
const SHA384: [&[u8]; 2] = [
    // sha384WithRSAEncryption, ecdsa-with-SHA384
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
];
const SHA512: [&[u8]; 2] = [
    // sha512WithRSAEncryption, ecdsa-with-SHA512
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04],
];
/// MD5 and SHA-1 become SHA-256 (RFC 5929); these are those of it and of SHA-256 itself.
const SHA256: [&[u8]; 5] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
];

/// What a client of SCRAM-SHA-256-PLUS proves to have seen: the hash of this certificate, in DER. None for a signature
/// that names no hash, as Ed25519: PostgreSQL cannot bind to those either.
pub fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let oid = signature_algorithm(certificate)?;
    if SHA256.contains(&oid) {
        Some(Sha256::digest(certificate).to_vec())
    } else if SHA384.contains(&oid) {
        Some(Sha384::digest(certificate).to_vec())
    } else if SHA512.contains(&oid) {
        Some(Sha512::digest(certificate).to_vec())
    } else {
        None
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate, SEQUENCE { algorithm OBJECT IDENTIFIER, .. }, .. }` (RFC 5280 §4.1).
fn signature_algorithm(mut der: &[u8]) -> Option<&[u8]> {
    let mut certificate = value(&mut der, 0x30)?;
    value(&mut certificate, 0x30)?;
    let mut algorithm = value(&mut certificate, 0x30)?;
    value(&mut algorithm, 0x06)
}

/// The contents of a DER value of this type, which is taken off `der`.
fn value<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let length = match *first {
        short @ 0..0x80 => usize::from(short),
        long => {
            let (length, after) = rest.split_at_checked(usize::from(long & 0x7f))?;
            rest = after;
            let digit = |sum: usize, byte: &u8| sum.checked_mul(256)?.checked_add(usize::from(*byte));
            length.iter().try_fold(0, digit)?
        }
    };
    let (contents, after) = rest.split_at_checked(length)?;
    *der = after;
    (*found == tag).then_some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as needed, and nothing but what is looked at.
    fn certificate(oid: &[u8]) -> Vec<u8> {
        let body = vec![0x30, 0x81, 0x80].into_iter().chain([7; 128]);
        let algorithm = [&[0x30, oid.len() as u8 + 4, 0x06, oid.len() as u8], oid, &[0x05, 0x00]].concat();
        let inside: Vec<u8> = body.chain(algorithm).chain([0x03, 0x01, 0x00]).collect();
        [&[0x30, 0x81, inside.len() as u8], &inside[..]].concat()
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_never_weaker_than_sha256() {
        let sha1 = certificate(SHA256[1]);
        assert_eq!(tls_server_end_point(&sha1).unwrap(), Sha256::digest(&sha1).to_vec());
        let sha384 = certificate(SHA384[1]);
        assert_eq!(tls_server_end_point(&sha384).unwrap(), Sha384::digest(&sha384).to_vec());
        let sha512 = certificate(SHA512[0]);
        assert_eq!(tls_server_end_point(&sha512).unwrap(), Sha512::digest(&sha512).to_vec());
    }

    #[test]
    fn what_names_no_hash_or_is_no_certificate_binds_to_nothing() {
        let ed25519 = certificate(&[0x2b, 0x65, 0x70]);
        assert_eq!(tls_server_end_point(&ed25519), None);
        for end in 0..ed25519.len() {
            assert_eq!(tls_server_end_point(&ed25519[..end]), None);
        }
        assert_eq!(tls_server_end_point(&[0x30, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
