//! The time during which this replica leads: it writes the lease, and the state with it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_cron::election::Term;
use mainstay_cron_core::engine::Batch;
use mainstay_cron_core::journal::{self, LoadError, Loaded};
use mainstay_cron_core::lease::{Lease, Slot};
use mainstay_nats_link::kv::{Bucket, Entry, KvError};

use crate::config::Election;

/// The lease holds so many bytes of journal lines at most; then the state is written anew. Each write carries them all.
const LINES: usize = 64 << 10;

/// The pause before a request is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a replica leads no more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another has the lease.
    #[error("{0:?} has taken the lease")]
    Taken(String),
    /// The lease could not be written for so long that another may take it.
    #[error("the lease could not be written for {0:?}, and another may have it by now")]
    RanOut(Duration),
    /// It cannot be written at all.
    #[error("the state cannot be written: {0}")]
    Unwritable(KvError),
    /// The state cannot be read.
    #[error("the state cannot be read: the journal {0}")]
    Unreadable(LoadError),
}

/// See the module's documentation.
pub struct NatsTerm {
    bucket: Bucket,
    key: String,
    lease: Lease,
    revision: u64,
    /// When the last write that is known to have succeeded was sent: no other replica counts from earlier.
    confirmed: Instant,
}

impl NatsTerm {
    /// The lease was taken by a write that was sent at `since` and has this revision.
    pub(crate) fn new(settings: &Election, bucket: &Bucket, lease: Lease, revision: u64, since: Instant) -> Self {
        Self {
            bucket: bucket.clone(),
            key: settings.key.clone(),
            lease,
            revision,
            confirmed: since,
        }
    }

    /// The name under which this replica has the lease.
    pub(crate) fn holder(&self) -> &str {
        &self.lease.holder
    }

    /// How long this replica may think that it leads. The last third belongs to nobody: what is in flight is cancelled
    /// then, and clocks may run at slightly different speeds.
    fn left(&self) -> Duration {
        (self.lease.ttl * 2 / 3).saturating_sub(self.confirmed.elapsed())
    }

    async fn write_lease(&mut self) -> Result<(), Lost> {
        self.lease.serial += 1;
        let value = Bytes::from(self.lease.encode());
        let sent = Instant::now();
        loop {
            let write = self.bucket.write(&self.key, value.clone(), self.revision);
            match self.in_time(write).await? {
                Ok(revision) => {
                    self.revision = revision;
                    self.confirmed = sent;
                    return Ok(());
                }
                Err(KvError::Conflict) => {
                    let entry = self.current().await?;
                    // An attempt whose answer was lost may have succeeded.
                    if entry.value.as_ref() != Some(&value) {
                        return Err(taken(&entry));
                    }
                    self.revision = entry.revision;
                    self.confirmed = sent;
                    return Ok(());
                }
                Err(error @ KvError::TooLarge { .. }) => return Err(Lost::Unwritable(error)),
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// Writes the state to the slot that the lease does not name, and lets the lease name it; it is still to be written.
    ///
    /// A holder that was deposed and does not know may be at the same: so first the slot's revision is read, then the
    /// lease, and only if that is still this replica's the slot is written, with that revision. Whoever has taken the
    /// lease after that finds a write of its own refused, and tries again; who has taken it before is seen.
    async fn write_snapshot(&mut self, value: Bytes) -> Result<(), Lost> {
        let slot = self.lease.snapshot.map_or(Slot::A, |(slot, _)| slot.other());
        let key = self.slot_key(slot);
        loop {
            let before = match self.in_time(self.bucket.read(&key)).await? {
                Ok(entry) => entry.map_or(0, |entry| entry.revision),
                Err(error) => {
                    self.pause(&error).await;
                    continue;
                }
            };
            let lease = self.current().await?;
            if lease.revision != self.revision {
                return Err(taken(&lease));
            }
            match self.in_time(self.bucket.write(&key, value.clone(), before)).await? {
                Ok(revision) => {
                    self.lease.snapshot = Some((slot, revision));
                    self.lease.lines.clear();
                    return Ok(());
                }
                Err(error @ KvError::TooLarge { .. }) => return Err(Lost::Unwritable(error)),
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// What the lease's key holds now.
    async fn current(&self) -> Result<Entry, Lost> {
        loop {
            match self.in_time(self.bucket.read(&self.key)).await? {
                Ok(Some(entry)) => return Ok(entry),
                Ok(None) => {
                    return Ok(Entry {
                        value: None,
                        revision: 0,
                    });
                }
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// Does something as long as this replica may think that it leads.
    async fn in_time<T>(&self, what: impl Future<Output = T>) -> Result<T, Lost> {
        let ran_out = |_| Lost::RanOut(self.confirmed.elapsed());
        tokio::time::timeout(self.left(), what).await.map_err(ran_out)
    }

    async fn pause(&self, error: &KvError) {
        tracing::debug!("tried again in {PAUSE:?}: {error}");
        tokio::time::sleep(PAUSE).await;
    }

    fn slot_key(&self, slot: Slot) -> String {
        format!("{}.{}", self.key, slot.as_str())
    }
}

impl Term for NatsTerm {
    type Lost = Lost;

    async fn load(&self) -> Result<Option<Loaded>, Lost> {
        let Some((slot, revision)) = self.lease.snapshot else {
            return Ok(None);
        };
        let key = self.slot_key(slot);
        loop {
            let bucket = &self.bucket;
            match self.in_time(bucket.read(&key)).await? {
                Ok(Some(Entry {
                    value: Some(value),
                    revision: found,
                })) if found == revision => {
                    let journal = [&value[..], &self.lease.lines].concat();
                    return journal::decode(&journal).map(Some).map_err(Lost::Unreadable);
                }
                // Nobody writes over what a lease names. Somebody has deleted it, or restored the bucket in part.
                Ok(_) => {
                    tracing::error!(
                        key,
                        revision,
                        "the state is not where the lease says it is, beginning anew"
                    );
                    return Ok(None);
                }
                Err(error) => self.pause(&error).await,
            }
        }
    }

    async fn begin(&mut self, snapshot: Vec<u8>) -> Result<(), Lost> {
        self.write_snapshot(Bytes::from(snapshot)).await?;
        self.write_lease().await
    }

    async fn keep(&mut self, batch: &Batch, snapshot: impl FnOnce() -> Vec<u8>) -> Result<(), Lost> {
        if self.lease.lines.len() + batch.lines.len() > LINES {
            self.write_snapshot(Bytes::from(snapshot())).await?;
        } else {
            self.lease.lines.extend_from_slice(&batch.lines);
        }
        self.write_lease().await
    }

    fn due_in(&self) -> Duration {
        (self.lease.ttl / 3).saturating_sub(self.confirmed.elapsed())
    }

    fn check(&self) -> Result<(), Lost> {
        if self.left().is_zero() {
            return Err(Lost::RanOut(self.confirmed.elapsed()));
        }
        Ok(())
    }
}

/// The lease is another's.
fn taken(entry: &Entry) -> Lost {
    let lease = entry.value.as_ref().and_then(|value| Lease::decode(value).ok());
    Lost::Taken(lease.map_or_else(|| "nobody".to_owned(), |lease| lease.holder))
}
