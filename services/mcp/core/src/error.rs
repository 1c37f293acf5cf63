//! Errors as JSON-RPC tells them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::revision::Revision;

/// Not JSON. JSON-RPC 2.0 §5.1.
pub const PARSE_ERROR: i32 = -32_700;
/// JSON, and no message.
pub const INVALID_REQUEST: i32 = -32_600;
/// Nobody serves this method.
pub const METHOD_NOT_FOUND: i32 = -32_601;
/// The method is served, and its parameters are wrong.
pub const INVALID_PARAMS: i32 = -32_602;
/// A failure of the server or of a component.
pub const INTERNAL_ERROR: i32 = -32_603;
/// There is no such resource; up to 2025-11-25.
pub const RESOURCE_NOT_FOUND: i32 = -32_002;
/// A header does not say what the body says (2026-07-28 §Server Validation).
pub const HEADER_MISMATCH: i32 = -32_020;
/// The client has not declared what a request needs.
pub const MISSING_CLIENT_CAPABILITY: i32 = -32_021;
/// The revision is not served.
pub const UNSUPPORTED_VERSION: i32 = -32_022;

/// The `error` of a response.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// Which kind of error, one of the constants of this module or a component's own.
    pub code: i32,
    /// What happened, in one sentence.
    pub message: String,
    /// More of it, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// The HTTP status of a response that consists of this error.
    #[serde(skip)]
    pub status: u16,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            status: 200,
        }
    }

    /// The same error with data.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The same error for a response that HTTP calls a failure too.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Wrong parameters.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// A method that nobody serves.
    pub fn method(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("there is no method {method:?}"))
    }

    /// What is JSON and no message.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(INVALID_REQUEST, message).with_status(400)
    }

    /// A failure that is not the client's.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL_ERROR, message)
    }

    /// A header and the body disagree.
    pub fn header(message: impl Into<String>) -> Self {
        Self::new(HEADER_MISMATCH, message).with_status(400)
    }

    /// A revision that is not served without a handshake.
    pub fn version(requested: &str) -> Self {
        let supported: Vec<&str> = Revision::stateless().map(Revision::name).collect();
        let message = format!(
            "protocol version {requested:?} is not served, only {}",
            supported.join(", ")
        );
        Self::new(UNSUPPORTED_VERSION, message)
            .with_data(json!({ "supported": supported, "requested": requested }))
            .with_status(400)
    }

    /// The client lacks a capability; `required` is the `ClientCapabilities` that would do.
    pub fn capability(name: &str, required: Value) -> Self {
        Self::new(
            MISSING_CLIENT_CAPABILITY,
            format!("the client has not declared the capability {name:?}, which this request needs"),
        )
        .with_data(json!({ "requiredCapabilities": required }))
        .with_status(400)
    }

    /// There is no such resource.
    pub fn resource(uri: &str, revision: Revision) -> Self {
        let code = if revision.is_stateless() {
            INVALID_PARAMS
        } else {
            RESOURCE_NOT_FOUND
        };
        Self::new(code, format!("there is no resource {uri:?}")).with_data(json!({ "uri": uri }))
    }
}
