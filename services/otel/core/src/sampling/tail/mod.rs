//! Whole traces, once their spans are there.
//!
//! - [`policy`]: which traces are kept
//! - `group`: a request as one request for each trace
//!
//! The first span of a trace starts its clock. When the decision wait is over, the policies see what has come: one that wants
//! the trace keeps it. Spans that come later follow the decision for as long as it is remembered. What waits is bounded in
//! traces and in bytes: above that the oldest traces are decided early, with what is there.

mod group;
pub mod policy;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::wire::Malformed;
use crate::wire::schema::Message;
use group::Group;
use policy::{Budgets, Facts, Policy};

/// How traces are sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A trace that any of them wants is kept.
    pub policies: Vec<Policy>,
    /// How long spans are waited for after the first of a trace.
    pub decision_wait: Duration,
    /// Traces that wait.
    pub max_traces: usize,
    /// Bytes that wait.
    pub max_bytes: usize,
}

/// Traces that wait for their decision.
#[derive(Debug)]
pub struct TailSampler {
    settings: Settings,
    traces: HashMap<TraceId, Trace>,
    /// In the order of their first spans.
    order: VecDeque<TraceId>,
    bytes: usize,
    decided: Decided,
    budgets: Budgets,
}

/// 16 bytes of a sender that keeps to the rules.
type TraceId = Box<[u8]>;

#[derive(Debug)]
struct Trace {
    since: Duration,
    request: Vec<u8>,
    facts: Facts,
}

/// What became of a trace, or of spans that came after its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is kept.
    pub keep: bool,
    /// Its spans with their resources and scopes, a request of its own.
    pub request: Vec<u8>,
    /// How many spans they are.
    pub spans: usize,
    /// Decided before its time, for want of room.
    pub early: bool,
}

impl TailSampler {
    /// Nothing waits.
    pub fn new(settings: Settings) -> Self {
        Self {
            budgets: Budgets::new(&settings.policies),
            // What is decided is much smaller than what waits.
            decided: Decided::new(settings.max_traces.saturating_mul(4)),
            settings,
            traces: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes the spans of a request. Returns what is decided by that: spans that come after their decision, and traces that
    /// have to make room. `random` is asked for numbers from 0 to 1.
    ///
    /// # Errors
    /// It is malformed above its spans; nothing of it was taken.
    pub fn add(
        &mut self,
        request: &'static Message,
        bytes: &[u8],
        now: Duration,
        random: &mut dyn FnMut() -> f64,
    ) -> Result<Vec<Decision>, Malformed> {
        let mut decisions = Vec::new();
        for group in group::by_trace(request, bytes)? {
            match self.decided.get(group.trace_id) {
                Some(keep) => {
                    let (request, spans) = (group.request, group.spans.len());
                    decisions.push(Decision {
                        keep,
                        request,
                        spans,
                        early: false,
                    });
                }
                None => self.hold(group, now),
            }
        }
        while self.traces.len() > self.settings.max_traces || self.bytes > self.settings.max_bytes {
            let Some(decision) = self.decide_oldest(now, true, random) else {
                break;
            };
            decisions.push(decision);
        }
        Ok(decisions)
    }

    fn hold(&mut self, group: Group<'_>, now: Duration) {
        self.bytes += group.request.len();
        if !self.traces.contains_key(group.trace_id) {
            self.order.push_back(group.trace_id.into());
        }
        let trace = self.traces.entry(group.trace_id.into()).or_insert_with(|| Trace {
            since: now,
            request: Vec::new(),
            facts: Facts::default(),
        });
        trace.request.extend_from_slice(&group.request);
        for span in &group.spans {
            trace.facts.learn(&self.settings.policies, span, group.resource);
        }
    }

    /// When the next decision is due; never while nothing waits.
    pub fn due(&self) -> Option<Duration> {
        let oldest = self.traces.get(self.order.front()?)?;
        Some(oldest.since.saturating_add(self.settings.decision_wait))
    }

    /// Decides the traces whose time has come.
    pub fn decide(&mut self, now: Duration, random: &mut dyn FnMut() -> f64) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while self.due().is_some_and(|due| due <= now) {
            decisions.extend(self.decide_oldest(now, false, random));
        }
        decisions
    }

    fn decide_oldest(&mut self, now: Duration, early: bool, random: &mut dyn FnMut() -> f64) -> Option<Decision> {
        let id = self.order.pop_front()?;
        let trace = self.traces.remove(&id)?;
        self.bytes -= trace.request.len();
        let keep = self.budgets.keep(&self.settings.policies, &trace.facts, now, random);
        self.decided.remember(id, keep);
        Some(Decision {
            keep,
            request: trace.request,
            spans: trace.facts.spans(),
            early,
        })
    }

    /// Traces that wait, and their bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.traces.len(), self.bytes)
    }
}

/// The latest decisions, for spans that come late.
#[derive(Debug)]
struct Decided {
    most: usize,
    kept: HashMap<TraceId, bool>,
    order: VecDeque<TraceId>,
}

impl Decided {
    fn new(most: usize) -> Self {
        Self {
            most,
            kept: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn get(&self, id: &[u8]) -> Option<bool> {
        self.kept.get(id).copied()
    }

    fn remember(&mut self, id: TraceId, keep: bool) {
        if self.kept.insert(id.clone(), keep).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
    }
}
