//! One signal's queue for one destination, or for several that stand in for each other.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

use bytes::Bytes;
use mainstay_otel_core::Signal;
use mainstay_otel_core::backlog::{Backlog, WhenFull};
use mainstay_otel_core::batch::{Batching, Plan, Size};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Duration, Instant};

use crate::config::{Disk, Queue, Sync};
use crate::report::{LaneReport, Loss};
use crate::spool::{Position, Spool};

/// A queue, from the receivers to the exporter.
pub(crate) struct Lane {
    pub(crate) signal: Signal,
    pub(crate) report: LaneReport,
    when_full: WhenFull,
    batching: Batching,
    backlog: RefCell<Backlog<Waiting>>,
    /// Something came.
    arrived: Notify,
    disk: Option<OnDisk>,
}

/// The part of a queue that is on a volume.
struct OnDisk {
    spool: RefCell<Spool>,
    settings: Disk,
    /// Bytes that are in memory besides.
    cached: Cell<usize>,
    /// Records that were appended, and of them those that were synced. One task syncs for all that wait.
    appended: Cell<u64>,
    synced: Cell<u64>,
    syncing: Mutex<()>,
}

/// A request that waits.
struct Waiting {
    /// None if it has to be read from the volume.
    body: Option<Bytes>,
    position: Option<Position>,
    since: Instant,
}

/// Requests that go out together. They count as queued until the batch is [settled](Lane::settle).
pub(crate) struct Batch {
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) items: usize,
    requests: usize,
    bytes: usize,
    positions: Vec<Position>,
}

/// Why a request is not in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("the queue is full")]
    Full,
    #[error("the queue's volume: {0}")]
    Disk(#[from] io::Error),
}

impl Lane {
    /// A queue, with what an earlier life of the service left on its volume.
    pub(crate) fn new(signal: Signal, queue: &Queue, batching: Batching, report: LaneReport) -> io::Result<Self> {
        let mut lane = Self {
            signal,
            report,
            when_full: queue.when_full,
            batching,
            backlog: RefCell::new(Backlog::new(queue.bounds)),
            arrived: Notify::new(),
            disk: None,
        };
        if let Some(settings) = &queue.disk {
            let folder = settings
                .folder
                .join(lane.report.name().replace('/', "+"))
                .join(signal.name());
            lane.recover(settings, &folder)?;
        }
        Ok(lane)
    }

    fn recover(&mut self, settings: &Disk, folder: &Path) -> io::Result<()> {
        let (mut spool, found) = Spool::open(folder, settings.segment)?;
        let (mut items, mut dropped) = (0, Vec::new());
        {
            let mut backlog = self.backlog.borrow_mut();
            for found in found {
                items += found.items;
                let waiting = Waiting {
                    body: None,
                    position: Some(found.position),
                    since: Instant::now(),
                };
                let size = Size {
                    items: found.items,
                    bytes: found.bytes,
                };
                // With a smaller bound than before, the oldest are in the way.
                dropped.extend(backlog.push(waiting, size, WhenFull::DropOldest).unwrap_or_default());
            }
        }
        if items > 0 {
            tracing::info!(destination = self.report.name(), signal = %self.signal, items, "was not sent before, and is now");
        }
        spool.consumed(dropped.iter().filter_map(|(waiting, _)| waiting.position))?;
        let lost: usize = dropped.iter().map(|(_, size)| size.items).sum();
        if lost > 0 {
            self.report.dropped(
                lost,
                Loss::QueueFull,
                "the queue on the volume is larger than it may be",
            );
        }
        self.disk = Some(OnDisk {
            spool: RefCell::new(spool),
            settings: settings.clone(),
            cached: Cell::new(0),
            appended: Cell::new(0),
            synced: Cell::new(0),
            syncing: Mutex::new(()),
        });
        self.show();
        Ok(())
    }

