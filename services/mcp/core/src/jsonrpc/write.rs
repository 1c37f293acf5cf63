//! What a server sends.

use super::Id;
use crate::error::RpcError;
use crate::object::Object;
use crate::revision::Revision;

/// A response with a result that is JSON already.
pub fn result(id: &Id, result: &str) -> String {
    Object::new()
        .with("jsonrpc", "2.0")
        .with("id", id)
        .raw("result", result)
        .end()
}

/// A response with an error. Where no id is known, JSON-RPC 2.0 §5 wants null, and MCP from 2025-11-25 on wants none.
pub fn error(id: Option<&Id>, error: &RpcError, revision: Option<Revision>) -> String {
    let leave_out = revision.is_none_or(Revision::leaves_out_unknown_id);
    let object = Object::new().with("jsonrpc", "2.0");
    let object = match id {
        Some(id) => object.with("id", id),
        None if leave_out => object,
        None => object.raw("id", "null"),
    };
    object.with("error", error).end()
}

/// A notification.
pub fn notification(method: &str, params: Object) -> String {
    let params = params.end();
    let object = Object::new().with("jsonrpc", "2.0").with("method", method);
    if params == "{}" {
        return object.end();
    }
    object.raw("params", &params).end()
}

/// A request to the client, of a revision that has such.
pub fn request(id: &Id, method: &str, params: &str) -> String {
    let object = Object::new()
        .with("jsonrpc", "2.0")
        .with("id", id)
        .with("method", method);
    object.raw("params", params).end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_known_request_has_no_id_or_null_as_the_revision_wants() {
        let wrong = RpcError::request("what?");
        let told = |revision| error(None, &wrong, revision);
        let without = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"what?"}}"#;
        assert_eq!(told(None), without);
        assert_eq!(told(Some(Revision::V2025_11_25)), without);
        assert_eq!(
            told(Some(Revision::V2025_06_18)),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"what?"}}"#
        );
    }
}
