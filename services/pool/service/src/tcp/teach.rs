//! The hooks of one pool: conversations that a component leads with an upstream.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_pool_core::conversation::{Expectation, HEARD, STEPS};
use mainstay_pool_core::pool::{CloseReason, ConnectFailure};
use mainstay_runtime::callback::{CallbackError, Callbacks};

use super::Connection;
use crate::component::{Component, Heard};
use crate::hooks::{self, Failure, Kinds, Reason, Step, Usage};
use crate::pump::{End, finish, read_on};

/// What the component teaches a pool.
pub(crate) struct Teacher<C> {
    component: Rc<C>,
    wanted: Kinds,
    pool: String,
    /// The addresses as configured.
    upstreams: Vec<String>,
    callbacks: Callbacks,
    /// How long a conversation may take.
    timeout: Duration,
}

/// Why a conversation came to no good end.
enum Broken<E> {
    /// The component says so.
    Refused(E),
    /// The upstream, or the time.
    Failed(String),
}

impl<C: Component> Teacher<C> {
    pub(crate) fn new(
        component: Rc<C>,
        wanted: Kinds,
        pool: &str,
        upstreams: &[String],
        callbacks: Callbacks,
        timeout: Duration,
    ) -> Self {
        Self {
            component,
            wanted,
            pool: pool.to_owned(),
            upstreams: upstreams.to_owned(),
            callbacks,
            timeout,
        }
    }

    /// Whether an idle connection can be asked whether it lives.
    pub(crate) fn validates(&self) -> bool {
        self.wanted.contains(Kinds::VALIDATE)
    }

    /// `on-connect`, on a connection that is fresh.
    pub(crate) async fn connect(&self, connection: &mut Connection) -> Result<(), ConnectFailure> {
        if !self.wanted.contains(Kinds::ON_CONNECT) {
            return Ok(());
        }
        let described = self.describe(connection);
        let hook = |heard| self.component.on_connect(described.clone(), heard);
        match self.converse(connection, hook).await {
            Ok(()) => Ok(()),
            Err(Broken::Refused(Failure::Reject(why))) => Err(ConnectFailure::Rejected(why)),
            Err(Broken::Refused(Failure::Retry(why))) => Err(ConnectFailure::Unreachable(why)),
            Err(Broken::Failed(why)) => Err(ConnectFailure::Unreachable(format!("on-connect: {why}"))),
        }
    }

    /// `validate`, on a connection that is idle.
    pub(crate) async fn validate(&self, connection: &mut Connection) -> bool {
        if !self.validates() {
            return true;
        }
        let described = self.describe(connection);
        let hook = |heard| self.component.validate(described.clone(), heard);
        let valid = self.converse(connection, hook).await;
        self.told("validate", connection, valid)
    }

    /// `on-release`, on a connection that comes back.
    pub(crate) async fn release(&self, connection: &mut Connection, usage: Usage) -> bool {
        let described = self.describe(connection);
        let hook = |heard| self.component.on_release(described.clone(), usage, heard);
        let fit = self.converse(connection, hook).await;
        self.told("on-release", connection, fit)
    }

    /// `on-evict`: what to say before the connection is closed.
    pub(crate) async fn evict(&self, connection: &Connection, reason: CloseReason) -> Vec<u8> {
        let reason = match reason {
            _ if !self.wanted.contains(Kinds::ON_EVICT) => return Vec::new(),
            CloseReason::Idle => Reason::Idle,
            CloseReason::Lifetime => Reason::Lifetime,
            CloseReason::Sibling => Reason::Sibling,
            CloseReason::Operator => Reason::Operator,
            CloseReason::CheckFailed | CloseReason::Lost | CloseReason::Unclean => return Vec::new(),
        };
        let call = self.component.on_evict(self.describe(connection), reason);
        self.callbacks.call(self.timeout, call).await.unwrap_or_else(|error| {
            tracing::warn!(pool = self.pool, "on-evict: {error}");
            Vec::new()
        })
    }

    fn describe(&self, connection: &Connection) -> hooks::Connection {
        hooks::Connection {
            pool: self.pool.clone(),
            upstream: self.upstreams.get(connection.host).cloned().unwrap_or_default(),
            number: connection.number,
        }
    }

    fn told(&self, hook: &str, connection: &Connection, outcome: Result<(), Broken<String>>) -> bool {
        let Err(Broken::Refused(why) | Broken::Failed(why)) = outcome else {
            return true;
        };
        tracing::info!(pool = self.pool, connection = connection.number, "{hook}: {why}");
        false
    }

    /// Leads a conversation to its end.
    async fn converse<E, Call: Future<Output = Result<Step, E>>>(
        &self,
        connection: &mut Connection,
        hook: impl Fn(Heard) -> Call,
    ) -> Result<(), Broken<E>> {
        let conversation = async {
            let mut end = End {
                input: std::mem::take(&mut connection.said),
                ..End::default()
            };
            let mut heard = Heard::new();
            for _ in 0..=STEPS {
                let step = self.callbacks.call(self.timeout, hook(heard.clone())).await;
                match step.map_err(|error: CallbackError| Broken::Failed(error.to_string()))? {
                    Err(refused) => return Err(Broken::Refused(refused)),
                    Ok(Step::Done) if end.input.is_empty() => return Ok(()),
                    Ok(Step::Done) => return Err(Broken::Failed("something is left unheard".to_owned())),
                    Ok(Step::Continue(exchange)) => {
                        let answer = answer(connection, &mut end, &exchange, &heard).await;
                        heard.push(answer.map_err(Broken::Failed)?);
                    }
                }
            }
            Err(Broken::Failed(format!("no end after {STEPS} steps")))
        };
        match tokio::time::timeout(self.timeout, conversation).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Broken::Failed(format!("no end within {:?}", self.timeout))),
        }
    }
}

/// One step: says something, and waits for what has to come.
async fn answer(
    connection: &mut Connection,
    end: &mut End,
    exchange: &hooks::Exchange,
    heard: &Heard,
) -> Result<Vec<u8>, String> {
    let expectation = match &exchange.expect {
        hooks::Expectation::Nothing => Expectation::Nothing,
        hooks::Expectation::These(bytes) => Expectation::These(bytes.clone()),
        hooks::Expectation::Count(count) => Expectation::Count(usize::try_from(*count).unwrap_or(usize::MAX)),
        hooks::Expectation::Until(bytes) => Expectation::Until(bytes.clone()),
    };
    let stream = &mut *connection.stream;
    end.output = BytesMut::from(&*exchange.send);
    finish(stream, end).await.map_err(|error| error.to_string())?;
    let room = HEARD.saturating_sub(heard.iter().map(Vec::len).sum());
    loop {
        let met = expectation.meet(&mut end.input, room);
        if let Some(met) = met.map_err(|error| error.to_string())? {
            return Ok(met.to_vec());
        }
        match read_on(stream, end).await {
            Ok(true) => {}
            Ok(false) => return Err("it hangs up".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
}
