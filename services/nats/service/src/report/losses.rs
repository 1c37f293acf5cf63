//! Dropped messages: counted one by one, told of together, so that a flood of losses is not one of log lines.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use mainstay_nats_core::subject::lossy;

use super::Report;

/// How long losses are gathered before they are told.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Losses {
    pending: RefCell<BTreeMap<Slow, Loss>>,
    gathering: Cell<bool>,
}

/// Who is slower than the messages, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slow {
    Subscription(String),
    /// A client of the loopback endpoint.
    Client(String),
}

/// What one subscription or client has lost since it was told last.
pub(super) struct Loss {
    pub(super) count: u64,
    /// The last one's subject.
    pub(super) subject: String,
    /// What waited at that time.
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Losses {
    pub(super) fn count(
        self: &Rc<Self>,
        slow: Slow,
        subject: &[u8],
        messages: usize,
        bytes: usize,
        report: &Rc<Report>,
    ) {
        let mut pending = self.pending.borrow_mut();
        let count = pending.get(&slow).map_or(0, |loss| loss.count) + 1;
        let loss = Loss {
            count,
            subject: lossy(subject),
            messages,
            bytes,
        };
        pending.insert(slow, loss);
        if !self.gathering.replace(true) {
            let (losses, report) = (Rc::clone(self), Rc::clone(report));
            tokio::task::spawn_local(async move {
                tokio::time::sleep(GATHER).await;
                losses.gathering.set(false);
                for (slow, loss) in losses.pending.take() {
                    report.lost(slow, loss);
                }
            });
        }
    }
}
