//! The port of `pool-client.wasm`: one lease, or one question for figures, a connection.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use mainstay_pool_core::lease::{Ask, Refusal, Tell, figures};
use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::listener;
use mainstay_runtime::metrics::Registry;
use mainstay_runtime::net::Socket;

use crate::admin::Pools;
use crate::pool::login;
use crate::pump::{End, finish, read_on};

/// Connections to the port at once.
const CLIENTS: usize = 1000;

/// How long a client may take to say what it wants, and to hear the last word.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that wants a connection of one pool.
pub(crate) struct Client {
    pub(crate) stream: Socket,
    pub(crate) end: End,
    /// None for the pool's own.
    pub(crate) timeout: Option<Duration>,
}

/// Where the clients of one pool are served, until they have nothing more to say; gives them back with their last word.
pub(crate) type Door = Rc<dyn Fn(Client) -> LocalBoxFuture<'static, (Client, Option<Tell>)>>;

/// The pools whose connections can be had, by name.
pub(crate) type Doors = Vec<(String, Door)>;

/// Serves the port from now on.
pub(crate) fn start(pools: Pools, doors: Doors, address: SocketAddr, tokens: Tokens, registry: Registry) {
    let port = Rc::new(Port {
        pools,
        doors,
        tokens,
        registry,
    });
    listener::keep("leases", "leases", address, CLIENTS, move |stream, _| {
        let _ = stream.set_nodelay(true);
        serve(Rc::clone(&port), stream)
    });
}

/// What its clients share.
struct Port {
    pools: Pools,
    doors: Doors,
    /// Of which a client has to say one.
    tokens: Tokens,
    registry: Registry,
}

async fn serve(port: Rc<Port>, mut stream: Socket) {
    let Port { pools, doors, .. } = &*port;
    let mut end = End::default();
    let asked = tokio::time::timeout(PATIENCE, ask(&port, &mut stream, &mut end)).await;
    let mut client = Client {
        stream,
        end,
        timeout: None,
    };
    let refused = |refusal, why: String| Some(Tell::Refused(refusal, why));
    let last = match asked {
        Ok(Ok(Some(Ask::Figures(name)))) => Some(match pools.iter().find(|pool| pool.name() == name) {
            Some(pool) => Tell::Figures(figures(&pool.stats())),
            None => no_such_pool(pools, &name),
        }),
        Ok(Ok(Some(Ask::Acquire { timeout, name }))) => match doors.iter().find(|(other, _)| *other == name) {
            Some((_, door)) => {
                client.timeout = (timeout > 0).then(|| Duration::from_nanos(timeout));
                let (returned, last) = door(client).await;
                client = returned;
                last
            }
            None if pools.iter().any(|pool| pool.name() == name) => refused(
                Refusal::NotLeasable,
                format!("pool {name:?} is for its protocol's drivers, which connect to its port"),
            ),
            None => Some(no_such_pool(pools, &name)),
        },
        Ok(Ok(Some(_))) => refused(Refusal::Protocol, "a pool has to be named first".to_owned()),
        Ok(Err((refusal, why))) => refused(refusal, why),
        Ok(Ok(None)) | Err(_) => None,
    };
    if let Some(last) = last {
        last.encode(&mut client.end.output);
        // One that does not read it has its connection closed all the same.
        let _ = tokio::time::timeout(PATIENCE, finish(&mut client.stream, &mut client.end)).await;
    }
}

/// What a client wants, if it says so; after its token, where one is wanted.
async fn ask(port: &Port, stream: &mut Socket, end: &mut End) -> Result<Option<Ask>, (Refusal, String)> {
    let mut component: Option<String> = None;
    loop {
        match Ask::decode(&mut end.input).map_err(|error| (Refusal::Protocol, error.to_string()))? {
            Some(Ask::Token(token)) => {
                let owner = port.tokens.owner(&token);
                if owner.is_none() && !port.tokens.is_empty() {
                    return Err((
                        Refusal::Token,
                        "POOL_LEASES_TOKEN is no token of the service".to_owned(),
                    ));
                }
                component = owner.map(str::to_owned);
                continue;
            }
            Some(_) if component.is_none() && !port.tokens.is_empty() => {
                let why = "the service wants a token: set POOL_LEASES_TOKEN for the component that holds the client";
                return Err((Refusal::Token, why.to_owned()));
            }
            Some(ask) => {
                if let (Some(component), Ask::Acquire { name, .. }) = (&component, &ask)
                    && port.doors.iter().any(|(other, _)| other == name)
                {
                    login(&port.registry, name, component);
                }
                return Ok(Some(ask));
            }
            None => {}
        }
        if !read_on(stream, end).await.unwrap_or(false) {
            return Ok(None);
        }
    }
}

fn no_such_pool(pools: &Pools, name: &str) -> Tell {
    let known: Vec<&str> = pools.iter().map(|pool| pool.name()).collect();
    let why = format!("no pool has the name {name:?}; there are: {}", known.join(", "));
    Tell::Refused(Refusal::NoSuchPool, why)
}
