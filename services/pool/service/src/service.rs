//! Start.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::postgres::Credentials;
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::config::{ConfigError, Secret};
use mainstay_runtime::net::{Dialer, Socket};
use mainstay_runtime::{Context, Error, listener};

use crate::admin::{self, Operable};
use crate::component::Component;
use crate::config::{self, Configuration, Reuse};
use crate::hooks::Kinds;
use crate::leases::{self, Door, Doors};
use crate::pool::{Connector, Pool};
use crate::tcp::Teacher;
use crate::upstream::Upstream;
use crate::{postgres, redis, tcp};

/// How often readiness is looked at.
const READINESS: Duration = Duration::from_millis(500);

/// Calls of hooks at once.
const HOOKS: usize = 64;

/// How long the component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or the component does not answer what it is asked at start.
pub async fn start<C: Component>(context: Context, component: C) -> Result<(), Error> {
    serve(context, Configuration::read()?, component).await
}

/// [`start`] with a configuration that is read already.
///
/// # Errors
/// As [`start`].
pub async fn serve<C: Component>(context: Context, configuration: Configuration, component: C) -> Result<(), Error> {
    context.serve_health(configuration.health);
    let (component, callbacks) = (Rc::new(component), Callbacks::new(HOOKS));
    let mut pools: Vec<Box<dyn Operable>> = Vec::new();
    let (mut states, mut doors) = (Vec::new(), Doors::new());
    for pool in configuration.pools {
        let hooks = match pool.mode {
            config::Mode::Tcp(_) => wanted(&*component, &callbacks, &pool).await?,
            _ => Kinds::empty(),
        };
        let name = pool.name.clone();
        let (operable, state, door) = open(&context, pool, (&component, hooks, &callbacks))?;
        pools.push(operable);
        states.push(state);
        doors.extend(door.map(|door| (name, door)));
    }
    let pools = Rc::new(pools);
    if let Some(address) = configuration.admin {
        admin::start(Rc::clone(&pools), address);
    }
    if let Some(address) = configuration.leases {
        leases::start(
            pools,
            doors,
            address,
            configuration.lease_tokens,
            context.metrics.clone(),
        );
    }
    // The workload is ready when no pool stands before a wall.
    loop {
        match states.iter().find_map(|state| state()) {
            Some(reason) => context.health.not_ready(reason),
            None => context.health.ready(),
        }
        tokio::time::sleep(READINESS).await;
    }
}

/// Why a pool cannot serve now, if it cannot.
type State = Box<dyn Fn() -> Option<String>>;

/// The hooks that the component wants to be called for a pool.
async fn wanted<C: Component>(component: &C, callbacks: &Callbacks, pool: &config::Pool) -> Result<Kinds, Error> {
    let name = &pool.name;
    let wanted = callbacks.call(ASKING, component.wanted(name.clone())).await;
    let wanted =
        wanted.map_err(|error| Error::start(format!("pool {name:?}: the component's hooks.wanted: {error}")))?;
    match &pool.mode {
        config::Mode::Tcp(tcp) if tcp.reuse == Reuse::Callback && !wanted.contains(Kinds::ON_RELEASE) => {
            Err(ConfigError::new(format!(
                "pool {name:?}: reuse is \"callback\", but no component wants on-release for it; use \"on-idle\" or \
                 \"never\", or link one to pool-open.wasm"
            ))
            .into())
        }
        _ => Ok(wanted),
    }
}

/// A pool that runs: what an operator sees, whether it is ready, and where its connections can be had.
type Opened = (Box<dyn Operable>, State, Option<Door>);

