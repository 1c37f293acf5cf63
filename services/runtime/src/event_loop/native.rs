//! The loop of a native build: tokio alone.

use std::future::Future;
use std::io;

use super::Waiting;
use crate::metrics::Registry;

/// Runs `main`, and the local tasks it spawns, until it ends. Must be called on a tokio runtime.
pub(crate) async fn drive<T: 'static>(
    _waiting: Waiting,
    _metrics: &Registry,
    main: impl Future<Output = T> + 'static,
) -> io::Result<T> {
    Ok(tokio::task::LocalSet::new().run_until(main).await)
}
