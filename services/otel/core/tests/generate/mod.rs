//! Requests with every field of every message, and values at random.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use mainstay_otel_core::wire::schema::{FieldType, Kind, Message};
use mainstay_otel_core::wire::{put_bytes, put_fixed32, put_fixed64, put_key, put_varint};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What is left out at random, and how deep values are nested.
pub struct Generator {
    random: StdRng,
    /// The chance of a field to be there.
    pub density: f64,
    /// Of each repeated message at most so many.
    pub width: usize,
}

/// Fields of which a message has one at most.
const ONEOFS: [(&str, &[u32]); 4] = [
    ("AnyValue", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("Metric", &[5, 7, 9, 10, 11]),
    ("NumberDataPoint", &[4, 6]),
    ("Exemplar", &[3, 6]),
];

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            density: 0.8,
            width: 3,
        }
    }

    /// A message in protobuf.
    pub fn message(&mut self, message: &'static Message) -> Vec<u8> {
        self.at(message, 0)
    }

    fn at(&mut self, message: &'static Message, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let oneof = ONEOFS
            .iter()
            .find(|(name, _)| *name == message.name)
            .map(|(_, numbers)| *numbers);
        let chosen = oneof.map(|numbers| numbers[self.random.random_range(0..numbers.len())]);
        for field in message.fields {
            let times = match oneof {
                // Which of them is there is chance, that one is there is not.
                Some(numbers) if numbers.contains(&field.number) => usize::from(chosen == Some(field.number)),
                _ if self.random.random_bool(self.density) => {
                    let most = if field.repeated { self.width } else { 1 };
                    self.random.random_range(1..=most)
                }
                _ => 0,
            };
            for _ in 0..times {
                self.put(&mut out, field, depth);
            }
        }
        out
    }

    fn put(&mut self, out: &mut Vec<u8>, field: &'static FieldType, depth: usize) {
        let number = field.number;
        let varint = |out: &mut Vec<u8>, value| {
            put_key(out, number, 0);
            put_varint(out, value);
        };
        match field.kind {
            // Prost reads any other value than 0 and 1 as 1, and so do we.
            Kind::Bool => varint(out, 1),
            Kind::Int32 => varint(out, i64::from(self.random.random_range(1..24)) as u64),
            Kind::Uint32 | Kind::Sint32 => varint(out, u64::from(self.random.random::<u32>())),
            Kind::Int64 | Kind::Uint64 => varint(out, self.random.random()),
            Kind::Fixed32 => put_fixed32(out, number, self.random.random()),
            Kind::Fixed64 | Kind::Sfixed64 => put_fixed64(out, number, self.random.random()),
            Kind::Double => {
                let value = match self.random.random_range(0..8) {
                    0 => f64::INFINITY,
                    1 => f64::NEG_INFINITY,
                    2 => 0.1,
                    _ => self.random.random_range(-1e300..1e300),
                };
                put_fixed64(out, number, value.to_bits());
            }
            Kind::String => put_bytes(out, number, self.text().as_bytes()),
            Kind::Bytes => {
                let length = self.random.random_range(1..20);
                let bytes: Vec<u8> = (0..length).map(|_| self.random.random()).collect();
                put_bytes(out, number, &bytes);
            }
            Kind::Id => {
                let bytes: [u8; 16] = self.random.random();
                let length = if field.name.ends_with("traceId") { 16 } else { 8 };
                put_bytes(out, number, &bytes[..length]);
            }
            Kind::Message(inner) => {
                // A value in a value, and so on, has to end.
                let content = if depth > 10 {
                    Vec::new()
                } else {
                    self.at(inner, depth + 1)
                };
                put_bytes(out, number, &content);
            }
        }
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 8] = ["http.route", "\"quoted\"", "zażółć", "日本", "\\", "\u{0}\n", "🦀", "a"];
        let count = self.random.random_range(1..4);
        (0..count)
            .map(|_| PARTS[self.random.random_range(0..PARTS.len())])
            .collect()
    }
}
