//! Prepared statements that outlive the server's session: what a client prepared once is prepared again, unseen, on
//! whichever server it gets.
//!
//! The same text is the same statement for all clients, so a server prepares it once.

use std::collections::HashMap;
use std::rc::{Rc, Weak};

use bytes::Bytes;

use super::sql::Effects;

/// A query that was prepared.
#[derive(Debug)]
pub struct Statement {
    id: u64,
    /// The query with its zero, and the types of its parameters: what follows the name in Parse.
    body: Bytes,
    effects: Effects,
}

/// What the names of statements on servers begin with.
pub(super) const PREFIX: &str = "mainstay_";

impl Statement {
    /// The unnamed one, which is nobody else's.
    pub(super) fn unnamed(body: &[u8], effects: Effects) -> Rc<Self> {
        Rc::new(Self {
            id: 0,
            body: Bytes::copy_from_slice(body),
            effects,
        })
    }

    /// Its name on every server.
    pub fn name(&self) -> String {
        match self.id {
            0 => String::new(),
            id => format!("{PREFIX}{id}"),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(super) fn effects(&self) -> Effects {
        self.effects
    }
}

/// All statements that somebody has prepared.
#[derive(Debug, Default)]
pub struct Registry {
    known: HashMap<Bytes, Weak<Statement>>,
    last: u64,
    /// When so many are known, those that nobody has any more are forgotten.
    sweep_at: usize,
}

impl Registry {
    /// The statement of this query and these types.
    pub(super) fn intern(&mut self, body: &[u8], effects: Effects) -> Rc<Statement> {
        if let Some(statement) = self.known.get(body).and_then(Weak::upgrade) {
            return statement;
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, statement| statement.strong_count() > 0);
            self.sweep_at = self.known.len() * 2 + 64;
        }
        self.last += 1;
        let body = Bytes::copy_from_slice(body);
        let statement = Rc::new(Statement {
            id: self.last,
            body: body.clone(),
            effects,
        });
        self.known.insert(body, Rc::downgrade(&statement));
        statement
    }

    /// Who prepares this query from now on gets a statement that no server has.
    pub(super) fn forget(&mut self, statement: &Statement) {
        self.known.remove(&statement.body);
    }
}

/// What a server has prepared; the least recently used goes first.
#[derive(Debug)]
pub(super) struct Prepared {
    statements: HashMap<u64, Entry>,
    capacity: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    statement: Rc<Statement>,
    used: u64,
    /// It is there and cannot be run any more.
    stale: bool,
}

impl Prepared {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            statements: HashMap::new(),
            capacity: capacity.max(1),
            clock: 0,
        }
    }

    /// Whether it is there and can be run; it is used now.
    pub(super) fn touch(&mut self, id: u64) -> bool {
        self.clock += 1;
        match self.statements.get_mut(&id) {
            Some(entry) if !entry.stale => {
                entry.used = self.clock;
                true
            }
            _ => false,
        }
    }

    /// It is prepared. Gives the one that has to go for it.
    pub(super) fn insert(&mut self, statement: Rc<Statement>) -> Option<Rc<Statement>> {
        self.keep(statement, false);
        if self.statements.len() <= self.capacity {
            return None;
        }
        let oldest = self.statements.iter().min_by_key(|(_, entry)| entry.used);
        let oldest = oldest.map(|(id, _)| *id)?;
        self.statements.remove(&oldest).map(|entry| entry.statement)
    }

    /// It is there, whatever became of others.
    pub(super) fn keep(&mut self, statement: Rc<Statement>, stale: bool) {
        self.clock += 1;
        let entry = Entry {
            used: self.clock,
            stale,
            statement,
        };
        self.statements.insert(entry.statement.id(), entry);
    }

    pub(super) fn is_stale(&self, id: u64) -> bool {
        self.statements.get(&id).is_some_and(|entry| entry.stale)
    }

    /// It is not there.
    pub(super) fn remove(&mut self, id: u64) {
        self.statements.remove(&id);
    }

    pub(super) fn clear(&mut self) {
        self.statements.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }
}
