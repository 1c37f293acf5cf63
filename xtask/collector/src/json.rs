//! OTLP's JSON, by reflection: protobuf's own mapping, but for ids, which OTLP writes in hexadecimal digits, and enums,
//! which it writes as numbers (OTLP, JSON Protobuf Encoding).

use std::sync::LazyLock;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::Signal;

static POOL: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).map_err(|error| format!("OTLP's descriptors: {error}"))
});

/// The fields that hold ids. No other field of OTLP has such a name; the keys of attributes are values in JSON too.
const IDS: [&str; 3] = ["traceId", "spanId", "parentSpanId"];

/// The description of a signal's request.
///
/// # Errors
/// The descriptors do not have it.
pub fn descriptor(signal: Signal) -> Result<MessageDescriptor> {
    let pool = POOL.as_ref().map_err(anyhow::Error::msg)?;
    let name = signal.message();
    pool.get_message_by_name(name)
        .with_context(|| format!("OTLP's descriptors have no {name}"))
}

/// A request as OTLP/HTTP writes it in JSON.
///
/// # Errors
/// None of a message of OTLP.
pub fn write(message: &DynamicMessage) -> Result<Vec<u8>> {
    let options = SerializeOptions::new().use_enum_numbers(true);
    let mut value = message.serialize_with_options(serde_json::value::Serializer, &options)?;
    each_id(&mut value, &|id| {
        Some(
            STANDARD
                .decode(id)
                .ok()?
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    });
    Ok(serde_json::to_vec(&value)?)
}

/// A request from OTLP's JSON. Fields that OTLP does not have are passed over, as it demands.
///
/// # Errors
/// What is wrong with it.
pub fn parse(signal: Signal, text: &[u8]) -> Result<DynamicMessage> {
    let mut value: Value = serde_json::from_slice(text).context("the body is not JSON")?;
    each_id(&mut value, &|id| Some(STANDARD.encode(bytes(id)?)));
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(descriptor(signal)?, value, &options);
    message.with_context(|| format!("the body is no request with {signal}"))
}

/// Rewrites every id. One that does not read stays, and is found to be wrong later.
fn each_id(value: &mut Value, rewrite: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_id(value, rewrite)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(id) if IDS.contains(&name.as_str()) => {
                        if let Some(rewritten) = rewrite(id) {
                            *id = rewritten;
                        }
                    }
                    value => each_id(value, rewrite),
                }
            }
        }
        _ => {}
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = digits
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}
