//! Server-sent events: messages in an HTTP response that goes on.

use crate::channel::{ChannelId, Event};

/// How long a client waits before it comes back for a stream that was closed, in milliseconds.
const RETRY: u32 = 500;

/// Says to proxies and clients that the stream is alive.
pub const KEEP_ALIVE: &str = ":\n\n";

/// A message as an event. With an id, a client can ask for what follows it.
pub fn event(channel: ChannelId, event: &Event, with_id: bool) -> String {
    let id = if with_id {
        format!("id: {}\n", event_id(channel, event.number))
    } else {
        String::new()
    };
    // A message is one line: JSON has no line feeds but those that a writer puts there for looks.
    format!("event: message\n{id}data: {}\n\n", event.json)
}

/// The first event of a stream that a client may lose and ask for again: no message, but an id (SEP-1699).
pub fn priming(channel: ChannelId, after: u64) -> String {
    format!("id: {}\nretry: {RETRY}\ndata: \n\n", event_id(channel, after))
}

fn event_id(channel: ChannelId, number: u64) -> String {
    format!("{channel}-{number}")
}

/// The stream and message that an id names.
pub fn parse_event_id(id: &str) -> Option<(ChannelId, u64)> {
    let (channel, number) = id.split_once('-')?;
    Some((channel.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_message_with_an_id_where_it_can_be_asked_for() {
        let message = Event {
            number: 3,
            json: "{}".into(),
            status: 200,
            last: false,
            news: false,
        };
        assert_eq!(event(7, &message, true), "event: message\nid: 7-3\ndata: {}\n\n");
        assert_eq!(event(7, &message, false), "event: message\ndata: {}\n\n");
        assert_eq!(priming(7, 0), "id: 7-0\nretry: 500\ndata: \n\n");
        assert_eq!(parse_event_id("7-3"), Some((7, 3)));
        for id in ["", "7", "-", "7-x", "7-3-1", "a-1"] {
            assert_eq!(parse_event_id(id), None, "{id:?}");
        }
    }
}
