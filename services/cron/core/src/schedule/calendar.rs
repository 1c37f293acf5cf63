//! A pattern in a time zone: which instants it fires at, through every change of the clocks.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::pattern::Pattern;
use super::zone::{Segment, Zone};

/// What happens to times that local clocks skip, and to those they show twice.
///
/// `@every` counts real time and takes no notice of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DstRule {
    /// OCPS 1.4 §4.3.1: a time in a gap is skipped; a time in an overlap fires once, the first time it is shown.
    ///
    /// A schedule whose hour field leaves no hour out (`*/5 * * * *`, `0 0-23 * * *`) names no hour that could come
    /// twice: it fires in both passes of an overlap. To the letter, the clause would leave it silent for an hour,
    /// once a year; Vixie cron, on which the clause rests, does not.
    #[default]
    Skip,
    /// The rule of Vixie cron, as cron(8) of ISC cron 4.1 has it.
    ///
    /// A schedule whose second, minute or hour starts with `*` (or is `H/n`) follows the clocks: it has no tick in a
    /// gap and fires in both passes of an overlap. Any other is for fixed times. In an overlap it fires the first
    /// time only. If it has times in a gap it fires at the instant the gap ends, once, however many times it has
    /// there and also if that instant is one of its times. Gaps of more than three hours (a country that changes
    /// sides of the date line) count as corrections of the clock and are skipped.
    Vixie,
}

/// The longest gap that Vixie cron makes up for, in seconds.
const LONGEST_VIXIE_GAP: i32 = 3 * 3_600;

/// A pattern in a zone, under a rule.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pattern: Pattern,
    zone: Zone,
    /// Whether a time in a gap fires when the gap ends.
    makes_up_for_gaps: bool,
    /// Whether a time in an overlap fires both times it is shown.
    fires_twice: bool,
}

impl Calendar {
    /// The same for all schedules that changes of the clocks treat alike.
    pub(super) fn rule(&self) -> &'static str {
        match (self.makes_up_for_gaps, self.fires_twice) {
            (false, false) => "skip",
            (false, true) => "twice",
            (true, false) => "make up",
            (true, true) => "make up, twice",
        }
    }

    pub(super) fn new(pattern: Pattern, has_time_wildcard: bool, zone: Zone, rule: DstRule) -> Self {
        let (makes_up_for_gaps, fires_twice) = match rule {
            DstRule::Skip => (false, pattern.is_every_hour()),
            DstRule::Vixie => (!has_time_wildcard, has_time_wildcard),
        };
        Self {
            pattern,
            zone,
            makes_up_for_gaps,
            fires_twice,
        }
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first tick at or after a second since the epoch.
    ///
    /// Goes through the stretches of constant offset. Within one, local time is plain arithmetic; what is special
    /// happens at the seams. `found` is the first match in civil time from `low` on: it is looked for again only
    /// where clocks were set back, or past a gap that swallowed it.
    pub(super) fn first_from(&self, second: i64) -> Option<Timestamp> {
        // A gap is made up for in its last instant, which belongs to the stretch after it.
        let mut index = self
            .zone
            .segment_at(if self.makes_up_for_gaps { second - 1 } else { second });
        let mut segment = self.zone.segment(index)?;
        let mut low = segment.local(second).max(self.first_local(index, segment));
        let mut found = self.pattern.first_from(low);
        loop {
            let next = self.zone.segment(index + 1);
            let end = next.map(|next| segment.local(next.start));
            if let Some(local) = found
                && end.is_none_or(|end| local < end)
            {
                return segment.instant(local);
            }
            (index, segment) = (index + 1, next?);
            let first = self.first_local(index, segment);
            if first < low {
                low = first;
                found = self.pattern.first_from(low);
                continue;
            }
            if found? < first {
                if self.makes_up_for_gap_before(index, segment) {
                    return Timestamp::from_second(segment.start).ok();
                }
                low = first;
                found = self.pattern.first_from(low);
            }
        }
    }

    /// The last tick at or before a second since the epoch.
    pub(super) fn last_to(&self, second: i64) -> Option<Timestamp> {
        let mut index = self.zone.segment_at(second);
        let mut segment = self.zone.segment(index)?;
        let mut high = segment.local(second);
        let mut found = self.pattern.last_to(high);
        loop {
            let first = self.first_local(index, segment);
            if let Some(local) = found
                && local >= first
            {
                return segment.instant(local);
            }
            let previous = self.zone.segment(index.checked_sub(1)?)?;
            if let Some(local) = found
                && local >= previous.local(segment.start)
                && self.makes_up_for_gap_before(index, segment)
            {
                return Timestamp::from_second(segment.start).ok();
            }
            let last = previous.local(segment.start - 1);
            (index, segment) = (index - 1, previous);
            if last > high || found? > last {
                high = last;
                found = self.pattern.last_to(high);
            }
        }
    }

    /// The first local time of a stretch at which a tick may fall: without what the stretch before has shown
    /// already, unless ticks fire twice.
    fn first_local(&self, index: usize, segment: Segment) -> DateTime {
        let Some(previous) = index.checked_sub(1).and_then(|index| self.zone.segment(index)) else {
            return DateTime::MIN;
        };
        let first = segment.local(segment.start);
        if self.fires_twice {
            first
        } else {
            first.max(previous.local(segment.start))
        }
    }

    fn makes_up_for_gap_before(&self, index: usize, segment: Segment) -> bool {
        let previous = index.checked_sub(1).and_then(|index| self.zone.segment(index));
        self.makes_up_for_gaps
            && previous.is_some_and(|previous| {
                let gap = segment.offset.seconds() - previous.offset.seconds();
                (1..=LONGEST_VIXIE_GAP).contains(&gap)
            })
    }
}

/// A rule for changes of the clocks that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dst {0:?} is not \"skip\" or \"vixie\"")]
pub struct DstRuleError(String);

impl FromStr for DstRule {
    type Err = DstRuleError;

    fn from_str(name: &str) -> Result<Self, DstRuleError> {
        match name {
            "skip" => Ok(Self::Skip),
            "vixie" => Ok(Self::Vixie),
            _ => Err(DstRuleError(name.to_owned())),
        }
    }
}
