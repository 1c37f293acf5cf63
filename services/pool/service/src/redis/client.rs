//! A client.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use mainstay_pool_core::redis::{
    Answer, Class, ClientId, Command, Commands, Fault, Local, Session, classify, write_command,
};
use mainstay_runtime::net::Socket;
use tokio::sync::Notify;

use super::link::Link;
use super::{Mode, own};
use crate::pump::{End, exchange, finish};

/// A client that waits for so many answers, or has not read so many bytes of them, is not read. Of long answers, so many
/// are what a server may have to keep for a client that does not read.
const MAX_OWED: usize = 1024;
const MAX_UNREAD: usize = 1024 * 1024;

/// A client on the port of a pool.
pub(super) struct Client<'a> {
    pub(super) mode: &'a Rc<Mode>,
    pub(super) stream: &'a mut Socket,
    pub(super) end: End,
    pub(super) commands: Commands,
    pub(super) session: Session,
    /// Whose token was counted.
    counted: Option<String>,
    id: ClientId,
    link: Rc<Link>,
    answered: Rc<Notify>,
}

/// Why a client's commands are not read on for now.
enum Stop {
    /// There are no more.
    Empty,
    /// The next one needs a connection of its own.
    Own,
    /// The next one is HELLO or RESET, and answers are owed, or it is not known yet who answers.
    Settle,
    /// It has to read first.
    Full,
    /// It says goodbye.
    Quit,
    /// What it says is no command.
    Fault(Fault),
}

/// Serves a client until it goes.
pub(crate) async fn client(mode: Rc<Mode>, mut stream: Socket) {
    let number = mode.number();
    let link = mode.link(number, 2);
    let id = ClientId(number);
    let answered = link.open(id);
    let mut client = Client {
        mode: &mode,
        stream: &mut stream,
        end: End::default(),
        commands: Commands::default(),
        session: Session::new(number, Rc::clone(&mode.tokens)),
        counted: None,
        id,
        link,
        answered,
    };
    if let Err(error) = client.serve().await {
        tracing::debug!(pool = mode.pool.name(), "client: {error}");
    }
    client.link.close(id);
}

