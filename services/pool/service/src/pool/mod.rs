//! A pool's state with its connections: what the core's state machine wants is done here.
//!
//! - `lease`: a connection that somebody has
//! - `meters`: figures

mod lease;
mod meters;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::pool::{
    AcquireError, Action, CloseReason, ConnectFailure, ConnectionId, Moment, Pool as Core, Release, Settings, Stats,
    WaiterId,
};
use mainstay_runtime::metrics::Registry;
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;
use tokio::time::Instant;

pub(crate) use lease::Lease;
pub(crate) use meters::{Meters, login};

/// Idle connections are looked at this often: has the upstream closed one?
const SWEEP: Duration = Duration::from_secs(1);

/// How long a goodbye may take, and a check, if who waits for its outcome waits for so long.
const CHECK: Duration = Duration::from_secs(5);

/// Makes connections of one kind.
pub(crate) trait Connector: 'static {
    /// What it makes.
    type Connection: 'static;

    /// Connects to one of the addresses.
    fn connect(&self, host: usize) -> impl Future<Output = Result<Self::Connection, ConnectFailure>>;

    /// Whether an idle connection seems to live, as far as can be told at once.
    fn seems_alive(&self, connection: &mut Self::Connection) -> bool;

    /// Whether an idle connection lives: asks the upstream.
    fn check(&self, connection: &mut Self::Connection) -> impl Future<Output = bool>;

    /// Says goodbye, if the protocol has a word for that.
    fn close(&self, connection: Self::Connection, reason: CloseReason) -> impl Future<Output = ()>;
}

/// A pool.
pub(crate) struct Pool<C: Connector> {
    name: String,
    addresses: Vec<String>,
    connector: C,
    core: RefCell<Core>,
    idle: RefCell<HashMap<ConnectionId, C::Connection>>,
    waiting: RefCell<HashMap<WaiterId, oneshot::Sender<Result<ConnectionId, AcquireError>>>>,
    next_waiter: Cell<u64>,
    /// How long a check may take.
    check_timeout: Duration,
    started: Instant,
    /// Something is due earlier than the maintenance task knows.
    earlier: Notify,
    /// An operator has said something.
    operated: Notify,
    meters: Meters,
}

/// What someone wants a connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Borrow,
    /// For as long as it lives, for the use of many.
    Hold,
}

