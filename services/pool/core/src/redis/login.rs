//! What a connection begins with: AUTH, SELECT, and HELLO to learn who answers.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::session::bulk;
use super::{Fault, Kind, Scanner, write_command};

/// Who answers, as HELLO tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `redis`, or what took its place.
    pub server: String,
    /// Its version.
    pub version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `master` or `replica`.
    pub role: String,
}

impl Default for Identity {
    fn default() -> Self {
        let [server, version, mode, role] = ["redis", "6.0.0", "standalone", "master"].map(str::to_owned);
        Self {
            server,
            version,
            mode,
            role,
        }
    }
}

impl Identity {
    /// The answer to HELLO that a client gets.
    pub(super) fn hello(&self, protocol: u8, id: u64) -> Bytes {
        let mut out = BytesMut::new();
        out.extend_from_slice(if protocol == 3 { b"%7\r\n" } else { b"*14\r\n" });
        let texts = [("server", &self.server), ("version", &self.version)];
        for (name, value) in texts {
            bulk(&mut out, name.as_bytes());
            bulk(&mut out, value.as_bytes());
        }
        bulk(&mut out, b"proto");
        out.extend_from_slice(format!(":{protocol}\r\n").as_bytes());
        bulk(&mut out, b"id");
        out.extend_from_slice(format!(":{id}\r\n").as_bytes());
        for (name, value) in [("mode", &self.mode), ("role", &self.role)] {
            bulk(&mut out, name.as_bytes());
            bulk(&mut out, value.as_bytes());
        }
        bulk(&mut out, b"modules");
        out.extend_from_slice(b"*0\r\n");
        out.freeze()
    }

    /// Reads the answer to HELLO 2: names and values in turn, of which those that are strings count.
    fn parse(reply: &[u8]) -> Self {
        let mut identity = Self::default();
        let mut lines = reply
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut name = None;
        while let Some(line) = lines.next() {
            let text = match line.first() {
                Some(b'$') => lines.next().map(|text| String::from_utf8_lossy(text).into_owned()),
                _ => None,
            };
            let (Some(key), value) = (name.take(), text.clone()) else {
                name = text;
                continue;
            };
            let (key, Some(value)): (String, _) = (key, value) else {
                continue;
            };
            match key.as_str() {
                "server" => identity.server = value,
                "version" => identity.version = value,
                "mode" => identity.mode = value,
                "role" => identity.role = value,
                _ => {}
            }
        }
        identity
    }
}

/// Why a connection is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server does not take the password, or the database.
    #[error("the server says: {0}")]
    Rejected(String),
    /// The server does not speak RESP.
    #[error("the server does not speak Redis's protocol: {0}")]
    Fault(#[from] Fault),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Auth,
    Select,
    Hello,
}

/// A login that goes on.
pub struct Login {
    steps: std::collections::VecDeque<Step>,
    scanner: Scanner,
    reply: BytesMut,
    /// What no error shows.
    credentials: Vec<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Begins. Gives what to send, all at once.
    pub fn begin(user: Option<&str>, password: Option<&str>, database: u32) -> (Self, BytesMut) {
        let (mut out, mut steps) = (BytesMut::new(), std::collections::VecDeque::new());
        let mut say = |step, words: &[&str]| {
            write_command(&mut out, words.iter().map(|word| word.as_bytes()));
            steps.push_back(step);
        };
        match (user, password) {
            (Some(user), Some(password)) => say(Step::Auth, &["AUTH", user, password]),
            (None, Some(password)) => say(Step::Auth, &["AUTH", password]),
            _ => {}
        }
        if database > 0 {
            say(Step::Select, &["SELECT", &database.to_string()]);
        }
        say(Step::Hello, &["HELLO", "2"]);
        let login = Self {
            steps,
            scanner: Scanner::default(),
            reply: BytesMut::new(),
            credentials: [password, user].into_iter().flatten().map(str::to_owned).collect(),
        };
        (login, out)
    }

