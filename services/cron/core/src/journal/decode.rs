//! Lines to state.

use std::str::FromStr;
use std::time::Duration;

use super::{MAGIC, VERSION};
use crate::Moment;
use crate::lived::{Lived, Stretch};
use crate::record::{Claim, Finish, Record, Retry};
use crate::run::{End, JobId, Origin, Phase, Reason, Run, Suspension};
use crate::state::{JobState, MadeUp, Past, State};

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The jobs' names and schedule fingerprints, by their id in `state`.
    pub jobs: Vec<(Box<str>, u64)>,
    /// What is known of them.
    pub state: State,
    /// Lines that are damaged and stand before sound ones: more than a crash explains.
    pub damaged: usize,
    /// Whether the last line was torn off, as a crash while writing does.
    pub torn: bool,
}

/// A file that holds no state that this version can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It was written by a service that is newer than this one.
    #[error("is of version {0}, which is newer than the {VERSION} that this service reads; run the newer service")]
    Newer(u32),
    /// Its beginning is not readable.
    #[error("does not begin as a cron journal does")]
    NotAJournal,
    /// Its snapshot tells of no time.
    #[error("has no readable snapshot")]
    NoSnapshot,
}

/// Reads a journal.
///
/// # Errors
/// See [`LoadError`]. Damaged lines are no error as long as some are sound: they are left out and counted.
pub fn decode(bytes: &[u8]) -> Result<Loaded, LoadError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(body).peekable();
    let mut reader = Reader::default();
    let (mut damaged, mut bad) = (0, 0);
    match lines.next().flatten().map(version) {
        Some(Some(VERSION)) => {}
        Some(Some(version)) if version > VERSION => return Err(LoadError::Newer(version)),
        Some(_) => return Err(LoadError::NotAJournal),
        // What follows is in order, so this was.
        None if lines.peek().is_some_and(Option::is_some) => bad += 1,
        None => return Err(LoadError::NotAJournal),
    }
    for line in lines {
        match line.and_then(|line| reader.line(line)) {
            Some(()) => damaged += std::mem::take(&mut bad),
            None => bad += 1,
        }
    }
    if reader.state.is_none() {
        // A snapshot is put in place when it is whole, so this is not a crash's doing.
        damaged += std::mem::take(&mut bad).max(1);
        reader.end_snapshot(None).ok_or(LoadError::NoSnapshot)?;
    }
    let state = reader.state.ok_or(LoadError::NoSnapshot)?;
    Ok(Loaded {
        jobs: reader.jobs,
        state,
        damaged,
        torn: bad > 0,
    })
}

/// The version in a first line, none if it is something else's.
fn version(line: &str) -> Option<u32> {
    line.strip_prefix(MAGIC)?.trim().parse().ok()
}

/// A line without its checksum and end, none if it is damaged.
fn body(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (checksum, body) = line.split_once(' ')?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    (checksum == crc32fast::hash(body.as_bytes())).then_some(body)
}

/// Reads line by line: first the snapshot, then, when it is complete, records that change it.
#[derive(Default)]
struct Reader {
    jobs: Vec<(Box<str>, u64)>,
    known: Vec<JobState>,
    life: Vec<Stretch>,
    state: Option<State>,
}

impl Reader {
    /// Takes a line in; none if it makes no sense.
    fn line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut fields = Fields(rest);
        let snapshot = matches!(word, "job" | "run" | "made-up" | "past" | "error" | "life" | "end");
        if !snapshot {
            let record = fields.record(word)?;
            if self.state.is_none() {
                // The line that ends the snapshot is damaged.
                self.end_snapshot(time_of(&record))?;
            }
            self.state.as_mut()?.apply(&record);
            return Some(());
        }
        if self.state.is_some() {
            return None;
        }
        match word {
            "job" => self.job(&mut fields),
            "run" => {
                let id = fields.next::<usize>()?;
                let run = fields.run()?;
                self.known.get_mut(id)?.active.push(run);
                Some(())
            }
            "past" => {
                let id = fields.next::<usize>()?;
                let past = Past {
                    scheduled: fields.moment()?,
                    milliseconds: fields.next()?,
                    attempt: fields.next()?,
                    end: end(fields.word()?)?,
                };
                self.known.get_mut(id)?.past.push_back(past);
                Some(())
            }
            "made-up" => {
                let id = fields.next::<usize>()?;
                let ticks = MadeUp {
                    at: fields.moment()?,
                    from: fields.moment()?,
                    to: fields.moment()?,
                };
                self.known.get_mut(id)?.made_up.push(ticks);
                Some(())
            }
            "error" => {
                let id = fields.next::<usize>()?;
                self.known.get_mut(id)?.last_error = Some(fields.text());
                Some(())
            }
            "life" => {
                self.life.push(Stretch {
                    from: fields.moment()?,
                    to: fields.moment()?,
                });
                Some(())
            }
            "end" => self.end_snapshot(None),
            _ => None,
        }
    }

    /// What follows changes the snapshot. If its time is damaged: it was written no earlier than the newest time in it,
    /// or a moment before `next`.
    fn end_snapshot(&mut self, next: Option<Moment>) -> Option<()> {
        let current = self.life.pop().or_else(|| {
            let newest = self.known.iter().filter_map(newest_time).max().or(next)?;
            Some(Stretch {
                from: newest,
                to: newest,
            })
        })?;
        self.state = Some(State {
            jobs: std::mem::take(&mut self.known),
            lived: Lived::from_parts(current, std::mem::take(&mut self.life)),
        });
        Some(())
    }

    fn job(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let id = fields.next::<usize>()?;
        let fingerprint = u64::from_str_radix(fields.word()?, 16).ok()?;
        let known = JobState {
            last_scheduled: fields.moment_or_none()?,
            last_success: fields.moment_or_none()?,
            runs: fields.next()?,
            missed: fields.next()?,
            failures: fields.next()?,
            suspended: fields.suspension()?,
            ..JobState::default()
        };
        // Jobs are written in order; after a damaged line the gap is filled with jobs of no name, which match none.
        while self.jobs.len() < id {
            self.jobs.push(("".into(), 0));
            self.known.push(JobState::default());
        }
        self.jobs.push((fields.0.into(), fingerprint));
        self.known.push(known);
        Some(())
    }
}

