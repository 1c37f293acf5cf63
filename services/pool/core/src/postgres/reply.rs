//! What a client is told that no server said.

use bytes::BytesMut;

use super::frame::{text, write, write_text};

/// Whether the session goes on after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The query has failed.
    Error,
    /// The session ends.
    Fatal,
}

/// ErrorResponse, with a SQLSTATE of Appendix A and a hint, if there is one.
pub fn error(out: &mut BytesMut, severity: Severity, code: &str, message: &str, hint: Option<&str>) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    write(out, b'E', |out| {
        let fields = [
            (b'S', Some(severity)),
            (b'V', Some(severity)),
            (b'C', Some(code)),
            (b'M', Some(message)),
            (b'H', hint),
        ];
        for (field, text) in fields {
            if let Some(text) = text {
                out.extend_from_slice(&[field]);
                // A zero would end the field in its middle.
                write_text(out, text.replace('\0', " ").as_bytes());
            }
        }
        out.extend_from_slice(&[0]);
    });
}

/// ErrorResponse with the fields of another one, by which the session ends.
pub fn fatal(out: &mut BytesMut, mut fields: &[u8]) {
    write(out, b'E', |out| {
        while let Some((field, rest)) = fields.split_first() {
            fields = rest;
            let Some(text) = text(&mut fields) else { break };
            out.extend_from_slice(&[*field]);
            write_text(out, if matches!(field, b'S' | b'V') { b"FATAL" } else { text });
        }
        out.extend_from_slice(&[0]);
    });
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    write(out, b'R', |out| out.extend_from_slice(&0_u32.to_be_bytes()));
}

/// AuthenticationCleartextPassword.
pub fn cleartext_password(out: &mut BytesMut) {
    write(out, b'R', |out| out.extend_from_slice(&3_u32.to_be_bytes()));
}

/// ParameterStatus.
pub fn parameter(out: &mut BytesMut, name: &str, value: &str) {
    write(out, b'S', |out| {
        write_text(out, name.as_bytes());
        write_text(out, value.as_bytes());
    });
}

/// BackendKeyData.
pub fn backend_key(out: &mut BytesMut, process: u32, secret: [u8; 4]) {
    write(out, b'K', |out| {
        out.extend_from_slice(&process.to_be_bytes());
        out.extend_from_slice(&secret);
    });
}

/// ReadyForQuery outside of a transaction.
pub fn ready(out: &mut BytesMut) {
    write(out, b'Z', |out| out.extend_from_slice(b"I"));
}

/// NegotiateProtocolVersion: the newest minor version that is spoken here, and the options that are not known.
pub fn negotiate(out: &mut BytesMut, minor: u16, unknown: &[&str]) {
    write(out, b'v', |out| {
        out.extend_from_slice(&(0x0003_0000 | u32::from(minor)).to_be_bytes());
        out.extend_from_slice(&u32::try_from(unknown.len()).unwrap_or(u32::MAX).to_be_bytes());
        for name in unknown {
            write_text(out, name.as_bytes());
        }
    });
}
