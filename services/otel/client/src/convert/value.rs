//! Values: JSON on one side, `AnyValue` on the other.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::types;

/// What marks a string of JSON as bytes.
const BYTES: &str = "data:application/octet-stream;base64,";

/// Attributes, in their order.
pub fn attributes(attributes: Vec<types::KeyValue>) -> Vec<KeyValue> {
    attributes
        .into_iter()
        .map(|attribute| key_value(attribute.key, any_value(attribute.value)))
        .collect()
}

/// A value. Text that is not JSON stands for itself: some callers do not quote.
pub fn any_value(json: String) -> AnyValue {
    match serde_json::from_str::<Parsed>(&json) {
        Ok(Parsed(value)) => AnyValue { value },
        Err(_) => AnyValue {
            value: Some(Value::StringValue(json)),
        },
    }
}

fn key_value(key: String, value: AnyValue) -> KeyValue {
    KeyValue {
        key,
        value: Some(value),
        ..KeyValue::default()
    }
}

/// A value read from JSON directly, so that maps keep their order and integers their type.
struct Parsed(Option<Value>);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson).map(Parsed)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::BoolValue(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::IntValue(value)))
    }

    /// An integer that 64 bits with a sign do not hold is text (OpenTelemetry: common, mapping to AnyValue, integers).
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(match i64::try_from(value) {
            Ok(value) => Value::IntValue(value),
            Err(_) => Value::StringValue(value.to_string()),
        }))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::DoubleValue(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        let bytes = value.strip_prefix(BYTES).and_then(|coded| STANDARD.decode(coded).ok());
        Ok(Some(match bytes {
            Some(bytes) => Value::BytesValue(bytes),
            None => Value::StringValue(value.to_owned()),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Parsed(value)) = sequence.next_element()? {
            values.push(AnyValue { value });
        }
        Ok(Some(Value::ArrayValue(ArrayValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some((key, Parsed(value))) = map.next_entry()? {
            values.push(key_value(key, AnyValue { value }));
        }
        Ok(Some(Value::KvlistValue(KeyValueList { values })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Option<Value> {
        any_value(json.to_owned()).value
    }

    fn array(values: Vec<Option<Value>>) -> Option<Value> {
        let values = values.into_iter().map(|value| AnyValue { value }).collect();
        Some(Value::ArrayValue(ArrayValue { values }))
    }

    #[test]
    fn each_type_of_json_has_its_type_of_value() {
        let text = |text: &str| Some(Value::StringValue(text.to_owned()));
        let cases = [
            (r#""a \"b\" \u00e9""#, text("a \"b\" é")),
            (r#""""#, text("")),
            ("true", Some(Value::BoolValue(true))),
            ("-9223372036854775808", Some(Value::IntValue(i64::MIN))),
            ("9223372036854775807", Some(Value::IntValue(i64::MAX))),
            ("18446744073709551615", text("18446744073709551615")),
            ("1.0", Some(Value::DoubleValue(1.0))),
            ("1e300", Some(Value::DoubleValue(1e300))),
            ("null", None),
            ("[]", array(Vec::new())),
            (
                "[1, [2.5], null]",
                array(vec![
                    Some(Value::IntValue(1)),
                    array(vec![Some(Value::DoubleValue(2.5))]),
                    None,
                ]),
            ),
            (
                r#""data:application/octet-stream;base64,AAH/""#,
                Some(Value::BytesValue(vec![0, 1, 255])),
            ),
            // Not what it says it is, so it is text.
            (
                r#""data:application/octet-stream;base64,?""#,
                text("data:application/octet-stream;base64,?"),
            ),
            // Not JSON.
            ("plain text", text("plain text")),
            ("", text("")),
            ("1 2", text("1 2")),
        ];
        for (json, expected) in cases {
            assert_eq!(value(json), expected, "{json}");
        }
    }

    #[test]
    fn a_map_keeps_its_order_and_what_it_says_twice() {
        let Some(Value::KvlistValue(list)) = value(r#"{"z": 1, "a": {"b": true}, "z": 2}"#) else {
            panic!("not a map");
        };
        let keys: Vec<&str> = list.values.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["z", "a", "z"]);
    }

    #[test]
    fn floats_come_out_as_they_went_in() {
        for float in [
            0.1 + 0.2,
            f64::MIN_POSITIVE,
            f64::MAX,
            -1.7976931348623155e308,
            5e-324,
            1.0 / 3.0,
        ] {
            assert_eq!(
                value(&serde_json::to_string(&float).unwrap()),
                Some(Value::DoubleValue(float))
            );
        }
    }

    #[test]
    fn nesting_without_end_is_text_and_no_overflow() {
        let deep = "[".repeat(100_000);
        assert_eq!(value(&deep), Some(Value::StringValue(deep)));
    }
}
