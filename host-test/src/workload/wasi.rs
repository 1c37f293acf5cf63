//! The interfaces that the host itself offers to every component.

use wasmtime::component::Linker;
use wasmtime::{Engine, StoreContextMut};

use super::sockets::interface as sockets;
use super::state::State;

/// WASI 0.2.12 and 0.3.0 with `wasi:http`, and `wasi:config`.
pub(super) fn interfaces(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    sockets::replace(&mut linker)?;
    config(&mut linker)?;
    Ok(linker)
}

/// `error` of `wasi:config/store`: the host's answers never fail, but the type must match.
#[derive(wasmtime::component::ComponentType, wasmtime::component::Lower)]
#[component(variant)]
#[allow(dead_code, reason = "never constructed")]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

/// `wasi:config/store@0.2.0-rc.1`: what the manifest configures for the component that asks.
fn config(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut store = linker.instance("wasi:config/store@0.2.0-rc.1")?;
    store.func_wrap("get", |store: StoreContextMut<'_, State>, (key,): (String,)| {
        Ok((Ok::<_, ConfigError>(store.data().active.config.get(&key).cloned()),))
    })?;
    store.func_wrap("get-all", |store: StoreContextMut<'_, State>, (): ()| {
        let all = store
            .data()
            .active
            .config
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        Ok((Ok::<_, ConfigError>(all.collect::<Vec<_>>()),))
    })
}
