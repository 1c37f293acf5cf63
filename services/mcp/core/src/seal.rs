//! State that goes through the client and comes back unread and unchanged (2026-07-28 §Multi Round-Trip Requests).
//!
//! It is encrypted and authenticated together with what it may be used for: the caller, the method, and the parameters
//! of the request that it was made for. It lapses.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;

/// Seals and opens. Those with the same key open each other's.
pub struct Seal {
    key: Option<LessSafeKey>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Why sealed state was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It was changed, or was made for another request, another caller, or by another server.
    #[error("was not given out for this request")]
    Foreign,
    /// It is too old.
    #[error("has expired")]
    Expired,
}

impl Seal {
    /// With a key of its own, which is gone with it.
    pub fn random() -> Self {
        Self::with_key(&rand::random())
    }

    /// With a key made from a secret of any length.
    pub fn from_secret(secret: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, secret);
        let mut key = [0; 32];
        key.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self::with_key(&key)
    }

    fn with_key(key: &[u8; 32]) -> Self {
        // Fails for a key of another length only.
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).ok().map(LessSafeKey::new);
        Self { key }
    }

    /// Seals `state` until `expires`, for nothing but `purpose`.
    pub fn seal(&self, state: &str, purpose: &str, expires: u64) -> String {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = expires.to_be_bytes().to_vec();
        sealed.extend_from_slice(state.as_bytes());
        let done = self.key.as_ref().map(|key| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.seal_in_place_append_tag(nonce, Aad::from(purpose.as_bytes()), &mut sealed)
        });
        match done {
            Some(Ok(())) => URL_SAFE_NO_PAD.encode([&nonce, sealed.as_slice()].concat()),
            // Sixty-four gigabytes of state. What cannot be sealed is not given out; it will not open either.
            _ => String::new(),
        }
    }

    /// Opens what was sealed for `purpose`.
    ///
    /// # Errors
    /// It was not, or is too old.
    pub fn open(&self, sealed: &str, purpose: &str, now: u64) -> Result<String, Broken> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Broken::Foreign)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(Broken::Foreign)?;
        let key = self.key.as_ref().ok_or(Broken::Foreign)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut sealed = sealed.to_vec();
        let opened = key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut sealed);
        let opened: &[u8] = opened.map_err(|_| Broken::Foreign)?;
        let (expires, state) = opened.split_first_chunk::<8>().ok_or(Broken::Foreign)?;
        if u64::from_be_bytes(*expires) < now {
            return Err(Broken::Expired);
        }
        String::from_utf8(state.to_vec()).map_err(|_| Broken::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_comes_back_for_the_same_purpose_only() {
        let seal = Seal::random();
        let sealed = seal.seal("step 2", "tools/call add", 1000);
        assert!(!sealed.contains("step"));
        assert_eq!(seal.open(&sealed, "tools/call add", 1000).unwrap(), "step 2");
        assert_eq!(seal.open(&sealed, "tools/call sub", 10), Err(Broken::Foreign));
        assert_eq!(seal.open(&sealed, "tools/call add", 1001), Err(Broken::Expired));
        assert_eq!(Seal::random().open(&sealed, "tools/call add", 10), Err(Broken::Foreign));
    }

    #[test]
    fn any_change_breaks_it() {
        let seal = Seal::from_secret(b"secret");
        let sealed = seal.seal("", "p", 9);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(seal.open(&changed, "p", 0), Err(Broken::Foreign), "at {at}");
        }
        for changed in [format!("{sealed}-TAMPERED"), String::new(), "?".to_owned()] {
            assert_eq!(seal.open(&changed, "p", 0), Err(Broken::Foreign));
        }
        assert_eq!(Seal::from_secret(b"secret").open(&sealed, "p", 0).unwrap(), "");
    }
}
