//! How many messages to ask a pull consumer for, and when.
//!
//! What is asked for and has not come, and what has come and is not done, are together never more than the bounds: when
//! the handler falls behind, JetStream is simply not asked. Requests overlap, so that the next messages are on their way
//! while the last ones are handled, and each asks for much, so that there are few of them.

use std::time::Duration;

use super::api::Next;
use crate::headers::Headers;

/// What may be on its way or in work at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Messages.
    pub messages: u64,
    /// Bytes, as JetStream counts them: subject, headers and payload.
    pub bytes: u64,
}

/// How long a request lives; the server forgets it then, and it is asked anew.
const EXPIRES: Duration = Duration::from_secs(30);

/// While nothing comes, the server gives a sign of life so often.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After so long without a sign of life the requests are given up.
pub const SILENCE: Duration = Duration::from_secs(12);

/// The state of one pull consumer's requests.
#[derive(Clone, Debug)]
pub struct Pull {
    bounds: Bounds,
    asked: Bounds,
    working: Bounds,
    /// The next message is larger than all the bytes there are: it is asked for alone and without a limit.
    oversized: bool,
    /// The next message does not fit beside those in work: asking again before one of them is done brings the same answer.
    crowded: bool,
}

/// What a status of the server means for the one who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A sign of life.
    Alive,
    /// A request is over; ask again.
    Over,
    /// The requests are lost, with the reason: ask again after a pause.
    Lost(String),
    /// The consumer is not there any more, with the reason.
    Gone(String),
}

impl Pull {
    /// Nothing is asked for yet.
    pub fn new(bounds: Bounds) -> Self {
        let nothing = Bounds { messages: 0, bytes: 0 };
        Self {
            bounds,
            asked: nothing,
            working: nothing,
            oversized: false,
            crowded: false,
        }
    }

    /// What to ask for now, if anything.
    pub fn ask(&mut self) -> Option<Next> {
        let taken = |asked: u64, working: u64, of: u64| of.saturating_sub(asked.saturating_add(working));
        let free = taken(self.asked.messages, self.working.messages, self.bounds.messages);
        let free_bytes = taken(self.asked.bytes, self.working.bytes, self.bounds.bytes);
        // Half of the bound at a time: few requests, and no gap between them.
        let worth_it = free.saturating_mul(2) >= self.bounds.messages || self.asked.messages == 0;
        let worth_it = worth_it && (free_bytes.saturating_mul(2) >= self.bounds.bytes || self.asked.bytes == 0);
        if free == 0 || free_bytes == 0 || !worth_it || self.crowded {
            return None;
        }
        let (batch, max_bytes) = if std::mem::take(&mut self.oversized) {
            (1, 0)
        } else {
            (free, free_bytes)
        };
        self.asked.messages += batch;
        self.asked.bytes += free_bytes;
        Some(Next {
            batch,
            max_bytes,
            expires: EXPIRES,
            heartbeat: HEARTBEAT,
        })
    }

    /// A message has come that JetStream counts with so many bytes. It is in work until [`Pull::done`].
    pub fn received(&mut self, bytes: u64) {
        self.asked.messages = self.asked.messages.saturating_sub(1);
        self.asked.bytes = self.asked.bytes.saturating_sub(bytes);
        self.working.messages += 1;
        self.working.bytes += bytes;
        if self.asked.messages == 0 {
            // What is left of the bytes belongs to requests that are over.
            self.asked.bytes = 0;
        }
    }

    /// A message of so many bytes is done.
    pub fn done(&mut self, bytes: u64) {
        self.working.messages = self.working.messages.saturating_sub(1);
        self.working.bytes = self.working.bytes.saturating_sub(bytes);
        self.crowded = false;
    }

    /// The requests are lost: another connection, or silence.
    pub fn reset(&mut self) {
        self.asked = Bounds { messages: 0, bytes: 0 };
    }

    /// Whether messages are asked for, so that the server has something to say.
    pub fn is_asking(&self) -> bool {
        self.asked.messages > 0
    }

    /// Messages in work.
    pub fn working(&self) -> u64 {
        self.working.messages
    }

    /// Bytes in work.
    pub fn working_bytes(&self) -> u64 {
        self.working.bytes
    }

    /// The server says something of a request instead of a message.
    pub fn status(&mut self, headers: &Headers) -> Status {
        let Some(status) = headers.status() else {
            return Status::Alive;
        };
        let count = |name| headers.first(name).and_then(|text| text.parse::<u64>().ok());
        let (messages, bytes) = (count("Nats-Pending-Messages"), count("Nats-Pending-Bytes"));
        match (status.code, status.description.to_ascii_lowercase()) {
            (100, _) => Status::Alive,
            (404 | 408, _) => {
                self.over(messages, bytes);
                Status::Over
            }
            // All of its messages came, and not all of its bytes.
            (409, text) if text.contains("batch completed") => {
                self.over(messages, bytes);
                Status::Over
            }
            (409, text) if text.contains("maxbytes") => {
                self.crowded = self.working.messages > 0;
                self.oversized = self.working.messages == 0 && self.asked.messages == messages.unwrap_or_default();
                self.over(messages, bytes);
                Status::Over
            }
            (409, text) if text.contains("deleted") || text.contains("push based") => {
                self.reset();
                Status::Gone(status.description.clone())
            }
            (409, _) if messages.is_some() => {
                self.over(messages, bytes);
                Status::Lost(status.description.clone())
            }
            (code, _) => {
                self.reset();
                Status::Lost(format!("{code} {}", status.description).trim_end().to_owned())
            }
        }
    }

