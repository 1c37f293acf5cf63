//! Requests with and without a token, and what they may do.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

use super::{Invalid, Verifier};
use crate::engine::Identity;
use crate::error::RpcError;
use crate::http::{Head, Response};

/// Lets in those who have a token.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What a token has to be.
    pub verifier: Verifier,
    /// Scopes that every request needs.
    pub scopes: Vec<String>,
    /// Scopes that a tool needs beside them, by its name.
    pub tools: BTreeMap<String, Vec<String>>,
    /// What clients are told about this server.
    pub resource: Resource,
}

/// What clients are told about a protected server (RFC 9728).
#[derive(Clone, Debug)]
pub struct Resource {
    /// The URL of the endpoint, as clients know it.
    pub url: String,
    /// The URLs of those who issue tokens for it.
    pub authorization_servers: Vec<String>,
}

impl Resource {
    /// The path at which its metadata is (RFC 9728 §3.1): before the endpoint's own.
    pub fn metadata_path(&self) -> String {
        format!(
            "/.well-known/oauth-protected-resource{}",
            self.path().trim_end_matches('/')
        )
    }

    fn path(&self) -> &str {
        let after = self.url.split_once("://").map_or("", |(_, rest)| rest);
        after
            .split_once('/')
            .map_or("", |(host, _)| after.strip_prefix(host).unwrap_or_default())
    }

    fn metadata_url(&self) -> String {
        let origin = self.url.strip_suffix(self.path()).unwrap_or(&self.url);
        format!("{origin}{}", self.metadata_path())
    }
}

fn bearer(head: &Head) -> Option<&str> {
    let (scheme, token) = head.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl Guard {
    /// The metadata, if this is a request for it. Nobody needs a token for that.
    pub fn metadata(&self, head: &Head) -> Option<Response> {
        let asked = head.path == self.resource.metadata_path() || head.path == "/.well-known/oauth-protected-resource";
        if head.method != "GET" || !asked {
            return None;
        }
        let mut scopes = self.scopes.clone();
        scopes.extend(self.tools.values().flatten().cloned());
        scopes.sort_unstable();
        scopes.dedup();
        let metadata = json!({
            "resource": self.resource.url,
            "authorization_servers": self.resource.authorization_servers,
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        });
        Some(Response::json(200, metadata.to_string()))
    }

    /// Whether a request's token names a key that is not known.
    pub fn lacks_key_of(&self, head: &Head) -> bool {
        bearer(head).is_some_and(|token| self.verifier.lacks_key_of(token))
    }

    /// Who asks. `now` in seconds since 1970.
    ///
    /// # Errors
    /// Nobody who is let in, with this response.
    pub fn identify(&self, head: &Head, now: u64) -> Result<Rc<Identity>, Response> {
        let Some(token) = bearer(head) else {
            return Err(self.challenge(401, None, "a bearer token is needed", &self.scopes));
        };
        if self.verifier.keys.is_empty() {
            let error = RpcError::request("the keys of the issuer are not known yet");
            return Err(Response::refusal(503, &error));
        }
        let identity = self.verifier.verify(token, now).map_err(|invalid: Invalid| {
            self.challenge(401, Some("invalid_token"), &invalid.to_string(), &self.scopes)
        })?;
        self.check(&identity, &self.scopes)?;
        Ok(Rc::new(identity))
    }

    /// Whether somebody may do what a body asks for: each tool may need scopes of its own.
    ///
    /// # Errors
    /// Not with the scopes of this token, with this response.
    pub fn permit(&self, identity: &Identity, body: &[u8]) -> Result<(), Response> {
        if self.tools.is_empty() {
            return Ok(());
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Ok(());
        };
        let messages = match &body {
            Value::Array(messages) => messages.as_slice(),
            message => std::slice::from_ref(message),
        };
        for message in messages {
            let tool = message
                .get("params")
                .and_then(|params| params.get("name"))
                .and_then(Value::as_str);
            if message.get("method").and_then(Value::as_str) == Some("tools/call")
                && let Some(scopes) = tool.and_then(|tool| self.tools.get(tool))
            {
                self.check(identity, scopes)?;
            }
        }
        Ok(())
    }

    fn check(&self, identity: &Identity, scopes: &[String]) -> Result<(), Response> {
        if scopes.iter().all(|scope| identity.scopes.contains(scope)) {
            return Ok(());
        }
        // What was needed before is needed still: clients ask for all of it (2025-11-25 §Scope Challenge Handling).
        let mut all = self.scopes.clone();
        all.extend(scopes.iter().filter(|scope| !self.scopes.contains(scope)).cloned());
        Err(self.challenge(
            403,
            Some("insufficient_scope"),
            "the token's scopes do not suffice",
            &all,
        ))
    }

    fn challenge(&self, status: u16, error: Option<&str>, message: &str, scopes: &[String]) -> Response {
        let mut header = format!("Bearer resource_metadata=\"{}\"", self.resource.metadata_url());
        if let Some(error) = error {
            header.push_str(&format!(", error=\"{error}\", error_description=\"{message}\""));
        }
        if !scopes.is_empty() {
            header.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
        }
        let mut response = Response::refusal(status, &RpcError::request(message));
        response.headers.push(("www-authenticate", header));
        response
    }
}
