//! Methods up to 2025-11-25: the handshake, and what is remembered of a client after it.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::Value;

use super::call::Target;
use super::dispatch::Reply;
use super::methods::Context;
use super::peer::{Legacy, check_text};
use super::{Engine, Event, Transport};
use crate::catalogue::Kind;
use crate::error::RpcError;
use crate::jsonrpc::message::Params;
use crate::model::LogLevel;
use crate::object::Object;
use crate::revision::Revision;

impl Engine {
    pub(super) fn legacy(&mut self, target: &Target, method: &str, params: &Params) -> Result<Reply, RpcError> {
        match method {
            "ping" => return Ok(Reply::Now("{}".to_owned())),
            "initialize" => return self.initialize(target, params),
            _ => {}
        }
        let Some(legacy) = self.peers.get_mut(&target.peer).and_then(|peer| peer.legacy.as_mut()) else {
            return Err(RpcError::request("initialize comes first"));
        };
        match method {
            "logging/setLevel" => {
                let level = params.get("level").and_then(Value::as_str).unwrap_or_default();
                legacy.log_level = LogLevel::named(level)
                    .ok_or_else(|| RpcError::params(format!("{level:?} is no log level, as \"warning\" is one")))?;
                Ok(Reply::Now("{}".to_owned()))
            }
            "resources/subscribe" | "resources/unsubscribe" if self.catalogue.offers(Kind::Resources) => {
                self.subscribe(target, params, method == "resources/subscribe")
            }
            _ => {
                let context = Context {
                    revision: legacy.revision,
                    capabilities: Rc::clone(&legacy.capabilities),
                    client: Some(legacy.client.clone()),
                    log_level: None,
                };
                self.method(target, method, params, context, None)
            }
        }
    }

    /// Lifecycle: the client says what it speaks, the server what of it it speaks too.
    fn initialize(&mut self, target: &Target, params: &Params) -> Result<Reply, RpcError> {
        let asked = params.get("protocolVersion").and_then(Value::as_str);
        let asked = asked.ok_or_else(|| RpcError::params("initialize must have a \"protocolVersion\""))?;
        let capabilities = params
            .get("capabilities")
            .filter(|capabilities| capabilities.is_object());
        let capabilities = capabilities.ok_or_else(|| RpcError::params("initialize must have \"capabilities\""))?;
        check_text("\"capabilities\"", &capabilities.to_string())?;
        let client = implementation(params.get("clientInfo"))?;
        let client = client.ok_or_else(|| RpcError::params("\"clientInfo\" must have a \"name\" and a \"version\""))?;
        if target.batch.is_some() {
            return Err(RpcError::request("initialize must not be part of a batch"));
        }
        let known = Revision::named(asked).filter(|revision| !revision.is_stateless());
        let revision = known.unwrap_or(Revision::LATEST_LEGACY);
        let capabilities = Rc::new(capabilities.clone());
        let Some(peer) = self.peers.get_mut(&target.peer) else {
            return Ok(Reply::Later);
        };
        if peer.legacy.is_some() {
            return Err(RpcError::request("initialize comes once"));
        }
        let (name, version) = client.clone();
        peer.legacy = Some(Legacy {
            revision,
            capabilities,
            client,
            log_level: LogLevel::Info,
            subscribed: BTreeSet::new(),
        });
        if peer.transport == Transport::Session {
            self.begin_session(target.peer);
        }
        self.event(Event::Connected(target.peer, name, version));
        let result = Object::new()
            .with("protocolVersion", revision.name())
            .raw("capabilities", &self.capabilities(revision))
            .raw("serverInfo", &self.settings.implementation())
            .with_some("instructions", self.settings.instructions.as_ref());
        Ok(Reply::Now(result.end()))
    }

    fn subscribe(&mut self, target: &Target, params: &Params, begin: bool) -> Result<Reply, RpcError> {
        let uri = params.get("uri").and_then(Value::as_str);
        let uri = uri
            .ok_or_else(|| RpcError::params("\"uri\" must be a string"))?
            .to_owned();
        check_text("\"uri\"", &uri)?;
        let most = self.settings.subscriptions;
        let Some(legacy) = self.peers.get_mut(&target.peer).and_then(|peer| peer.legacy.as_mut()) else {
            return Ok(Reply::Later);
        };
        let event = if begin {
            if legacy.subscribed.len() >= most && !legacy.subscribed.contains(&uri) {
                return Err(RpcError::internal(format!(
                    "{most} resources are subscribed to, the most at once"
                )));
            }
            let new = legacy.subscribed.insert(uri.clone());
            new.then_some(Event::Subscribed(target.peer, uri))
        } else {
            let was = legacy.subscribed.remove(&uri);
            was.then_some(Event::Unsubscribed(target.peer, uri))
        };
        if let Some(event) = event {
            self.event(event);
        }
        Ok(Reply::Now("{}".to_owned()))
    }

    /// `ServerCapabilities`.
    pub(super) fn capabilities(&self, revision: Revision) -> String {
        let changes = Object::new().with("listChanged", &true).end();
        let mut object = Object::new().raw("tools", &changes).raw("logging", "{}");
        if self.catalogue.offers(Kind::Resources) {
            let resources = Object::new().with("subscribe", &true).with("listChanged", &true);
            object = object.raw("resources", &resources.end());
        }
        if self.catalogue.offers(Kind::Prompts) {
            object = object.raw("prompts", &changes);
        }
        if revision.is_stateless() {
            let tasks = Object::new().raw(super::tasks::EXTENSION, "{}");
            object = object.raw("extensions", &tasks.end());
        }
        if self.catalogue.offers_completions() && revision >= Revision::V2025_03_26 {
            object = object.raw("completions", "{}");
        }
        object.end()
    }
}

/// Name and version of an `Implementation`, if it has both.
pub(super) fn implementation(value: Option<&Value>) -> Result<Option<(String, String)>, RpcError> {
    let member = |name| value?.get(name)?.as_str();
    let Some((name, version)) = member("name").zip(member("version")) else {
        return Ok(None);
    };
    check_text("the client's \"name\"", name)?;
    check_text("the client's \"version\"", version)?;
    Ok(Some((name.to_owned(), version.to_owned())))
}
