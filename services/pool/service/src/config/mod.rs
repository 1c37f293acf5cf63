//! Settings: the pools, each with a port, a mode and an upstream.
//!
//! - `pool`: one pool
//! - `url`: the same as a URL, in one variable
//! - `tokens`: what components have to bring

mod pool;
#[cfg(test)]
mod tests;
mod tokens;
mod url;

use std::net::{Ipv4Addr, SocketAddr};

use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::config::{ConfigError, Settings, Value};
use mainstay_runtime::health;

pub use pool::{Mode, Pool, Postgres, Redis, Reset, Reuse, Tcp, Tls};

/// Everything that the service is told.
#[derive(Debug)]
pub struct Configuration {
    /// At least one.
    pub pools: Vec<Pool>,
    /// Where the health pages are served.
    pub health: Option<SocketAddr>,
    /// Where the admin pages are served.
    pub admin: Option<SocketAddr>,
    /// Where `pool-client.wasm` asks for connections.
    pub leases: Option<SocketAddr>,
    /// Of which it has to say one there.
    pub lease_tokens: Tokens,
}

/// Where the admin pages are unless told otherwise.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8085);

/// Where connections are leased unless told otherwise; `pool-client.wasm` reads the same setting.
const LEASES: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8084);

impl Configuration {
    /// Reads the environment, and the file that it names.
    ///
    /// # Errors
    /// The first setting that is wrong, in one line.
    pub fn read() -> Result<Self, ConfigError> {
        // A value that is not Unicode is nobody's setting, or wrong in a way that its reader will tell.
        let variables = std::env::vars_os();
        Self::read_from(
            variables.map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )
    }

    /// [`Configuration::read`] from an environment that is given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_from<K: Into<String>, V: Into<String>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = environment
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        // POOL_<NAME>_URL names a pool: which there are, only the variables tell.
        let named = environment.iter().filter_map(|(key, _)| {
            let name = key.strip_prefix("POOL_")?.strip_suffix("_URL")?;
            Some(name.to_lowercase())
        });
        let mut named: Vec<String> = named.collect();
        named.sort();
        Settings::read_from("POOL_", environment, |settings| Self::from_settings(settings, &named))
    }

    fn from_settings(settings: &mut Settings, named: &[String]) -> Result<Self, ConfigError> {
        let health = health::address(settings)?;
        let page = |value: &Value| match value.text()? {
            "off" => Ok(None),
            _ => value.address().map(Some),
        };
        let admin = settings.or("admin", Some(ADMIN), page)?;
        let leases = settings.or("leases", Some(LEASES), page)?;
        let lease_tokens = tokens::read(settings, "leases_token", "POOL_LEASES_TOKENS")?;
        let mut pools = Vec::new();
        for name in named {
            if let Some(value) = settings.value(&format!("{name}_url")) {
                pools.push(url::read(name, &value)?);
            }
        }
        pools.extend(settings.tables("pool", Pool::read)?);
        // Secrets come by variable or file, whether a URL or a table made the pool: POOL_<NAME>_PASSWORD.
        for pool in &mut pools {
            let key = pool.name.replace(['-', '.'], "_");
            let token = format!("{key}_token");
            let password = settings.secret(&format!("{key}_password"))?;
            pool.complete(
                password,
                tokens::read(settings, &token, &format!("POOL_{}S", token.to_uppercase()))?,
            )?;
        }
        if pools.is_empty() {
            return Err(ConfigError::new(
                "no pool: set POOL_<NAME>_URL, for example POOL_APP_URL=\"postgres://app:secret@db.example/app\", or \
                 [[pool]] tables in the file of POOL_CONFIG",
            ));
        }
        check(&pools, [("health", health), ("admin", admin), ("leases", leases)])?;
        Ok(Self {
            pools,
            health,
            admin,
            leases,
            lease_tokens,
        })
    }
}

/// Names and ports are one's own.
fn check(pools: &[Pool], pages: [(&str, Option<SocketAddr>); 3]) -> Result<(), ConfigError> {
    for (index, pool) in pools.iter().enumerate() {
        let earlier = pools.iter().take(index);
        if earlier.clone().any(|other| other.name == pool.name) {
            return Err(ConfigError::new(format!(
                "pool {:?} is there twice; each needs a name of its own",
                pool.name
            )));
        }
        let taken = earlier
            .filter(|other| other.listen == pool.listen)
            .map(|other| other.name.as_str());
        let pages = pages
            .iter()
            .filter(|(_, address)| *address == Some(pool.listen))
            .map(|(name, _)| *name);
        if let Some(other) = taken.chain(pages).next() {
            let (name, listen) = (&pool.name, pool.listen);
            return Err(ConfigError::new(format!(
                "pool {name:?}: listen {listen} is that of {other} already; each needs a port of its own"
            )));
        }
    }
    Ok(())
}
