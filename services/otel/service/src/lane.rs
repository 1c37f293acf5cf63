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
    /// One task syncs for all that wait.
    syncing: Mutex<()>,
}

/// A request that waits.
struct Waiting {
    /// None if it has to be read from the volume.
    body: Option<Bytes>,
    position: Option<Position>,
    since: Instant,
}

/// A request that is written down, where its queue is on a volume, and not in the queue yet.
pub(crate) struct Written {
    waiting: Waiting,
    size: Size,
}

/// Requests that go out together. They count as queued until the batch is [settled](Lane::settle).
pub(crate) struct Batch {
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) items: usize,
    requests: usize,
    bytes: usize,
    positions: Vec<Position>,
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
        let (spool, found) = Spool::open(folder, settings.segment)?;
        let mut items = 0;
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
            self.backlog.borrow_mut().restore(waiting, size);
        }
        if items > 0 {
            tracing::info!(destination = self.report.name(), signal = %self.signal, items, "was not sent before, and is now");
        }
        self.disk = Some(OnDisk {
            spool: RefCell::new(spool),
            settings: settings.clone(),
            cached: Cell::new(0),
            syncing: Mutex::new(()),
        });
        self.show();
        Ok(())
    }

    /// Whether a request of so many bytes has room now, be it that of others that are dropped for it.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        self.backlog.borrow().takes(bytes, self.when_full)
    }

    /// Whether senders keep what there is no room for.
    pub(crate) fn refuses(&self) -> bool {
        self.when_full == WhenFull::Refuse
    }

    /// Whether a request of so many bytes could ever be taken.
    pub(crate) fn can_hold(&self, bytes: usize) -> bool {
        self.backlog.borrow().can_hold(bytes)
    }

    /// Writes a request down, if the queue is on a volume. What comes next is [`Lane::push`] or [`Lane::discard`]: nothing
    /// is dropped for a request that another queue cannot write.
    pub(crate) fn write(&self, body: Bytes, items: usize) -> io::Result<Written> {
        let size = Size {
            items,
            bytes: body.len(),
        };
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
        Ok(Written { waiting, size })
    }

    /// Queues a request that the queue [takes](Lane::takes). On a volume it is safe after [`Lane::durable`].
    pub(crate) fn push(&self, Written { waiting, size }: Written) -> Option<Position> {
        let position = waiting.position;
        // There is room, or the oldest make some.
        let dropped = self.backlog.borrow_mut().push(waiting, size, WhenFull::DropOldest);
        let dropped = dropped.unwrap_or_default();
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
        position
    }

    /// The request is not queued after all.
    pub(crate) fn discard(&self, written: Written) {
        self.forget(&[written.waiting]);
    }

    /// Waits until a request is as safe as the settings want it.
    pub(crate) async fn durable(&self, position: Position) -> io::Result<()> {
        match &self.disk {
            Some(disk) if disk.settings.sync == Sync::Always => disk.durable(position).await,
            _ => Ok(()),
        }
    }

    /// Takes a request back that could not be made safe. Not one that is on its way already.
    pub(crate) fn take_back(&self, position: Position) -> bool {
        let found = (self.backlog.borrow_mut()).remove(|waiting| waiting.position == Some(position));
        let Some((waiting, _)) = found else { return false };
        self.forget(&[waiting]);
        self.show();
        true
    }

    /// Lets the next sync fail.
    #[cfg(test)]
    pub(crate) fn break_the_volume(&self) {
        if let Some(disk) = &self.disk {
            disk.spool.borrow_mut().break_the_next_sync();
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
        if self.backlog.borrow().is_half_empty() {
            self.report.has_room();
        }
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
        let Some(disk) = self.disk.as_ref().filter(|_| !positions.is_empty()) else {
            return;
        };
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
        let cached = self.cached.get() + body.len();
        if cached > self.settings.memory {
            return Ok((position, None));
        }
        self.cached.set(cached);
        Ok((position, Some(body)))
    }

    async fn durable(&self, position: Position) -> io::Result<()> {
        let _turn = self.syncing.lock().await;
        if self.spool.borrow().safe(position).is_none() {
            // Others that are ready to append get their turn, and share the sync.
            tokio::task::yield_now().await;
            // How it went for this record and for those of the others is remembered.
            let _ = self.spool.borrow_mut().sync();
        }
        self.spool.borrow().safe(position).unwrap_or(Ok(()))
    }
}
