//! Messages in a stream of bytes, one a line (2026-07-28 §stdio).

use std::mem;

/// Cuts a stream of bytes into lines.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Up to here there is no line feed.
    searched: usize,
    limit: usize,
    /// The line that is being read is over the limit: it is left out up to its end.
    skipping: bool,
}

/// A line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// A line longer than the limit. Its bytes are gone.
    TooLong,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            searched: 0,
            limit,
            skipping: false,
        }
    }

    /// Takes what came next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that is there. Empty lines are left out: clients send them as keep-alive.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                // One more may be the end of the line.
                if self.searched > self.limit.saturating_add(1) {
                    self.skipping = true;
                    self.buffer = Vec::new();
                    self.searched = 0;
                }
                return None;
            };
            let end = self.searched + at;
            let rest = self.buffer.split_off(end + 1);
            let mut line = mem::replace(&mut self.buffer, rest);
            self.searched = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if mem::take(&mut self.skipping) || line.len() > self.limit {
                return Some(Line::TooLong);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(Line::Whole(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(lines: &mut Lines) -> Vec<Line> {
        std::iter::from_fn(|| lines.next_line()).collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_end_with_a_line_feed_and_empty_ones_are_left_out() {
        let mut lines = Lines::new(100);
        lines.push(b"{}\n\r\n  \n[1]\r\nrest");
        assert_eq!(all(&mut lines), [whole("{}"), whole("[1]")]);
        lines.push(b"!\n");
        assert_eq!(all(&mut lines), [whole("rest!")]);
    }

    #[test]
    fn a_line_over_the_limit_is_told_once_and_the_next_is_read() {
        let mut lines = Lines::new(8);
        lines.push(b"1234567890");
        assert_eq!(all(&mut lines), []);
        assert!(lines.buffer.is_empty(), "nothing of it is kept");
        lines.push(b"0123456789");
        assert_eq!(all(&mut lines), []);
        lines.push(b"\n12345678\n123456789\n");
        assert_eq!(all(&mut lines), [Line::TooLong, whole("12345678"), Line::TooLong]);
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_makes_no_difference(
            text in "[a-c\\n\\r]{0,60}",
            cuts in prop::collection::vec(1_usize..7, 0..40),
            limit in 1_usize..12,
        ) {
            let mut at_once = Lines::new(limit);
            at_once.push(text.as_bytes());
            let expected = all(&mut at_once);
            let (mut in_pieces, mut found, mut rest) = (Lines::new(limit), Vec::new(), text.as_bytes());
            let mut cuts = cuts.into_iter();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                in_pieces.push(piece);
                found.extend(all(&mut in_pieces));
                rest = later;
            }
            prop_assert_eq!(found, expected);
        }
    }
}
