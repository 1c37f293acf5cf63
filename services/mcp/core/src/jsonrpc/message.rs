//! What a client may send, and what is wrong with it otherwise.

use serde_json::{Map, Value};

use super::Id;
use crate::error::{PARSE_ERROR, RpcError};

/// No batch has more messages: each is answered, and a few bytes would ask for a lot.
const BATCH: usize = 100;

/// The parameters of a request or a notification.
pub type Params = Map<String, Value>;

/// What came in one line, or in the body of one HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// One message.
    One(Result<Message, Malformed>),
    /// An array of at least one and at most a hundred.
    Batch(Vec<Result<Message, Malformed>>),
}

/// A message of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It waits for a response.
    Request {
        /// Which response is meant for it.
        id: Id,
        /// What is to be done.
        method: String,
        /// How; empty if there are none.
        params: Params,
    },
    /// Nobody answers it.
    Notification {
        /// What happened.
        method: String,
        /// More of it; empty if there are none.
        params: Params,
    },
    /// The answer to a request of the server.
    Response {
        /// The request's id.
        id: Id,
        /// Its result, or the error's code and message.
        outcome: Result<Value, RpcError>,
    },
}

/// What is no message.
#[derive(Clone, Debug, PartialEq)]
pub struct Malformed {
    /// The id, as far as it can be told.
    pub id: Option<Id>,
    /// What is wrong.
    pub error: RpcError,
}

impl Malformed {
    fn new(id: Option<Id>, what: impl Into<String>) -> Self {
        Self {
            id,
            error: RpcError::request(what),
        }
    }
}

/// Reads what came in one line or body.
pub fn parse(bytes: &[u8]) -> Incoming {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            let message = match std::str::from_utf8(bytes) {
                Ok(_) => format!("not JSON: {error}"),
                Err(error) => format!("not UTF-8: {error}"),
            };
            let error = RpcError::new(PARSE_ERROR, message).with_status(400);
            return Incoming::One(Err(Malformed { id: None, error }));
        }
    };
    match value {
        Value::Array(values) if values.is_empty() => Incoming::One(Err(Malformed::new(None, "an empty batch"))),
        Value::Array(values) if values.len() > BATCH => {
            let what = format!("a batch of {} messages: {BATCH} at most", values.len());
            Incoming::One(Err(Malformed::new(None, what)))
        }
        Value::Array(values) => Incoming::Batch(values.into_iter().map(message).collect()),
        value => Incoming::One(message(value)),
    }
}

fn message(value: Value) -> Result<Message, Malformed> {
    let Value::Object(mut members) = value else {
        return Err(Malformed::new(None, "a message must be an object"));
    };
    let id = members.remove("id");
    let known = id.as_ref().and_then(Id::from_value);
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(Malformed::new(known, "\"jsonrpc\" must be \"2.0\""));
    }
    if id.is_some() && known.is_none() {
        return Err(Malformed::new(
            None,
            "\"id\" must be a string or a whole number of 64 bits",
        ));
    }
    match members.remove("method") {
        Some(Value::String(method)) => {
            let params = params(members.remove("params"), known.as_ref())?;
            Ok(match known {
                Some(id) => Message::Request { id, method, params },
                None => Message::Notification { method, params },
            })
        }
        Some(_) => Err(Malformed::new(known, "\"method\" must be a string")),
        None => response(known, members),
    }
}

fn params(params: Option<Value>, id: Option<&Id>) -> Result<Params, Malformed> {
    match params {
        None => Ok(Params::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(Malformed {
            id: id.cloned(),
            error: RpcError::params("\"params\" must be an object").with_status(400),
        }),
    }
}

fn response(id: Option<Id>, mut members: Map<String, Value>) -> Result<Message, Malformed> {
    let outcome = match (members.remove("result"), members.remove("error")) {
        (Some(result @ Value::Object(_)), None) => Ok(result),
        (Some(_), None) => return Err(Malformed::new(id, "\"result\" must be an object")),
        (None, Some(Value::Object(error))) => Err(error_of(&error)),
        (None, Some(_)) => return Err(Malformed::new(id, "\"error\" must be an object")),
        (Some(_), Some(_)) => return Err(Malformed::new(id, "a response has either \"result\" or \"error\"")),
        (None, None) => return Err(Malformed::new(id, "neither \"method\" nor \"result\" nor \"error\"")),
    };
    let Some(id) = id else {
        // An error response to what could not be read. Nothing of ours is without an id, so nobody waits for it.
        return Err(Malformed::new(None, "a response must have an \"id\""));
    };
    Ok(Message::Response { id, outcome })
}

fn error_of(error: &Map<String, Value>) -> RpcError {
    let code = error.get("code").and_then(Value::as_i64);
    let code = code.and_then(|code| i32::try_from(code).ok()).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut told = RpcError::new(code, message);
    told.data = error.get("data").cloned();
    told
}
