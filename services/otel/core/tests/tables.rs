//! The tables of OTLP are those of its own descriptors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};

use mainstay_otel_core::Signal;
use mainstay_otel_core::wire::schema::{Kind, Message};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

fn descriptors() -> BTreeMap<String, DescriptorProto> {
    let files = FileDescriptorSet::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let mut found = BTreeMap::new();
    for file in files.file {
        for message in file.message_type {
            collect(
                &mut found,
                format!(".{}", file.package.clone().unwrap_or_default()),
                message,
            );
        }
    }
    found
}

fn collect(found: &mut BTreeMap<String, DescriptorProto>, outer: String, message: DescriptorProto) {
    let name = format!("{outer}.{}", message.name());
    for nested in message.nested_type.clone() {
        collect(found, name.clone(), nested);
    }
    found.insert(name, message);
}

fn is_kind(field: &FieldDescriptorProto, kind: Kind) -> bool {
    let id = matches!(field.name(), "trace_id" | "span_id" | "parent_span_id");
    match kind {
        Kind::Bool => field.r#type() == Type::Bool,
        Kind::Int32 => matches!(field.r#type(), Type::Int32 | Type::Enum),
        Kind::Int64 => field.r#type() == Type::Int64,
        Kind::Uint32 => field.r#type() == Type::Uint32,
        Kind::Uint64 => field.r#type() == Type::Uint64,
        Kind::Sint32 => field.r#type() == Type::Sint32,
        Kind::Fixed32 => field.r#type() == Type::Fixed32,
        Kind::Fixed64 => field.r#type() == Type::Fixed64,
        Kind::Sfixed64 => field.r#type() == Type::Sfixed64,
        Kind::Double => field.r#type() == Type::Double,
        Kind::String => field.r#type() == Type::String,
        Kind::Bytes => field.r#type() == Type::Bytes && !id,
        Kind::Id => field.r#type() == Type::Bytes && id,
        Kind::Message(_) => field.r#type() == Type::Message,
    }
}

/// Compares a table with its descriptor, and those below it; returns whether attributes and items are in it.
fn compare(
    all: &BTreeMap<String, DescriptorProto>,
    name: &str,
    message: &'static Message,
    seen: &mut BTreeSet<String>,
) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let descriptor = &all[name];
    let short = message.name.rsplit('.').next().unwrap();
    assert_eq!(short, descriptor.name(), "{name}");
    assert_eq!(message.fields.len(), descriptor.field.len(), "{name}");
    for expected in &descriptor.field {
        let number = u32::try_from(expected.number()).unwrap();
        let field = message
            .field(number)
            .unwrap_or_else(|| panic!("{name} lacks {}", expected.name()));
        assert_eq!((field.number, field.name), (number, expected.json_name()), "{name}");
        assert!(std::ptr::eq(message.named(field.name).unwrap(), field));
        assert_eq!(
            field.repeated,
            expected.label() == Label::Repeated,
            "{name}.{}",
            expected.name()
        );
        assert!(
            is_kind(expected, field.kind),
            "{name}.{}: {:?}",
            expected.name(),
            expected.r#type()
        );
        let is_item = matches!(expected.name(), "spans" | "log_records" | "data_points");
        assert_eq!(field.item, is_item, "{name}.{}", expected.name());
        if let Kind::Message(inner) = field.kind {
            compare(all, expected.type_name(), inner, seen);
        }
    }
    let inner = || {
        message.fields.iter().filter_map(|field| match field.kind {
            Kind::Message(inner) => Some((field, inner)),
            _ => None,
        })
    };
    let attributes = inner().any(|(field, inner)| {
        inner.holds_attributes || (inner.name == "KeyValue" && message.name != "KeyValueList" && field.name != "values")
    });
    assert_eq!(message.holds_attributes, attributes, "{name}");
    assert_eq!(
        message.holds_items,
        inner().any(|(field, inner)| field.item || inner.holds_items),
        "{name}"
    );
}

#[test]
fn every_message_and_field_of_the_three_signals_is_there_and_nothing_else() {
    let all = descriptors();
    let mut seen = BTreeSet::new();
    for signal in Signal::ALL {
        let service = signal.grpc_path().trim_start_matches('/').split_once('/').unwrap().0;
        let package = service.rsplit_once('.').unwrap().0;
        for message in [signal.request(), signal.response()] {
            compare(&all, &format!(".{package}.{}", message.name), message, &mut seen);
        }
    }
    // Requests, responses, partial successes, and what they are made of.
    assert_eq!(seen.len(), 40, "{seen:#?}");
}
