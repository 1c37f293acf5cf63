//! What the service said, checked before it is passed on.

/// The most that is taken of an answer: a page of metrics with ten thousand series.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// What is answered to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The page, or why there is none.
    pub body: Vec<u8>,
}

impl Answer {
    /// A page of our own.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: body.into().into_bytes(),
        }
    }

    /// What is said for a service that says nothing: 503 and the reason, in one line.
    pub fn unavailable(reason: &str) -> Self {
        Self::text(503, format!("{}\n", reason.replace(['\r', '\n'], " ")))
    }

    /// Reads all that a service sent until it closed the connection (RFC 9112). The error says what is wrong with it.
    pub fn parse(received: &[u8], head: bool) -> Result<Self, &'static str> {
        if received.is_empty() {
            return Err("closed the connection without an answer");
        }
        let end = received
            .windows(4)
            .position(|end| end == b"\r\n\r\n")
            .ok_or("answered no HTTP")?;
        let (fields, body) = received.split_at_checked(end + 4).unwrap_or_default();
        let fields = std::str::from_utf8(fields).map_err(|_| "answered no HTTP")?;
        let mut lines = fields.split("\r\n");
        let status = status(lines.next().unwrap_or_default()).ok_or("answered no HTTP")?;
        let mut content_type = None;
        let mut length = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or("answered no HTTP")?;
            match name.to_ascii_lowercase().as_str() {
                "content-type" => content_type = Some(value.trim()),
                "content-length" => length = Some(value.trim().parse().map_err(|_| "answered a wrong length")?),
                "transfer-encoding" => return Err("answered in chunks, though asked by HTTP/1.0"),
                _ => {}
            }
        }
        let body = match (head, length) {
            (true, _) => &[],
            (false, None) => body,
            (false, Some(length)) => body.get(..length).ok_or("broke off its answer")?,
        };
        let content_type = content_type
            .filter(|value| is_field_value(value))
            .unwrap_or("application/octet-stream");
        Ok(Self {
            status,
            content_type: content_type.to_owned(),
            body: body.to_vec(),
        })
    }
}

/// The final status codes only: 1xx come with another answer behind them.
fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    let mut words = rest.split(' ');
    let (version, code) = (words.next()?, words.next()?);
    let digits = matches!(version, "0" | "1") && code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = if digits { code.parse().ok() } else { None };
    code.filter(|code| (200..600).contains(code))
}

/// RFC 9110 §5.5, without the obsolete part.
fn is_field_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n";

    #[test]
    fn an_answer_is_passed_on_as_it_is() {
        let answer = Answer::parse(format!("{HEAD}content-length: 9\r\n\r\nstarting\n").as_bytes(), false).unwrap();
        assert_eq!(answer, Answer::text(503, "starting\n"));
        let answer = Answer::parse(b"HTTP/1.0 200\r\n\r\nto the end", false).unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"to the end"[..]));
        assert_eq!(answer.content_type, "application/octet-stream");
        let answer = Answer::parse(format!("{HEAD}content-length: 9\r\n\r\n").as_bytes(), true).unwrap();
        assert_eq!((answer.status, answer.body.len()), (503, 0));
    }

    #[test]
    fn garbage_is_told_from_an_answer() {
        let cases = [
            ("", "closed the connection without an answer"),
            ("hello", "answered no HTTP"),
            ("HTTP/1.1 200 OK\r\n", "answered no HTTP"),
            ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "answered no HTTP"),
            ("HTTP/2.0 200 OK\r\n\r\n", "answered no HTTP"),
            ("HTTP/1.1 99 Odd\r\n\r\n", "answered no HTTP"),
            ("HTTP/1.1 100 Continue\r\n\r\n", "answered no HTTP"),
            ("HTTP/1.1 +20 OK\r\n\r\n", "answered no HTTP"),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "answered no HTTP"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
                "answered a wrong length",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour",
                "broke off its answer",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "answered in chunks, though asked by HTTP/1.0",
            ),
        ];
        for (received, reason) in cases {
            assert_eq!(Answer::parse(received.as_bytes(), false), Err(reason), "{received:?}");
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(Answer::unavailable("a\r\nb\nc").body, b"a  b c\n");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_read(received: Vec<u8>, head: bool) {
            let _ = Answer::parse(&received, head);
        }

        #[test]
        fn what_is_passed_on_is_fit_for_passing_on(
            code in "[ -~]{0,5}",
            kind in "[\\PC\t\r\n]{0,20}",
            length in proptest::option::of(0_usize..30),
            body in ".{0,20}",
        ) {
            let length = length.map_or(String::new(), |length| format!("content-length: {length}\r\n"));
            let received = format!("HTTP/1.1 {code}\r\ncontent-type: {kind}\r\n{length}\r\n{body}");
            if let Ok(answer) = Answer::parse(received.as_bytes(), false) {
                prop_assert!((200..600).contains(&answer.status));
                prop_assert!(is_field_value(&answer.content_type));
                prop_assert!(answer.body.len() <= received.len());
            }
        }
    }
}
