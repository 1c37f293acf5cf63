//! The journal's file: read at start, appended to, now and then written anew.
//!
//! Every failure but one at start leaves the service running: it goes on from memory, says so once, and tries to write
//! the whole state again every [`RETRY`]. If all that fails is to write the journal anew, it is appended to as before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use mainstay_cron_core::engine::Batch;
use mainstay_cron_core::journal::{self, LoadError, Loaded};
use mainstay_runtime::metrics::{Counter, Gauge, Registry};

const FILE: &str = "cron.journal";

/// A journal of this size is written anew when it has also grown to twice its snapshot.
const COMPACT_FROM: u64 = 8 << 20;

/// How often a disk that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long after writing anew failed it is tried again while appending still works.
const COMPACT_AGAIN: Duration = Duration::from_secs(60);

/// A state folder that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// Its journal is a newer service's.
    #[error("CRON_STATE {path:?}: the journal {reason}")]
    Newer { path: PathBuf, reason: LoadError },
    /// It cannot be read or written, and not for a reason that passes.
    #[error("CRON_STATE {path:?}: cannot {action}: {source}; mount a folder that the service may write to")]
    Io {
        path: PathBuf,
        action: &'static str,
        source: io::Error,
    },
}

/// The journal's file.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    /// None while writing fails.
    file: Option<File>,
    /// Bytes of the snapshot that the file begins with, and of what follows it.
    snapshot: u64,
    appended: u64,
    /// When writing is tried again.
    retry_at: Option<Instant>,
    /// When writing anew is tried again, after it failed.
    compact_at: Option<Instant>,
    meters: Meters,
}

#[derive(Debug)]
struct Meters {
    failing: Gauge,
    bytes: Counter,
    syncs: Counter,
    compactions: Counter,
}

