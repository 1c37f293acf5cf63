//! The one connection to the server, as the multiplexer sees it: what waits to be written, which PONG is whose.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::BytesMut;

use super::ConnectionId;
use crate::protocol::{Message, to_server};

/// Who waits until the server has seen all that was said so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) who: Flushed,
    /// Whether messages were published since its last PONG: if the connection breaks, nobody can say whether the server
    /// has them.
    pub(super) published: bool,
    /// How often it asked.
    pub(super) times: usize,
}

/// Whose flush it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flushed {
    /// A client's PING.
    Connection(ConnectionId),
    /// The service's own, by a number of its choice.
    Local(u64),
    /// Nobody's: see [`Upstream::prompt`].
    Nobody,
}

#[derive(Debug, Default)]
pub(super) struct Upstream {
    connected: bool,
    out: BytesMut,
    /// Where in `out` something other than a publish stands, so that it can be left out when the connection is lost.
    control: Vec<Range<usize>>,
    /// Who waits for which PONG.
    pings: VecDeque<Waiter>,
    /// Whether what waits to be written has a PING in it.
    prompts: bool,
    /// Whether the server has said nothing since the last flight.
    unheard: bool,
    /// So many flights more are prompted.
    to_prompt: u32,
    /// Who waits for a connection first.
    held: Vec<Waiter>,
}

/// When one flight follows another without a word of the server in between, so many from then on are prompted. Who answers
/// one request after the other never gets there, and a PONG for each would cost it more than it gains.
const TO_PROMPT: u32 = 256;

