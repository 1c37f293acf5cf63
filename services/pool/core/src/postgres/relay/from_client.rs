//! From the client to the server.

use std::rc::Rc;

use bytes::{Buf, BytesMut};

use super::expect::Expect;
use super::{Pooling, Relay, Server};
use crate::postgres::frame::{HEAD, MAX_MESSAGE, next_frame, text, write, write_text};
use crate::postgres::sql::{Effects, scan};
use crate::postgres::statements::{PREFIX, Statement};
use crate::postgres::{Fault, Frame, ready};

/// What the client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// All that there was of it is with the server.
    Passed,
    /// Its goodbye.
    Goodbye,
}

/// What a client without a server needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To be read on.
    More,
    /// A server.
    Server,
    /// Nothing any more: it said goodbye.
    Nothing,
}

/// In place of LISTEN: fails as the statement would, in whatever transaction it stands.
const REFUSAL: &str = "DO $mainstay$BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = \
    'LISTEN needs a session of its own, and this pool lends sessions for a transaction', \
    HINT = 'Connect to a pool with pooling = \"session\".'; END$mainstay$";

/// A long message is passed on in pieces once there is so much of it.
const PIECE: usize = 8 * 1024;

/// Where the parts of a buffer stand that go on as they are.
struct Cursor<'a> {
    data: &'a [u8],
    /// What is read.
    at: usize,
    /// From here to `at` it goes on as it is.
    run: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Passes on what goes on as it is.
    fn flush(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(self.data.get(self.run..self.at).unwrap_or_default());
        self.run = self.at;
    }

    /// Takes bytes that go on as they are.
    fn pass(&mut self, count: usize) {
        self.at += count;
    }

    /// Takes bytes that do not go on.
    fn drop(&mut self, count: usize, out: &mut BytesMut) {
        self.flush(out);
        self.at += count;
        self.run = self.at;
    }
}

impl Relay {
    /// What a client needs that has no server, by what it said. What calls for none is answered.
    ///
    /// # Errors
    /// It does not speak the protocol.
    pub fn wants(&self, input: &mut BytesMut, to_client: &mut BytesMut) -> Result<Wanted, Fault> {
        loop {
            let Some(frame) = next_frame(input)? else {
                return Ok(Wanted::More);
            };
            check(frame)?;
            let whole = input.len() >= frame.length;
            match frame.tag {
                b'X' => return Ok(Wanted::Nothing),
                b'S' | b'H' if whole => {
                    input.advance(frame.length);
                    if frame.tag == b'S' {
                        ready(to_client);
                    }
                }
                _ if whole || (is_streamed(frame.tag) && input.len() >= PIECE) => return Ok(Wanted::Server),
                _ => return Ok(Wanted::More),
            }
        }
    }

    /// Takes off `input` what the client says to the server that it has.
    ///
    /// # Errors
    /// It does not speak the protocol.
    pub fn client(
        &mut self,
        input: &mut BytesMut,
        server: &mut Server,
        to_server: &mut BytesMut,
        to_client: &mut BytesMut,
    ) -> Result<Heard, Fault> {
        if self.reset_here && self.is_at_rest() {
            server.unreported.clear();
            self.bring_settings(server, to_server);
        }
        if !self.accepted {
            // With other settings than the client's, what it asks for may be done to other tables.
            return Ok(Heard::Passed);
        }
        let mut cursor = Cursor {
            data: input,
            at: 0,
            run: 0,
        };
        let mut heard = Heard::Passed;
        loop {
            let passed = self.passing_to_server.min(cursor.rest().len());
            cursor.pass(passed);
            self.passing_to_server -= passed;
            let Some(frame) = next_frame(cursor.rest())? else { break };
            check(frame)?;
            if cursor.rest().len() < frame.length {
                if self.passes_in_pieces(frame, &mut cursor, server, to_server)? {
                    continue;
                }
                break;
            }
            if frame.tag == b'X' {
                heard = Heard::Goodbye;
                break;
            }
            self.message(frame, &mut cursor, server, to_server)?;
        }
        cursor.flush(to_server);
        let taken = cursor.at;
        input.advance(taken);
        self.owed.settle(to_client);
        Ok(heard)
    }