impl Disk {
    /// Reads the journal in `folder`. What is damaged is copied aside first.
    pub(crate) fn open(folder: &Path, metrics: &Registry) -> Result<(Self, Option<Loaded>), DiskError> {
        let failed = |action| {
            move |source| DiskError::Io {
                path: folder.to_owned(),
                action,
                source,
            }
        };
        let path = folder.join(FILE);
        let loaded = match fs::read(&path) {
            Ok(bytes) => load(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read the journal")(error)),
        };
        let gauge = |name, help| metrics.gauge(name, help, &[]);
        let counter = |name, help| metrics.counter(name, help, &[]);
        let meters = Meters {
            failing: gauge("cron_state_failing", "Whether state cannot be written: 1 if so."),
            bytes: counter("cron_state_written_bytes_total", "Bytes written to the journal."),
            syncs: counter("cron_state_syncs_total", "Times the journal was synced to its disk."),
            compactions: counter("cron_state_compactions_total", "Times the journal was written anew."),
        };
        let folder = folder.to_owned();
        Ok((
            Self {
                folder,
                file: None,
                snapshot: 0,
                appended: 0,
                retry_at: None,
                compact_at: None,
                meters,
            },
            loaded,
        ))
    }

    /// Begins a new journal with this snapshot, at start. A full disk passes; a folder that must not be written to
    /// does not.
    pub(crate) fn begin(&mut self, snapshot: &[u8]) -> Result<(), DiskError> {
        match self.write_anew(snapshot) {
            Ok(()) => Ok(()),
            Err(source) if is_for_good(&source) => Err(DiskError::Io {
                path: self.folder.clone(),
                action: "write the journal",
                source,
            }),
            Err(error) => {
                self.fail(&error);
                Ok(())
            }
        }
    }

    /// Writes a batch, and syncs it if it asks for that. `snapshot` is called when the whole state has to be written
    /// instead.
    pub(crate) fn append(&mut self, batch: &Batch, snapshot: impl FnOnce() -> Vec<u8>) {
        if let Some(file) = &mut self.file {
            let mut written = file.write_all(&batch.lines);
            if batch.sync {
                written = written.and_then(|()| file.sync_data());
                self.meters.syncs.add(1);
            }
            self.appended += batch.lines.len() as u64;
            self.meters.bytes.add(batch.lines.len() as u64);
            match written {
                Err(error) => self.fail(&error),
                Ok(()) if self.is_large() => self.rewrite(&snapshot()),
                Ok(()) => {}
            }
        } else if self.retry_at.is_none_or(|at| Instant::now() >= at) {
            self.rewrite(&snapshot());
        }
    }

    /// Whether writing fails and has to be tried again, even if nothing has changed.
    pub(crate) fn wants_retry(&self) -> bool {
        self.file.is_none() && self.retry_at.is_none_or(|at| Instant::now() >= at)
    }

    fn is_large(&self) -> bool {
        let is_large = self.appended > COMPACT_FROM && self.appended > 2 * self.snapshot;
        is_large && self.compact_at.is_none_or(|at| Instant::now() >= at)
    }

    fn rewrite(&mut self, snapshot: &[u8]) {
        let failed = self.file.is_none();
        match self.write_anew(snapshot) {
            Ok(()) if failed => tracing::info!(folder = %self.folder.display(), "state is written again"),
            Ok(()) => {}
            Err(error) if self.file.is_some() => {
                if self.compact_at.is_none() {
                    let folder = self.folder.display();
                    tracing::warn!(%folder, "the journal cannot be written anew and grows: {error}; retrying every {COMPACT_AGAIN:?}");
                }
                self.compact_at = Some(Instant::now() + COMPACT_AGAIN);
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Writes a file beside the journal and puts it in its place, so that one of the two is whole at any instant.
    fn write_anew(&mut self, snapshot: &[u8]) -> io::Result<()> {
        let beside = self.folder.join(format!("{FILE}.new"));
        let file = match self.put_in_place(&beside, snapshot) {
            Ok(file) => file,
            Err(error) => {
                // What there is of it takes room that the journal may need. It may not even have been created.
                let _ = fs::remove_file(&beside);
                return Err(error);
            }
        };
        // Whatever happens now, the file before is no more the journal.
        self.file = None;
        File::open(&self.folder)?.sync_all()?;
        self.file = Some(file);
        self.compact_at = None;
        self.snapshot = snapshot.len() as u64;
        self.appended = 0;
        self.retry_at = None;
        self.meters.failing.set(0.0);
        self.meters.compactions.add(1);
        self.meters.bytes.add(self.snapshot);
        Ok(())
    }

    fn put_in_place(&self, beside: &Path, snapshot: &[u8]) -> io::Result<File> {
        let mut file = self.create(beside)?;
        file.write_all(snapshot)?;
        file.sync_all()?;
        fs::rename(beside, self.folder.join(FILE))?;
        Ok(file)
    }

    /// Creates a file, and the folder if it is not there.
    fn create(&self, path: &Path) -> io::Result<File> {
        let create = || OpenOptions::new().write(true).create(true).truncate(true).open(path);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                create()
            }
            created => created,
        }
    }

    fn fail(&mut self, error: &io::Error) {
        if self.retry_at.is_none() {
            let folder = self.folder.display();
            tracing::error!(%folder, "state cannot be written, going on from memory: {error}; retrying every {RETRY:?}");
        }
        self.file = None;
        self.retry_at = Some(Instant::now() + RETRY);
        self.meters.failing.set(1.0);
    }
}

/// What the journal holds, none if nothing.
fn load(path: &Path, bytes: &[u8]) -> Result<Option<Loaded>, DiskError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match journal::decode(bytes) {
        Ok(loaded) => {
            if loaded.damaged > 0 {
                let lines = loaded.damaged;
                tracing::error!(
                    aside = aside(path),
                    lines,
                    "the journal is damaged, those lines are left out"
                );
            } else if loaded.torn {
                tracing::info!("the journal's last line was torn off by a crash, and is left out");
            }
            Ok(Some(loaded))
        }
        Err(reason @ LoadError::Newer(_)) => Err(DiskError::Newer {
            path: path.to_owned(),
            reason,
        }),
        Err(reason) => {
            tracing::error!(aside = aside(path), "the journal {reason}, beginning anew");
            Ok(None)
        }
    }
}

/// Copies a damaged journal for someone to look at; says where, or why not.
fn aside(path: &Path) -> String {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let aside = path.with_file_name(format!("{FILE}.corrupt-{seconds}"));
    match fs::copy(path, &aside) {
        Ok(_) => aside.display().to_string(),
        Err(error) => format!("not copied: {error}"),
    }
}

/// Whether trying again later is no use.
fn is_for_good(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(disk: &mut Disk, lines: &[u8]) {
        let batch = Batch {
            lines: lines.to_vec(),
            sync: true,
        };
        disk.append(&batch, || b"anew\n".to_vec());
    }

    #[test]
    fn a_journal_that_cannot_be_written_anew_is_appended_to_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let (mut disk, _) = Disk::open(folder.path(), &Registry::default()).unwrap();
        disk.begin(b"begun\n").unwrap();
        let beside = folder.path().join("cron.journal.new");
        // A full disk would do, but no test can have one.
        fs::create_dir(&beside).unwrap();
        let much = vec![b'.'; usize::try_from(COMPACT_FROM).unwrap()];
        append(&mut disk, &much);
        append(&mut disk, b"one\n");
        append(&mut disk, b"two\n");
        assert!(!disk.wants_retry());
        let journal = fs::read(folder.path().join(FILE)).unwrap();
        assert!(journal.starts_with(b"begun\n") && journal.ends_with(b"one\ntwo\n"));

        fs::remove_dir(&beside).unwrap();
        disk.compact_at = Some(Instant::now());
        append(&mut disk, b"three\n");
        append(&mut disk, b"four\n");
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"anew\nfour\n");
    }
}
