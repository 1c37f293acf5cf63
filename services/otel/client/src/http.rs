//! OTLP over HTTP/1.1, from the side of a client that writes several requests before it reads their answers.

use std::net::SocketAddrV4;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

/// What an answer may be large, in bytes: a status and a sentence.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// A request, in one piece so that it is one write.
pub fn request(signal: Signal, host: SocketAddrV4, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        signal.path(),
        body.len()
    );
    let mut request = Vec::with_capacity(head.len() + body.len());
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request
}

/// What the sidecar says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// What it was not content with.
    pub complaint: Option<String>,
    /// Whether it closes the connection after this.
    pub closes: bool,
}

/// What is no answer of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not speak OTLP over HTTP/1.1")]
pub struct Malformed;

/// Takes the first answer off what was read; `None` if the rest of it is still to come.
///
/// # Errors
/// It is not HTTP, does not say how long it is, or is too long.
pub fn take_answer(read: &mut Vec<u8>) -> Result<Option<Answer>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(read).map_err(|_| Malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if read.len() > ANSWER_LIMIT => return Err(Malformed),
        httparse::Status::Partial => return Ok(None),
    };
    let status = head.code.ok_or(Malformed)?;
    let header = |name: &str| {
        let found = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let body = header("content-length").and_then(|value| value.trim().parse::<usize>().ok());
    let body = body.filter(|&body| body <= ANSWER_LIMIT).ok_or(Malformed)?;
    let Some(bytes) = read.get(length..length + body) else {
        return Ok(None);
    };
    let answer = Answer {
        status,
        complaint: complaint(status, bytes),
        closes,
    };
    read.drain(..length + body);
    Ok(Some(answer))
}

/// Of a success, which part of it was none (OTLP, partial success: the three signals have it in the same place); of a
/// failure, its message (`google.rpc.Status`).
fn complaint(status: u16, body: &[u8]) -> Option<String> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    if status != 200 {
        let message = Status::decode(body).map(|status| status.message).unwrap_or_default();
        let colon = if message.is_empty() { "" } else { ": " };
        return Some(format!("status {status}{colon}{message}"));
    }
    let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
    let is_empty = partial.rejected_spans == 0 && partial.error_message.is_empty();
    (!is_empty).then(|| format!("{} rejected: {}", partial.rejected_spans, partial.error_message))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    fn taken(text: &[u8]) -> Result<Option<Answer>, Malformed> {
        take_answer(&mut text.to_vec())
    }

    #[test]
    fn a_request_says_what_it_is_and_how_long() {
        let host = SocketAddrV4::new([127, 0, 0, 1].into(), 4318);
        let request = String::from_utf8(request(Signal::Logs, host, b"abc")).unwrap();
        assert_eq!(
            request,
            "POST /v1/logs HTTP/1.1\r\nhost: 127.0.0.1:4318\r\ncontent-type: application/x-protobuf\r\n\
             content-length: 3\r\n\r\nabc"
        );
    }

    #[test]
    fn answers_come_one_after_the_other_and_in_pieces() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 503 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\x12\x00";
        let mut read = Vec::new();
        let mut answers = Vec::new();
        for &byte in text {
            read.push(byte);
            answers.extend(take_answer(&mut read).unwrap());
        }
        let statuses: Vec<_> = answers.iter().map(|answer| (answer.status, answer.closes)).collect();
        assert_eq!(statuses, [(200, false), (503, true)]);
        assert!(read.is_empty());
    }

    #[test]
    fn what_was_not_taken_is_told() {
        let partial = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 2,
                error_message: "too old".to_owned(),
            }),
        };
        let body = partial.encode_to_vec();
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend(body);
        assert_eq!(
            taken(&answer).unwrap().unwrap().complaint.unwrap(),
            "2 rejected: too old"
        );
        let refused = taken(b"HTTP/1.1 429 Too Many\r\ncontent-length: 6\r\n\r\n\x12\x04full")
            .unwrap()
            .unwrap();
        assert_eq!(refused.complaint.unwrap(), "status 429: full");
        let fine = taken(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\x0a\x00")
            .unwrap()
            .unwrap();
        assert_eq!(fine.complaint, None);
    }

    #[test]
    fn what_is_not_an_answer_is_not_waited_for() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(ANSWER_LIMIT));
        for bad in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            endless.as_str(),
        ] {
            assert_eq!(
                taken(bad.as_bytes()),
                Err(Malformed),
                "{}",
                bad.get(..50).unwrap_or(bad)
            );
        }
        assert_eq!(taken(b""), Ok(None));
    }
}