/// The newest time that is known of a job.
fn newest_time(job: &JobState) -> Option<Moment> {
    let claimed = job.active.iter().map(|run| run.claimed);
    let past = job.past.iter().map(|past| past.scheduled);
    claimed.chain(past).chain(job.last_scheduled).max()
}

/// The time that a record tells of.
fn time_of(record: &Record) -> Option<Moment> {
    match record {
        Record::Time { now } => Some(*now),
        Record::Claim(claim) => Some(claim.at),
        Record::Start { at, .. } => Some(*at),
        Record::Retry(_) | Record::Finish(_) | Record::Miss { .. } | Record::Suspend { .. } => None,
    }
}

/// What is left of a line.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn next<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }

    fn moment(&mut self) -> Option<Moment> {
        self.next().map(Moment::from_nanoseconds)
    }

    fn moment_or_none(&mut self) -> Option<Option<Moment>> {
        match self.word()? {
            "-" => Some(None),
            word => word.parse().ok().map(Moment::from_nanoseconds).map(Some),
        }
    }

    fn job(&mut self) -> Option<JobId> {
        self.next().map(JobId)
    }

    fn origin(&mut self) -> Option<Origin> {
        match self.word()? {
            "t" => Some(Origin::Tick),
            "c" => Some(Origin::CatchUp),
            "m" => Some(Origin::Manual),
            "b" => Some(Origin::Backfill),
            _ => None,
        }
    }

    fn suspension(&mut self) -> Option<Option<Suspension>> {
        match self.word()? {
            "-" => Some(None),
            "s" => Some(Some(Suspension::Operator)),
            "f" => Some(Some(Suspension::Failure)),
            "i" => Some(Some(Suspension::Interrupted)),
            _ => None,
        }
    }

    fn text(&mut self) -> Box<str> {
        let mut text = String::with_capacity(self.0.len());
        let mut characters = self.0.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => text.push(if characters.next() == Some('n') { '\n' } else { '\\' }),
                _ => text.push(character),
            }
        }
        self.0 = "";
        text.into()
    }

    fn run(&mut self) -> Option<Run> {
        Some(Run {
            scheduled: self.moment()?,
            claimed: self.moment()?,
            failed: self.next()?,
            interrupted: self.next()?,
            missed: self.next()?,
            origin: self.origin()?,
            phase: match self.word()? {
                "q" => Phase::Queued,
                "r" => Phase::Running {
                    since: Moment::from_nanoseconds(0),
                },
                "b" => Phase::Backoff {
                    until: Duration::ZERO,
                    due: self.moment()?,
                },
                _ => return None,
            },
        })
    }

    fn record(&mut self, word: &str) -> Option<Record> {
        Some(match word {
            "time" => Record::Time { now: self.moment()? },
            "claim" => Record::Claim(Claim {
                job: self.job()?,
                scheduled: self.moment()?,
                at: self.moment()?,
                origin: self.origin()?,
            }),
            "start" => Record::Start {
                job: self.job()?,
                scheduled: self.moment()?,
                at: self.moment()?,
            },
            "retry" => Record::Retry(Retry {
                job: self.job()?,
                scheduled: self.moment()?,
                until: Duration::ZERO,
                interrupted: self.word()? == "i",
                due: self.moment()?,
                error: self.text(),
            }),
            "finish" => Record::Finish(Finish {
                job: self.job()?,
                scheduled: self.moment()?,
                end: end(self.word()?)?,
                duration: Duration::from_nanos(self.next()?),
                error: (!self.0.is_empty()).then(|| self.text()),
            }),
            "miss" => Record::Miss {
                job: self.job()?,
                scheduled: self.moment()?,
                count: self.next()?,
                reason: reason(self.word()?)?,
            },
            "suspend" => Record::Suspend {
                job: self.job()?,
                why: self.suspension()?,
            },
            _ => return None,
        })
    }
}

fn end(word: &str) -> Option<End> {
    End::ALL.into_iter().find(|end| end.as_str() == word)
}

fn reason(word: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
}