impl Client<'_> {
    async fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.read_commands() {
                Stop::Empty | Stop::Full => {
                    if !self.turn(true).await? {
                        return Ok(());
                    }
                }
                Stop::Own => {
                    if !self.settle().await? || !own::own(self).await? {
                        return Ok(());
                    }
                }
                Stop::Settle => {
                    if !self.settle().await? {
                        return Ok(());
                    }
                    if self.mode.pool.connector().identity.borrow().is_none() {
                        self.learn_identity().await;
                    }
                }
                Stop::Quit => {
                    self.link.answer(self.id, Bytes::from_static(b"+OK\r\n"));
                    self.settle().await?;
                    return Ok(());
                }
                Stop::Fault(fault) => {
                    self.link.answer(self.id, format!("-ERR {fault}\r\n").into());
                    self.settle().await?;
                    return Ok(());
                }
            }
        }
    }

    /// Passes on what the client says, as far as it can go on the connection that it shares.
    fn read_commands(&mut self) -> Stop {
        let mut run = Run::default();
        let stop = loop {
            if self.link.owed(self.id) + run.count >= MAX_OWED || self.end.output.len() >= MAX_UNREAD {
                break Stop::Full;
            }
            let rest = self.end.input.get(run.length..).unwrap_or_default();
            let command = match self.commands.next(rest) {
                Ok(Some(command)) => command,
                Ok(None) => break Stop::Empty,
                Err(fault) => break Stop::Fault(fault),
            };
            let class = classify(&command, self.mode.database);
            let local = match class {
                Class::Local(local) => Some(local),
                _ => None,
            };
            let length = command.length;
            if let Some(answer) = self.session.refuses(local) {
                run.push(&self.link, self.id, &mut self.end.input);
                self.end.input.advance(length);
                if let Answer::Say(text) = answer {
                    self.link.answer(self.id, text);
                }
                continue;
            }
            match class {
                Class::Shared { read_only } if !command.inline => {
                    if run.count > 0 && run.read_only != read_only {
                        run.push(&self.link, self.id, &mut self.end.input);
                    }
                    run.read_only = read_only;
                    run.count += 1;
                    run.length += length;
                }
                Class::Shared { read_only } => {
                    let written = written(&command);
                    run.push(&self.link, self.id, &mut self.end.input);
                    self.end.input.advance(length);
                    self.link.push(self.id, written, 1, read_only);
                }
                Class::Refused(why) => {
                    run.push(&self.link, self.id, &mut self.end.input);
                    self.end.input.advance(length);
                    self.link
                        .answer(self.id, format!("-ERR not through a pool: {why}\r\n").into());
                }
                Class::Local(local) => {
                    let known = self.mode.pool.connector().identity.borrow();
                    let unknown = local == Local::Hello && known.is_none();
                    let owed = run.count > 0 || self.link.owed(self.id) > 0;
                    // Both may change the protocol of all answers after them.
                    if unknown || (owed && matches!(local, Local::Hello | Local::Reset)) {
                        break Stop::Settle;
                    }
                    let answer = self
                        .session
                        .answer(local, &command, known.as_ref().and_then(Option::as_ref));
                    drop(known);
                    if matches!(local, Local::Auth | Local::Hello) {
                        self.count_login(&answer);
                    }
                    run.push(&self.link, self.id, &mut self.end.input);
                    self.end.input.advance(length);
                    match answer {
                        Answer::Say(text) => self.link.answer(self.id, text),
                        Answer::Quit => break Stop::Quit,
                        Answer::Reset => self.link.answer(self.id, Bytes::from_static(b"+RESET\r\n")),
                    }
                    self.move_if_protocol_changed();
                }
                Class::Until | Class::ForGood => break Stop::Own,
            }
        };
        run.push(&self.link, self.id, &mut self.end.input);
        stop
    }

    /// A client has said a token, or what is none.
    pub(super) fn count_login(&mut self, answer: &Answer) {
        let meters = self.mode.pool.meters();
        match (self.session.component(), answer) {
            (_, Answer::Say(text)) if text.starts_with(b"-WRONGPASS") => meters.error("token"),
            (Some(component), _) if self.counted.as_deref() != Some(component) => {
                meters.login(component);
                self.counted = Some(component.to_owned());
            }
            _ => {}
        }
    }

    /// After a HELLO the client shares a connection with others of its protocol. Nothing is owed to it by then.
    fn move_if_protocol_changed(&mut self) {
        let link = self.mode.link(self.id.0, self.session.protocol());
        if Rc::ptr_eq(&link, &self.link) {
            return;
        }
        self.link.take(self.id, &mut self.end);
        self.link.close(self.id);
        self.answered = link.open(self.id);
        self.link = link;
    }

    /// Reads from the client and writes to it, once. False when it is gone.
    async fn turn(&mut self, may_read: bool) -> io::Result<bool> {
        if !self.link.take(self.id, &mut self.end) {
            // Half an answer was cut off, and cannot be taken back.
            return Ok(false);
        }
        let full = self.link.owed(self.id) >= MAX_OWED || self.end.output.len() >= MAX_UNREAD;
        tokio::select! {
            biased;
            read = exchange(self.stream, &mut self.end, may_read && !full) => {
                read?;
                Ok(!self.end.ended)
            }
            () = self.answered.notified() => Ok(true),
        }
    }

    /// Waits until the client has all answers. False when it is gone.
    async fn settle(&mut self) -> io::Result<bool> {
        while self.link.owed(self.id) > 0 || self.link.has_answers(self.id) {
            if !self.turn(false).await? {
                return Ok(false);
            }
        }
        if !self.link.take(self.id, &mut self.end) {
            return Ok(false);
        }
        finish(self.stream, &mut self.end).await?;
        Ok(true)
    }

    /// Learns who answers, by a connection; or answers the HELLO that waits for it with why that fails.
    async fn learn_identity(&mut self) {
        match self.mode.pool.acquire(self.mode.acquire_timeout).await {
            Ok(lease) => lease.give_back(),
            Err(error) => {
                if let Ok(Some(command)) = self.commands.next(&self.end.input) {
                    let length = command.length;
                    self.end.input.advance(length);
                }
                let text = format!("-ERR pool {:?}: {error}\r\n", self.mode.pool.name());
                self.link.answer(self.id, text.into());
            }
        }
    }
}

/// Commands that stand together and go on as they are.
#[derive(Default)]
struct Run {
    length: usize,
    count: usize,
    read_only: bool,
}

impl Run {
    fn push(&mut self, link: &Link, client: ClientId, input: &mut BytesMut) {
        if self.count > 0 {
            let bytes = input.split_to(self.length.min(input.len())).freeze();
            link.push(client, bytes, self.count, self.read_only);
        }
        *self = Self::default();
    }
}

/// A command that was typed as a line, as all others are.
pub(super) fn written(command: &Command<'_>) -> Bytes {
    let mut out = BytesMut::new();
    write_command(&mut out, command.words());
    out.freeze()
}
