//! Where an answer ends, in RESP2 and RESP3, however it is cut into pieces.

use super::{Fault, number};

/// Values within values, at most: more is an attack on somebody's stack, not on ours.
const MAX_VALUES: u64 = 1 << 40;

/// The longest line. Only lengths, numbers, simple strings and errors stand in lines.
const MAX_LINE: usize = 64 * 1024;

/// What kind of answer it is, as far as a multiplexer has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer to a command.
    Reply,
    /// The same, and it is an error.
    Error,
    /// Something that nobody asked for (RESP3 push).
    Push,
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that belong to it.
    pub consumed: usize,
    /// Its kind, if it ends with them.
    pub complete: Option<Kind>,
}

/// Finds the end of one answer after the other.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// Values that still have to come for the answer to be complete; 0 between answers.
    values: u64,
    /// Bytes of a string that still have to come, its line end among them.
    skip: u64,
    kind: Option<Kind>,
}

impl Scanner {
    /// Whether an answer has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.kind.is_some()
    }

    /// Looks at the bytes that follow those looked at before.
    ///
    /// # Errors
    /// They are not RESP.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Progress, Fault> {
        let mut at = 0_usize;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.skip > 0 {
                let skipped = rest.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= skipped as u64;
                at += skipped;
                if self.skip > 0 {
                    break;
                }
            } else {
                let Some(line) = line(rest)? else { break };
                at += line.len() + 2;
                self.value(line)?;
            }
            if self.skip == 0 && self.values == 0 {
                return Ok(Progress {
                    consumed: at,
                    complete: self.kind.take(),
                });
            }
        }
        Ok(Progress {
            consumed: at,
            complete: None,
        })
    }

    /// A line, which is a value or the head of one.
    fn value(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (tag, text) = line.split_first().ok_or_else(|| Fault::new("an empty line"))?;
        if self.kind.is_none() {
            self.values = 1;
            self.kind = Some(match tag {
                b'>' => Kind::Push,
                b'-' | b'!' => Kind::Error,
                _ => Kind::Reply,
            });
        }
        let length = || number(text).ok_or_else(|| Fault::new("a length is not a number"));
        self.values -= 1;
        match tag {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(()),
            b'$' | b'!' | b'=' => match length()? {
                // The null of RESP2.
                -1 if *tag == b'$' => Ok(()),
                length @ 0.. => {
                    self.skip = length.unsigned_abs() + 2;
                    Ok(())
                }
                _ => Err(Fault::new("a length is negative")),
            },
            b'*' | b'~' | b'>' => match length()? {
                -1 if *tag == b'*' => Ok(()),
                count => self.more(count, 1),
            },
            b'%' => self.more(length()?, 2),
            // Attributes, and then what they are about.
            b'|' => {
                self.more(length()?, 2)?;
                self.values += 1;
                Ok(())
            }
            other => Err(Fault::new(format!("{:?} begins no value", char::from(*other)))),
        }
    }

    fn more(&mut self, count: i64, each: u64) -> Result<(), Fault> {
        let count = u64::try_from(count).map_err(|_| Fault::new("a length is negative"))?;
        self.values = count
            .checked_mul(each)
            .and_then(|values| values.checked_add(self.values))
            .filter(|values| *values <= MAX_VALUES)
            .ok_or_else(|| Fault::new("too many values"))?;
        Ok(())
    }
}

