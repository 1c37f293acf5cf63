//! What the server owes, in order: one entry for each message that it answers.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::BytesMut;

use crate::postgres::frame::write;
use crate::postgres::statements::Statement;

/// One thing that is owed.
#[derive(Debug)]
pub(super) enum Expect {
    /// ParseComplete. `seen` is whether the client sent the Parse; a statement without name has none here.
    Parse {
        statement: Option<Rc<Statement>>,
        seen: bool,
    },
    /// BindComplete; of a statement that is kept for others, if it is one.
    Bind { statement: Option<Rc<Statement>> },
    /// What a Describe yields, likewise.
    Describe { statement: Option<Rc<Statement>> },
    /// What an Execute yields, up to CommandComplete or its kin.
    Execute,
    /// CloseComplete; of a statement that the client does not know of, if there is one, and whether it was stale.
    Close { unseen: Option<Rc<Statement>>, stale: bool },
    /// ReadyForQuery.
    Sync,
    /// What a Query yields, up to ReadyForQuery.
    Query,
    /// The same of a query that the client does not know of.
    Own,
    /// Nothing: an answer that the server is not asked for, but the client gets in its turn.
    Answer(u8),
    /// Nothing: the data of a COPY ended here.
    CopyEnd,
}

#[derive(Debug, Default)]
pub(super) struct Owed {
    queue: VecDeque<Expect>,
}

impl Owed {
    pub(super) fn push(&mut self, expect: Expect) {
        self.queue.push_back(expect);
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn head(&self) -> Option<&Expect> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Expect> {
        self.queue.pop_front()
    }

    /// Gives the client those answers whose turn it is.
    pub(super) fn settle(&mut self, to_client: &mut BytesMut) {
        while let Some(Expect::Answer(_) | Expect::CopyEnd) = self.queue.front() {
            if let Some(Expect::Answer(tag)) = self.queue.pop_front() {
                write(to_client, tag, |_| {});
            }
        }
    }

    /// The head has failed: takes off what the server will not answer, up to the next Sync. Says whether there is one.
    pub(super) fn fail(&mut self, mut skipped: impl FnMut(Expect)) -> bool {
        loop {
            match self.queue.front() {
                Some(Expect::Sync) => return true,
                // A query after an error is skipped as well.
                Some(_) => {
                    if let Some(expect) = self.queue.pop_front() {
                        skipped(expect);
                    }
                }
                None => return false,
            }
        }
    }

    /// The server takes data from now on, and takes no notice of a Sync before its end (§53.2.6).
    pub(super) fn copy_begins(&mut self) {
        let end = self.queue.iter().position(|expect| matches!(expect, Expect::CopyEnd));
        let end = end.unwrap_or(self.queue.len());
        let mut index = 0;
        self.queue.retain(|expect| {
            let ignored = index > 0 && index < end && matches!(expect, Expect::Sync);
            index += 1;
            !ignored
        });
    }

    /// Whether the data of a COPY that has begun ended already.
    pub(super) fn copy_ended(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::CopyEnd))
    }
}