    /// Whether a request of so many bytes would be taken now, be it to drop others or itself.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        self.when_full != WhenFull::Refuse || self.backlog.borrow().has_room(bytes)
    }

    /// Whether a request of so many bytes could ever be taken.
    pub(crate) fn can_hold(&self, bytes: usize) -> bool {
        self.backlog.borrow().can_hold(bytes)
    }

    /// Queues a request. On a volume it is safe after [`Lane::durable`].
    pub(crate) fn push(&self, body: Bytes, items: usize) -> Result<(), PushError> {
        let size = Size {
            items,
            bytes: body.len(),
        };
        if self.when_full != WhenFull::DropOldest && !self.backlog.borrow().has_room(size.bytes) {
            if self.when_full == WhenFull::Refuse {
                return Err(PushError::Full);
            }
            self.report.dropped(items, Loss::QueueFull, "the queue is full");
            return Ok(());
        }
        let (position, body) = match &self.disk {
            None => (None, Some(body)),
            Some(disk) => disk
                .append(body, items)
                .map(|(position, body)| (Some(position), body))?,
        };
        let waiting = Waiting {
            body,
            position,
            since: Instant::now(),
        };
        let dropped = self
            .backlog
            .borrow_mut()
            .push(waiting, size, self.when_full)
            .map_err(|_full| PushError::Full)?;
        if !dropped.is_empty() {
            self.report.dropped(
                dropped.iter().map(|(_, size)| size.items).sum(),
                Loss::QueueFull,
                "the queue is full",
            );
            let (requests, _): (Vec<_>, Vec<_>) = dropped.into_iter().unzip();
            self.forget(&requests);
        }
        self.show();
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits until everything that was pushed before is as safe as the settings want it.
    pub(crate) async fn durable(&self) -> io::Result<()> {
        match &self.disk {
            Some(disk) if disk.settings.sync == Sync::Always => disk.durable().await,
            _ => Ok(()),
        }
    }

    /// Syncs every so often, if that is wanted; never ends.
    pub(crate) async fn keep_synced(&self) {
        let Some(disk) = &self.disk else { return };
        let Sync::Every(interval) = disk.settings.sync else {
            return;
        };
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = disk.spool.borrow_mut().sync() {
                tracing::warn!(destination = self.report.name(), signal = %self.signal, "sync the queue: {error}");
            }
        }
    }

    /// Waits until there is a batch: enough of it, or old enough.
    pub(crate) async fn next(&self) -> Batch {
        loop {
            let plan = {
                let backlog = self.backlog.borrow();
                let waited = backlog.front().map_or(Duration::ZERO, |front| front.since.elapsed());
                match self.batching.delay.checked_sub(waited) {
                    Some(rest)
                        if backlog.front().is_some()
                            && !rest.is_zero()
                            && !self.batching.may_be_full(backlog.waiting()) =>
                    {
                        Plan::Wait(rest)
                    }
                    _ => self.batching.plan(backlog.sizes(), waited),
                }
            };
            match plan {
                Plan::Idle => self.arrived.notified().await,
                Plan::Wait(rest) => {
                    // Late or not: the plan is made anew.
                    let _ = tokio::time::timeout(rest, self.arrived.notified()).await;
                }
                Plan::Send(count) => return self.take(count),
            }
        }
    }

    fn take(&self, count: usize) -> Batch {
        let mut batch = Batch {
            bodies: Vec::with_capacity(count),
            items: 0,
            requests: 0,
            bytes: 0,
            positions: Vec::new(),
        };
        let taken = self.backlog.borrow_mut().take(count);
        for (waiting, size) in taken {
            batch.requests += 1;
            batch.bytes += size.bytes;
            batch.positions.extend(waiting.position);
            match self.body(&waiting) {
                Ok(body) => {
                    batch.bodies.push(body);
                    batch.items += size.items;
                }
                Err(error) => {
                    self.report
                        .dropped(size.items, Loss::Damaged, &format!("the queue's volume: {error}"));
                }
            }
        }
        if self.backlog.borrow().front().is_some() {
            // Another consumer may be waiting for what is left.
            self.arrived.notify_one();
        }
        batch
    }

    fn body(&self, waiting: &Waiting) -> io::Result<Bytes> {
        match (&waiting.body, waiting.position, &self.disk) {
            (Some(body), _, disk) => {
                if let Some(disk) = disk {
                    disk.cached.set(disk.cached.get().saturating_sub(body.len()));
                }
                Ok(body.clone())
            }
            (None, Some(position), Some(disk)) => disk.spool.borrow_mut().read(position),
            (None, ..) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The batch has arrived, or is given up: there is room for others.
    pub(crate) fn settle(&self, batch: &Batch) {
        self.backlog.borrow_mut().release(batch.requests, batch.bytes);
        self.consumed(&batch.positions);
        self.show();
    }

    /// These never go out.
    fn forget(&self, requests: &[Waiting]) {
        if let Some(disk) = &self.disk {
            let cached: usize = requests
                .iter()
                .filter_map(|waiting| waiting.body.as_ref())
                .map(Bytes::len)
                .sum();
            disk.cached.set(disk.cached.get().saturating_sub(cached));
        }
        let positions: Vec<Position> = requests.iter().filter_map(|waiting| waiting.position).collect();
        self.consumed(&positions);
    }

    fn consumed(&self, positions: &[Position]) {
        let Some(disk) = &self.disk else { return };
        if let Err(error) = disk.spool.borrow_mut().consumed(positions.iter().copied()) {
            // They are sent again after a restart, and deleted then.
            tracing::warn!(destination = self.report.name(), signal = %self.signal, "the queue's volume: {error}");
        }
    }

    fn show(&self) {
        let backlog = self.backlog.borrow();
        self.report.queued(backlog.requests(), backlog.bytes());
    }
}

impl OnDisk {
    /// Writes a request down. It stays in memory too while there is room.
    fn append(&self, body: Bytes, items: usize) -> io::Result<(Position, Option<Bytes>)> {
        let position = self.spool.borrow_mut().append(&body, items)?;
        self.appended.set(self.appended.get() + 1);
        let cached = self.cached.get() + body.len();
        if cached > self.settings.memory {
            return Ok((position, None));
        }
        self.cached.set(cached);
        Ok((position, Some(body)))
    }

    async fn durable(&self) -> io::Result<()> {
        let mine = self.appended.get();
        let _turn = self.syncing.lock().await;
        if self.synced.get() >= mine {
            return Ok(());
        }
        // Others that are ready to append get their turn, and share the sync.
        tokio::task::yield_now().await;
        let all = self.appended.get();
        self.spool.borrow_mut().sync()?;
        self.synced.set(all);
        Ok(())
    }
}