impl<C: Connector> Pool<C> {
    /// A pool, and the task that maintains it. Who waits for a connection does so for `acquire_timeout`, mostly.
    pub(crate) fn start(
        name: &str,
        addresses: Vec<String>,
        settings: Settings,
        acquire_timeout: Duration,
        connector: C,
        registry: &Registry,
    ) -> Rc<Self> {
        let pool = Rc::new(Self {
            name: name.to_owned(),
            addresses,
            connector,
            core: RefCell::new(Core::new(settings, rand::random())),
            idle: RefCell::default(),
            waiting: RefCell::default(),
            next_waiter: Cell::new(1),
            // Who waits for a dead one has as much time left for another.
            check_timeout: CHECK.min(acquire_timeout / 2),
            started: Instant::now(),
            earlier: Notify::new(),
            operated: Notify::new(),
            meters: Meters::new(registry, name),
        });
        spawn_local(Rc::clone(&pool).maintain());
        pool
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its figures for metrics.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What makes its connections.
    pub(crate) fn connector(&self) -> &C {
        &self.connector
    }

    /// A connection, now or when it is one's turn.
    pub(crate) async fn acquire(self: &Rc<Self>, timeout: Duration) -> Result<Lease<C>, AcquireError> {
        let began = self.now();
        while let Some(id) = self.try_acquire() {
            if let Some(lease) = self.lease(id) {
                self.meters.acquired(self.now().saturating_sub(began));
                return Ok(lease);
            }
        }
        self.acquire_in_turn(Purpose::Borrow, timeout).await
    }

    /// A connection for as long as it lives, for the use of many: of those that are kept for this.
    pub(crate) async fn hold(self: &Rc<Self>, timeout: Duration) -> Result<Lease<C>, AcquireError> {
        self.acquire_in_turn(Purpose::Hold, timeout).await
    }

    async fn acquire_in_turn(self: &Rc<Self>, purpose: Purpose, timeout: Duration) -> Result<Lease<C>, AcquireError> {
        let began = self.now();
        let mut again = false;
        loop {
            let id = self.wait(purpose, began, timeout, again).await?;
            if let Some(lease) = self.lease(id) {
                self.meters.acquired(self.now().saturating_sub(began));
                return Ok(lease);
            }
            // Closed by the upstream since it was last looked at: the next one, and nobody else's before that.
            again = true;
        }
    }

    fn try_acquire(&self) -> Option<ConnectionId> {
        self.core.borrow_mut().try_acquire(self.now())
    }

    async fn wait(
        self: &Rc<Self>,
        purpose: Purpose,
        since: Moment,
        timeout: Duration,
        again: bool,
    ) -> Result<ConnectionId, AcquireError> {
        let waiter = WaiterId(self.next_waiter.replace(self.next_waiter.get() + 1));
        let (granted, grant) = oneshot::channel();
        self.waiting.borrow_mut().insert(waiter, granted);
        let mut cancel = Cancel {
            pool: self,
            waiter,
            grant,
        };
        let (now, holds) = (self.now(), purpose == Purpose::Hold);
        match purpose {
            _ if again => self.core.borrow_mut().acquire_again(now, waiter, since, timeout, holds),
            Purpose::Borrow => self.core.borrow_mut().acquire(now, waiter, timeout),
            Purpose::Hold => self.core.borrow_mut().hold(now, waiter, timeout),
        }
        self.act();
        self.earlier.notify_one();
        // The sender is dropped only after it has spoken.
        (&mut cancel.grant).await.unwrap_or(Err(AcquireError::Draining))
    }

    /// The connection of a grant, unless the upstream has closed it.
    fn lease(self: &Rc<Self>, id: ConnectionId) -> Option<Lease<C>> {
        let mut connection = self.idle.borrow_mut().remove(&id)?;
        if self.connector.seems_alive(&mut connection) {
            return Some(Lease::new(Rc::clone(self), id, connection));
        }
        self.release(id, Release::Lost);
        None
    }

    fn release(self: &Rc<Self>, id: ConnectionId, how: Release) {
        self.core.borrow_mut().release(self.now(), id, how);
        self.act();
    }

    /// Does what the state machine wants.
    fn act(self: &Rc<Self>) {
        loop {
            let Some(action) = self.core.borrow_mut().next_action() else {
                break;
            };
            match action {
                Action::Connect { connection, host } => {
                    spawn_local(Rc::clone(self).connect(connection, host));
                }
                Action::Grant { waiter, connection, .. } => self.grant(waiter, connection),
                Action::Refuse { waiter, error } => {
                    self.meters.refused(error.label());
                    if let Some(waiter) = self.waiting.borrow_mut().remove(&waiter) {
                        let _ = waiter.send(Err(error));
                    }
                }
                Action::Check { connection } => {
                    spawn_local(Rc::clone(self).check(connection));
                }
                Action::Close { connection, reason } => self.close(connection, reason),
                Action::Leak { connection, held } => {
                    self.meters.leaked();
                    tracing::warn!(
                        pool = self.name,
                        connection = connection.0,
                        ?held,
                        "somebody holds a connection for long"
                    );
                }
                Action::Eject { host, pause } => {
                    self.meters.ejected();
                    tracing::warn!(pool = self.name, upstream = self.address(host), retry_in = ?pause,
                        "left alone after too many failures");
                }
            }
        }
    }

    fn grant(self: &Rc<Self>, waiter: WaiterId, connection: ConnectionId) {
        let waiting = self.waiting.borrow_mut().remove(&waiter);
        let granted = waiting.is_some_and(|waiter| waiter.send(Ok(connection)).is_ok());
        if !granted {
            // Who waited is gone.
            self.core.borrow_mut().release(self.now(), connection, Release::Clean);
        }
    }

    async fn connect(self: Rc<Self>, id: ConnectionId, host: usize) {
        let began = Instant::now();
        match self.connector.connect(host).await {
            Ok(connection) => {
                self.meters.connected(began.elapsed());
                self.idle.borrow_mut().insert(id, connection);
                self.core.borrow_mut().connected(self.now(), id);
            }
            Err(failure) => {
                let kind = if failure.is_rejection() {
                    "rejected"
                } else {
                    "unreachable"
                };
                self.meters.connect_failed(kind);
                tracing::warn!(pool = self.name, upstream = self.address(host), "{failure}");
                self.core.borrow_mut().connect_failed(self.now(), id, failure);
            }
        }
        self.act();
        self.earlier.notify_one();
    }

    async fn check(self: Rc<Self>, id: ConnectionId) {
        let Some(mut connection) = self.idle.borrow_mut().remove(&id) else {
            return;
        };
        let lives = self.connector.seems_alive(&mut connection)
            && tokio::time::timeout(self.check_timeout, self.connector.check(&mut connection)).await == Ok(true);
        // Into its place even when it is dead: closing takes it from there.
        self.idle.borrow_mut().insert(id, connection);
        self.core.borrow_mut().checked(self.now(), id, lives);
        self.act();
    }

    fn close(self: &Rc<Self>, id: ConnectionId, reason: CloseReason) {
        self.meters.closed(reason);
        let Some(connection) = self.idle.borrow_mut().remove(&id) else {
            return;
        };
        if matches!(
            reason,
            CloseReason::Lost | CloseReason::CheckFailed | CloseReason::Unclean
        ) {
            return;
        }
        let pool = Rc::clone(self);
        spawn_local(async move {
            let _ = tokio::time::timeout(CHECK, pool.connector.close(connection, reason)).await;
        });
    }

    /// Lets time pass, and looks after idle connections.
    async fn maintain(self: Rc<Self>) {
        loop {
            self.sweep();
            self.core.borrow_mut().poll(self.now());
            self.act();
            self.meters.set(&self.stats());
            let due = self.core.borrow().next_deadline(self.now());
            let sleep = due.map_or(SWEEP, |due| due.saturating_sub(self.now()).min(SWEEP));
            tokio::select! {
                () = tokio::time::sleep(sleep.max(Duration::from_millis(1))) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// Forgets idle connections that the upstream has closed.
    fn sweep(self: &Rc<Self>) {
        let mut idle = self.idle.borrow_mut();
        let dead = |(id, connection): (&ConnectionId, &mut C::Connection)| {
            (!self.connector.seems_alive(connection)).then_some(*id)
        };
        let dead: Vec<ConnectionId> = idle.iter_mut().filter_map(dead).collect();
        drop(idle);
        for id in dead {
            self.core.borrow_mut().lost(self.now(), id);
        }
    }

    /// Whether who holds this connection for good had better give it back.
    pub(crate) fn should_return(&self, id: ConnectionId) -> bool {
        self.core.borrow().should_return(self.now(), id)
    }

    /// Figures.
    pub(crate) fn stats(&self) -> Stats {
        self.core.borrow().stats()
    }

    /// What an operator wants.
    pub(crate) fn operate(self: &Rc<Self>, operate: impl FnOnce(&mut Core, Moment)) {
        operate(&mut self.core.borrow_mut(), self.now());
        self.act();
        self.earlier.notify_one();
        self.operated.notify_waiters();
    }

    /// Until an operator says something.
    pub(crate) async fn operated(&self) {
        self.operated.notified().await;
    }

    /// Looks at the state machine.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&Core, Moment) -> T) -> T {
        look(&self.core.borrow(), self.now())
    }

    /// An address as its user wrote it.
    pub(crate) fn address(&self, host: usize) -> &str {
        self.addresses.get(host).map_or("", String::as_str)
    }

    fn now(&self) -> Moment {
        self.started.elapsed()
    }
}

/// Who is dropped while it waits waits no longer; and a grant that is on its way goes back.
struct Cancel<'a, C: Connector> {
    pool: &'a Rc<Pool<C>>,
    waiter: WaiterId,
    grant: oneshot::Receiver<Result<ConnectionId, AcquireError>>,
}

impl<C: Connector> Drop for Cancel<'_, C> {
    fn drop(&mut self) {
        if self.pool.waiting.borrow_mut().remove(&self.waiter).is_some() {
            self.pool.core.borrow_mut().cancel(self.pool.now(), self.waiter);
            self.pool.act();
        } else if let Ok(Ok(connection)) = self.grant.try_recv() {
            self.pool.release(connection, Release::Clean);
        }
    }
}
