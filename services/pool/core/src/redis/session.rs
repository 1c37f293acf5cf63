//! What a client is told that no server said.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::classify::Local;
use super::{Command, Identity};
use crate::tokens::Tokens;

/// A client's own state, which no connection has to hold.
#[derive(Debug)]
pub struct Session {
    /// A number of its own, for CLIENT ID.
    id: u64,
    /// 2 or 3.
    protocol: u8,
    name: Bytes,
    /// Of which it has to say one before anything else.
    tokens: Rc<Tokens>,
    /// Whose it has said; empty for the one of all.
    component: Option<String>,
}

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Say(Bytes),
    /// This, and then goodbye.
    Quit,
    /// This, and its connection, if it has one of its own, is closed.
    Reset,
}

fn say(text: impl AsRef<[u8]>) -> Answer {
    Answer::Say(Bytes::copy_from_slice(text.as_ref()))
}

impl Session {
    /// A client, and the tokens of which it has to bring one, if there are any.
    pub fn new(id: u64, tokens: Rc<Tokens>) -> Self {
        Self {
            id,
            protocol: 2,
            name: Bytes::new(),
            tokens,
            component: None,
        }
    }

    /// The version of RESP that it speaks.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    fn must_authenticate(&self) -> bool {
        self.component.is_none() && !self.tokens.is_empty()
    }

    /// Whose token it has said; empty for the one of all.
    pub fn component(&self) -> Option<&str> {
        self.component.as_deref()
    }

    /// Why this command is not even looked at: the client has not said its token.
    pub fn refuses(&self, local: Option<Local>) -> Option<Answer> {
        let free = matches!(local, Some(Local::Auth | Local::Hello | Local::Quit | Local::Reset));
        (self.must_authenticate() && !free).then(|| say("-NOAUTH Authentication required.\r\n"))
    }

    /// Answers a command that is answered here.
    pub fn answer(&mut self, local: Local, command: &Command<'_>, identity: Option<&Identity>) -> Answer {
        match local {
            Local::Auth if command.words().len() > 3 || command.words().len() < 2 => {
                say("-ERR wrong number of arguments for 'auth' command\r\n")
            }
            Local::Auth => match self.authenticate(command.words().last().unwrap_or_default()) {
                true => say("+OK\r\n"),
                false => say("-WRONGPASS invalid token of this pool.\r\n"),
            },
            Local::Hello => self.hello(command, identity),
            Local::Quit => Answer::Quit,
            Local::Reset => {
                self.protocol = 2;
                self.name.clear();
                Answer::Reset
            }
            Local::SetName => {
                let name = command.word(2).unwrap_or_default();
                if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
                    return say("-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
                }
                self.name = Bytes::copy_from_slice(name);
                say("+OK\r\n")
            }
            Local::GetName => Answer::Say(self.name_reply()),
            Local::Id => say(format!(":{}\r\n", self.id)),
            Local::Select | Local::Ok => say("+OK\r\n"),
            Local::Nothing => say(""),
        }
    }

    fn name_reply(&self) -> Bytes {
        if self.name.is_empty() {
            return Bytes::from_static(if self.protocol == 3 { b"_\r\n" } else { b"$-1\r\n" });
        }
        let mut out = BytesMut::new();
        bulk(&mut out, &self.name);
        out.freeze()
    }

    /// Without a token any password is right: the loopback needs none.
    fn authenticate(&mut self, token: &[u8]) -> bool {
        if let Some(owner) = self.tokens.owner(token) {
            self.component = Some(owner.to_owned());
            return true;
        }
        self.tokens.is_empty()
    }

    fn hello(&mut self, command: &Command<'_>, identity: Option<&Identity>) -> Answer {
        let Some(identity) = identity else {
            return say("-ERR unknown command 'HELLO'\r\n");
        };
        let mut words = command.words().skip(1);
        let mut protocol = self.protocol;
        match words.next().map(super::number) {
            None => {}
            Some(Some(2)) => protocol = 2,
            Some(Some(3)) => protocol = 3,
            Some(Some(_)) => return say("-NOPROTO unsupported protocol version\r\n"),
            Some(None) => return say("-ERR Protocol version is not an integer or out of range\r\n"),
        }
        let mut name = None;
        while let Some(option) = words.next() {
            if option.eq_ignore_ascii_case(b"AUTH")
                && let (Some(_user), Some(password)) = (words.next(), words.next())
            {
                if !self.authenticate(password) {
                    return say("-WRONGPASS invalid token of this pool.\r\n");
                }
            } else if option.eq_ignore_ascii_case(b"SETNAME")
                && let Some(given) = words.next()
            {
                name = Some(Bytes::copy_from_slice(given));
            } else {
                let option = String::from_utf8_lossy(option).replace(['\r', '\n'], " ");
                return say(format!("-ERR Syntax error in HELLO option '{option}'\r\n"));
            }
        }
        if self.must_authenticate() {
            return say(
                "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version \
                at the same time\r\n",
            );
        }
        self.protocol = protocol;
        self.name = name.unwrap_or(std::mem::take(&mut self.name));
        Answer::Say(identity.hello(protocol, self.id))
    }
}

