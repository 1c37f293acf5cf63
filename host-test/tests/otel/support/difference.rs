//! Which fields of two messages differ, by reflection, so that no field is forgotten.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

/// How many are told; after so many it is plain that all is different.
const LIMIT: usize = 20;

/// Fails with the fields that differ.
#[track_caller]
pub fn assert_same(what: &str, sent: &DynamicMessage, arrived: &DynamicMessage) {
    let found = differences(sent, arrived);
    assert!(found.is_empty(), "{what} did not arrive as sent:\n{}", found.join("\n"));
}

/// One line for each field that differs: its path, what was sent, what arrived.
pub fn differences(sent: &DynamicMessage, arrived: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    messages("", sent, arrived, &mut found);
    found.truncate(LIMIT);
    found
}

fn messages(path: &str, sent: &DynamicMessage, arrived: &DynamicMessage, found: &mut Vec<String>) {
    for field in sent.descriptor().fields() {
        let path = if path.is_empty() {
            field.name().to_owned()
        } else {
            format!("{path}.{}", field.name())
        };
        match (sent.has_field(&field), arrived.has_field(&field)) {
            (false, false) => {}
            (true, true) => values(&path, &sent.get_field(&field), &arrived.get_field(&field), found),
            (true, false) => found.push(format!("{path}: sent {}, did not arrive", sent.get_field(&field))),
            (false, true) => found.push(format!("{path}: not sent, arrived {}", arrived.get_field(&field))),
        }
    }
    let unknown = |message: &DynamicMessage| message.unknown_fields().map(|field| format!("{field:?}")).collect();
    let (sent, arrived): (Vec<String>, Vec<String>) = (unknown(sent), unknown(arrived));
    if sent != arrived {
        found.push(format!(
            "{path}: fields that OTLP does not have: sent {sent:?}, arrived {arrived:?}"
        ));
    }
}

fn values(path: &str, sent: &Value, arrived: &Value, found: &mut Vec<String>) {
    match (sent, arrived) {
        (Value::Message(sent), Value::Message(arrived)) => messages(path, sent, arrived, found),
        (Value::List(sent), Value::List(arrived)) => {
            for (place, (sent, arrived)) in sent.iter().zip(arrived).enumerate() {
                values(&format!("{path}[{place}]"), sent, arrived, found);
            }
            if sent.len() != arrived.len() {
                found.push(format!("{path}: {} were sent, {} arrived", sent.len(), arrived.len()));
            }
        }
        // Zero has a sign, and what is no number is equal to itself here.
        (Value::F64(sent), Value::F64(arrived)) if sent.to_bits() == arrived.to_bits() => {}
        (Value::F64(sent), Value::F64(arrived)) if sent.is_nan() && arrived.is_nan() => {}
        (Value::F64(sent), Value::F64(arrived)) => found.push(format!("{path}: sent {sent:?}, arrived {arrived:?}")),
        _ if sent == arrived => {}
        _ => found.push(format!("{path}: sent {sent}, arrived {arrived}")),
    }
}
