//! A replica that wants to lead: it looks at the lease, and takes it if it is nobody's or up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_cron::election::Election;
use mainstay_cron_core::lease::{Lease, LeaseError, Watch};
use mainstay_nats_link::kv::{Bucket, KvError};
use mainstay_nats_link::{Observer, open, token};
use mainstay_runtime::Context;

use crate::config;
use crate::report::Report;
use crate::term::{Lost, NatsTerm};

/// A replica that wants to lead.
pub struct NatsElection {
    settings: config::Election,
    bucket: Bucket,
    /// The replica's name, without spaces; each candidacy adds to it.
    name: String,
    report: Rc<Report>,
    started: Instant,
}

/// Why a replica cannot see the lease, or not write it.
#[derive(Debug, thiserror::Error)]
enum ElectionError {
    #[error(transparent)]
    Kv(#[from] KvError),
    #[error("key {0:?} of bucket {1:?} {2}")]
    Lease(String, String, LeaseError),
}

/// The shortest and the longest time that one request may take.
const REQUEST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));

impl NatsElection {
    /// Connects, from now on and for ever.
    pub fn new(context: &Context, settings: config::Election) -> Self {
        let report = Report::new(context);
        let observer: Rc<dyn Observer> = report.clone();
        let bridge = open(&settings.connection, &observer);
        let timeout = (settings.ttl / 6).clamp(REQUEST.0, REQUEST.1);
        let bucket = Bucket::new(&bridge, &settings.connection.api, &settings.bucket, timeout);
        let name = settings.connection.name.replace(char::is_whitespace, "-");
        Self {
            settings,
            bucket,
            name,
            report,
            started: Instant::now(),
        }
    }

    /// Looks at the lease, and takes it if it is nobody's or up.
    async fn look(&self, candidacy: &Candidacy, watch: &mut Watch) -> Result<Option<NatsTerm>, ElectionError> {
        let key = &self.settings.key;
        let entry = match self.bucket.read(key).await {
            Err(KvError::NoBucket(_)) if self.settings.ensure => {
                self.bucket.ensure().await?;
                None
            }
            entry => entry?,
        };
        let revision = entry.as_ref().map_or(0, |entry| entry.revision);
        let lease = match entry.and_then(|entry| entry.value) {
            Some(value) => Lease::decode(&value)
                .map_err(|error| ElectionError::Lease(key.clone(), self.bucket.name().to_owned(), error))?,
            None => Lease::default(),
        };
        let term = |lease, revision, since| NatsTerm::new(&self.settings, &self.bucket, lease, revision, since);
        if let Some(since) = candidacy.since.get().filter(|_| lease.holder == candidacy.holder) {
            // It was taken, and the answer that says so was lost.
            return Ok(Some(term(lease, revision, since)));
        }
        let ttl = lease.ttl.max(self.settings.ttl);
        if !lease.holder.is_empty() && !watch.is_up(revision, ttl, self.started.elapsed()) {
            self.report.stands_by(&lease.holder);
            return Ok(None);
        }
        let lease = Lease {
            holder: candidacy.holder.clone(),
            serial: 0,
            ttl: self.settings.ttl,
            ..lease
        };
        let sent = Instant::now();
        match self.bucket.write(key, Bytes::from(lease.encode()), revision).await {
            Ok(revision) => Ok(Some(term(lease, revision, sent))),
            // Another was faster, or an attempt before this one has succeeded: the next look tells.
            Err(KvError::Conflict) => Ok(None),
            Err(error) => {
                candidacy.since.set(candidacy.since.get().or(Some(sent)));
                Err(error.into())
            }
        }
    }
}

impl Election for NatsElection {
    type Term = NatsTerm;

    async fn win(&self) -> NatsTerm {
        // Each candidacy is somebody else, so that what an earlier one has still under way is not taken for its own.
        let candidacy = Candidacy {
            holder: format!("{}-{}", self.name, token().get(..8).unwrap_or_default()),
            since: Cell::new(None),
        };
        let mut watch = Watch::default();
        loop {
            match self.look(&candidacy, &mut watch).await {
                Ok(Some(term)) => return term,
                Ok(None) => {}
                Err(error) => self.report.unseen(&error),
            }
            tokio::time::sleep(self.settings.ttl / 5).await;
        }
    }

    fn began(&self, term: &NatsTerm) {
        self.report.leads(term.holder());
    }

    fn lost(&self, reason: &Lost) {
        match reason {
            Lost::Taken(_) | Lost::RanOut(_) => self.report.lost(reason),
            Lost::Unwritable(_) | Lost::Unreadable(_) => self.report.cannot_lead(reason),
        }
    }

    fn leader(&self) -> Option<String> {
        self.report.leader()
    }
}

/// One attempt of a replica to lead.
struct Candidacy {
    /// Who holds the lease if it succeeds.
    holder: String,
    /// When the first attempt to take it was made whose answer is not known.
    since: Cell<Option<Instant>>,
}
