//! Control lines: how frames are cut out of the bytes that arrive, and how numbers are read and written.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes that arrived and were not decoded yet.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// So many bytes of `buffer` were searched for a line's end already.
    searched: usize,
    max_line: usize,
}

/// The line is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// What follows a payload is not the end of its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoLineEnd;

impl Frames {
    pub(super) fn new(max_line: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            max_line,
        }
    }

    /// Where to put bytes that arrive, at the end.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// What has arrived of a line that is not complete.
    pub(super) fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes a whole line, without its end.
    pub(super) fn line(&mut self) -> Result<Option<Bytes>, TooLong> {
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', unseen).map(|at| at + self.searched) else {
            self.searched = self.buffer.len();
            return if self.searched > self.max_line + 1 {
                Err(TooLong)
            } else {
                Ok(None)
            };
        };
        self.searched = 0;
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.truncate(end - 1);
        }
        if line.len() > self.max_line {
            Err(TooLong)
        } else {
            Ok(Some(line))
        }
    }

    /// Takes a payload of this size when all of it is there, and the line's end behind it.
    pub(super) fn payload(&mut self, size: usize) -> Result<Option<Bytes>, NoLineEnd> {
        let end = self.buffer.get(size..size + 2).unwrap_or_default();
        if end.len() < 2 {
            let early = self.buffer.get(size).is_some_and(|byte| *byte != b'\r');
            self.buffer.reserve((size + 2).saturating_sub(self.buffer.len()));
            return if early { Err(NoLineEnd) } else { Ok(None) };
        }
        if end != b"\r\n" {
            return Err(NoLineEnd);
        }
        let payload = self.buffer.split_to(size).freeze();
        self.buffer.advance(2);
        Ok(Some(payload))
    }
}

/// A line's first word, and the rest without blanks around it.
pub(super) fn split_operation(line: &Bytes) -> (&[u8], Bytes) {
    let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    let (operation, rest) = line.split_at_checked(end).unwrap_or((line, b""));
    (operation, line.slice_ref(rest.trim_ascii()))
}

/// The arguments of a line: at most `N`, else nothing.
pub(super) fn arguments<const N: usize>(rest: &Bytes) -> Option<([Bytes; N], usize)> {
    let mut arguments = [const { Bytes::new() }; N];
    let mut count = 0;
    for argument in rest
        .split(|byte| is_blank(*byte))
        .filter(|argument| !argument.is_empty())
    {
        *arguments.get_mut(count)? = rest.slice_ref(argument);
        count += 1;
    }
    Some((arguments, count))
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// A size as nats-server reads one: one to nine digits and nothing else.
pub(super) fn size(text: &[u8]) -> Option<usize> {
    if text.len() > 9 {
        None
    } else {
        number(text).and_then(|number| number.try_into().ok())
    }
}

/// A whole number, digits and nothing else.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = text
        .iter()
        .map(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
    let number = digits
        .into_iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit?));
    number.filter(|_| !text.is_empty())
}

/// Writes a whole number, without the machinery of `fmt`: it stands in every message.
pub(super) fn put_number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut length = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        let mut frames = Frames::new(16);
        frames.buffer().extend_from_slice(b"PING\r\nPONG\nPI");
        assert_eq!(frames.line(), Ok(Some(Bytes::from("PING"))));
        assert_eq!(frames.line(), Ok(Some(Bytes::from("PONG"))));
        assert_eq!(frames.line(), Ok(None));
        frames.buffer().extend_from_slice(b"NG\r\n");
        assert_eq!(frames.line(), Ok(Some(Bytes::from("PING"))));
    }

    #[test]
    fn a_line_without_an_end_is_not_gathered_for_ever() {
        let mut frames = Frames::new(16);
        frames.buffer().extend_from_slice(&[b'x'; 17]);
        assert_eq!(frames.line(), Ok(None));
        frames.buffer().extend_from_slice(b"x");
        assert_eq!(frames.line(), Err(TooLong));
    }

    #[test]
    fn a_payload_ends_where_it_said() {
        let mut frames = Frames::new(16);
        frames.buffer().extend_from_slice(b"abc\r");
        assert_eq!(frames.payload(3), Ok(None));
        frames.buffer().extend_from_slice(b"\n");
        assert_eq!(frames.payload(3), Ok(Some(Bytes::from("abc"))));
        frames.buffer().extend_from_slice(b"abcd");
        assert_eq!(frames.payload(3), Err(NoLineEnd));
    }

    #[test]
    fn sizes_are_nine_digits_at_most() {
        assert_eq!(size(b"0"), Some(0));
        assert_eq!(size(b"999999999"), Some(999_999_999));
        for bad in [&b""[..], b"-1", b"+1", b"1x", b"1000000000", b"0x10"] {
            assert_eq!(size(bad), None);
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_they_are_read(n in any::<u64>()) {
            let mut out = BytesMut::new();
            put_number(&mut out, n);
            prop_assert_eq!(String::from_utf8(out.to_vec()).unwrap(), n.to_string());
            prop_assert_eq!(number(&out), Some(n));
        }
    }
}
