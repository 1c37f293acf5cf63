//! Headers that repeat the body for those that do not read it (2026-07-28 §Request Metadata). They must say the same.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::RpcError;
use crate::jsonrpc::message::Params;

/// The prefix of headers that repeat an argument, in lower case.
pub const PARAMETER: &str = "mcp-param-";

/// Whole numbers in headers are those that JavaScript can tell apart.
const SAFE: i64 = (1 << 53) - 1;

/// What the headers of a request say. Names are in lower case, values as they came.
#[derive(Clone, Debug, Default)]
pub struct RequestHeaders {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`.
    pub name: Option<String>,
    /// Those that begin with [`PARAMETER`], by their whole name.
    pub parameters: HashMap<String, String>,
}

/// An argument of a tool that a header repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Where it is in the arguments.
    path: Vec<String>,
    /// The header's name in lower case.
    header: String,
}

impl RequestHeaders {
    /// Checks what every request repeats.
    ///
    /// # Errors
    /// A header is missing, or says something else than the body.
    pub fn check(&self, version: &str, method: &str, params: &Params) -> Result<(), RpcError> {
        same("MCP-Protocol-Version", self.version.as_deref(), version, false)?;
        same("Mcp-Method", self.method.as_deref(), method, false)?;
        let named = match method {
            "tools/call" | "prompts/get" => params.get("name"),
            "resources/read" => params.get("uri"),
            "tasks/get" | "tasks/update" | "tasks/cancel" => params.get("taskId"),
            _ => return Ok(()),
        };
        match named.and_then(Value::as_str) {
            Some(name) => same("Mcp-Name", self.name.as_deref(), name, true),
            None => Ok(()),
        }
    }

    /// Checks the arguments that a tool wants repeated.
    ///
    /// # Errors
    /// A header is missing, malformed, superfluous, or says something else than the body.
    pub fn check_arguments(&self, repeated: &[Repeated], arguments: &Value) -> Result<(), RpcError> {
        for Repeated { path, header } in repeated {
            let value = path.iter().try_fold(arguments, |value, key| value.get(key));
            let told = self.parameters.get(header);
            let expected = match value {
                None | Some(Value::Null) => {
                    // 2026-07-28 §Server Behavior for Custom Headers: the server must not expect it.
                    continue;
                }
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(Value::Number(number)) => {
                    let told = told.ok_or_else(|| missing(header))?;
                    let (told, body) = (decode(header, told)?.parse::<f64>().ok(), number.as_f64());
                    if told.is_none() || told != body {
                        return Err(RpcError::header(format!(
                            "{header} does not say {number}, as the body does"
                        )));
                    }
                    continue;
                }
                // No primitive: the schema of the arguments says what is wrong.
                Some(_) => continue,
            };
            same(header, told.map(String::as_str), &expected, true)?;
        }
        Ok(())
    }
}

fn missing(header: &str) -> RpcError {
    RpcError::header(format!("the header {header} is missing"))
}

fn same(header: &str, told: Option<&str>, body: &str, encoded: bool) -> Result<(), RpcError> {
    let told = told.ok_or_else(|| missing(header))?;
    let told = if encoded {
        decode(header, told)?
    } else {
        trim(told).to_owned()
    };
    if told == body {
        Ok(())
    } else {
        Err(RpcError::header(format!("{header} says {told:?}, the body {body:?}")))
    }
}

fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// The value that a header stands for: itself, or what is in its Base64.
fn decode(header: &str, value: &str) -> Result<String, RpcError> {
    let value = trim(value);
    let inner = value
        .strip_prefix("=?base64?")
        .and_then(|value| value.strip_suffix("?="));
    let Some(inner) = inner else {
        let plain = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        let wrong = || RpcError::header(format!("{header} has characters that must be encoded"));
        return if plain { Ok(value.to_owned()) } else { Err(wrong()) };
    };
    let wrong = || RpcError::header(format!("{header} is not the Base64 of a text"));
    let bytes = STANDARD.decode(inner).map_err(|_| wrong())?;
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The arguments that a tool's schema wants repeated.
///
/// # Errors
/// An annotation breaks a rule of 2026-07-28 §Schema Extension, in words.
pub fn repeated(schema: &Value) -> Result<Vec<Repeated>, String> {
    let mut found = Vec::new();
    properties(schema, &mut Vec::new(), &mut found)?;
    let mut names: Vec<&str> = found
        .iter()
        .map(|repeated: &Repeated| repeated.header.as_str())
        .collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    }) {
        return Err(format!("x-mcp-header names {twice} twice"));
    }
    if annotations(schema) != found.len() {
        return Err("x-mcp-header stands where no chain of \"properties\" leads".to_owned());
    }
    Ok(found)
}

fn properties(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Repeated>) -> Result<(), String> {
    let Some(properties_) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, property) in properties_ {
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header") {
            let header = header.as_str().filter(|header| is_token(header));
            let header = header.ok_or_else(|| format!("x-mcp-header of {name:?} is no name for a header"))?;
            let kind = property.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer" | "boolean")) {
                return Err(format!(
                    "x-mcp-header of {name:?}: only a string, an integer or a boolean can be repeated"
                ));
            }
            let bounds = ["minimum", "maximum"].map(|bound| property.get(bound).and_then(Value::as_i64));
            if bounds.into_iter().flatten().any(|bound| bound.abs() > SAFE) {
                return Err(format!(
                    "x-mcp-header of {name:?}: its range must be within ±(2^53 - 1)"
                ));
            }
            found.push(Repeated {
                path: path.clone(),
                header: format!("{PARAMETER}{}", header.to_ascii_lowercase()),
            });
        }
        properties(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// How many annotations there are anywhere.
fn annotations(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match name.as_str() {
                "x-mcp-header" => 1,
                // Values, not schemas.
                "default" | "const" | "enum" | "examples" => 0,
                "properties" => value
                    .as_object()
                    .map_or(0, |properties| properties.values().map(annotations).sum()),
                _ => annotations(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(annotations).sum(),
        _ => 0,
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> RequestHeaders {
        let parameters = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        RequestHeaders {
            parameters: parameters.collect(),
            ..RequestHeaders::default()
        }
    }

    #[test]
    fn values_are_compared_decoded() {
        for (header, body) in [
            ("us-west1", "us-west1"),
            ("  padded\t", "padded"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("SGVsbG8=", "SGVsbG8="),
            ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
            ("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?="),
        ] {
            assert_eq!(same("h", Some(header), body, true), Ok(()), "{header}");
        }
        for header in [
            "=?base64?SGVsbG8?=",
            "=?base64?SGVs!!!bG8=?=",
            "=?base64?/w==?=",
            "hellö",
            "a\u{7f}",
            "",
        ] {
            let error = same("h", Some(header), "Hello", true).unwrap_err();
            assert_eq!((error.code, error.status), (-32_020, 400), "{header}");
        }
        assert!(same("Mcp-Method", Some("TOOLS/LIST"), "tools/list", false).is_err());
        assert!(same("Mcp-Method", None, "tools/list", false).is_err());
    }

    #[test]
    fn arguments_are_repeated_as_the_schema_says() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "flag": {"type": "boolean", "x-mcp-header": "Flag"},
        }});
        let repeated = repeated(&schema).unwrap();
        let arguments = json!({"region": "eu", "deep": {"n": 42}, "flag": true});
        let all = [
            ("mcp-param-region", "eu"),
            ("mcp-param-n", "42.0"),
            ("mcp-param-flag", "true"),
        ];
        assert_eq!(headers(&all).check_arguments(&repeated, &arguments), Ok(()));
        assert!(headers(&all[1..]).check_arguments(&repeated, &arguments).is_err());
        assert_eq!(
            headers(&[]).check_arguments(&repeated, &json!({"region": null})),
            Ok(())
        );
        assert!(
            headers(&[("mcp-param-n", "43")])
                .check_arguments(&repeated, &json!({"deep": {"n": 42}}))
                .is_err()
        );
    }

    #[test]
    fn annotations_that_break_a_rule_are_refused() {
        let property = |value: Value| json!({"properties": {"a": value}});
        for schema in [
            property(json!({"type": "string", "x-mcp-header": ""})),
            property(json!({"type": "string", "x-mcp-header": "a b"})),
            property(json!({"type": "string", "x-mcp-header": "a\r\nb"})),
            property(json!({"type": "string", "x-mcp-header": 1})),
            property(json!({"type": "number", "x-mcp-header": "A"})),
            property(json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}})),
            json!({"anyOf": [property(json!({"type": "string", "x-mcp-header": "A"}))]}),
            json!({"properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }}),
        ] {
            assert!(repeated(&schema).is_err(), "{schema}");
        }
        assert_eq!(repeated(&property(json!({"default": {"x-mcp-header": 1}}))), Ok(vec![]));
    }
}
