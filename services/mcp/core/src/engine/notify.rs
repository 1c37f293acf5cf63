//! Progress, logs, changes.

use super::modern::tagged;
use super::peer::{Listen, Peer};
use super::{Action, Engine, Transport};
use crate::channel::ChannelId;
use crate::error::RpcError;
use crate::jsonrpc::write;
use crate::model::{Json, LogLevel};
use crate::object::Object;

/// A list that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The tools.
    Tools,
    /// The resources or their templates.
    Resources,
    /// The prompts.
    Prompts,
}

impl Changed {
    fn method(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Resources => "notifications/resources/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
        }
    }

    fn wanted(self, listen: &Listen) -> bool {
        match self {
            Self::Tools => listen.tools,
            Self::Resources => listen.resources,
            Self::Prompts => listen.prompts,
        }
    }
}

impl Engine {
    /// A call gets on. Where the client is told so, if it wants to be.
    ///
    /// # Errors
    /// There is no such call, or it does not get on: progress has to grow.
    pub fn progress(
        &mut self,
        token: &str,
        progress: f64,
        total: Option<f64>,
        message: Option<&str>,
    ) -> Result<Option<ChannelId>, RpcError> {
        let id = self.call_of(token)?;
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(None);
        };
        let (Some(wanted), Some(target)) = (&mut call.progress, &call.target) else {
            return Ok(None);
        };
        if !progress.is_finite() || wanted.last.is_some_and(|last| progress <= last) {
            return Err(RpcError::params(format!(
                "progress {progress} must be more than before"
            )));
        }
        wanted.last = Some(progress);
        let params = Object::new()
            .with("progressToken", &wanted.token)
            .with("progress", &number(progress))
            .with_some("total", total.filter(|total| total.is_finite()).map(number).as_ref())
            .with_some("message", message);
        let channel = target.channel;
        self.push(channel, write::notification("notifications/progress", params), 200);
        Ok(Some(channel))
    }

    /// A component has something to log in the call that `token` names. Where it goes, if the client wants it.
    ///
    /// # Errors
    /// There is no such call.
    pub fn log(
        &mut self,
        token: &str,
        level: LogLevel,
        logger: Option<&str>,
        data: &Json,
    ) -> Result<Option<ChannelId>, RpcError> {
        let id = self.call_of(token)?;
        let Some(call) = self.calls.get(&id) else {
            return Ok(None);
        };
        let Some(target) = &call.target else { return Ok(None) };
        let least = if call.request.caller.revision.is_stateless() {
            call.log_level
        } else {
            let legacy = self.peers.get(&target.peer).and_then(|peer| peer.legacy.as_ref());
            legacy.map(|legacy| legacy.log_level)
        };
        if least.is_none_or(|least| level < least) {
            return Ok(None);
        }
        let params = Object::new()
            .with("level", &level)
            .with_some("logger", logger)
            .with("data", data);
        let channel = target.channel;
        self.push(channel, write::notification("notifications/message", params), 200);
        Ok(Some(channel))
    }

    /// A list has changed.
    pub fn changed(&mut self, what: Changed) {
        self.tell(
            what.method(),
            &Object::new(),
            |peer| peer.legacy.is_some(),
            |listen| what.wanted(listen),
        );
    }

    /// A resource has changed.
    pub fn updated(&mut self, uri: &str) {
        let params = Object::new().with("uri", uri);
        let subscribed = |peer: &Peer| {
            peer.legacy
                .as_ref()
                .is_some_and(|legacy| legacy.subscribed.contains(uri))
        };
        self.tell("notifications/resources/updated", &params, subscribed, |listen| {
            listen.uris.contains(uri)
        });
    }

    fn tell(
        &mut self,
        method: &str,
        params: &Object,
        session_wants: impl Fn(&Peer) -> bool,
        stream_wants: impl Fn(&Listen) -> bool,
    ) {
        let mut messages = Vec::new();
        for peer in self.peers.values() {
            if session_wants(peer)
                && let Some(general) = peer.general
            {
                messages.push((general, write::notification(method, params.clone())));
            }
            for (id, listen) in peer.listens.iter().filter(|(_, listen)| stream_wants(listen)) {
                let params = tagged(id).members(&params.clone().end());
                messages.push((listen.channel, write::notification(method, params)));
            }
        }
        let mut lost = 0;
        for (channel, message) in messages {
            if let Some(found) = self.channels.get_mut(&channel) {
                lost += found.tell(message, self.settings.keep);
                self.touched.push(channel);
            }
        }
        if lost > 0 {
            self.actions.push_back(Action::Lost(lost));
        }
    }

    /// Lets the client come back for the answer of a call: over HTTP up to 2025-11-25 the stream of its response is closed
    /// (SEP-1699), from 2026-07-28 on the call becomes a task (SEP-2663). Where neither can be, nothing happens.
    ///
    /// # Errors
    /// There is no such call.
    pub fn pause(&mut self, token: &str) -> Result<(), RpcError> {
        let id = self.call_of(token)?;
        self.make_task(id);
        let call = self.calls.get(&id);
        let Some((call, target)) = call.and_then(|call| Some((call, call.target.as_ref()?))) else {
            return Ok(());
        };
        let session = |peer: &Peer| peer.transport == Transport::Session;
        if call.request.caller.revision.has_polling() && self.peers.get(&target.peer).is_some_and(session) {
            let channel = target.channel;
            if let Some(found) = self.channels.get_mut(&channel) {
                found.pause();
                self.touched.push(channel);
            }
        }
        Ok(())
    }
}

/// Whole numbers without a fraction, as people write them.
fn number(value: f64) -> serde_json::Value {
    #[allow(clippy::cast_possible_truncation, reason = "checked: whole, and within 53 bits")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        serde_json::Value::from(value as i64)
    } else {
        serde_json::Value::from(value)
    }
}
