//! Whether replicas elect one of them, and how.

use std::rc::Rc;
use std::time::Duration;

use mainstay_cron::config::Configuration;
use mainstay_nats_core::jetstream::kv;
use mainstay_nats_link::Connection;
use mainstay_runtime::config::{ConfigError, Settings};

/// How replicas elect the one that runs the jobs: by a lease in a bucket of NATS.
#[derive(Clone, Debug)]
pub struct Election {
    /// The connection to NATS.
    pub connection: Rc<Connection>,
    /// The bucket.
    pub bucket: String,
    /// The lease's key; the state is below it.
    pub key: String,
    /// How long after its holder's last write the lease is another's to take.
    pub ttl: Duration,
    /// Whether the bucket is made if it is not there.
    pub ensure: bool,
}

impl Election {
    /// Reads `CRON_ELECTION` and its like, and the connection's settings, which are those of the NATS service.
    ///
    /// # Errors
    /// The first setting that is wrong, in one line.
    pub fn read(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let chosen = settings.or("election", false, |value| {
            value.one_of(&[("off", false), ("nats", true)])
        })?;
        let bucket = settings.or("election_bucket", "mainstay".to_owned(), |value| {
            match value.text()? {
                name if kv::is_bucket(name) => Ok(name.to_owned()),
                _ => Err(value.error("not a bucket's name, must be letters, digits, - and _")),
            }
        })?;
        let key = settings.or("election_key", "cron".to_owned(), |value| match value.text()? {
            key if kv::is_key(key) => Ok(key.to_owned()),
            _ => Err(value.error("not a key, must be letters, digits and - _ = / with dots between them")),
        })?;
        let ttl = settings.or("election_ttl", Duration::from_secs(10), |value| {
            value.duration(Duration::from_secs(1)..=Duration::from_secs(600))
        })?;
        let ensure = settings.or("election_ensure", false, |value| value.flag())?;
        if !chosen {
            return Ok(None);
        }
        let connection = settings.beside("nats", "NATS_", Connection::read)?;
        Ok(Some(Self {
            connection: Rc::new(connection),
            bucket,
            key,
            ttl,
            ensure,
        }))
    }

    /// How long it may take until another replica has taken over: it waits for the lease to be up, looks from time to
    /// time, and may have to connect first.
    pub fn handover(&self) -> Duration {
        self.ttl * 3
    }
}

/// Puts the election's settings beside those of the service.
///
/// # Errors
/// The two do not go together.
pub fn join(
    mut configuration: Configuration,
    election: Option<Election>,
) -> Result<(Configuration, Option<Election>), ConfigError> {
    if configuration.state.is_some() && election.is_some() {
        return Err(ConfigError::new(
            "CRON_STATE and CRON_ELECTION are both set, must be one: replicas that elect one of them keep their state in the \
             bucket of the election",
        ));
    }
    configuration.limits.handover = election.as_ref().map_or(Duration::ZERO, Election::handover);
    Ok((configuration, election))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAILY: (&str, &str) = ("CRON_SCHEDULE", "0 3 * * *");
    const ELECTION: &[(&str, &str)] = &[DAILY, ("CRON_ELECTION", "nats"), ("NATS_URL", "nats://nats.example")];

    fn read(variables: &[(&str, &str)]) -> Result<(Configuration, Option<Election>), ConfigError> {
        let read = |settings: &mut Settings| Configuration::with(settings, Election::read);
        let (configuration, election) = Settings::read_from("CRON_", variables.iter().copied(), read)?;
        join(configuration, election)
    }

    fn with_election(more: &[(&'static str, &'static str)]) -> Result<(Configuration, Option<Election>), ConfigError> {
        read(&[ELECTION, more].concat())
    }

    #[test]
    fn an_election_has_a_lease_and_the_connection_of_the_nats_service() {
        let (alone, none) = read(&[DAILY, ("NATS_URL", "not looked at")]).unwrap();
        assert!(none.is_none() && alone.limits.handover.is_zero());

        let (configuration, election) = with_election(&[
            ("CRON_ELECTION_TTL", "4s"),
            ("NATS_USER", "me"),
            ("NATS_PASSWORD", "s3cr3t"),
            // Of the NATS service in the same bundle.
            ("NATS_SUBJECTS", "orders"),
        ])
        .unwrap();
        let election = election.unwrap();
        assert_eq!((election.bucket.as_str(), election.key.as_str()), ("mainstay", "cron"));
        assert_eq!(election.connection.servers[0].to_string(), "nats://nats.example:4222");
        assert_eq!(election.connection.credentials.kind(), "user and password");
        assert_eq!(configuration.limits.handover, Duration::from_secs(12));
        assert!(!format!("{election:?}").contains("s3cr3t"));
    }

    #[test]
    fn an_election_is_refused_where_it_cannot_be_held() {
        for (more, error) in [
            (
                &[("CRON_STATE", "/state")][..],
                "CRON_STATE and CRON_ELECTION are both set, must be one: replicas that elect one of them keep their state in \
                 the bucket of the election",
            ),
            (
                &[("CRON_ELECTION", "etcd")],
                "CRON_ELECTION \"etcd\": not one of off, nats",
            ),
            (
                &[("CRON_ELECTION_BUCKET", "a.b")],
                "CRON_ELECTION_BUCKET \"a.b\": not a bucket's name, must be letters, digits, - and _",
            ),
            (
                &[("CRON_ELECTION_KEY", "a..b")],
                "CRON_ELECTION_KEY \"a..b\": not a key, must be letters, digits and - _ = / with dots between them",
            ),
            (
                &[("CRON_ELECTION_TTL", "100ms")],
                "CRON_ELECTION_TTL \"100ms\": not in 1s to 10m",
            ),
            (
                &[("NATS_USER", "me")],
                "NATS_USER is set and NATS_PASSWORD is not, must be both",
            ),
        ] {
            assert_eq!(with_election(more).unwrap_err().to_string(), error);
        }
        let error = read(&[DAILY, ("CRON_ELECTION", "nats")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "NATS_URL is not set, for example NATS_URL=\"nats://nats.example:4222\""
        );
    }
}
