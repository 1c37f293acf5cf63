//! The protocol, from the side of a client: publish, request, gather.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use mainstay_nats_core::headers::{self, HeaderError, Headers};
use mainstay_nats_core::protocol::from_server::{Decoder, ServerInfo, ServerOperation};
use mainstay_nats_core::protocol::{Message, to_server};
use mainstay_nats_core::subject::{is_literal, lossy};

use crate::transport::Transport;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0:?} is not a subject to publish to")]
    Subject(String),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("{0}")]
    Denied(String),
    #[error("nobody answers there")]
    NoResponders,
    #[error("no answer in time")]
    TimedOut,
    #[error("larger than {0} bytes, the most that the server takes")]
    TooLarge(u64),
    #[error("{0}")]
    Unavailable(String),
}

/// How long a publish may take to reach the server.
pub(crate) const PUBLISH: Duration = Duration::from_secs(10);

/// A connection that was not used for so long is tried before it is trusted.
const FRESH: Duration = Duration::from_secs(1);

/// A connection to the service.
pub(crate) struct Conversation {
    transport: Transport,
    decoder: Decoder,
    info: ServerInfo,
    /// To be written with the next flight.
    out: BytesMut,
    last_sid: u64,
    /// Messages of the subscription with this number that came while something else was waited for.
    early: (u64, VecDeque<Message>),
    used: Instant,
}

/// When to stop gathering replies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) deadline: Instant,
    pub(crate) replies: usize,
    pub(crate) stall: Option<Duration>,
}

thread_local! {
    /// The connection of the call before, in an instance that lives on.
    static KEPT: RefCell<Option<Conversation>> = const { RefCell::new(None) };
}

