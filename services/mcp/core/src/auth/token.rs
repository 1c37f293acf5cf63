//! A token's signature and claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Keys;
use crate::engine::Identity;

/// Clocks of two machines may differ by so many seconds.
const LEEWAY: f64 = 60.0;

/// A longer token is not looked at.
const LONGEST: usize = 16 << 10;

/// What a token has to be.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// Signed by one of these.
    pub keys: Keys,
    /// Its `iss`.
    pub issuer: String,
    /// Its `aud`, or one of them (RFC 8707): a token for somebody else is not taken.
    pub audience: String,
}

/// Why a token is not taken. None of it says what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Invalid {
    #[error("the token is not a JWT")]
    Form,
    #[error("the token's signature is of none of the known keys")]
    Signature,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has expired, or has no expiry")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token names no subject")]
    Subject,
}

impl Verifier {
    /// Whether a token names a key that is none of the known ones: its issuer may have a new one.
    pub fn lacks_key_of(&self, token: &str) -> bool {
        let header = token.split_once('.').filter(|_| token.len() <= LONGEST);
        let header = header.and_then(|(header, _)| object(header).ok());
        let id = header.as_ref().and_then(|header| header.get("kid")?.as_str());
        id.is_some_and(|id| !self.keys.may_have(id))
    }

    /// Who the token's bearer is. `now` in seconds since 1970.
    ///
    /// # Errors
    /// The token is not taken.
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, Invalid> {
        if token.len() > LONGEST {
            return Err(Invalid::Form);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Invalid::Form)?;
        let (header, claims) = message.split_once('.').ok_or(Invalid::Form)?;
        let header = object(header)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid::Form)?;
        let text = |object: &Map<String, Value>, name: &str| object.get(name)?.as_str().map(str::to_owned);
        let algorithm = text(&header, "alg").ok_or(Invalid::Form)?;
        // RFC 7515 §4.1.11: what must be understood and is not makes a token invalid.
        if header.contains_key("crit") {
            return Err(Invalid::Form);
        }
        let id = text(&header, "kid");
        if !self
            .keys
            .verify(&algorithm, id.as_deref(), message.as_bytes(), &signature)
        {
            return Err(Invalid::Signature);
        }
        let claims = object(claims)?;
        if text(&claims, "iss").as_deref() != Some(self.issuer.as_str()) {
            return Err(Invalid::Issuer);
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(audiences)) => audiences.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        if !for_us {
            return Err(Invalid::Audience);
        }
        #[allow(clippy::cast_precision_loss, reason = "seconds fit in 53 bits")]
        let now = now as f64;
        let time = |name: &str| claims.get(name).and_then(Value::as_f64);
        if time("exp").is_none_or(|expiry| expiry + LEEWAY <= now) {
            return Err(Invalid::Expired);
        }
        if claims.contains_key("nbf") && time("nbf").is_none_or(|begin| begin - LEEWAY > now) {
            return Err(Invalid::NotYet);
        }
        let scopes = match (claims.get("scope"), claims.get("scp")) {
            (Some(Value::String(scopes)), _) => scopes.split_ascii_whitespace().map(str::to_owned).collect(),
            (_, Some(Value::Array(scopes))) => scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(Identity {
            subject: text(&claims, "sub").ok_or(Invalid::Subject)?,
            issuer: self.issuer.clone(),
            scopes,
            claims: Value::Object(claims).to_string(),
        })
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Invalid> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Form)?;
    serde_json::from_slice(&bytes).map_err(|_| Invalid::Form)
}
