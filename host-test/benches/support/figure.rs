//! Goals and figures side by side.

use std::fmt::Display;

/// What a figure should be.
#[allow(dead_code, reason = "each benchmark uses some of it")]
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing is promised: it is there to compare with.
    None,
}

impl Goal {
    /// `met`, `missed`, or nothing where there is no goal.
    pub(crate) fn verdict(self, figure: f64) -> &'static str {
        match self {
            Self::AtLeast(least) if figure >= least => "met",
            Self::AtMost(most) if figure <= most => "met",
            Self::None => "",
            Self::AtLeast(_) | Self::AtMost(_) => "missed",
        }
    }
}

/// Prints a line of a table: what was measured, columns, and whether the goal is met.
pub(crate) fn row<const COLUMNS: usize>(what: &str, columns: [&dyn Display; COLUMNS], verdict: &str) {
    print!("  {what:<44}");
    for column in columns {
        print!(" {:>13}", column.to_string());
    }
    println!("  {verdict}");
}

/// The value below which so large a part of sorted values lies.
pub(crate) fn percentile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let position = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(position.saturating_sub(1)).copied().unwrap_or_default()
}
