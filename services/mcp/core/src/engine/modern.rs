//! Methods from 2026-07-28 on: each request carries its own metadata.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::call::Target;
use super::dispatch::Reply;
use super::legacy::implementation;
use super::methods::Context;
use super::peer::{Listen, check_text};
use super::{Engine, Event, Transport};
use crate::catalogue::Kind;
use crate::error::RpcError;
use crate::headers::RequestHeaders;
use crate::jsonrpc::message::Params;
use crate::jsonrpc::{Id, write};
use crate::model::LogLevel;
use crate::object::{self, Object};
use crate::revision::Revision;

pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const SERVER: &str = "io.modelcontextprotocol/serverInfo";

impl Engine {
    pub(super) fn modern(
        &mut self,
        target: &Target,
        method: &str,
        params: &Params,
        headers: Option<&RequestHeaders>,
    ) -> Result<Reply, RpcError> {
        let context = envelope(method, params, headers)?;
        match method {
            "server/discover" => Ok(Reply::Now(self.discover())),
            "subscriptions/listen" => self.listen(target, params),
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task_method(target, method, params, &context),
            _ => self.method(target, method, params, context, headers),
        }
    }

    fn discover(&self) -> String {
        let versions: Vec<&str> = Revision::stateless().map(Revision::name).collect();
        let object = Object::new()
            .with("supportedVersions", &versions)
            .raw("capabilities", &self.capabilities(Revision::LATEST))
            .with_some("instructions", self.settings.instructions.as_ref());
        self.complete(self.settings.list_hints(object), None)
    }

    /// The rest of a complete result: its type, and who gives it.
    pub(super) fn complete(&self, object: Object, meta: Option<&str>) -> String {
        object
            .with("resultType", "complete")
            .raw("_meta", &self.result_meta(meta).end())
            .end()
    }

    /// `_meta` of a result: what the component says, and who the server is.
    pub(super) fn result_meta(&self, meta: Option<&str>) -> Object {
        let object = Object::new().members(meta.unwrap_or("{}"));
        // The component's own word for the server, if it has one, stands.
        if meta.is_some_and(|meta| meta.contains(SERVER)) {
            return object;
        }
        object.raw(SERVER, &self.settings.implementation())
    }

    fn listen(&mut self, target: &Target, params: &Params) -> Result<Reply, RpcError> {
        let filter = params.get("notifications").and_then(Value::as_object);
        let filter = filter.ok_or_else(|| RpcError::params("\"notifications\" must be an object"))?;
        let listen = self.filter(target, filter)?;
        let (most, channel) = (self.settings.subscriptions, target.channel);
        let Some(peer) = self.peers.get_mut(&target.peer) else {
            return Ok(Reply::Later);
        };
        if peer.listens.len() >= most {
            return Err(RpcError::internal(format!(
                "{most} subscriptions are open, the most at once"
            )));
        }
        let mut honoured = Object::new();
        for (name, wanted) in [
            ("toolsListChanged", listen.tools),
            ("promptsListChanged", listen.prompts),
            ("resourcesListChanged", listen.resources),
        ] {
            honoured = honoured.with_some(name, wanted.then_some(&true));
        }
        let uris = (!listen.uris.is_empty()).then_some(&listen.uris);
        let honoured = honoured.with_some("resourceSubscriptions", uris).end();
        let events: Vec<Event> = listen
            .uris
            .iter()
            .map(|uri| Event::Subscribed(target.peer, uri.clone()))
            .collect();
        peer.listens.insert(target.id.clone(), listen);
        let params = tagged(&target.id).raw("notifications", &honoured);
        let acknowledged = write::notification("notifications/subscriptions/acknowledged", params);
        self.push(channel, acknowledged, 200);
        events.into_iter().for_each(|event| self.event(event));
        Ok(Reply::Later)
    }

