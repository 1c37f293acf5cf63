//! From the server to the client.

use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};

use super::expect::Expect;
use super::{Pooling, Relay, Server};
use crate::postgres::frame::{HEAD, MAX_MESSAGE, next_frame, text};
use crate::postgres::statements::Statement;
use crate::postgres::{ErrorFields, Fault};

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The client gets it as it is.
    Pass,
    /// The client does not get it.
    Swallow,
    /// The client gets it, and then what it waits for besides.
    PassAndSettle,
    /// The client gets only what it waits for besides.
    Settle,
}

impl Relay {
    /// Takes off `input` what the server says to the client that has it.
    ///
    /// # Errors
    /// It does not speak the protocol. It is of no use to anybody any more.
    pub fn server(&mut self, input: &mut BytesMut, server: &mut Server, to_client: &mut BytesMut) -> Result<(), Fault> {
        let data: &[u8] = input;
        // What is read, and from where on it goes on as it is.
        let (mut at, mut run) = (0, 0);
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if self.passing_to_client > 0 {
                let passed = self.passing_to_client.min(rest.len());
                self.passing_to_client -= passed;
                at += passed;
                if passed == 0 {
                    break;
                }
                continue;
            }
            let Some(frame) = next_frame(rest)? else { break };
            if matches!(frame.tag, b'D' | b'd') && !self.answers_own() {
                // Rows and data are most of what there is, and can be long.
                self.passing_to_client = frame.length;
                continue;
            }
            if frame.length > MAX_MESSAGE {
                return Err(Fault::TooLong {
                    tag: frame.tag.into(),
                    length: frame.length,
                    most: MAX_MESSAGE,
                });
            }
            let Some(body) = rest.get(HEAD..frame.length) else {
                break;
            };
            let fate = self.fate(frame.tag, body, server)?;
            let end = at + frame.length;
            if fate != Fate::Pass {
                let until = if fate == Fate::PassAndSettle { end } else { at };
                to_client.extend_from_slice(data.get(run..until).unwrap_or_default());
                run = end;
            }
            if matches!(fate, Fate::Settle | Fate::PassAndSettle) {
                self.owed.settle(to_client);
            }
            at = end;
            if self.refused.is_some() {
                break;
            }
        }
        to_client.extend_from_slice(data.get(run..at).unwrap_or_default());
        input.advance(at);
        Ok(())
    }

    fn fate(&mut self, tag: u8, body: &[u8], server: &mut Server) -> Result<Fate, Fault> {
        let own = self.answers_own();
        match tag {
            b'Z' => return self.ready(body, server),
            b'E' => return Ok(self.failed(body, server)),
            b'S' => return self.setting(body, server, own),
            b'N' if !own => return Ok(Fate::Pass),
            // Under transaction pooling it is for somebody who had this server before.
            b'A' if !own && self.pooling == Pooling::Session => return Ok(Fate::Pass),
            b'N' | b'A' => return Ok(Fate::Swallow),
            _ if own => return Ok(Fate::Swallow),
            _ => {}
        }
        let fate = match (tag, self.owed.head()) {
            (b'1', Some(Expect::Parse { seen: true, .. })) => Fate::PassAndSettle,
            (b'1', Some(Expect::Parse { seen: false, .. })) => Fate::Settle,
            (b'2', Some(Expect::Bind { .. })) => Fate::PassAndSettle,
            (b't', Some(Expect::Describe { .. })) => return Ok(Fate::Pass),
            (b'T' | b'n', Some(Expect::Describe { .. })) => Fate::PassAndSettle,
            (b'3', Some(Expect::Close { unseen: None, .. })) => Fate::PassAndSettle,
            (b'3', Some(Expect::Close { unseen: Some(_), .. })) => Fate::Settle,
            (b'C', Some(Expect::Execute)) => {
                self.completed(body, server);
                Fate::PassAndSettle
            }
            (b'I' | b's', Some(Expect::Execute)) => Fate::PassAndSettle,
            (b'G', Some(Expect::Execute | Expect::Query)) => {
                self.copying = !self.owed.copy_ended();
                if matches!(self.owed.head(), Some(Expect::Execute)) {
                    self.owed.copy_begins();
                }
                return Ok(Fate::Pass);
            }
            (b'C', Some(Expect::Query)) => {
                self.completed(body, server);
                return Ok(Fate::Pass);
            }
            (b'T' | b'I' | b'V', Some(Expect::Query)) => return Ok(Fate::Pass),
            (b'H' | b'W' | b'c', Some(Expect::Query | Expect::Execute)) => return Ok(Fate::Pass),
            _ => return Err(Fault::Type(tag.into())),
        };
        self.owed.pop();
        Ok(fate)
    }

    /// Whether what the server says is for the relay itself.
    fn answers_own(&self) -> bool {
        matches!(self.owed.head(), Some(Expect::Own))
    }

    /// ReadyForQuery: whatever was skipped before it is settled.
    fn ready(&mut self, body: &[u8], server: &mut Server) -> Result<Fate, Fault> {
        let status = match body {
            [status @ (b'I' | b'T' | b'E')] => *status,
            _ => return Err(Fault::malformed(b'Z', "its status is not I, T or E")),
        };
        self.copying = false;
        match self.owed.pop() {
            Some(Expect::Own) => {
                self.idle = true;
                self.refused = self.own_error.take();
                if self.refused.is_none() {
                    self.accepted = true;
                    server.unreported = self.settings.beyond(&server.parameters);
                }
                return Ok(Fate::Settle);
            }
            Some(Expect::Sync | Expect::Query) => {}
            _ => return Err(Fault::Type('Z')),
        }
        self.skipping = false;
        self.deallocating &= status != b'I';
        self.idle = status == b'I';
        Ok(Fate::PassAndSettle)
    }

    fn failed(&mut self, body: &[u8], server: &mut Server) -> Fate {
        self.copying = false;
        match self.owed.head() {
            Some(Expect::Own) => {
                self.own_error = Some(Bytes::copy_from_slice(body));
                return Fate::Swallow;
            }
            // ReadyForQuery follows; or nothing was asked for, and the server is about to go.
            Some(Expect::Query) | None => return Fate::Pass,
            Some(Expect::Bind { statement } | Expect::Describe { statement }) => {
                let statement = statement.clone();
                self.judge(statement.as_ref(), body, server);
            }
            Some(_) => {}
        }
        self.unnamed_here = false;
        let synced = self.owed.fail(|skipped| match skipped {
            Expect::Parse {
                statement: Some(statement),
                ..
            } if !server.prepared.is_stale(statement.id()) => server.prepared.remove(statement.id()),
            // It was to go, and is still there.
            Expect::Close {
                unseen: Some(statement),
                stale,
            } => server.prepared.keep(statement, stale),
            _ => {}
        });
        self.skipping = !synced;
        Fate::Pass
    }

    /// Whether this error means that a statement which others have too cannot be run on this server any more. Left as it
    /// is, all of them would get the same error for as long as this session lives.
    fn judge(&mut self, statement: Option<&Rc<Statement>>, body: &[u8], server: &mut Server) {
        let Some(statement) = statement else { return };
        let error = ErrorFields::parse(body);
        match error.code.as_str() {
            // Somebody has dropped it by the name that it has there.
            "26000" => server.prepared.remove(statement.id()),
            // "cached plan must not change result type": a table has other columns than before. The text is in the
            // server's language, and the code is that of a few others too, after which it is prepared anew for nothing.
            "0A000" => {
                server.prepared.keep(Rc::clone(statement), true);
                self.registry.borrow_mut().forget(statement);
            }
            _ => {}
        }
    }

    fn setting(&mut self, mut body: &[u8], server: &mut Server, own: bool) -> Result<Fate, Fault> {
        let pair = text(&mut body).zip(text(&mut body));
        let (name, value) = pair.ok_or(Fault::malformed(b'S', "a setting has no end"))?;
        server.parameters.set(name, value);
        // What the client asked for may be spelled otherwise by the server: it is told so once.
        if own && self.settings.get(&String::from_utf8_lossy(name)).map(str::as_bytes) == Some(value) {
            return Ok(Fate::Swallow);
        }
        self.settings.set(name, value);
        Ok(Fate::Pass)
    }

    /// CommandComplete of a statement that may have dropped prepared ones, or settings.
    fn completed(&mut self, body: &[u8], server: &mut Server) {
        let resets = body.starts_with(b"RESET") || body.starts_with(b"DISCARD ALL");
        if resets && !server.unreported.is_empty() {
            // Which are left it does not say.
            server.changed = true;
            self.reset_here = true;
        }
        if self.deallocating && (body.starts_with(b"DISCARD ALL") || body.starts_with(b"DEALLOCATE ALL")) {
            server.prepared.clear();
            self.statements.clear();
            self.unnamed = None;
            self.unnamed_here = false;
        }
    }
}
