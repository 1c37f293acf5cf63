//! Time zones: IANA names, from the database in the binary, as a table of the offsets they have had and will have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::field::LAST_YEAR;
use super::nearest;

/// A time zone of the IANA database, read from its name.
///
/// The database is the one built into jiff, never the system's, so that a schedule means the same on every
/// machine. Names are matched in any case. Cloning is cheap, and so is reading a name again.
///
/// ```
/// use mainstay_cron_core::schedule::Zone;
///
/// let zone: Zone = "Europe/Paris".parse()?;
/// assert_eq!(zone.name(), "Europe/Paris");
/// let wrong = "Europe/Pariss".parse::<Zone>().unwrap_err();
/// assert!(wrong.to_string().ends_with("did you mean Europe/Paris?"));
/// # Ok::<(), mainstay_cron_core::schedule::ZoneError>(())
/// ```
#[derive(Clone)]
pub struct Zone(Arc<Table>);

struct Table {
    name: String,
    /// Never empty, in the order of time; the first begins before all time.
    segments: Vec<Segment>,
}

/// A stretch of time in which local clocks keep one offset from UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// The instant it begins, in seconds since the epoch.
    pub(super) start: i64,
    pub(super) offset: Offset,
}

/// A zone that is not in the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("zone {name:?}: {rule}")]
pub struct ZoneError {
    name: String,
    rule: String,
}

impl ZoneError {
    /// What is wrong with the name, without it.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl Zone {
    /// Coordinated universal time, the zone of a job that names none.
    pub fn utc() -> Self {
        static UTC: LazyLock<Zone> = LazyLock::new(|| Zone::new("UTC", &TimeZone::UTC));
        UTC.clone()
    }

    /// The zone's name as the database spells it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The stretch at `index`, counted from 0.
    pub(super) fn segment(&self, index: usize) -> Option<Segment> {
        self.0.segments.get(index).copied()
    }

    /// The index of the stretch that holds an instant.
    pub(super) fn segment_at(&self, second: i64) -> usize {
        self.0
            .segments
            .partition_point(|segment| segment.start <= second)
            .saturating_sub(1)
    }
}

impl Segment {
    /// What local clocks show at an instant of this stretch.
    pub(super) fn local(self, second: i64) -> DateTime {
        self.offset
            .to_datetime(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
    }

    /// The instant at which local clocks show `local`, if they do so in this stretch.
    pub(super) fn instant(self, local: DateTime) -> Option<Timestamp> {
        self.offset.to_timestamp(local).ok()
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        /// The zones read so far: 598 at most, and a job each would otherwise make the same table again.
        static READ: Mutex<BTreeMap<String, Zone>> = Mutex::new(BTreeMap::new());
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        let key = name.to_ascii_lowercase();
        if let Some(zone) = read.get(&key) {
            return Ok(zone.clone());
        }
        let zone = Self::read(name)?;
        read.insert(key, zone.clone());
        Ok(zone)
    }
}

impl Zone {
    fn read(name: &str) -> Result<Self, ZoneError> {
        let database = TimeZoneDatabase::bundled();
        let known = database
            .available()
            .map(|name| name.as_str().to_owned())
            .collect::<Vec<_>>();
        let canonical = known
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| unknown(name, &known))?;
        let zone = database.get(canonical).map_err(|_| unknown(name, &known))?;
        Ok(Self::new(canonical, &zone))
    }

    fn new(name: &str, zone: &TimeZone) -> Self {
        Self(Arc::new(Table {
            name: name.to_owned(),
            segments: segments(zone),
        }))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

/// Two zones are the same if they have the same name.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

/// Every change of offset in the years that schedules cover, a day more on each side.
///
/// Changes of name only (summer time that begins as standard time does) are left out.
fn segments(zone: &TimeZone) -> Vec<Segment> {
    let day_before = Timestamp::UNIX_EPOCH.as_second() - 86_400;
    let Ok(begin) = Timestamp::from_second(day_before) else {
        return Vec::new();
    };
    let mut offset = zone.to_offset(begin);
    let mut segments = vec![Segment {
        start: i64::MIN,
        offset,
    }];
    for change in zone.following(begin) {
        if Offset::UTC.to_datetime(change.timestamp()).year() > LAST_YEAR {
            break;
        }
        if change.offset() != offset {
            offset = change.offset();
            segments.push(Segment {
                start: change.timestamp().as_second(),
                offset,
            });
        }
    }
    segments
}

fn unknown(name: &str, known: &[String]) -> ZoneError {
    let rule = if name.starts_with(['+', '-']) {
        "an offset is not a zone; use UTC or an IANA name such as Europe/Paris".to_owned()
    } else {
        let resembles = known
            .iter()
            .find(|known| {
                known
                    .rsplit('/')
                    .next()
                    .is_some_and(|city| city.eq_ignore_ascii_case(name))
            })
            .map(String::as_str)
            .or_else(|| nearest::nearest(name, known.iter().map(String::as_str)));
        match resembles {
            Some(known) => format!("not in the IANA time zone database; did you mean {known}?"),
            None => "not in the IANA time zone database; use a name such as UTC or Europe/Paris".to_owned(),
        }
    };
    ZoneError {
        name: name.to_owned(),
        rule,
    }
}
