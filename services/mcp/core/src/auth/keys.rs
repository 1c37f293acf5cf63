//! The keys of those who issue tokens.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use super::der;

/// Keys, by their ids where they have some. Clones share them, so that an issuer's new keys reach everybody.
#[derive(Clone, Debug, Default)]
pub struct Keys(Rc<RefCell<Vec<Key>>>);

#[derive(Clone)]
struct Key {
    id: Option<String>,
    /// The one algorithm that it may be used with, if it says so.
    algorithm: Option<String>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// PKCS #1, from PEM.
    RsaDer(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.id)
    }
}

impl Keys {
    /// Keys of a JWK set (RFC 7517 §5). Keys for other things than signatures are left out.
    ///
    /// # Errors
    /// It is none, or has no key that can be used, in words.
    pub fn from_jwks(text: &str) -> Result<Self, String> {
        let set: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let keys = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or("not a JWK set: it has no \"keys\"")?;
        let keys: Vec<Key> = keys.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err("no key in it is RSA, P-256, P-384 or Ed25519 for signatures".to_owned());
        }
        Ok(Self::new(keys))
    }

    /// Public keys in PEM (RFC 7468 §13).
    ///
    /// # Errors
    /// There is none, or one that cannot be used, in words.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let keys = der::public_keys(text)?.into_iter().map(|(algorithm, bytes)| Key {
            id: None,
            algorithm: None,
            kind: match algorithm {
                der::Algorithm::Rsa => Kind::RsaDer(bytes),
                der::Algorithm::P256 => Kind::P256(bytes),
                der::Algorithm::P384 => Kind::P384(bytes),
                der::Algorithm::Ed25519 => Kind::Ed25519(bytes),
            },
        });
        Ok(Self::new(keys.collect()))
    }

    fn new(keys: Vec<Key>) -> Self {
        Self(Rc::new(RefCell::new(keys)))
    }

    /// Takes others in place of these.
    pub fn replace(&self, others: &Self) {
        let others = others.0.borrow().clone();
        self.0.replace(others);
    }

    /// Whether there are none, as before an issuer's are known.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether a signature that names this key may be of one of these.
    pub(super) fn may_have(&self, id: &str) -> bool {
        self.0
            .borrow()
            .iter()
            .any(|key| key.id.as_deref().is_none_or(|known| known == id))
    }

    /// Whether one of the keys made this signature. With an id, only those of that id, or of none, are tried.
    pub(super) fn verify(&self, algorithm: &str, id: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        let eligible = |key: &&Key| {
            let this = key.id.as_deref().is_none_or(|known| id.is_none_or(|id| id == known));
            this && key.algorithm.as_deref().is_none_or(|only| only == algorithm)
        };
        self.0
            .borrow()
            .iter()
            .filter(eligible)
            .any(|key| key.kind.verify(algorithm, message, signature))
    }
}

impl Kind {
    /// The key's type and the token's algorithm must go together: no key is ever used as another kind of key.
    fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let unparsed = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa(n, e), _) => rsa(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signature).is_ok()
            }),
            (Self::RsaDer(key), _) => rsa(algorithm).is_some_and(|parameters| unparsed(parameters, key)),
            (Self::P256(key), "ES256") => unparsed(&ECDSA_P256_SHA256_FIXED, key),
            (Self::P384(key), "ES384") => unparsed(&ECDSA_P384_SHA384_FIXED, key),
            (Self::Ed25519(key), "EdDSA" | "Ed25519") => unparsed(&ED25519, key),
            _ => false,
        }
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn key(jwk: &Value) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    // SEC 1 §2.3.3: uncompressed.
    let point = || Some([vec![4], bytes("x")?, bytes("y")?].concat());
    let kind = match (text("kty")?, text("crv")) {
        ("RSA", _) => Kind::Rsa(bytes("n")?, bytes("e")?),
        ("EC", Some("P-256")) => Kind::P256(point()?),
        ("EC", Some("P-384")) => Kind::P384(point()?),
        ("OKP", Some("Ed25519")) => Kind::Ed25519(bytes("x")?),
        _ => return None,
    };
    Some(Key {
        id: text("kid").map(str::to_owned),
        algorithm: text("alg").map(str::to_owned),
        kind,
    })
}
