//! Which traces are kept. The policies are those of the Collector's tail sampling processor.

use std::time::Duration;

use crate::resource::bytes_of;
use crate::sampling::SpanView;
use crate::wire::{Fields, Value};

/// What makes a trace worth keeping.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// It is there.
    Always,
    /// From its first start to its last end it took so long, or longer.
    Latency(Duration),
    /// One of its spans has one of these codes: 0 unset, 1 ok, 2 error.
    Status(Vec<u64>),
    /// Fewer than so many spans were kept in this second by this policy.
    Rate(u64),
    /// Chance, with this probability.
    Probability(f64),
    /// One of its spans, or their resource, has this attribute with one of these texts; with none, with any value.
    Attribute(Attribute),
    /// Several, in order, that share a rate.
    Composite(Composite),
}

/// An attribute to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its key.
    pub key: String,
    /// Texts, whole numbers or `true` and `false`.
    pub values: Vec<String>,
}

/// Several policies that share a rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// Spans a second, for all of them.
    pub spans_per_second: u64,
    /// Each with its share of the rate, from 0 to 1. The first that wants a trace and has something left keeps it.
    pub parts: Vec<(Policy, f64)>,
}

/// What is known of a trace.
#[derive(Debug, Default)]
pub(super) struct Facts {
    spans: usize,
    start: Option<u64>,
    end: u64,
    /// A bit for each status code that was seen.
    statuses: u8,
    /// Which attributes were seen, in the order in which the policies have them.
    attributes: Vec<bool>,
}

impl Facts {
    pub(super) fn spans(&self) -> usize {
        self.spans
    }

    pub(super) fn learn(&mut self, policies: &[Policy], span: &SpanView<'_>, resource: &[u8]) {
        self.spans += 1;
        self.start = Some(self.start.map_or(span.start, |start| start.min(span.start)));
        self.end = self.end.max(span.end);
        self.statuses |= 1 << span.status.min(7);
        let mut index = 0;
        each_attribute(policies, &mut |wanted| {
            if self.attributes.len() <= index {
                self.attributes.push(false);
            }
            if let Some(seen) = self.attributes.get_mut(index) {
                *seen = *seen || wanted.is_in(span.attributes()) || wanted.is_in(of_resource(resource));
            }
            index += 1;
        });
    }
}

/// The attributes of policies, those inside of composites too, in a fixed order.
fn each_attribute(policies: &[Policy], visit: &mut dyn FnMut(&Attribute)) {
    for policy in policies {
        match policy {
            Policy::Attribute(attribute) => visit(attribute),
            Policy::Composite(composite) => {
                for (part, _) in &composite.parts {
                    each_attribute(std::slice::from_ref(part), visit);
                }
            }
            _ => {}
        }
    }
}

const ATTRIBUTES: u32 = 1;

fn of_resource(resource: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields::new(resource)
        .filter_map(Result::ok)
        .filter_map(|field| match (field.number, field.value) {
            (ATTRIBUTES, Value::Bytes(attribute)) => Some(attribute),
            _ => None,
        })
}

impl Attribute {
    fn is_in<'a>(&self, mut attributes: impl Iterator<Item = &'a [u8]>) -> bool {
        attributes.any(|attribute| {
            bytes_of(attribute, 1) == Some(self.key.as_bytes())
                && (self.values.is_empty() || bytes_of(attribute, 2).is_some_and(|value| self.has_value(value)))
        })
    }

    fn has_value(&self, any_value: &[u8]) -> bool {
        Fields::new(any_value).filter_map(Result::ok).any(|field| {
            let text = match (field.number, field.value) {
                (1, Value::Bytes(text)) => return self.values.iter().any(|value| value.as_bytes() == text),
                (2, Value::Varint(flag)) => (flag != 0).to_string(),
                (3, Value::Varint(number)) => (number as i64).to_string(),
                _ => return false,
            };
            self.values.contains(&text)
        })
    }
}

/// What was kept in this second, for each policy that has a rate.
#[derive(Debug)]
pub(super) struct Budgets {
    second: u64,
    /// In the order in which the policies have them.
    kept: Vec<u64>,
}

impl Budgets {
    pub(super) fn new(policies: &[Policy]) -> Self {
        let rates = policies.iter().map(|policy| match policy {
            Policy::Composite(composite) => 1 + composite.parts.len() * 2,
            _ => 1,
        });
        Self {
            second: 0,
            kept: vec![0; rates.sum()],
        }
    }

    /// Whether any policy wants the trace.
    pub(super) fn keep(
        &mut self,
        policies: &[Policy],
        facts: &Facts,
        now: Duration,
        random: &mut dyn FnMut() -> f64,
    ) -> bool {
        if self.second != now.as_secs() {
            self.second = now.as_secs();
            self.kept.fill(0);
        }
        let mut place = Place::default();
        let mut keep = false;
        // All are asked, so that each counts in its own place.
        for policy in policies {
            keep |= self.wants(policy, facts, &mut place, random);
        }
        keep
    }

    fn wants(&mut self, policy: &Policy, facts: &Facts, place: &mut Place, random: &mut dyn FnMut() -> f64) -> bool {
        let budget = place.budget;
        place.budget += 1;
        match policy {
            Policy::Always => true,
            Policy::Latency(threshold) => {
                let took = facts.end.saturating_sub(facts.start.unwrap_or(facts.end));
                Duration::from_nanos(took) >= *threshold
            }
            Policy::Status(codes) => codes.iter().any(|code| facts.statuses & (1 << code.min(&7)) != 0),
            Policy::Rate(rate) => self.spend(budget, *rate, facts.spans),
            Policy::Probability(probability) => random() < *probability,
            Policy::Attribute(_) => {
                let index = place.attribute;
                place.attribute += 1;
                facts.attributes.get(index).copied().unwrap_or(false)
            }
            Policy::Composite(composite) => {
                let mut keep = false;
                for (part, share) in &composite.parts {
                    let wants = self.wants(part, facts, place, random);
                    let budget = place.budget;
                    place.budget += 1;
                    let allowed = (composite.spans_per_second as f64 * share) as u64;
                    keep = keep || (wants && self.spend(budget, allowed, facts.spans));
                }
                keep
            }
        }
    }

    fn spend(&mut self, budget: usize, rate: u64, spans: usize) -> bool {
        let Some(kept) = self.kept.get_mut(budget) else {
            return false;
        };
        let after = *kept + spans as u64;
        if after > rate {
            return false;
        }
        *kept = after;
        true
    }
}

/// Where the walk over the policies is.
#[derive(Default)]
struct Place {
    budget: usize,
    attribute: usize,
}
