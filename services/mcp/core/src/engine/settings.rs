//! What a server says of itself, and its bounds.

use crate::model::Icon;
use crate::object::{self, Object};

/// What a server says of itself, and its bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, for programs.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its name, for people.
    pub title: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Where more about it is.
    pub website: Option<String>,
    /// Pictures for it.
    pub icons: Vec<Icon>,
    /// How a language model should use it.
    pub instructions: Option<String>,
    /// Items on a page of a list.
    pub page: usize,
    /// How long clients may keep lists, in milliseconds.
    pub list_ttl: u64,
    /// How long clients may keep what a resource holds, in milliseconds.
    pub read_ttl: u64,
    /// Whether lists are the same for everybody, so that caches may share them.
    pub public: bool,
    /// How long state that goes through the client is good, and how long a client may take to answer the questions of a
    /// call, in milliseconds.
    pub state_ttl: u64,
    /// How long a session may be idle, in milliseconds.
    pub session_ttl: u64,
    /// Sessions at once. One more ends the one that was idle for longest.
    pub sessions: usize,
    /// Calls of one client at once.
    pub calls: usize,
    /// Subscriptions of one client: resources, or streams of notifications.
    pub subscriptions: usize,
    /// Calls of all clients at once, those that wait for room or for an answer of their client among them.
    pub all_calls: usize,
    /// Bytes that a session keeps for a client that lost a connection, and that may wait for a client before news of changes
    /// are lost.
    pub keep: usize,
    /// Tasks that are remembered at once.
    pub tasks: usize,
    /// Of these, tasks of one user who is known by a token.
    pub own_tasks: usize,
    /// How long a task is remembered, in milliseconds. One that goes on for longer is dropped.
    pub task_ttl: u64,
    /// How often one call may ask for input before it is given up.
    pub rounds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "mainstay-mcp".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            title: None,
            description: None,
            website: None,
            icons: Vec::new(),
            instructions: None,
            page: 100,
            list_ttl: 0,
            read_ttl: 0,
            public: false,
            state_ttl: 600_000,
            session_ttl: 3_600_000,
            sessions: 1000,
            calls: 64,
            subscriptions: 100,
            all_calls: 1000,
            keep: 1 << 20,
            tasks: 1000,
            own_tasks: 100,
            task_ttl: 3_600_000,
            rounds: 16,
        }
    }
}

impl Settings {
    /// The `Implementation` of the specification. Members that a revision does not know do not hurt there.
    pub(super) fn implementation(&self) -> String {
        let object = Object::new()
            .with("name", &self.name)
            .with("version", &self.version)
            .with_some("title", self.title.as_ref())
            .with_some("description", self.description.as_ref())
            .with_some("websiteUrl", self.website.as_ref());
        if self.icons.is_empty() {
            return object.end();
        }
        object.raw("icons", &object::text(&self.icons)).end()
    }

    /// `ttlMs` and `cacheScope` of a list (2026-07-28 §Caching).
    pub(super) fn list_hints(&self, object: Object) -> Object {
        hints(object, self.list_ttl, self.public)
    }

    /// Those of what a resource holds, which may depend on who asks.
    pub(super) fn read_hints(&self, object: Object) -> Object {
        hints(object, self.read_ttl, false)
    }
}

fn hints(object: Object, ttl: u64, public: bool) -> Object {
    let scope = if public { "public" } else { "private" };
    object.with("ttlMs", &ttl).with("cacheScope", scope)
}
