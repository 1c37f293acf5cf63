//! Where a command ends, and its words: arrays of strings, or a line of words as people type them.

use bytes::BytesMut;

use super::{Fault, number};

/// The longest command. It is kept until it is complete: half a command on a connection of many would hold up all.
pub const MAX_COMMAND: usize = 64 << 20;

/// Redis's own limits: words of a command, and bytes of an inline one.
const MAX_WORDS: i64 = 1024 * 1024;
const MAX_INLINE: usize = 64 * 1024;

/// A complete command.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    bytes: &'a [u8],
    words: &'a [(usize, usize)],
    /// Bytes of it, its end included.
    pub length: usize,
    /// Whether it was typed as a line. Others can go on as they are.
    pub inline: bool,
}

impl<'a> Command<'a> {
    /// Its words; the first is its name. There may be none: an empty line.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.words
            .iter()
            .map(move |(start, end)| bytes.get(*start..*end).unwrap_or_default())
    }

    /// One of them.
    pub fn word(&self, index: usize) -> Option<&'a [u8]> {
        self.words().nth(index)
    }

    /// Whether a word is this, in whichever case.
    pub fn is(&self, index: usize, name: &str) -> bool {
        self.word(index)
            .is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Finds one command after the other in what a client sends.
#[derive(Debug, Default)]
pub struct Commands {
    words: Vec<(usize, usize)>,
    /// Words that are not there yet; none before the head of a command was read.
    missing: Option<usize>,
    /// Where the next word begins.
    at: usize,
}

impl Commands {
    /// The command that begins here, if it is complete. The same bytes, and more behind them, are given until it is.
    ///
    /// # Errors
    /// It is no command. The text is Redis's own.
    pub fn next<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Option<Command<'a>>, Fault> {
        if self.missing.is_none() {
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let Some((count, end)) = line(bytes, 1, "too big mbulk count string")? else {
                        return Ok(None);
                    };
                    let count = number(count).filter(|count| *count <= MAX_WORDS);
                    let count = count.ok_or_else(|| Fault::new("invalid multibulk length"))?;
                    self.words.clear();
                    self.missing = Some(usize::try_from(count).unwrap_or(0));
                    self.at = end;
                }
                Some(_) => return self.inline(bytes),
            }
        }
        while self.missing.is_some_and(|missing| missing > 0) {
            if !self.word(bytes)? {
                return Ok(None);
            }
            self.missing = self.missing.map(|missing| missing - 1);
        }
        self.missing = None;
        Ok(Some(Command {
            bytes,
            words: &self.words,
            length: self.at,
            inline: false,
        }))
    }

    /// Reads one word, if it is there.
    fn word(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        let Some(first) = bytes.get(self.at) else {
            return Ok(false);
        };
        if *first != b'$' {
            return Err(Fault::new(format!("expected '$', got '{}'", char::from(*first))));
        }
        let Some((length, start)) = line(bytes, self.at + 1, "too big bulk count string")? else {
            return Ok(false);
        };
        let length = number(length).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= MAX_COMMAND);
        let end = start + length.ok_or_else(|| Fault::new("invalid bulk length"))?;
        if end > MAX_COMMAND {
            return Err(Fault::new(format!("a command is longer than {MAX_COMMAND} bytes")));
        }
        match bytes.get(end..end + 2) {
            None => Ok(false),
            Some(b"\r\n") => {
                self.words.push((start, end));
                self.at = end + 2;
                Ok(true)
            }
            Some(_) => Err(Fault::new("a word is longer than it says")),
        }
    }

    /// A line of words. Quotes have no meaning here: who needs them can speak RESP.
    fn inline<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Option<Command<'a>>, Fault> {
        let searched = bytes.get(..MAX_INLINE.min(bytes.len())).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', searched) else {
            return match bytes.len() < MAX_INLINE {
                true => Ok(None),
                false => Err(Fault::new("too big inline request")),
            };
        };
        let line = bytes.get(..end).unwrap_or_default();
        if line.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
            return Err(Fault::new("quotes in an inline request"));
        }
        self.words.clear();
        let mut start = None;
        for (index, byte) in line.iter().chain(b" ").enumerate() {
            match (byte.is_ascii_whitespace(), start) {
                (true, Some(begin)) => {
                    self.words.push((begin, index));
                    start = None;
                }
                (false, None) => start = Some(index),
                _ => {}
            }
        }
        Ok(Some(Command {
            bytes,
            words: &self.words,
            length: end + 1,
            inline: true,
        }))
    }
}

/// From `start` the text up to the line's end, and where the next line begins.
fn line<'a>(bytes: &'a [u8], start: usize, too_long: &str) -> Result<Option<(&'a [u8], usize)>, Fault> {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', rest.get(..32.min(rest.len())).unwrap_or_default()) else {
        return match rest.len() < 32 {
            true => Ok(None),
            false => Err(Fault::new(too_long)),
        };
    };
    let text = rest.get(..end).unwrap_or_default();
    Ok(Some((text.strip_suffix(b"\r").unwrap_or(text), start + end + 1)))
}

/// Writes a command.
pub fn write_command<'a>(out: &mut BytesMut, words: impl ExactSizeIterator<Item = &'a [u8]>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(bytes: &[u8], piece: usize) -> Vec<Vec<Vec<u8>>> {
        let mut commands = Commands::default();
        let (mut found, mut at, mut seen) = (Vec::new(), 0, 0);
        while seen < bytes.len() {
            seen = (seen + piece).min(bytes.len());
            while let Some(command) = commands.next(&bytes[at..seen]).unwrap() {
                found.push(command.words().map(<[u8]>::to_vec).collect());
                at += command.length;
            }
        }
        assert_eq!(at, bytes.len());
        found
    }

    #[test]
    fn arrays_and_lines_are_commands() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n  set  a 1 \n\r\n*0\r\n*1\r\n$0\r\n\r\n";
        let expected: [&[&str]; 6] = [&["GET", "a"], &["PING"], &["set", "a", "1"], &[], &[], &[""]];
        let expected: Vec<Vec<Vec<u8>>> = expected
            .iter()
            .map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect())
            .collect();
        for piece in [1, 2, 5, bytes.len()] {
            assert_eq!(words(bytes, piece), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            commands in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 1..6), 1..6,
            ),
            piece in 1..50usize,
        ) {
            let mut out = BytesMut::new();
            for command in &commands {
                write_command(&mut out, command.iter().map(Vec::as_slice));
            }
            prop_assert_eq!(words(&out, piece), commands);
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Commands::default().next(&bytes);
        }
    }
}
