//! Messages on their way to a client, in order; kept for clients that may lose a connection and ask again.

use std::collections::VecDeque;
use std::rc::Rc;

/// Which channel.
pub type ChannelId = u64;

/// One way to a client: a connection, or the response to one HTTP request.
#[derive(Debug)]
pub struct Channel {
    events: VecDeque<Event>,
    /// The number of the last event that was added; the first is 1.
    last: u64,
    /// The number of the last event that was taken.
    taken: u64,
    /// Bytes that were not taken yet.
    waiting: usize,
    /// Bytes that were taken and are kept.
    kept: usize,
    /// So many bytes are kept, for a client that asks again; none if clients cannot.
    keep: usize,
    state: State,
    /// Requests whose answers go here and are not there yet.
    pub(crate) pending: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Closed before its end, for the client to ask again (SEP-1699).
    Paused,
    /// Nothing comes any more.
    Ended,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the channel, from 1.
    pub number: u64,
    /// The message.
    pub json: Rc<str>,
    /// The HTTP status of a response that consists of it.
    pub status: u16,
    /// Nothing comes after it.
    pub last: bool,
    /// It is news of a change, which a client can do without: it is told again with the next one.
    pub(crate) news: bool,
}

/// What comes next in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A message.
    Event(Event),
    /// Nothing yet.
    Wait,
    /// Nothing more.
    End,
}