impl Upstream {
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Bytes that wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.out.len()
    }

    /// What is to be written now.
    pub(super) fn take(&mut self) -> BytesMut {
        if !self.connected {
            return BytesMut::new();
        }
        self.control.clear();
        self.prompts = false;
        self.unheard |= !self.out.is_empty();
        self.out.split()
    }

    /// The server has said something, so it has acknowledged what it was told.
    pub(super) fn heard(&mut self) {
        self.unheard = false;
    }

    /// Has the server answer what waits to be written, where one flight follows the other. Without an answer it acknowledges
    /// a TCP segment late, 40 ms on Linux, and a socket without `TCP_NODELAY`, as every guest's, keeps all small segments
    /// after that one back until then.
    pub(super) fn prompt(&mut self) {
        if !self.connected || self.out.is_empty() {
            return;
        }
        if self.unheard {
            self.to_prompt = TO_PROMPT;
        }
        if self.to_prompt > 0 && !self.prompts {
            self.to_prompt -= 1;
            self.flush(Waiter {
                who: Flushed::Nobody,
                published: false,
                times: 1,
            });
        }
    }

    pub(super) fn publish(&mut self, message: &Message) {
        to_server::publish(&mut self.out, message);
    }

    /// Says something that has a meaning for this connection only.
    pub(super) fn control(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.connected {
            let start = self.out.len();
            write(&mut self.out);
            self.control.push(start..self.out.len());
        }
    }

    /// Lets someone wait for all that was said so far.
    pub(super) fn flush(&mut self, waiter: Waiter) {
        if self.connected {
            self.control(to_server::ping);
            self.pings.push_back(waiter);
            self.prompts = true;
            return;
        }
        // One that asks again and again takes no more memory for it.
        match self.held.iter_mut().find(|held| held.who == waiter.who) {
            Some(held) => {
                held.published |= waiter.published;
                held.times = held.times.saturating_add(waiter.times);
            }
            None => self.held.push(waiter),
        }
    }

    /// Whether a client waits already, so that its next PONG must not overtake the one before.
    pub(super) fn is_waiting(&self, who: Flushed) -> bool {
        self.pings.iter().chain(&self.held).any(|waiter| waiter.who == who)
    }

    /// Forgets a client that is gone. Its PONGs still come, and must not be taken for another's.
    pub(super) fn forget(&mut self, who: Flushed) {
        self.held.retain(|waiter| waiter.who != who);
    }

    pub(super) fn pong(&mut self) -> Option<Waiter> {
        self.pings.pop_front()
    }

    /// There is a connection: first of all `subscribe` says what there was on the one before, then come the publishes
    /// that waited, then those who wait for them.
    pub(super) fn connect(&mut self, subscribe: impl FnOnce(&mut BytesMut)) {
        let publishes = self.out.split();
        self.connected = true;
        self.control(subscribe);
        self.out.unsplit(publishes);
        for waiter in std::mem::take(&mut self.held) {
            self.flush(waiter);
        }
    }

    /// The connection is lost. Publishes that were not written yet wait for the next one. Gives those who wait for a PONG
    /// that can no longer say what they want to know.
    pub(super) fn disconnect(&mut self) -> Vec<Waiter> {
        self.connected = false;
        (self.prompts, self.unheard, self.to_prompt) = (false, false, 0);
        self.pings.retain(|waiter| waiter.who != Flushed::Nobody);
        let mut kept = BytesMut::new();
        let mut rest = 0;
        for range in self.control.drain(..) {
            kept.extend_from_slice(self.out.get(rest..range.start).unwrap_or_default());
            rest = range.end;
        }
        kept.extend_from_slice(self.out.get(rest..).unwrap_or_default());
        self.out = kept;
        let (broken, held): (Vec<Waiter>, Vec<Waiter>) = self.pings.drain(..).partition(|waiter| waiter.published);
        for waiter in held {
            self.flush(waiter);
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(text: &'static str) -> Message {
        Message {
            subject: Bytes::from("a"),
            payload: Bytes::from(text),
            ..Message::default()
        }
    }

    fn waiter(number: u64, published: bool) -> Waiter {
        Waiter {
            who: Flushed::Local(number),
            published,
            times: 1,
        }
    }

    #[test]
    fn what_was_not_written_waits_for_the_next_connection_without_what_was_for_this_one() {
        let mut upstream = Upstream::default();
        upstream.connect(|_| {});
        upstream.publish(&message("1"));
        upstream.control(|out| to_server::subscribe(out, b"b", None, 1));
        upstream.publish(&message("2"));
        upstream.flush(waiter(1, true));
        upstream.flush(waiter(2, false));
        upstream.publish(&message("3"));
        assert_eq!(upstream.disconnect(), [waiter(1, true)]);
        upstream.publish(&message("4"));
        assert!(upstream.take().is_empty());
        upstream.connect(|out| to_server::subscribe(out, b"b", None, 1));
        let expected = "SUB b 1\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPUB a 1\r\n3\r\nPUB a 1\r\n4\r\nPING\r\n";
        assert_eq!(upstream.take(), expected.as_bytes());
        assert_eq!(upstream.pong(), Some(waiter(2, false)));
        assert_eq!(upstream.pong(), None);
    }

    #[test]
    fn the_server_is_prompted_where_flights_follow_one_another_and_nobody_waits_for_its_answer() {
        let mut upstream = Upstream::default();
        upstream.publish(&message("1"));
        upstream.prompt();
        upstream.connect(|_| {});
        let flight = |upstream: &mut Upstream| {
            upstream.prompt();
            upstream.prompt();
            String::from_utf8(upstream.take().to_vec()).unwrap()
        };
        assert_eq!(flight(&mut upstream), "PUB a 1\r\n1\r\n");
        upstream.heard();
        upstream.publish(&message("2"));
        assert_eq!(
            flight(&mut upstream),
            "PUB a 1\r\n2\r\n",
            "it follows a word of the server"
        );
        for _ in 0..2 {
            upstream.publish(&message("3"));
            assert_eq!(flight(&mut upstream), "PUB a 1\r\n3\r\nPING\r\n");
            assert_eq!(flight(&mut upstream), "", "there is nothing to be answered");
            upstream.heard();
        }
        upstream.flush(waiter(1, false));
        assert_eq!(flight(&mut upstream), "PING\r\n");
        let waiting: Vec<Flushed> = std::iter::from_fn(|| Some(upstream.pong()?.who)).collect();
        assert_eq!(waiting, [Flushed::Nobody, Flushed::Nobody, Flushed::Local(1)]);
        upstream.publish(&message("4"));
        upstream.prompt();
        assert!(upstream.disconnect().is_empty());
        upstream.connect(|_| {});
        assert_eq!(upstream.take(), &b"PUB a 1\r\n4\r\n"[..]);
        assert_eq!(upstream.pong(), None);
    }

    #[test]
    fn who_asks_again_and_again_while_there_is_no_connection_waits_once() {
        let mut upstream = Upstream::default();
        for _ in 0..1000 {
            upstream.flush(waiter(1, false));
        }
        upstream.flush(waiter(1, true));
        assert_eq!(upstream.held.len(), 1);
        upstream.connect(|_| {});
        assert_eq!(upstream.take(), &b"PING\r\n"[..]);
        let asked = Waiter {
            times: 1001,
            ..waiter(1, true)
        };
        assert_eq!(upstream.pong(), Some(asked));
    }
}