/// Has a conversation with the service by the connection that is kept, or a new one.
pub(crate) fn with<T>(
    deadline: Instant,
    talk: impl FnOnce(&mut Conversation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let kept = KEPT.with(RefCell::take);
    let mut conversation = match kept.and_then(|kept| kept.checked(deadline)) {
        Some(kept) => kept,
        None => Conversation::open(deadline)?,
    };
    let result = conversation.behind(deadline).and_then(|()| talk(&mut conversation));
    // After these the connection is as good as before; after others nobody knows what still comes.
    let clean = matches!(
        result,
        Ok(_)
            | Err(Failure::Denied(_)
                | Failure::NoResponders
                | Failure::Subject(_)
                | Failure::Header(_)
                | Failure::TooLarge(_))
    );
    if clean && conversation.flush(deadline).is_ok() {
        conversation.used = Instant::now();
        KEPT.set(Some(conversation));
    }
    result
}

impl Conversation {
    /// Connects; the service may not listen yet, so a few times.
    fn open(deadline: Instant) -> Result<Self, Failure> {
        let mut pause = Duration::from_millis(20);
        let transport = loop {
            match Transport::connect(deadline) {
                Err(Failure::Unavailable(_)) if Instant::now() + pause < deadline && pause < Duration::from_secs(2) => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                result => break result?,
            }
        };
        let mut conversation = Self {
            transport,
            decoder: Decoder::default(),
            info: ServerInfo::default(),
            out: BytesMut::new(),
            last_sid: 0,
            early: (0, VecDeque::new()),
            used: Instant::now(),
        };
        match conversation.next(deadline)? {
            ServerOperation::Info(info) => conversation.info = *info,
            other => return Err(Failure::Unavailable(format!("{other:?} in place of INFO"))),
        }
        let connect = to_server::Connect {
            name: "nats-client".to_owned(),
            lang: "wasm",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            echo: true,
            headers: true,
            no_responders: true,
            ..to_server::Connect::default()
        };
        to_server::connect(&mut conversation.out, &connect);
        Ok(conversation)
    }

    /// The connection, if it still works. What came meanwhile is read first: it may be that the service hung up.
    fn checked(mut self, deadline: Instant) -> Option<Self> {
        self.transport.read_ready(self.decoder.buffer()).ok()?;
        while let Some(operation) = self.taken(deadline).ok()? {
            if matches!(operation, ServerOperation::Error(text) if !is_refusal(&text)) {
                return None;
            }
        }
        // Without a server behind it no PONG would come.
        if self.info.connected != Some(false) && self.used.elapsed() > FRESH {
            to_server::ping(&mut self.out);
            self.flush(deadline).ok()?;
            while !matches!(self.next(deadline).ok()?, ServerOperation::Pong) {}
        }
        Some(self)
    }

    /// Waits until there is a server behind the service. Nothing is said before: what the service would keep for later
    /// could be sent although the caller was told that it is not.
    fn behind(&mut self, deadline: Instant) -> Result<(), Failure> {
        while self.info.connected == Some(false) {
            self.flush(deadline)?;
            match self.heard(deadline) {
                Ok(_) => {}
                Err(Failure::TimedOut) => {
                    let text = "the NATS service has no connection to a server";
                    return Err(Failure::Unavailable(text.to_owned()));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn flush(&mut self, deadline: Instant) -> Result<(), Failure> {
        let out = self.out.split();
        self.transport.write(&out, deadline)
    }

    /// The next thing that the service says. What needs no attention gets none.
    fn next(&mut self, deadline: Instant) -> Result<ServerOperation, Failure> {
        loop {
            if let Some(operation) = self.heard(deadline)? {
                return Ok(operation);
            }
        }
    }

    /// The next thing that the service says, none if it needed no attention but may have changed what is known of it.
    fn heard(&mut self, deadline: Instant) -> Result<Option<ServerOperation>, Failure> {
        let known = self.info.connected;
        loop {
            if let Some(operation) = self.taken(deadline)? {
                return Ok(Some(operation));
            }
            if self.info.connected != known {
                return Ok(None);
            }
            self.transport.read(self.decoder.buffer(), deadline)?;
        }
    }

    /// The next thing of what is read already.
    fn taken(&mut self, deadline: Instant) -> Result<Option<ServerOperation>, Failure> {
        loop {
            let operation = self.decoder.next();
            match operation.map_err(|fault| Failure::Unavailable(fault.to_string()))? {
                Some(ServerOperation::Ping) => {
                    to_server::pong(&mut self.out);
                    self.flush(deadline)?;
                }
                Some(ServerOperation::Info(info)) if !self.info.server_id.is_empty() => self.info = *info,
                operation => return Ok(operation),
            }
        }
    }

    fn check(&self, message: &Message) -> Result<(), Failure> {
        if !is_literal(&message.subject) {
            return Err(Failure::Subject(lossy(&message.subject)));
        }
        if let Some(reply) = message.reply.as_ref().filter(|reply| !is_literal(reply)) {
            return Err(Failure::Subject(lossy(reply)));
        }
        if message.size() > self.info.max_payload {
            return Err(Failure::TooLarge(self.info.max_payload as u64));
        }
        Ok(())
    }

    /// Publishes, and waits until the server has it.
    pub(crate) fn publish(&mut self, message: &Message, deadline: Instant) -> Result<(), Failure> {
        self.check(message)?;
        to_server::publish(&mut self.out, message);
        to_server::ping(&mut self.out);
        self.flush(deadline)?;
        let mut refused = None;
        loop {
            match self.next(deadline)? {
                ServerOperation::Pong => return refused.map_or(Ok(()), Err),
                ServerOperation::Error(text) => refused = refused.or(refusal(&text, &message.subject)?),
                _ => {}
            }
        }
    }

    /// Sends a request, and gathers its replies.
    pub(crate) fn request(&mut self, message: Message, until: Until) -> Result<Vec<Message>, Failure> {
        self.check(&message)?;
        self.gather(message, until)
    }

    fn gather(&mut self, mut message: Message, until: Until) -> Result<Vec<Message>, Failure> {
        let (sid, inbox) = self.open_inbox();
        if until.replies == 1 {
            to_server::unsubscribe(&mut self.out, sid, Some(1));
        }
        message.reply = Some(inbox);
        to_server::publish(&mut self.out, &message);
        self.flush(until.deadline)?;
        let mut replies = Vec::new();
        let mut deadline = until.deadline;
        let result = loop {
            match self.reply(sid, &message.subject, deadline) {
                Ok(reply) => replies.push(reply),
                Err(error) => break Err(error),
            }
            if replies.len() >= until.replies {
                break Ok(());
            }
            if let Some(stall) = until.stall {
                deadline = until.deadline.min(Instant::now() + stall);
            }
        };
        if until.replies != 1 || result.is_err() {
            to_server::unsubscribe(&mut self.out, sid, None);
        }
        match result {
            Err(Failure::TimedOut) if !replies.is_empty() => Ok(replies),
            Err(error) => Err(error),
            Ok(()) => Ok(replies),
        }
    }

    /// Sends a request to a subject that holds a filter, and waits for its one reply.
    pub(crate) fn ask_filtered(&mut self, message: Message, deadline: Instant) -> Result<Message, Failure> {
        let until = Until {
            deadline,
            replies: 1,
            stall: None,
        };
        self.gather(message, until)?.pop().ok_or(Failure::TimedOut)
    }

    /// Sends a request, and waits for its one reply.
    pub(crate) fn ask(&mut self, message: Message, deadline: Instant) -> Result<Message, Failure> {
        let until = Until {
            deadline,
            replies: 1,
            stall: None,
        };
        self.request(message, until)?.pop().ok_or(Failure::TimedOut)
    }

    /// Subscribes to an inbox, with the next flight. What comes there is kept, whatever else is asked meanwhile.
    pub(crate) fn subscribe(&mut self) -> (u64, Bytes) {
        let (sid, inbox) = self.open_inbox();
        self.early = (sid, VecDeque::new());
        (sid, inbox)
    }

    /// Subscribes to an inbox that nobody else knows, with the next flight.
    fn open_inbox(&mut self) -> (u64, Bytes) {
        self.last_sid += 1;
        let random = (
            wasip2::random::random::get_random_u64(),
            wasip2::random::random::get_random_u64(),
        );
        let inbox = Bytes::from(format!("_INBOX.{:016x}{:016x}", random.0, random.1));
        to_server::subscribe(&mut self.out, &inbox, None, self.last_sid);
        (self.last_sid, inbox)
    }

    /// Publishes something with the next flight, without waiting for it.
    pub(crate) fn say(&mut self, message: &Message) {
        to_server::publish(&mut self.out, message);
    }

    /// Ends a subscription with the next flight.
    pub(crate) fn unsubscribe(&mut self, sid: u64) {
        self.early = (0, VecDeque::new());
        to_server::unsubscribe(&mut self.out, sid, None);
    }

    /// The next message of a subscription, for something that was published to `subject`.
    pub(crate) fn reply(&mut self, wanted: u64, subject: &[u8], deadline: Instant) -> Result<Message, Failure> {
        self.flush(deadline)?;
        if self.early.0 == wanted
            && let Some(message) = self.early.1.pop_front()
        {
            return Ok(message);
        }
        loop {
            match self.next(deadline)? {
                ServerOperation::Message { sid, message } if sid == wanted => {
                    let status = message.headers.as_deref().and_then(headers::status);
                    return match status {
                        Some(status) if status.code == headers::NO_RESPONDERS => Err(Failure::NoResponders),
                        _ => Ok(message),
                    };
                }
                ServerOperation::Message { sid, message } if sid == self.early.0 => self.early.1.push_back(message),
                ServerOperation::Error(text) => {
                    if let Some(refused) = refusal(&text, subject)? {
                        return Err(refused);
                    }
                }
                _ => {}
            }
        }
    }
}

/// What an error of the service means for something that was published to `subject`: nothing, if it is about another
/// subject; the end, if it ends the connection.
fn refusal(text: &str, subject: &[u8]) -> Result<Option<Failure>, Failure> {
    if !is_refusal(text) {
        return Err(Failure::Unavailable(format!("the NATS service says: {text}")));
    }
    let about = text.split('"').nth(1).unwrap_or_default();
    let ours = about.as_bytes() == subject || text.contains("Reply") || text.contains("Subscription");
    Ok(ours.then(|| Failure::Denied(text.to_owned())))
}

/// Whether an error of the service is about one message or subscription, and not about the connection.
fn is_refusal(text: &str) -> bool {
    text.to_ascii_lowercase().contains("permissions violation")
}

/// A message as a component gives it.
pub(crate) fn message(subject: String, headers: Vec<(String, String)>, body: Vec<u8>) -> Result<Message, Failure> {
    let headers = Headers::new(headers)?;
    Ok(Message {
        subject: Bytes::from(subject),
        reply: None,
        headers: (!headers.is_empty()).then(|| headers.encode()),
        payload: Bytes::from(body),
    })
}

/// The headers of a message as a component takes them.
pub(crate) fn entries(message: &Message) -> Vec<(String, String)> {
    let headers = message.headers.as_deref().and_then(|block| Headers::parse(block).ok());
    headers.map(Headers::into_entries).unwrap_or_default()
}