impl Channel {
    /// An open one that keeps so many bytes of what was taken.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            events: VecDeque::new(),
            last: 0,
            taken: 0,
            waiting: 0,
            kept: 0,
            keep,
            state: State::Open,
            pending: 0,
        }
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, json: String, status: u16) {
        self.add(json, status, false);
    }

    /// Adds news of a change, unless the same waits already. While more than `limit` bytes wait, the oldest news go. How many
    /// were lost.
    pub(crate) fn tell(&mut self, json: String, limit: usize) -> u64 {
        if self.untaken().any(|event| event.news && *event.json == *json) {
            return 0;
        }
        self.add(json, 200, true);
        self.shed(limit)
    }

    fn add(&mut self, json: String, status: u16, news: bool) {
        if self.state == State::Ended {
            return;
        }
        self.last += 1;
        self.waiting += json.len();
        self.events.push_back(Event {
            number: self.last,
            json: json.into(),
            status,
            last: false,
            news,
        });
    }

    /// Nothing is added any more.
    pub(crate) fn end(&mut self) {
        self.state = State::Ended;
        if let Some(event) = self.events.back_mut()
            && event.number > self.taken
        {
            event.last = true;
        }
    }

    /// Whoever takes is told that this is the end, until somebody takes up the thread.
    pub(crate) fn pause(&mut self) {
        if self.state == State::Open {
            self.state = State::Paused;
        }
    }

    /// Opens a paused channel again.
    pub(crate) fn resume(&mut self) {
        if self.state == State::Paused {
            self.state = State::Open;
        }
    }

    /// Takes the message after number `after`, or the oldest after it that is still there.
    pub(crate) fn take(&mut self, after: u64) -> Next {
        let next = self.events.iter().find(|event| event.number > after).cloned();
        let Some(event) = next else {
            return if self.state == State::Open {
                Next::Wait
            } else {
                Next::End
            };
        };
        if event.number > self.taken {
            let up_to_here = self.events.iter().take_while(|other| other.number <= event.number);
            let bytes: usize = up_to_here
                .filter(|other| other.number > self.taken)
                .map(|event| event.json.len())
                .sum();
            self.waiting = self.waiting.saturating_sub(bytes);
            self.kept += bytes;
            self.taken = event.number;
        }
        self.forget();
        Next::Event(event)
    }

    /// Drops what was taken and is over the bound.
    fn forget(&mut self) {
        while self.kept > self.keep
            && let Some(oldest) = self.events.front()
            && oldest.number <= self.taken
        {
            self.kept = self.kept.saturating_sub(oldest.json.len());
            self.events.pop_front();
        }
    }

    /// Drops the oldest news that nobody took until at most `limit` bytes wait. How many were dropped.
    fn shed(&mut self, limit: usize) -> u64 {
        let mut dropped = 0;
        while self.waiting > limit
            && let Some(at) = self
                .events
                .iter()
                .position(|event| event.news && event.number > self.taken)
            && let Some(event) = self.events.remove(at)
        {
            self.waiting = self.waiting.saturating_sub(event.json.len());
            dropped += 1;
        }
        dropped
    }

    /// What nobody took yet, newest first.
    fn untaken(&self) -> impl Iterator<Item = &Event> {
        let newest_first = self.events.iter().rev();
        newest_first.take_while(|event| event.number > self.taken)
    }

    /// Bytes that nobody has taken yet.
    pub fn backlog(&self) -> usize {
        self.waiting
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> usize {
        self.waiting + self.kept
    }

    /// The number of the last message that was taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Nothing comes, and nothing is left to be taken.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Ended && self.untaken().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(channel: &mut Channel, after: u64) -> Option<(u64, String, bool)> {
        match channel.take(after) {
            Next::Event(event) => Some((event.number, event.json.to_string(), event.last)),
            Next::Wait | Next::End => None,
        }
    }

    #[test]
    fn what_was_taken_is_kept_up_to_the_bound() {
        let mut channel = Channel::new(5);
        for text in ["aa", "bb", "cc", "dd"] {
            channel.push(text.to_owned(), 200);
        }
        assert_eq!(channel.backlog(), 8);
        for number in 1..=4 {
            assert_eq!(take(&mut channel, number - 1).unwrap().0, number);
        }
        assert_eq!((channel.backlog(), channel.held()), (0, 4));
        assert_eq!(take(&mut channel, 2).unwrap(), (3, "cc".to_owned(), false));
        assert_eq!(take(&mut channel, 0).unwrap().0, 3, "the first two are gone");
        assert_eq!(channel.take(4), Next::Wait);
    }

    #[test]
    fn the_last_message_says_so_and_then_comes_the_end() {
        let mut channel = Channel::new(0);
        channel.push("a".to_owned(), 200);
        channel.end();
        channel.push("late".to_owned(), 200);
        assert_eq!(take(&mut channel, 0).unwrap(), (1, "a".to_owned(), true));
        assert_eq!(channel.take(1), Next::End);
        assert!(channel.is_done());
    }

    #[test]
    fn a_paused_channel_ends_until_somebody_asks_again() {
        let mut channel = Channel::new(100);
        channel.push("a".to_owned(), 200);
        channel.pause();
        assert_eq!(take(&mut channel, 0).unwrap().0, 1);
        assert_eq!(channel.take(1), Next::End);
        channel.push("b".to_owned(), 200);
        channel.resume();
        assert_eq!(take(&mut channel, 1).unwrap().0, 2);
        assert_eq!(channel.take(2), Next::Wait);
    }

    #[test]
    fn news_that_nobody_takes_are_shed_oldest_first_and_answers_stay() {
        let mut channel = Channel::new(100);
        assert_eq!(channel.tell("a".to_owned(), 7), 0);
        assert_eq!(take(&mut channel, 0).unwrap().0, 1);
        for text in ["bb", "cc", "dd"] {
            assert_eq!(channel.tell(text.to_owned(), 7), 0);
        }
        channel.push("answer".to_owned(), 200);
        assert_eq!(channel.tell("ee".to_owned(), 8), 3);
        assert_eq!(take(&mut channel, 1).unwrap(), (5, "answer".to_owned(), false));
        assert_eq!(channel.backlog(), 2);
        assert_eq!(channel.tell("larger than the limit".to_owned(), 8), 2);
        channel.end();
        assert!(channel.is_done(), "though the last was lost");
    }

    #[test]
    fn news_that_wait_are_not_told_twice() {
        let mut channel = Channel::new(0);
        for text in ["a", "b", "a", "b"] {
            channel.tell(text.to_owned(), 100);
        }
        channel.push("a".to_owned(), 200);
        let told: Vec<_> = (0..3).map_while(|after| take(&mut channel, after)).collect();
        assert_eq!(
            told.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>(),
            ["a", "b", "a"]
        );
        channel.tell("a".to_owned(), 100);
        assert_eq!(take(&mut channel, 3).unwrap().1, "a", "it was taken before");
    }
}