    /// Begins to pass on a message that is not there as a whole, if that is possible and worth it.
    fn passes_in_pieces(
        &mut self,
        frame: Frame,
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<bool, Fault> {
        if !is_streamed(frame.tag) || cursor.rest().len() < PIECE {
            return Ok(false);
        }
        if frame.tag == b'B' {
            return self.bind(frame, cursor, server, out);
        }
        self.passing_to_server = frame.length;
        Ok(true)
    }

    /// One message that is there as a whole.
    fn message(
        &mut self,
        frame: Frame,
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<(), Fault> {
        let body = cursor.rest().get(HEAD..frame.length).unwrap_or_default();
        match frame.tag {
            b'Q' => return self.query(frame, body, cursor, server, out),
            b'P' => return self.parse(frame, body, cursor, server, out),
            b'B' => {
                let bound = self.bind(frame, cursor, server, out)?;
                return bound
                    .then_some(())
                    .ok_or(Fault::malformed(b'B', "its names have no end"));
            }
            b'D' | b'C' => return self.describe_or_close(frame, body, cursor, server, out),
            b'E' => self.ask(Expect::Execute),
            b'F' => self.ask(Expect::Query),
            // While a COPY goes on the server does not answer it.
            b'S' if self.copying => {}
            b'S' => {
                self.skipping = false;
                self.expect(Expect::Sync);
            }
            b'c' | b'f' => {
                self.copying = false;
                self.owed.push(Expect::CopyEnd);
            }
            _ => {}
        }
        cursor.pass(frame.length);
        Ok(())
    }

    /// The server will answer, unless it waits for a Sync.
    fn ask(&mut self, expect: Expect) {
        if !self.skipping {
            self.expect(expect);
        }
    }

    fn query(
        &mut self,
        frame: Frame,
        mut body: &[u8],
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<(), Fault> {
        let sql = text(&mut body).ok_or(Fault::malformed(b'Q', "a query ends in a zero"))?;
        let effects = scan(sql);
        // A simple query drops the unnamed statement (§53.2.3).
        self.unnamed = None;
        self.unnamed_here = false;
        self.deallocating |= effects.deallocates;
        if effects.listens && self.pooling == Pooling::Transaction {
            cursor.drop(frame.length, out);
            crate::postgres::query(out, REFUSAL);
        } else {
            server.changed |= effects.changes;
            cursor.pass(frame.length);
        }
        self.ask(Expect::Query);
        Ok(())
    }

    fn parse(
        &mut self,
        frame: Frame,
        mut body: &[u8],
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<(), Fault> {
        let name = text(&mut body).ok_or(Fault::malformed(b'P', "its name has no end"))?;
        let definition = body;
        let sql = text(&mut body).ok_or(Fault::malformed(b'P', "its query has no end"))?;
        if self.pooling == Pooling::Session {
            server.changed |= !name.is_empty() || scan(sql).changes;
            cursor.pass(frame.length);
            self.ask(Expect::Parse {
                statement: None,
                seen: true,
            });
            return Ok(());
        }
        let effects = scan(sql);
        if name.is_empty() {
            let statement = match effects.listens {
                true => Statement::unnamed(&refusal_body(), Effects::default()),
                false => Statement::unnamed(definition, effects),
            };
            if effects.listens {
                cursor.drop(frame.length, out);
                write_parse(out, "", &statement);
            } else {
                cursor.pass(frame.length);
            }
            self.unnamed = Some(statement);
            self.unnamed_here = true;
            self.ask(Expect::Parse {
                statement: None,
                seen: true,
            });
            return Ok(());
        }
        let statement = match effects.listens {
            true => self.registry.borrow_mut().intern(&refusal_body(), Effects::default()),
            false => self.registry.borrow_mut().intern(definition, effects),
        };
        self.keep(name, Rc::clone(&statement))?;
        cursor.drop(frame.length, out);
        if server.prepared.touch(statement.id()) {
            self.ask(Expect::Answer(b'1'));
        } else {
            self.prepare(&statement, true, server, out);
        }
        Ok(())
    }

    /// Prepares a statement on this server, and drops another one if there are too many.
    fn prepare(&mut self, statement: &Rc<Statement>, seen: bool, server: &mut Server, out: &mut BytesMut) {
        if server.prepared.is_stale(statement.id()) {
            self.drop_unseen(Rc::clone(statement), true, out);
        }
        write_parse(out, &statement.name(), statement);
        self.ask(Expect::Parse {
            statement: Some(Rc::clone(statement)),
            seen,
        });
        if self.skipping {
            return;
        }
        if let Some(evicted) = server.prepared.insert(Rc::clone(statement)) {
            self.drop_unseen(evicted, false, out);
        }
    }

    /// Closes a statement on this server. The client does not learn it.
    fn drop_unseen(&mut self, statement: Rc<Statement>, stale: bool, out: &mut BytesMut) {
        write(out, b'C', |out| {
            out.extend_from_slice(b"S");
            write_text(out, statement.name().as_bytes());
        });
        self.ask(Expect::Close {
            unseen: Some(statement),
            stale,
        });
    }

    /// Bind, as far as it is there; not without its names, which are the first of it.
    fn bind(
        &mut self,
        frame: Frame,
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<bool, Fault> {
        let there = cursor.rest();
        let body = there.get(HEAD..frame.length.min(there.len())).unwrap_or_default();
        let mut rest = body;
        let (Some(portal), Some(name)) = (text(&mut rest), text(&mut rest)) else {
            return Ok(false);
        };
        if self.pooling == Pooling::Session {
            self.passing_to_server = frame.length;
            self.ask(Expect::Bind { statement: None });
            return Ok(true);
        }
        // The unnamed statement of this flight: the message may go on as it is.
        let as_it_is = name.is_empty() && self.unnamed_here;
        let shared = self.statements.get(name).cloned();
        if as_it_is {
            if let Some(statement) = &self.unnamed {
                server.changed |= statement.effects().changes;
                self.deallocating |= statement.effects().deallocates;
            }
            self.passing_to_server = frame.length;
        } else {
            let names = body.len() - rest.len();
            cursor.drop(HEAD + names, out);
            let server_name = self.on_server(name, server, out);
            let parameters = frame.length.saturating_sub(HEAD + names);
            let length = 4 + portal.len() + 1 + server_name.len() + 1 + parameters;
            out.extend_from_slice(b"B");
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            write_text(out, portal);
            write_text(out, server_name.as_bytes());
            self.passing_to_server = parameters;
        }
        self.ask(Expect::Bind { statement: shared });
        Ok(true)
    }

    fn describe_or_close(
        &mut self,
        frame: Frame,
        body: &[u8],
        cursor: &mut Cursor<'_>,
        server: &mut Server,
        out: &mut BytesMut,
    ) -> Result<(), Fault> {
        let malformed = || Fault::malformed(frame.tag, "it names neither a statement nor a portal");
        let (kind, mut rest) = body.split_first().ok_or_else(malformed)?;
        let name = text(&mut rest).ok_or_else(malformed)?;
        let describes = frame.tag == b'D';
        let mut shared = None;
        match kind {
            b'S' if self.pooling == Pooling::Transaction && !describes => {
                // Other clients may have the same statement: only the name is closed.
                if name.is_empty() {
                    self.unnamed = None;
                } else {
                    self.statements.remove(name);
                }
                cursor.drop(frame.length, out);
                self.ask(Expect::Answer(b'3'));
                return Ok(());
            }
            b'S' if self.pooling == Pooling::Transaction => {
                cursor.drop(frame.length, out);
                let server_name = self.on_server(name, server, out);
                shared = self.statements.get(name).cloned();
                write(out, b'D', |out| {
                    out.extend_from_slice(b"S");
                    write_text(out, server_name.as_bytes());
                });
            }
            b'S' | b'P' => cursor.pass(frame.length),
            _ => return Err(malformed()),
        }
        self.ask(if describes {
            Expect::Describe { statement: shared }
        } else {
            Expect::Close {
                unseen: None,
                stale: false,
            }
        });
        Ok(())
    }

    /// Sees to it that the server has the client's statement of this name. Gives the name that it has there; one that
    /// is not there for a statement that the client does not have, so that the server says so.
    fn on_server(&mut self, name: &[u8], server: &mut Server, out: &mut BytesMut) -> String {
        let statement = match name.is_empty() {
            true => self.unnamed.clone(),
            false => self.statements.get(name).cloned(),
        };
        let Some(statement) = statement else {
            let name = String::from_utf8_lossy(name).into_owned();
            return match name.is_empty() || name.starts_with(PREFIX) {
                true => format!("no_{PREFIX}{name}"),
                false => name,
            };
        };
        server.changed |= statement.effects().changes;
        self.deallocating |= statement.effects().deallocates;
        if !name.is_empty() {
            if !server.prepared.touch(statement.id()) {
                self.prepare(&statement, false, server, out);
            }
        } else if !self.unnamed_here {
            write_parse(out, "", &statement);
            self.ask(Expect::Parse {
                statement: None,
                seen: false,
            });
            self.unnamed_here = !self.skipping;
        }
        statement.name()
    }
}

/// Whether a client may send it, and a length that the pool takes.
fn check(frame: Frame) -> Result<(), Fault> {
    match frame.tag {
        b'B' | b'd' => Ok(()),
        b'Q' | b'P' | b'D' | b'C' | b'E' | b'F' | b'S' | b'H' | b'c' | b'f' | b'X' if frame.length <= MAX_MESSAGE => {
            Ok(())
        }
        b'Q' | b'P' | b'D' | b'C' | b'E' | b'F' | b'S' | b'H' | b'c' | b'f' | b'X' => Err(Fault::TooLong {
            tag: frame.tag.into(),
            length: frame.length,
            most: MAX_MESSAGE,
        }),
        other => Err(Fault::Type(other.into())),
    }
}

fn is_streamed(tag: u8) -> bool {
    matches!(tag, b'B' | b'd')
}

fn write_parse(out: &mut BytesMut, name: &str, statement: &Statement) {
    write(out, b'P', |out| {
        write_text(out, name.as_bytes());
        out.extend_from_slice(statement.body());
    });
}

/// The query and its zero, and no types.
fn refusal_body() -> Vec<u8> {
    [REFUSAL.as_bytes(), &[0, 0, 0]].concat()
}