/// A line without its end, if it is there.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let searched = bytes.get(..MAX_LINE.min(bytes.len())).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\r', searched) else {
        return match bytes.len() < MAX_LINE {
            true => Ok(None),
            false => Err(Fault::new("a line has no end")),
        };
    };
    match bytes.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(bytes.get(..end)),
        Some(_) => Err(Fault::new("a line ends in CR without LF")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The kinds of all answers in these bytes, looked at in pieces.
    fn kinds(bytes: &[u8], piece: usize) -> Result<Vec<(usize, Kind)>, Fault> {
        let mut scanner = Scanner::default();
        let mut kinds = Vec::new();
        let (mut start, mut at, mut seen) = (0, 0, 0);
        while seen < bytes.len() {
            seen = (seen + piece).min(bytes.len());
            loop {
                let progress = scanner.scan(&bytes[at..seen])?;
                at += progress.consumed;
                match progress.complete {
                    Some(kind) => {
                        kinds.push((at - start, kind));
                        start = at;
                    }
                    None => break,
                }
            }
        }
        assert_eq!(start, bytes.len(), "all of it is answers");
        Ok(kinds)
    }

    #[test]
    fn answers_of_every_type_end_where_they_end() {
        let answers: [&[u8]; 19] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-12\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$0\r\n\r\n",
            b"$5\r\na\r\nbc\r\n",
            b"*0\r\n",
            b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(123\r\n",
            b"!3\r\nERR\r\n",
            b"=5\r\ntxt:a\r\n",
            b"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
            b"~1\r\n+a\r\n",
            b">2\r\n+message\r\n+a\r\n",
            b"|1\r\n+ttl\r\n:5\r\n*1\r\n+a\r\n",
        ];
        let all = answers.concat();
        for piece in [1, 2, 3, 7, all.len()] {
            let found = kinds(&all, piece).unwrap();
            let lengths: Vec<usize> = found.iter().map(|(length, _)| *length).collect();
            assert_eq!(lengths, answers.map(<[u8]>::len));
            assert_eq!(found[1].1, Kind::Error);
            assert_eq!(found[13].1, Kind::Error);
            assert_eq!(found[17].1, Kind::Push);
            assert_eq!(found[18].1, Kind::Reply);
        }
    }

    #[test]
    fn what_is_not_resp_is_an_error() {
        let cases = [
            ("x\r\n", "'x' begins no value"),
            ("\r\n", "an empty line"),
            ("$x\r\n", "a length is not a number"),
            ("$-2\r\n", "a length is negative"),
            ("$?\r\n", "a length is not a number"),
            ("*-2\r\n", "a length is negative"),
            ("%-1\r\n", "a length is negative"),
            ("!-1\r\n", "a length is negative"),
            ("*9999999999999999999\r\n", "a length is not a number"),
            ("*999999999999999999\r\n", "too many values"),
            ("+a\rb", "a line ends in CR without LF"),
        ];
        for (bytes, rule) in cases {
            let error = Scanner::default().scan(bytes.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("Protocol error: {rule}"), "{bytes:?}");
        }
        let long = "+".repeat(MAX_LINE);
        assert!(Scanner::default().scan(long.as_bytes()).is_err());
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            "[+:_#,(-][a-z0-9 ]{0,9}".prop_map(|line| format!("{line}\r\n").into_bytes()),
            (
                prop_oneof![Just('$'), Just('='), Just('!')],
                prop::collection::vec(any::<u8>(), 0..20)
            )
                .prop_map(|(tag, text)| [format!("{tag}{}\r\n", text.len()).as_bytes(), &text, b"\r\n"].concat()),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            (
                prop_oneof![Just('*'), Just('~'), Just('%')],
                prop::collection::vec(inner, 0..5),
            )
                .prop_map(|(tag, mut values)| {
                    if tag == '%' && values.len() % 2 == 1 {
                        values.pop();
                    }
                    let count = if tag == '%' { values.len() / 2 } else { values.len() };
                    [format!("{tag}{count}\r\n").into_bytes(), values.concat()].concat()
                })
        })
    }

    proptest! {
        #[test]
        fn nested_answers_end_where_they_end(values in prop::collection::vec(value(), 1..6), piece in 1..40usize) {
            let found = kinds(&values.concat(), piece).unwrap();
            let lengths: Vec<usize> = found.iter().map(|(length, _)| *length).collect();
            prop_assert_eq!(lengths, values.iter().map(Vec::len).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Scanner::default().scan(&bytes);
        }
    }
}
