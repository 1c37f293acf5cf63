//! Reply subjects that came to a component of this workload and may therefore be published to without a grant.
//!
//! All connections share them: a handler often lives for one call and answers through a connection that it has just
//! opened. The oldest are forgotten first. Acknowledgements of JetStream are remembered by consumer, not one by one.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;

/// How many reply subjects are remembered; with the longest of subjects some 8 MiB.
const REMEMBERED: usize = 32 * 1024;

/// Longer reply subjects are not remembered, lest a few of them take all of the memory.
const MAX_SUBJECT: usize = 512;

/// The reply subjects that the components of a workload may publish to. Cloning shares them: a workload with several
/// connections to the server has them in common.
#[derive(Clone, Debug, Default)]
pub struct Permits(Rc<RefCell<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    known: HashSet<Bytes>,
    oldest_first: VecDeque<Bytes>,
}

impl Permits {
    /// Allows to publish to the reply subject of a message that was handed to a component.
    pub(super) fn allow(&self, reply: &[u8]) {
        let Remembered { known, oldest_first } = &mut *self.0.borrow_mut();
        let reply = consumer(reply).unwrap_or(reply);
        if reply.len() > MAX_SUBJECT || known.contains(reply) {
            return;
        }
        if oldest_first.len() >= REMEMBERED
            && let Some(oldest) = oldest_first.pop_front()
        {
            known.remove(&oldest);
        }
        let reply = Bytes::copy_from_slice(reply);
        known.insert(reply.clone());
        oldest_first.push_back(reply);
    }

    /// Whether a component may publish to this subject because it was a reply subject.
    pub(super) fn allows(&self, subject: &[u8]) -> bool {
        self.0.borrow().known.contains(consumer(subject).unwrap_or(subject))
    }
}

/// The part of a JetStream acknowledgement or flow control subject that names the consumer (ADR-15):
/// `$JS.ACK.<stream>.<consumer>`, or with domain and account in front of the stream.
fn consumer(subject: &[u8]) -> Option<&[u8]> {
    let acknowledgement = subject.starts_with(b"$JS.ACK.");
    if !acknowledgement && !subject.starts_with(b"$JS.FC.") {
        return None;
    }
    let mut dots = memchr::memchr_iter(b'.', subject);
    let with_domain = acknowledgement && dots.clone().count() >= 10;
    let end = dots.nth(if with_domain { 5 } else { 3 }).unwrap_or(subject.len());
    subject.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_may_be_published_to_until_many_others_came() {
        let permits = Permits::default();
        permits.allow(b"_INBOX.first");
        assert!(permits.allows(b"_INBOX.first") && !permits.allows(b"_INBOX.second"));
        for n in 0..REMEMBERED {
            permits.allow(format!("_INBOX.{n}").as_bytes());
        }
        assert!(!permits.allows(b"_INBOX.first"));
        let remembered = permits.0.borrow();
        assert_eq!(remembered.known.len(), REMEMBERED);
        assert_eq!(remembered.oldest_first.len(), REMEMBERED);
    }

    #[test]
    fn acknowledgements_are_allowed_for_the_whole_consumer() {
        let permits = Permits::default();
        permits.allow(b"$JS.ACK.ORDERS.worker.1.10.20.1700000000000000000.5");
        assert!(permits.allows(b"$JS.ACK.ORDERS.worker.1.11.21.1700000000000000001.4"));
        assert!(!permits.allows(b"$JS.ACK.ORDERS.other.1.11.21.1700000000000000001.4"));
        permits.allow(b"$JS.ACK.hub.ACCHASH.ORDERS.w.1.10.20.1700000000000000000.5.x");
        assert!(permits.allows(b"$JS.ACK.hub.ACCHASH.ORDERS.w.1.11.21.1700000000000000000.4.y"));
        assert!(!permits.allows(b"$JS.ACK.hub.ACCHASH.ORDERS.v.1.11.21.1700000000000000000.4.y"));
        permits.allow(b"$JS.FC.ORDERS.worker.abcd");
        assert!(permits.allows(b"$JS.FC.ORDERS.worker.efgh"));
        assert_eq!(permits.0.borrow().known.len(), 3);
    }
}
