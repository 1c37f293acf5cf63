//! Next-run calculations a second, beside croner's own search over the same patterns; parsing; memory.
//!
//! `cargo xtask bench schedule` prints the machine and the commit above these figures. Arguments: how many seconds to
//! measure each line for, 1 unless told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use croner::Cron;
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp, Zoned};
use mainstay_cron_core::schedule::{ParseContext, Schedule, Zone};

/// Patterns of the kinds that jobs have, from every second to every leap day.
const PATTERNS: [&str; 12] = [
    "* * * * * *",
    "* * * * *",
    "*/5 * * * *",
    "0 * * * *",
    "17 3 * * *",
    "30 9-17 * * MON-FRI",
    "0 0 1 * *",
    "0 0 L * *",
    "0 12 15W * *",
    "0 8 * * MON#1",
    "0 0 13 * +FRI",
    "0 0 29 2 *",
];

const ZONES: [&str; 3] = ["UTC", "America/New_York", "Africa/Casablanca"];

fn main() {
    // Cargo's own `--bench` comes along.
    let seconds = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let time = Duration::from_secs_f64(seconds.map_or(1.0, |seconds| seconds.parse().expect("a number of seconds")));
    println!(
        "{:<40} {:>14} {:>14} {:>8}",
        "next runs per second", "this crate", "croner", "times"
    );
    for zone in ZONES {
        walks(zone, time);
    }
    jumps(time);
    never(time);
    parsing(time);
    memory();
}

/// Each pattern's ticks one after the other, as a scheduler asks for them.
fn walks(zone: &str, time: Duration) {
    let context = ParseContext {
        zone: zone.parse().unwrap(),
        ..ParseContext::default()
    };
    let (mut ours_total, mut croners_total) = (0.0, 0.0);
    for pattern in PATTERNS {
        let schedule = Schedule::parse(pattern, &context).unwrap();
        let mut now = start();
        let ours = rate(time / 4, || {
            now = schedule.next_after(now).unwrap_or_else(start);
        });
        let oracle: Cron = schedule.fields().unwrap().parse().unwrap();
        let begin = zoned(start(), zone);
        let mut now = begin.clone();
        let croners = rate(time / 4, || {
            now = oracle
                .find_next_occurrence(&now, false)
                .unwrap_or_else(|_| begin.clone());
        });
        line(&format!("{zone}: {pattern}"), ours, croners);
        // Equal numbers of each: the mean of the times that one takes.
        ours_total += 1.0 / ours;
        croners_total += 1.0 / croners;
    }
    let patterns = PATTERNS.len() as f64;
    line(
        &format!("{zone}: all of them"),
        patterns / ours_total,
        patterns / croners_total,
    );
}

/// One of many jobs after the other, each from another instant, as 20,000 jobs that fall due together do.
fn jumps(time: Duration) {
    let schedules: Vec<_> = ZONES
        .iter()
        .flat_map(|zone| PATTERNS.map(|pattern| (zone, pattern)))
        .map(|(zone, pattern)| {
            let context = ParseContext {
                zone: zone.parse().unwrap(),
                ..ParseContext::default()
            };
            Schedule::parse(pattern, &context).unwrap()
        })
        .collect();
    let mut turn = 0_usize;
    let ours = rate(time, || {
        turn += 1;
        let after = start() + SignedDuration::from_secs(turn as i64 * 7_919 % 300_000_000);
        black_box(schedules[turn % schedules.len()].next_after(after));
    });
    println!("{:<40} {ours:>14.0}", "all zones and patterns, random instants");
}

/// The longest search: through all years, for a date that there is not.
fn never(time: Duration) {
    let schedule = Schedule::parse("0 0 30 2 *", &ParseContext::default()).unwrap();
    let ours = rate(time / 4, || {
        black_box(schedule.next_after(start()));
    });
    println!("{:<40} {ours:>14.0}", "UTC: 0 0 30 2 * (never)");
}

fn parsing(time: Duration) {
    let context = ParseContext {
        zone: "Europe/Paris".parse().unwrap(),
        ..ParseContext::default()
    };
    let mut turn = 0;
    let ours = rate(time, || {
        turn += 1;
        black_box(Schedule::parse(PATTERNS[turn % PATTERNS.len()], &context).unwrap());
    });
    println!("\n{:<40} {ours:>14.0}", "schedules parsed per second");
}

fn memory() {
    let context = ParseContext {
        zone: "Europe/Paris".parse().unwrap(),
        ..ParseContext::default()
    };
    let before = ALLOCATED.load(Ordering::Relaxed);
    let schedules: Vec<_> = (0..10_000)
        .map(|job| Schedule::parse(PATTERNS[job % PATTERNS.len()], &context).unwrap())
        .collect();
    let each = (ALLOCATED.load(Ordering::Relaxed) - before) / schedules.len();
    println!("{:<40} {each:>14}", "bytes per schedule");
    let names: Vec<_> = TimeZoneDatabase::bundled()
        .available()
        .map(|name| name.to_string())
        .collect();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let began = Instant::now();
    let zones: Vec<Zone> = names.iter().map(|name| name.parse().unwrap()).collect();
    let took = began.elapsed();
    let all = ALLOCATED.load(Ordering::Relaxed) - before;
    println!(
        "{:<40} {:>14} in {took:.0?}",
        format!("bytes of all {} zones", zones.len()),
        all
    );
}

/// Turns a second: batches until the time is over.
fn rate(time: Duration, mut turn: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut turns = 0_u64;
    loop {
        for _ in 0..100 {
            turn();
        }
        turns += 100;
        let elapsed = began.elapsed();
        if elapsed >= time {
            return turns as f64 / elapsed.as_secs_f64();
        }
    }
}

fn line(name: &str, ours: f64, croners: f64) {
    println!("{name:<40} {ours:>14.0} {croners:>14.0} {:>8.1}", ours / croners);
}

/// 2026-11-22T00:00:00Z.
fn start() -> Timestamp {
    Timestamp::constant(1_795_305_600, 0)
}

fn zoned(instant: Timestamp, zone: &str) -> Zoned {
    instant.to_zoned(TimeZoneDatabase::bundled().get(zone).unwrap())
}

/// Counts the bytes that are allocated and not freed.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}
