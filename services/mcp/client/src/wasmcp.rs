//! What components of wasmCP do during a call.
//!
//! They send messages of the protocol on a stream that they were given. Here the stream is nothing: the frame that goes with
//! it is the call's token, by `wasmcp-tools-adapter.wasm` and its like.

use serde_json::Value;

use crate::bindings::exports::wasmcp::mcp_v20251125::server_io::{Guest, IoError, MessageFrame, OutputStream};
use crate::bindings::wasmcp::mcp_v20251125::mcp::{LogLevel, ServerMessage, ServerNotification};
use crate::{Client, wish, wished};

impl Guest for Client {
    fn send_message(_output: &OutputStream, message: ServerMessage, frame: MessageFrame) -> Result<(), IoError> {
        let call = String::from_utf8(frame.prefix)
            .map_err(|_| IoError::Unexpected("the frame is not that of the call".to_owned()))?;
        let notification = match message {
            ServerMessage::Notification(notification) => notification,
            // The answer to a request comes by wasmCP's sessions, which need wasmCP's transport.
            ServerMessage::Request(_) => return Err(unexpected("a component cannot ask the client by server-io here")),
            ServerMessage::Result(_) | ServerMessage::Error(_) => {
                return Err(unexpected("answers are what a component returns"));
            }
        };
        let wish = of(&call, notification)?;
        wished(&wish)
            .map(drop)
            .map_err(|error| IoError::Unexpected(error.to_string()))
    }

    /// Nothing is held back.
    fn flush_buffer(_output: &OutputStream) -> Result<(), IoError> {
        Ok(())
    }
}

/// What a notification wishes for.
fn of(call: &str, notification: ServerNotification) -> Result<Value, IoError> {
    Ok(match notification {
        ServerNotification::Log(log) => wish::log(call, level(log.level), log.logger, data(log.data)),
        // Which token it is for is known: the call's.
        ServerNotification::Progress(told) => wish::progress(call, told.progress, told.total, told.message),
        ServerNotification::ToolsListChanged(_) => wish::changed("tools"),
        ServerNotification::ResourcesListChanged(_) => wish::changed("resources"),
        ServerNotification::PromptsListChanged(_) => wish::changed("prompts"),
        ServerNotification::ResourcesUpdated(updated) => wish::updated(updated.uri),
        ServerNotification::Cancellation(_) | ServerNotification::ElicitationComplete(_) => {
            return Err(unexpected("only the service cancels, and tells of pages"));
        }
    })
}

/// JSON says the interface, and components give plain text all the same: as wasmCP does, it is told as a string.
fn data(data: String) -> String {
    match serde_json::from_str::<Value>(&data) {
        Ok(_) => data,
        Err(_) => Value::String(data).to_string(),
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Notice => "notice",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
        LogLevel::Alert => "alert",
        LogLevel::Emergency => "emergency",
    }
}

fn unexpected(reason: &str) -> IoError {
    IoError::Unexpected(reason.to_owned())
}
