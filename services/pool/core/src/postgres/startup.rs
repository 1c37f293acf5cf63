//! What a client says first (§53.2.1): a message without a type.

use bytes::{Buf, Bytes, BytesMut};

use super::Fault;
use super::frame::text;

/// PostgreSQL's own limit, `MAX_STARTUP_PACKET_LENGTH`.
const MAX_STARTUP: usize = 10_000;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// The first message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartupMessage {
    /// It asks for TLS; the answer is one letter.
    Ssl,
    /// It asks for encryption by GSSAPI; the answer is one letter.
    Gss,
    /// It wants the query of another session cancelled.
    Cancel {
        /// Of that session.
        process: u32,
        /// Proof that it may: 4 bytes before protocol 3.2, up to 256 since.
        secret: Bytes,
    },
    /// It wants a session.
    Startup(Startup),
}

/// Who wants a session, and with which settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// 0 for protocol 3.0, 2 for 3.2.
    pub minor: u16,
    /// Names and values, in their order; `user` and `database` among them.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// A parameter, if it is there and not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name);
        found
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Options of the protocol itself that nobody here knows.
    pub fn protocol_options(&self) -> Vec<&str> {
        let names = self.parameters.iter().map(|(name, _)| name.as_str());
        names.filter(|name| name.starts_with("_pq_.")).collect()
    }
}

/// Takes the first message off the buffer, if it is complete.
///
/// # Errors
/// It is no first message.
pub fn read_startup(buffer: &mut BytesMut) -> Result<Option<StartupMessage>, Fault> {
    let Some(length) = buffer.first_chunk::<4>().map(|length| i32::from_be_bytes(*length)) else {
        return Ok(None);
    };
    let wrong = || Fault::Length {
        tag: '\0',
        length: length.into(),
    };
    let whole = usize::try_from(length).map_err(|_| wrong())?;
    if !(8..=MAX_STARTUP).contains(&whole) {
        return Err(wrong());
    }
    if buffer.len() < whole {
        return Ok(None);
    }
    let mut message = buffer.split_to(whole).freeze();
    message.advance(4);
    let code = message.get_u32();
    match code {
        SSL => Ok(Some(StartupMessage::Ssl)),
        GSS => Ok(Some(StartupMessage::Gss)),
        CANCEL if (8..=260).contains(&message.len()) => {
            let process = message.get_u32();
            Ok(Some(StartupMessage::Cancel {
                process,
                secret: message,
            }))
        }
        CANCEL => Err(Fault::malformed(0, "a cancel request holds a process and a key")),
        _ => startup(code, &message).map(|startup| Some(StartupMessage::Startup(startup))),
    }
}

fn startup(version: u32, mut body: &[u8]) -> Result<Startup, Fault> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != 3 {
        return Err(Fault::Version { major, minor });
    }
    let mut parameters = Vec::new();
    loop {
        let name = text(&mut body).ok_or(Fault::malformed(0, "a parameter's name has no end"))?;
        if name.is_empty() {
            break;
        }
        let value = text(&mut body).ok_or(Fault::malformed(0, "a parameter has no value"))?;
        let utf8 = |text: &[u8]| String::from_utf8(text.to_vec()).map_err(|_| Fault::malformed(0, "not UTF-8"));
        parameters.push((utf8(name)?, utf8(value)?));
    }
    if !body.is_empty() {
        return Err(Fault::malformed(0, "there is more after its end"));
    }
    let startup = Startup { minor, parameters };
    match startup.parameter("user") {
        Some(_) => Ok(startup),
        None => Err(Fault::malformed(0, "no user is named")),
    }
}

/// The password in a message of type `p`, without its zero.
///
/// # Errors
/// The message is malformed.
pub fn password(mut body: &[u8]) -> Result<&[u8], Fault> {
    text(&mut body)
        .filter(|_| body.is_empty())
        .ok_or(Fault::malformed(b'p', "a password ends in a zero"))
}

/// What asks a server to cancel the query of a session.
pub fn cancel_request(process: u32, secret: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let length = u32::try_from(12 + secret.len()).unwrap_or(u32::MAX);
    for number in [length, CANCEL, process] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(secret);
    out
}