/// Writes a string.
pub(super) fn bulk(out: &mut BytesMut, text: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{Class, Commands, classify};

    fn told(session: &mut Session, line: &str) -> String {
        let line = format!("{line}\n");
        let mut commands = Commands::default();
        let command = commands.next(line.as_bytes()).unwrap().unwrap();
        let local = match classify(&command, 0) {
            Class::Local(local) => Some(local),
            _ => None,
        };
        let answer = session
            .refuses(local)
            .unwrap_or_else(|| session.answer(local.expect("answered here"), &command, Some(&Identity::default())));
        match answer {
            Answer::Say(text) => String::from_utf8(text.to_vec()).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_name_is_the_clients_own() {
        let mut session = Session::new(7, Rc::default());
        assert_eq!(told(&mut session, "CLIENT GETNAME"), "$-1\r\n");
        assert_eq!(told(&mut session, "CLIENT SETNAME a"), "+OK\r\n");
        assert_eq!(told(&mut session, "CLIENT GETNAME"), "$1\r\na\r\n");
        assert_eq!(told(&mut session, "CLIENT ID"), ":7\r\n");
        assert_eq!(told(&mut session, "RESET"), "Reset");
        assert_eq!(told(&mut session, "CLIENT GETNAME"), "$-1\r\n");
    }

    #[test]
    fn without_a_token_any_password_will_do() {
        let mut session = Session::new(7, Rc::default());
        assert_eq!(told(&mut session, "AUTH x"), "+OK\r\n");
        assert_eq!(told(&mut session, "AUTH user x"), "+OK\r\n");
        assert!(told(&mut session, "AUTH").starts_with("-ERR wrong number"));
    }

    #[test]
    fn with_a_token_nothing_goes_without_it() {
        let mut tokens = Tokens::one("secret");
        tokens.add("web", "own");
        let mut session = Session::new(7, Rc::new(tokens));
        assert_eq!(session.component(), None);
        assert!(told(&mut session, "GET a").starts_with("-NOAUTH"));
        assert!(told(&mut session, "CLIENT ID").starts_with("-NOAUTH"));
        assert!(told(&mut session, "HELLO 3").starts_with("-NOAUTH"));
        assert!(told(&mut session, "AUTH wrong!").starts_with("-WRONGPASS"));
        assert!(told(&mut session, "HELLO 3 AUTH default secret").starts_with("%7\r\n"));
        assert_eq!(told(&mut session, "CLIENT ID"), ":7\r\n");
        assert_eq!(session.component(), Some(""));
        assert_eq!(told(&mut session, "AUTH own"), "+OK\r\n");
        assert_eq!(session.component(), Some("web"));
    }

    #[test]
    fn hello_switches_the_protocol_for_this_client_alone() {
        let mut session = Session::new(7, Rc::default());
        assert!(told(&mut session, "HELLO").starts_with("*14\r\n$6\r\nserver\r\n"));
        assert!(told(&mut session, "HELLO 3 SETNAME a").starts_with("%7\r\n"));
        assert_eq!(session.protocol(), 3);
        assert_eq!(told(&mut session, "CLIENT GETNAME"), "$1\r\na\r\n");
        assert_eq!(
            told(&mut session, "HELLO 4"),
            "-NOPROTO unsupported protocol version\r\n"
        );
        assert!(told(&mut session, "HELLO x").starts_with("-ERR Protocol version"));
        assert!(told(&mut session, "HELLO 2 WHAT").starts_with("-ERR Syntax error"));
        assert_eq!(session.protocol(), 3);
    }
}
