//! Between a guest and WASI's sockets: a few functions of wasmtime-wasi are replaced by ones that rewrite addresses
//! and then call the original.

use std::net::SocketAddr;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView, WasiSocketsView as _};

use super::super::state::State;
use super::{Network, nodelay};

/// Replaces what has to do with addresses, in both generations of `wasi:sockets`.
pub(in super::super) fn replace(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    replace_tcp_p2(linker)?;
    replace_names_p2(linker)?;
    replace_tcp_p3(linker)?;
    replace_names_p3(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The error code of a refusal, or the trap that it was.
fn answer<T, E: std::error::Error + Send + Sync + 'static>(
    result: Result<T, TrappableError<E>>,
) -> wasmtime::Result<Result<T, E>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => error.downcast().map(Err),
    }
}

fn network(state: &State) -> Arc<Network> {
    Arc::clone(&state.active.network)
}

/// The socket that a guest creates, with TCP_NODELAY unless the workload goes without.
fn new_socket<T, E>(
    store: &mut StoreContextMut<'_, State>,
    create: impl FnOnce(&mut WasiSocketsCtxView<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let delayed = store.data().active.network.delayed_sends;
    let mut sockets = sockets(store);
    if delayed {
        create(&mut sockets)
    } else {
        nodelay::set_on_new_socket(|| create(&mut sockets))
    }
}

fn sockets<'a>(store: &'a mut StoreContextMut<'_, State>) -> WasiSocketsCtxView<'a> {
    store.data_mut().sockets()
}

fn replace_tcp_p2(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::sockets::network::{
        ErrorCode, IpAddressFamily, IpSocketAddress, Network as Handle,
    };
    use wasmtime_wasi::p2::bindings::sockets::tcp::{HostTcpSocket, TcpSocket};
    use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host;

    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, State>, (family,): (IpAddressFamily,)| {
            let socket = new_socket(&mut store, |sockets| sockets.create_tcp_socket(family));
            Ok((answer(socket)?,))
        },
    )?;

    let mut tcp = linker.instance("wasi:sockets/tcp@0.2.12")?;
    type Addressed = (Resource<TcpSocket>, Resource<Handle>, IpSocketAddress);
    tcp.func_wrap_async(
        "[method]tcp-socket.start-bind",
        |mut store: StoreContextMut<'_, State>, (socket, handle, address): Addressed| {
            Box::new(async move {
                let address = network(store.data()).loopback.outward(address.into());
                Ok((answer(
                    sockets(&mut store).start_bind(socket, handle, address.into()).await,
                )?,))
            })
        },
    )?;
    tcp.func_wrap(
        "[method]tcp-socket.start-connect",
        |mut store: StoreContextMut<'_, State>, (socket, handle, address): Addressed| {
            let Some(address) = network(store.data()).destination(address.into()) else {
                return Ok((Err(ErrorCode::AccessDenied),));
            };
            Ok((answer(sockets(&mut store).start_connect(
                socket,
                handle,
                address.into(),
            ))?,))
        },
    )?;
    tcp.func_wrap(
        "[method]tcp-socket.local-address",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let address = answer(sockets(&mut store).local_address(socket))?;
            Ok((address.map(|address| inward(store.data(), address)),))
        },
    )?;
    tcp.func_wrap(
        "[method]tcp-socket.remote-address",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let address = answer(sockets(&mut store).remote_address(socket))?;
            Ok((address.map(|address| inward(store.data(), address)),))
        },
    )
}

/// An address as the guest calls it.
fn inward<A: Into<SocketAddr> + From<SocketAddr>>(state: &State, address: A) -> A {
    state.active.network.loopback.inward(address.into()).into()
}

fn replace_names_p2(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::Host;
    use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, Network as Handle};

    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, State>, (handle, name): (Resource<Handle>, String)| {
            let Some(name) = network(store.data()).lookup(name) else {
                return Ok((Err(ErrorCode::PermanentResolverFailure),));
            };
            Ok((answer(sockets(&mut store).resolve_addresses(handle, name))?,))
        },
    )
}

fn replace_tcp_p3(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p3::bindings::sockets::types::{
        ErrorCode, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress, TcpSocket,
    };

    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    types.func_wrap(
        "[static]tcp-socket.create",
        |mut store: StoreContextMut<'_, State>, (family,): (IpAddressFamily,)| {
            let socket = new_socket(&mut store, |sockets| HostTcpSocket::create(sockets, family));
            Ok((answer(socket)?,))
        },
    )?;
    types.func_wrap_async(
        "[method]tcp-socket.bind",
        |mut store: StoreContextMut<'_, State>, (socket, address): (Resource<TcpSocket>, IpSocketAddress)| {
            Box::new(async move {
                let address = network(store.data()).loopback.outward(address.into());
                Ok((answer(
                    HostTcpSocket::bind(&mut sockets(&mut store), socket, address.into()).await,
                )?,))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]tcp-socket.connect",
        |accessor, (socket, address): (Resource<TcpSocket>, IpSocketAddress)| {
            Box::pin(async move {
                let network = accessor.with(|mut access| network(access.data_mut()));
                let Some(address) = network.destination(address.into()) else {
                    return Ok((Err(ErrorCode::AccessDenied),));
                };
                let accessor = accessor.with_getter::<WasiSockets>(|state: &mut State| state.sockets());
                let connected = WasiSockets::connect(&accessor, socket, address.into()).await;
                Ok((answer(connected)?,))
            })
        },
    )?;
    types.func_wrap(
        "[method]tcp-socket.get-local-address",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let address = answer(HostTcpSocket::get_local_address(&mut sockets(&mut store), socket))?;
            Ok((address.map(|address| inward(store.data(), address)),))
        },
    )?;
    types.func_wrap(
        "[method]tcp-socket.get-remote-address",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let address = answer(HostTcpSocket::get_remote_address(&mut sockets(&mut store), socket))?;
            Ok((address.map(|address| inward(store.data(), address)),))
        },
    )
}

fn replace_names_p3(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{ErrorCode, HostWithStore};

    linker
        .instance("wasi:sockets/ip-name-lookup@0.3.0")?
        .func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
            Box::pin(async move {
                let network = accessor.with(|mut access| network(access.data_mut()));
                let Some(name) = network.lookup(name) else {
                    return Ok((Err(ErrorCode::PermanentResolverFailure),));
                };
                let accessor = accessor.with_getter::<WasiSockets>(|state: &mut State| state.sockets());
                Ok((WasiSockets::resolve_addresses(&accessor, name).await?,))
            })
        })
}
