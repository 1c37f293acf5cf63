//! The queues of all destinations for one signal: each gets every request.

use std::io;
use std::rc::Rc;

use bytes::Bytes;

use crate::lane::Lane;
use crate::report::Loss;
use crate::spool::Position;

/// What is smaller is copied before it waits. What comes from a connection is a slice of what was read from it at once, and
/// keeps all of that: 8 KiB and more for a request of a few hundred bytes, which is what counts in the queue.
const COPIED: usize = 16 << 10;

/// The queues of a signal.
pub(crate) struct Queues {
    lanes: Vec<Rc<Lane>>,
}

/// A request in its queues.
#[must_use = "on a volume it is safe when `durable` says so"]
pub(crate) struct Queued {
    /// Whether a queue has it. Else each dropped it for want of room, which is counted.
    pub(crate) anywhere: bool,
    items: usize,
    positions: Vec<(Rc<Lane>, Position)>,
}

/// Why a request is in none of the queues.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("{bytes} bytes are more than the queue of {destination} can ever hold")]
    TooLarge { destination: String, bytes: usize },
    #[error("the queue of {0} is full, try again later")]
    Full(String),
    #[error("the queue of {destination} cannot be written, try again later: {error}")]
    Disk { destination: String, error: io::Error },
}

impl Queues {
    pub(crate) fn new(lanes: Vec<Rc<Lane>>) -> Self {
        Self { lanes }
    }

    #[cfg(test)]
    pub(crate) fn lanes(&self) -> &[Rc<Lane>] {
        &self.lanes
    }

    /// Whether a request of about so many bytes is worth any work: fails as [`Queues::push`] would.
    pub(crate) fn have_room(&self, bytes: usize) -> Result<(), PushError> {
        // What becomes of one that is too large is seen when it has been worked on.
        let takes = |lane: &Rc<Lane>| !lane.refuses() || !lane.can_hold(bytes) || lane.takes(bytes);
        match self.lanes.first() {
            Some(lane) if !self.lanes.iter().any(takes) => Err(PushError::Full(lane.report.name().to_owned())),
            _ => Ok(()),
        }
    }

    /// Queues a request for every destination whose queue has room. For the others it is dropped, so that a destination that
    /// is down does not stop those that are not; only if none has room do the settings decide whether its sender keeps it.
    pub(crate) fn push(&self, body: &Bytes, items: usize) -> Result<Queued, PushError> {
        let bytes = body.len();
        if let Some(lane) = self.lanes.iter().find(|lane| !lane.can_hold(bytes)) {
            let destination = lane.report.name().to_owned();
            return Err(PushError::TooLarge { destination, bytes });
        }
        let (open, full): (Vec<&Rc<Lane>>, Vec<_>) = self.lanes.iter().partition(|lane| lane.takes(bytes));
        match full.first() {
            Some(lane) if open.is_empty() && lane.refuses() => {
                return Err(PushError::Full(lane.report.name().to_owned()));
            }
            _ => {}
        }
        let body = if bytes < COPIED {
            Bytes::copy_from_slice(body)
        } else {
            body.clone()
        };
        let mut written = Vec::with_capacity(open.len());
        for lane in open {
            match lane.write(body.clone(), items) {
                Ok(request) => written.push((lane, request)),
                Err(error) => {
                    written.into_iter().for_each(|(lane, request)| lane.discard(request));
                    let destination = lane.report.name().to_owned();
                    return Err(PushError::Disk { destination, error });
                }
            }
        }
        for lane in full {
            lane.report.dropped(items, Loss::QueueFull, "the queue is full");
        }
        let anywhere = !written.is_empty() || self.lanes.is_empty();
        let positions = written
            .into_iter()
            .filter_map(|(lane, request)| Some((Rc::clone(lane), lane.push(request)?)))
            .collect();
        Ok(Queued {
            anywhere,
            items,
            positions,
        })
    }

    /// Items that nobody keeps are dropped by each destination.
    pub(crate) fn drop_all(&self, items: usize, error: &PushError) {
        let loss = match error {
            PushError::TooLarge { .. } | PushError::Full(_) => Loss::QueueFull,
            PushError::Disk { .. } => Loss::Disk,
        };
        for lane in &self.lanes {
            lane.report.dropped(items, loss, &error.to_string());
        }
    }
}

impl Queued {
    /// Waits until the request is as safe as the settings want it. If it cannot be made so, it is taken out of the queues
    /// again and counted as dropped, but where it is on its way already.
    pub(crate) async fn durable(self) -> Result<(), PushError> {
        let mut failed = None;
        for (lane, position) in &self.positions {
            if let Err(error) = lane.durable(*position).await {
                let destination = lane.report.name().to_owned();
                failed.get_or_insert(PushError::Disk { destination, error });
            }
        }
        let Some(error) = failed else { return Ok(()) };
        for (lane, position) in &self.positions {
            if lane.take_back(*position) {
                lane.report.dropped(self.items, Loss::Disk, &error.to_string());
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Configuration;
    use crate::report::Report;
    use mainstay_otel_core::Signal;
    use mainstay_runtime::Context;

    #[test]
    fn a_small_request_does_not_keep_all_that_was_read_with_it() {
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example")];
        let Configuration { queue, batching, .. } = Configuration::read_from(settings).unwrap();
        let report = Report::new(&Context::new("otel")).lane(Signal::Traces, "default");
        let lane = Lane::new(Signal::Traces, &queue, batching, report).unwrap();
        let queues = Queues::new(vec![Rc::new(lane)]);
        for (length, is_copied) in [(300, true), (COPIED, false)] {
            let read = Bytes::from(vec![0; 32 << 10]);
            let queued = queues.push(&read.slice(..length), 1).unwrap();
            assert!(queued.anywhere);
            assert_eq!(read.is_unique(), is_copied, "{length}");
        }
    }
}