    /// A request is over; so much of it did not come.
    fn over(&mut self, messages: Option<u64>, bytes: Option<u64>) {
        let Some(messages) = messages else { return self.reset() };
        self.asked.messages = self.asked.messages.saturating_sub(messages);
        self.asked.bytes = self.asked.bytes.saturating_sub(bytes.unwrap_or_default());
        if self.asked.messages == 0 {
            self.asked.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pull(messages: u64, bytes: u64) -> Pull {
        Pull::new(Bounds { messages, bytes })
    }

    fn status(pull: &mut Pull, block: &str) -> Status {
        pull.status(&Headers::parse(block.as_bytes()).unwrap())
    }

    #[test]
    fn it_asks_for_all_there_is_room_for_and_again_when_half_is_free() {
        let mut pull = pull(10, 1000);
        let first = pull.ask().unwrap();
        assert_eq!((first.batch, first.max_bytes), (10, 1000));
        assert_eq!(pull.ask(), None);
        for _ in 0..10 {
            pull.received(10);
        }
        assert_eq!(pull.ask(), None, "all are in work");
        pull.done(10);
        let next = pull.ask().unwrap();
        assert_eq!((next.batch, next.max_bytes), (1, 910));
        for _ in 0..4 {
            pull.done(10);
            assert_eq!(pull.ask(), None);
        }
        pull.done(10);
        assert_eq!(pull.ask(), None, "the bytes are all asked for");
        pull.received(10);
        assert_eq!(pull.ask().unwrap().batch, 5);
    }

    #[test]
    fn what_an_expired_request_did_not_bring_is_asked_for_again() {
        let mut pull = pull(10, 1000);
        pull.ask();
        pull.received(100);
        pull.done(100);
        let expired = "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 9\r\nNats-Pending-Bytes: 900\r\n\r\n";
        assert_eq!(status(&mut pull, expired), Status::Over);
        assert_eq!(pull.ask().unwrap().batch, 10);
    }

    #[test]
    fn a_message_larger_than_the_bound_comes_alone_instead_of_never() {
        let mut pull = pull(10, 1000);
        pull.ask();
        let exceeded = "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 10\r\nNats-Pending-Bytes: 1000\r\n\r\n";
        assert_eq!(status(&mut pull, exceeded), Status::Over);
        let alone = pull.ask().unwrap();
        assert_eq!((alone.batch, alone.max_bytes), (1, 0));
        pull.received(5000);
        assert_eq!(pull.ask(), None);
        pull.done(5000);
        assert_eq!(pull.ask().unwrap().max_bytes, 1000);
    }

    #[test]
    fn a_message_that_does_not_fit_beside_others_waits_until_one_is_done() {
        let mut pull = pull(10, 1000);
        pull.ask();
        pull.received(900);
        let exceeded =
            "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 9\r\nNats-Pending-Bytes: 100\r\n\r\n";
        assert_eq!(status(&mut pull, exceeded), Status::Over);
        assert_eq!(pull.ask(), None);
        pull.done(900);
        assert_eq!(pull.ask().unwrap().max_bytes, 1000);
    }

    #[test]
    fn a_request_is_over_when_its_messages_came_and_bytes_are_left() {
        let mut pull = pull(10, 1000);
        pull.ask();
        for _ in 0..10 {
            pull.received(10);
            pull.done(10);
        }
        pull.ask();
        let completed = "NATS/1.0 409 Batch Completed\r\nNats-Pending-Messages: 0\r\nNats-Pending-Bytes: 900\r\n\r\n";
        assert_eq!(status(&mut pull, completed), Status::Over);
        assert!(pull.is_asking());
    }

    #[test]
    fn statuses_say_whether_to_ask_again() {
        let mut pull = pull(10, 1000);
        assert_eq!(status(&mut pull, "NATS/1.0 100 Idle Heartbeat\r\n\r\n"), Status::Alive);
        assert_eq!(status(&mut pull, "NATS/1.0 404 No Messages\r\n\r\n"), Status::Over);
        let gone = status(&mut pull, "NATS/1.0 409 Consumer Deleted\r\n\r\n");
        assert_eq!(gone, Status::Gone("Consumer Deleted".to_owned()));
        assert_eq!(
            status(&mut pull, "NATS/1.0 503\r\n\r\n"),
            Status::Lost("503".to_owned())
        );
        let moved = "NATS/1.0 409 Leadership Change\r\nNats-Pending-Messages: 3\r\nNats-Pending-Bytes: 0\r\n\r\n";
        assert_eq!(status(&mut pull, moved), Status::Lost("Leadership Change".to_owned()));
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_something_is_always_under_way(steps in prop::collection::vec(0u8..3, 0..200)) {
            let mut pull = pull(16, 1 << 20);
            let (mut asked, mut working) = (0u64, 0u64);
            for step in steps {
                match step {
                    0 => if let Some(next) = pull.ask() { asked += next.batch },
                    1 if asked > 0 => { asked -= 1; working += 1; pull.received(10) }
                    2 if working > 0 => { working -= 1; pull.done(10) }
                    _ => {}
                }
                prop_assert!(asked + working <= 16);
            }
            while pull.ask().is_some() {}
            prop_assert!(pull.asked.messages + pull.working.messages > 0);
        }
    }
}
