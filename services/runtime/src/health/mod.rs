//! Whether the service is ready, and the pages that say so.
//!
//! - `server`: `/healthz`, `/readyz` and `/metrics` over HTTP/1.1
//!
//! A workload's status does not show that its service is dead, so readiness must come from the service itself. The
//! pages are on the workload's loopback; the `health` component puts them on its HTTP.

mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{ConfigError, Settings};
pub(crate) use server::serve;

/// Where every service serves its pages unless told otherwise.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Whether a service is ready. It is not before it says so. Cloning shares it.
///
/// ```
/// use mainstay_runtime::health::Health;
///
/// let health = Health::default();
/// assert_eq!(health.reason().as_deref(), Some("starting"));
/// health.ready();
/// assert_eq!(health.reason(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Health {
    /// Which part of a whole it is.
    part: Option<&'static str>,
    /// Why it is not ready; nothing if it is.
    reason: Arc<Mutex<Option<String>>>,
    /// All of them have to be ready too.
    parts: Arc<Mutex<Vec<Health>>>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Health {
    fn new(part: Option<&'static str>) -> Self {
        Self {
            part,
            reason: Arc::new(Mutex::new(Some("starting".to_owned()))),
            parts: Arc::default(),
        }
    }

    /// The readiness of one part. From now on the whole is ready when all its parts are.
    pub fn part(&self, name: &'static str) -> Self {
        self.replace(None);
        let part = Self::new(Some(name));
        lock(&self.parts).push(part.clone());
        part
    }

    /// It can do its work.
    pub fn ready(&self) {
        if self.replace(None).is_some() {
            tracing::info!(service = self.part, "ready");
        }
    }

    /// It cannot do its work, for this reason, such as an upstream that is gone.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.replace(Some(reason.clone())).as_ref() != Some(&reason) {
            tracing::warn!(service = self.part, reason, "not ready");
        }
    }

    /// Why it is not ready; nothing if it is.
    pub fn reason(&self) -> Option<String> {
        let own = lock(&self.reason).clone();
        own.or_else(|| {
            lock(&self.parts)
                .iter()
                .find_map(|part| Some(format!("{}: {}", part.part?, part.reason()?)))
        })
    }

    /// What a probe is told at `/healthz` and `/readyz`: a status, and the page. Nothing at other paths.
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        let reason = match path {
            // That it answers is what it says.
            "/healthz" => None,
            "/readyz" => self.reason(),
            _ => return None,
        };
        Some(reason.map_or((200, "ok\n".to_owned()), |reason| (503, format!("{reason}\n"))))
    }

    fn replace(&self, reason: Option<String>) -> Option<String> {
        std::mem::replace(&mut *lock(&self.reason), reason)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The setting `health`: where the pages are served, [`ADDRESS`] by default; nowhere if it is `off`.
pub fn address(settings: &mut Settings) -> Result<Option<SocketAddr>, ConfigError> {
    settings.or("health", Some(ADDRESS), |value| match value.text()? {
        "off" => Ok(None),
        text => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(value.error("not off, nor an IP address and a port, for example 127.0.0.1:8081")),
        },
    })
}
