//! What a component is told with each call.

use serde_json::{Map, Value};

use crate::bindings::wasi::cli::stderr::get_stderr;
use crate::bindings::wasi::io::streams::OutputStream;
use crate::bindings::wasmcp::auth::types::{JwtClaims, TokenConfirmation};
use crate::bindings::wasmcp::mcp_v20251125::server_handler::MessageContext;
use crate::bindings::wasmcp::mcp_v20251125::server_io::MessageFrame;
use crate::mcp;
use crate::wasmcp::Identity;

/// The revision whose types these are, told where no client asks.
const REVISION: &str = "2025-11-25";

/// The route of one call.
///
/// A component hands its stream and frame to `server-io`, which looks at neither but here: the frame is the call by which
/// `mcp-client.wasm` finds the client. The stream is the log's, so that what is written past `server-io` harms nobody.
#[derive(Debug)]
pub struct Route {
    stream: OutputStream,
}

impl Route {
    /// Opens it.
    #[must_use]
    pub fn open() -> Self {
        Self { stream: get_stderr() }
    }

    /// What a component is told about a call. Sessions are the service's own, and so is the request of HTTP: neither is told.
    #[must_use]
    pub fn call(&self, caller: mcp::Caller) -> MessageContext<'_> {
        MessageContext {
            client_stream: Some(&self.stream),
            protocol_version: caller.revision,
            session: None,
            identity: caller.identity.map(identity),
            frame: MessageFrame {
                prefix: caller.call.into_bytes(),
                suffix: Vec::new(),
            },
            http_context: None,
        }
    }
}

/// What a component is told when the service asks for a list, which is for no client in particular.
#[must_use]
pub fn asking() -> MessageContext<'static> {
    MessageContext {
        client_stream: None,
        protocol_version: REVISION.to_owned(),
        session: None,
        identity: None,
        frame: MessageFrame {
            prefix: Vec::new(),
            suffix: Vec::new(),
        },
        http_context: None,
    }
}

/// The token itself stays with the service, which has verified it: what it claims is told, its text is empty.
fn identity(identity: mcp::Identity) -> Identity {
    let mut claims: Map<String, Value> = serde_json::from_str(&identity.claims).unwrap_or_default();
    for told_already in ["sub", "iss", "scope"] {
        claims.remove(told_already);
    }
    let audience = match claims.remove("aud") {
        Some(Value::Array(several)) => several.into_iter().map(text).collect(),
        one => one.map(text).into_iter().collect(),
    };
    // NumericDate may have a fraction (RFC 7519 §2).
    let mut seconds = |name: &str| {
        let number = claims.remove(name)?;
        number.as_u64().or(number.as_f64().map(|seconds| seconds as u64))
    };
    let (expiration, issued_at, not_before) = (seconds("exp"), seconds("iat"), seconds("nbf"));
    Identity {
        jwt: Vec::new(),
        claims: JwtClaims {
            subject: identity.subject,
            issuer: Some(identity.issuer),
            audience,
            expiration,
            issued_at,
            not_before,
            jwt_id: claims.remove("jti").map(text),
            scopes: identity.scopes,
            confirmation: claims.remove("cnf").map(|mut confirmation| {
                let mut member = |name: &str| confirmation.get_mut(name).map(|value| text(value.take()));
                TokenConfirmation {
                    x5t_s256: member("x5t#S256"),
                    jkt: member("jkt"),
                }
            }),
            custom_claims: claims.into_iter().map(|(name, value)| (name, text(value))).collect(),
        },
    }
}

/// A string as it is, anything else as JSON.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_told_by_their_names_and_the_others_as_text() {
        let told = identity(mcp::Identity {
            subject: "ada".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            scopes: vec!["read".to_owned()],
            claims: r#"{"sub":"ada","iss":"https://issuer.example","scope":"read","aud":["a","b"],"exp":12.5,"jti":"7",
                "cnf":{"jkt":"k"},"admin":true,"team":"x"}"#
                .to_owned(),
        });
        assert!(told.jwt.is_empty());
        let claims = told.claims;
        assert_eq!(
            (claims.subject.as_str(), claims.issuer.as_deref()),
            ("ada", Some("https://issuer.example"))
        );
        assert_eq!(claims.audience, ["a", "b"]);
        assert_eq!((claims.expiration, claims.issued_at), (Some(12), None));
        assert_eq!(claims.jwt_id.as_deref(), Some("7"));
        assert_eq!(claims.scopes, ["read"]);
        assert_eq!(
            claims
                .confirmation
                .map(|confirmation| (confirmation.x5t_s256, confirmation.jkt)),
            Some((None, Some("k".to_owned())))
        );
        let custom = [("admin", "true"), ("team", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(claims.custom_claims, custom);
    }
}