    /// What a server says is wrong. It may quote what it was told, as Redis does with a command that it does not know, and
    /// then not all of it.
    fn without_credentials(&self, error: &str) -> String {
        let (text, quoted) = match error.find("with args beginning with") {
            Some(at) => (error.get(..at).unwrap_or_default(), true),
            None => (error, false),
        };
        let credentials = self.credentials.iter().filter(|text| !text.is_empty());
        let mut text = credentials.fold(text.to_owned(), |text, credential| text.replace(credential, "***"));
        if quoted {
            text.push_str("..");
        }
        text
    }

    /// Takes off `input` what the server answers. When that is all, gives who it is; nobody for a server before
    /// version 6, which does not know HELLO.
    ///
    /// # Errors
    /// The connection is of no use.
    pub fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Option<Identity>>, LoginError> {
        loop {
            let progress = self.scanner.scan(input)?;
            self.reply.extend_from_slice(&input.split_to(progress.consumed));
            let Some(kind) = progress.complete else { return Ok(None) };
            let reply = self.reply.split();
            match (self.steps.pop_front(), kind) {
                (Some(Step::Hello), Kind::Reply) => return Ok(Some(Some(Identity::parse(&reply)))),
                (Some(Step::Hello), Kind::Error) if reply.starts_with(b"-ERR unknown command") => {
                    return Ok(Some(None));
                }
                (Some(_), Kind::Error) => {
                    let text = String::from_utf8_lossy(&reply);
                    let text = text.trim_start_matches('-').trim_end();
                    return Err(LoginError::Rejected(self.without_credentials(text)));
                }
                (Some(_), Kind::Reply) | (_, Kind::Push) => {}
                (None, _) => return Err(Fault::new("an answer that nobody asked for").into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_at_once_and_who_answers_is_learnt() {
        let (mut login, said) = Login::begin(Some("u"), Some("p"), 3);
        let expected = "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n";
        assert_eq!(said, expected);
        let reply = "+OK\r\n+OK\r\n*14\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.0.1\r\n$5\r\nproto\r\n:2\r\n\
            $2\r\nid\r\n:9\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n";
        let mut input = BytesMut::from(reply);
        let identity = login.answer(&mut input).unwrap().unwrap().unwrap();
        let expected = Identity {
            server: "valkey".to_owned(),
            version: "8.0.1".to_owned(),
            mode: "cluster".to_owned(),
            role: "replica".to_owned(),
        };
        assert_eq!(identity, expected);
    }

    #[test]
    fn a_refusal_is_told_without_the_password() {
        let (mut login, _) = Login::begin(None, Some("secret"), 0);
        let mut input = BytesMut::from("-WRONGPASS invalid username-password pair\r\n");
        let error = login.answer(&mut input).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server says: WRONGPASS invalid username-password pair"
        );
    }

    #[test]
    fn an_error_that_quotes_what_it_was_told_is_told_without_it() {
        for (said, told) in [
            (
                "ERR unknown command 'AUTH', with args beginning with: 'us3r' 's3cr",
                "ERR unknown command 'AUTH', ..",
            ),
            ("ERR no user us3r with s3cret", "ERR no user *** with ***"),
            ("LOADING Redis is loading", "LOADING Redis is loading"),
        ] {
            let (mut login, _) = Login::begin(Some("us3r"), Some("s3cret"), 0);
            assert!(!format!("{login:?}").contains("s3cret"));
            let error = login.answer(&mut BytesMut::from(&*format!("-{said}\r\n"))).unwrap_err();
            assert_eq!(error, LoginError::Rejected(told.to_owned()));
        }
    }

    #[test]
    fn an_old_server_has_no_identity() {
        let (mut login, _) = Login::begin(None, None, 0);
        let mut input = BytesMut::from("-ERR unknown command `HELLO`\r\n");
        assert_eq!(login.answer(&mut input), Ok(Some(None)));
    }
}