/// Starts one pool.
fn open<C: Component>(
    context: &Context,
    settings: config::Pool,
    (component, hooks, callbacks): (&Rc<C>, Kinds, &Callbacks),
) -> Result<Opened, Error> {
    let config::Pool {
        name,
        listen,
        max_clients,
        upstream,
        tls,
        connect_timeout,
        acquire_timeout,
        send_timeout,
        mut limits,
        tokens,
        mode,
    } = settings;
    let loaded = tls.settings.load();
    let addresses: Vec<String> = upstream.iter().map(ToString::to_string).collect();
    let upstream = Upstream {
        endpoints: upstream,
        dialer: Dialer::new(connect_timeout),
        tls: loaded.map_err(|error| ConfigError::new(format!("pool {name:?}: {error}")))?,
        prefer: tls.prefer,
        timeout: connect_timeout,
        send_timeout,
    };
    let leads_to = addresses.join(", ");
    let registry = &context.metrics;
    Ok(match mode {
        config::Mode::Postgres(postgres) => {
            let connector = postgres_connector(upstream, &postgres);
            let pool = Pool::start(&name, addresses, limits, acquire_timeout, connector, registry);
            let mode = postgres::Mode::new(Rc::clone(&pool), &postgres, acquire_timeout, tokens);
            listen_on(&pool, listen, max_clients, &leads_to, move |stream| {
                postgres::client(Rc::clone(&mode), stream)
            });
            let (operable, state) = finish(pool);
            (operable, state, None)
        }
        config::Mode::Redis(redis) => {
            let connector = redis::Connector {
                upstream,
                user: redis.user.clone(),
                password: redis.password.clone(),
                database: redis.database,
                identity: std::cell::RefCell::default(),
            };
            let keepalive = limits.keepalive;
            let pool = Pool::start(&name, addresses, limits, acquire_timeout, connector, registry);
            let mode = redis::Mode::new(Rc::clone(&pool), &redis, acquire_timeout, keepalive, tokens);
            listen_on(&pool, listen, max_clients, &leads_to, move |stream| {
                redis::client(Rc::clone(&mode), stream)
            });
            let (operable, state) = finish(pool);
            (operable, state, None)
        }
        config::Mode::Tcp(tcp) => {
            let callbacks = callbacks.clone();
            let teacher = Teacher::new(
                Rc::clone(component),
                hooks,
                &name,
                &addresses,
                callbacks,
                connect_timeout,
            );
            limits.can_check = teacher.validates();
            let connector = tcp::Connector {
                upstream,
                teacher,
                last: Cell::new(0),
            };
            let pool = Pool::start(&name, addresses, limits, acquire_timeout, connector, registry);
            let mode = Rc::new(tcp::Mode {
                pool: Rc::clone(&pool),
                reuse: tcp.reuse,
                acquire_timeout,
            });
            let door = door(Rc::clone(&mode));
            listen_on(&pool, listen, max_clients, &leads_to, move |stream| {
                tcp::client(Rc::clone(&mode), stream)
            });
            let (operable, state) = finish(pool);
            (operable, state, Some(door))
        }
    })
}

/// Where the connections of a pool for bytes can be had.
fn door<C: Component>(mode: Rc<tcp::Mode<C>>) -> Door {
    Rc::new(move |mut client| {
        let mode = Rc::clone(&mode);
        Box::pin(async move {
            let last = tcp::lease(mode, client.timeout, &mut client.stream, &mut client.end).await;
            (client, last)
        })
    })
}

fn postgres_connector(upstream: Upstream, postgres: &config::Postgres) -> postgres::Connector {
    // What a session is told that the pool itself opens: the pool reads its messages as UTF-8.
    let own = [("client_encoding", "UTF8"), ("application_name", "mainstay-pool")];
    postgres::Connector {
        upstream,
        credentials: Credentials {
            user: postgres.user.clone(),
            database: postgres.database.clone(),
            password: postgres
                .password
                .as_ref()
                .map(|password: &Secret| password.reveal().to_owned()),
            parameters: own.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        },
        reset: postgres.reset,
        prepared: postgres.prepared_statements,
        parameters: std::cell::RefCell::default(),
    }
}

fn finish<C: Connector>(pool: Rc<Pool<C>>) -> (Box<dyn Operable>, State) {
    let watched = Rc::clone(&pool);
    let state = move || {
        let name = watched.name();
        watched.inspect(|core, now| {
            let failure = core.last_failure()?;
            let stats = core.stats();
            let stuck = stats.active + stats.idle == 0 || core.circuit_open(now).is_some();
            stuck.then(|| format!("pool {name:?}: {failure}"))
        })
    };
    (Box::new(pool), Box::new(state))
}

/// Serves the clients of a pool, each by a task of its own.
fn listen_on<C: Connector, Served: Future<Output = ()> + 'static>(
    pool: &Rc<Pool<C>>,
    address: SocketAddr,
    max_clients: usize,
    leads_to: &str,
    serve: impl Fn(Socket) -> Served + 'static,
) {
    let (pool, serve) = (Rc::clone(pool), Rc::new(serve));
    tracing::info!(pool = pool.name(), upstream = leads_to, "begins");
    let what = format!("pool {:?}", pool.name());
    listener::keep("listen", what, address, max_clients, move |stream, _| {
        let _ = stream.set_nodelay(true);
        let (pool, served) = (Rc::clone(&pool), serve(stream));
        async move {
            pool.meters().clients(1.0);
            served.await;
            pool.meters().clients(-1.0);
        }
    });
}
