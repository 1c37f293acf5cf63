//! A client with a connection of its own, and when it may go back.

use bytes::BytesMut;

use super::{Class, Command, Fault, Kind, Scanner, classify};

/// What is known of the connection that a client has to itself.
#[derive(Debug, Default)]
pub struct Dedicated {
    scanner: Scanner,
    /// Answers that the server owes.
    owed: usize,
    /// Answers that the client does not know of, before all others.
    unseen: usize,
    /// Between MULTI and EXEC.
    multi: bool,
    /// Between WATCH and EXEC or UNWATCH.
    watching: bool,
    /// It is not as it was any more: nobody else can have it.
    for_good: bool,
}

impl Dedicated {
    /// A connection to which the pool has said something itself that is answered so many times.
    pub fn new(unseen: usize) -> Self {
        Self {
            unseen,
            ..Self::default()
        }
    }

    /// The client says this command on it.
    pub fn say(&mut self, command: &Command<'_>, database: u32) {
        self.owed += 1;
        // With a word too many the server does not take them.
        let alone = command.words().len() == 1;
        if command.is(0, "MULTI") {
            self.multi = true;
        } else if command.is(0, "WATCH") {
            self.watching = true;
        } else if alone && (command.is(0, "EXEC") || command.is(0, "DISCARD")) {
            self.multi = false;
            self.watching = false;
        } else if alone && command.is(0, "UNWATCH") && !self.multi {
            self.watching = false;
        } else {
            // SELECT is the server's business here, so its state is not that of a new connection.
            self.for_good |= !matches!(
                classify(command, database),
                Class::Shared { .. } | Class::Until | Class::Refused(_)
            );
        }
    }

    /// Whether the server owes an answer, or is in the middle of one.
    pub fn is_owed(&self) -> bool {
        self.owed > 0 || self.unseen > 0 || self.scanner.is_within()
    }

    /// Whether what the client says is queued for EXEC.
    pub fn is_in_transaction(&self) -> bool {
        self.multi
    }

    /// Whether the client keeps it until it goes.
    pub fn is_for_good(&self) -> bool {
        self.for_good
    }

    /// Whether what the client says next belongs on this connection.
    pub fn is_open(&self) -> bool {
        self.multi || self.watching || self.for_good
    }

    /// Whether it may go back.
    pub fn is_clean(&self) -> bool {
        self.owed == 0
            && self.unseen == 0
            && !self.multi
            && !self.watching
            && !self.for_good
            && !self.scanner.is_within()
    }

    /// Takes off `input` what the server says.
    ///
    /// # Errors
    /// It does not speak RESP, or says more than it was asked.
    pub fn input(&mut self, input: &mut BytesMut, to_client: &mut BytesMut) -> Result<(), Fault> {
        if self.for_good && self.unseen == 0 {
            // Subscribed or watching others, it says what it likes.
            to_client.extend_from_slice(&input.split());
            self.owed = 0;
            return Ok(());
        }
        loop {
            let progress = self.scanner.scan(input)?;
            let bytes = input.split_to(progress.consumed);
            if self.unseen == 0 {
                to_client.extend_from_slice(&bytes);
            }
            match progress.complete {
                None => return Ok(()),
                Some(Kind::Push) => {}
                Some(_) if self.unseen > 0 => self.unseen -= 1,
                Some(_) if self.owed > 0 => self.owed -= 1,
                Some(_) => return Err(Fault::new("an answer that nobody asked for")),
            }
            if self.for_good && self.unseen == 0 {
                return self.input(input, to_client);
            }
            if input.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::Commands;

    fn say(dedicated: &mut Dedicated, line: &str) {
        let line = format!("{line}\n");
        dedicated.say(&Commands::default().next(line.as_bytes()).unwrap().unwrap(), 0);
    }

    fn hear(dedicated: &mut Dedicated, text: &str) -> String {
        let (mut input, mut out) = (BytesMut::from(text), BytesMut::new());
        dedicated.input(&mut input, &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_transaction_gives_the_connection_back_when_it_is_answered() {
        let mut dedicated = Dedicated::new(1);
        say(&mut dedicated, "WATCH a");
        assert_eq!(hear(&mut dedicated, "%0\r\n+OK\r\n"), "+OK\r\n");
        assert!(!dedicated.is_clean());
        for line in ["MULTI", "INCR a", "EXEC"] {
            say(&mut dedicated, line);
        }
        assert!(!dedicated.is_clean());
        let answer = "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n";
        assert_eq!(hear(&mut dedicated, answer), answer);
        assert!(dedicated.is_clean());
    }

    #[test]
    fn an_end_that_the_server_does_not_take_is_none() {
        let mut dedicated = Dedicated::default();
        for line in ["MULTI", "EXEC now"] {
            say(&mut dedicated, line);
        }
        hear(&mut dedicated, "+OK\r\n-ERR wrong number of arguments\r\n");
        assert!(!dedicated.is_clean());
    }

    #[test]
    fn a_blocking_command_gives_the_connection_back_when_it_is_answered() {
        let mut dedicated = Dedicated::default();
        say(&mut dedicated, "BLPOP a 0");
        assert!(!dedicated.is_clean());
        hear(&mut dedicated, "*-1\r\n");
        assert!(dedicated.is_clean());
    }

    #[test]
    fn a_subscription_is_for_good() {
        let mut dedicated = Dedicated::default();
        say(&mut dedicated, "SUBSCRIBE a");
        let messages = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
        assert_eq!(hear(&mut dedicated, messages), messages);
        assert!(dedicated.is_for_good() && !dedicated.is_clean());
    }

    #[test]
    fn a_select_within_a_transaction_is_for_good() {
        let mut dedicated = Dedicated::default();
        for line in ["MULTI", "SELECT 2", "EXEC"] {
            say(&mut dedicated, line);
        }
        hear(&mut dedicated, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
        assert!(dedicated.is_for_good() && !dedicated.is_clean());
    }

    #[test]
    fn more_than_was_asked_for_is_a_fault() {
        let mut dedicated = Dedicated::default();
        let mut input = BytesMut::from("+OK\r\n");
        assert!(dedicated.input(&mut input, &mut BytesMut::new()).is_err());
    }
}