    /// What of a filter is honoured.
    fn filter(&self, target: &Target, filter: &Map<String, Value>) -> Result<Listen, RpcError> {
        let flag = |name: &str| match filter.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(RpcError::params(format!("{name:?} must be a boolean"))),
        };
        let uris = match filter.get("resourceSubscriptions") {
            None => BTreeSet::new(),
            Some(Value::Array(uris)) => {
                let uris = uris.iter().map(|uri| uri.as_str().map(str::to_owned));
                let uris: Option<BTreeSet<String>> = uris.collect();
                uris.ok_or_else(|| RpcError::params("\"resourceSubscriptions\" must be a list of strings"))?
            }
            Some(_) => return Err(RpcError::params("\"resourceSubscriptions\" must be a list of strings")),
        };
        uris.iter().try_for_each(|uri| check_text("a URI", uri))?;
        let (resources, most) = (self.catalogue.offers(Kind::Resources), self.settings.subscriptions);
        if uris.len() > most {
            return Err(RpcError::params(format!("more than {most} resources at once")));
        }
        Ok(Listen {
            channel: target.channel,
            tools: flag("toolsListChanged")?,
            prompts: flag("promptsListChanged")? && self.catalogue.offers(Kind::Prompts),
            resources: flag("resourcesListChanged")? && resources,
            uris: if resources { uris } else { BTreeSet::new() },
        })
    }

    /// Ends all streams of notifications, and says so.
    pub fn end_listening(&mut self) {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for peer in peers {
            let Some(listens) = self.peers.get_mut(&peer).map(|peer| std::mem::take(&mut peer.listens)) else {
                continue;
            };
            for (id, listen) in listens {
                let target = Target {
                    peer,
                    channel: listen.channel,
                    id,
                    batch: None,
                };
                let meta = self.result_meta(None).with(SUBSCRIPTION, &target.id).end();
                let result = Object::new().with("resultType", "complete").raw("_meta", &meta).end();
                self.settle(&target, write::result(&target.id, &result), 200);
            }
        }
    }

    /// Whoever read the response to a request is gone: nobody waits for its answer.
    pub fn hung_up(&mut self, peer: super::PeerId) {
        if self
            .peers
            .get(&peer)
            .is_some_and(|peer| peer.transport == Transport::Single)
        {
            self.disconnect(peer);
        }
    }
}

/// Parameters that say to which stream of notifications they belong.
pub(super) fn tagged(id: &Id) -> Object {
    Object::new().raw("_meta", &Object::new().with(SUBSCRIPTION, id).end())
}

/// Reads the metadata of a request, and compares it with the headers.
fn envelope(method: &str, params: &Params, headers: Option<&RequestHeaders>) -> Result<Context, RpcError> {
    let malformed = |what: &str| RpcError::params(format!("params._meta: {what}")).with_status(400);
    let meta = params.get("_meta").and_then(Value::as_object);
    let meta = meta.ok_or_else(|| malformed("missing, unless the conversation begins with initialize"))?;
    let version = meta.get(VERSION).and_then(Value::as_str);
    let version = version.ok_or_else(|| malformed(&format!("{VERSION:?} must be a string")))?;
    let capabilities = meta.get(CAPABILITIES).filter(|capabilities| capabilities.is_object());
    let capabilities = capabilities.ok_or_else(|| malformed(&format!("{CAPABILITIES:?} must be an object")))?;
    check_text(CAPABILITIES, &capabilities.to_string()).map_err(|error| malformed(&error.message))?;
    let client = implementation(meta.get(CLIENT)).map_err(|error| malformed(&error.message))?;
    if let Some(headers) = headers {
        headers.check(version, method, params)?;
    }
    let revision = Revision::named(version).filter(|revision| revision.is_stateless());
    let revision = revision.ok_or_else(|| RpcError::version(version))?;
    let log_level = match meta.get(LOG_LEVEL) {
        None => None,
        Some(level) => {
            let level = level.as_str().and_then(LogLevel::named);
            let told = object::text(&meta.get(LOG_LEVEL));
            Some(level.ok_or_else(|| malformed(&format!("{told} is no log level, as \"warning\" is one")))?)
        }
    };
    Ok(Context {
        revision,
        capabilities: Rc::new(capabilities.clone()),
        client,
        log_level,
    })
}
