//! What a person sees of a long step: a spinner with the elapsed time on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use console::style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a step that runs on says so where there is no terminal, so that a CI log shows life.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// One named step. Dropped without [`Step::done`], it clears itself and says nothing: the error that ended it will.
pub(crate) struct Step {
    name: String,
    started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
    count: u64,
    total: Option<u64>,
}

impl Step {
    /// Starts a step; `name` is an action, for example `build components`.
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let bar = is_terminal().then(|| spinner(&name));
        if bar.is_none() {
            eprintln!("{name} ...");
        }
        let now = Instant::now();
        Self {
            name,
            started: now,
            last_line: now,
            bar,
            count: 0,
            total: None,
        }
    }

    /// Makes the spinner a bar of `total` units.
    pub(crate) fn expect(&mut self, total: u64) {
        self.total = Some(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_style(bar_style());
        }
    }

    /// What the step is at now, for example the crate that was just compiled.
    pub(crate) fn at(&mut self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => self.heartbeat(what),
        }
    }

    /// One more unit is finished.
    pub(crate) fn advance(&mut self) {
        self.count += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.count.min(self.total.unwrap_or(self.count)));
        }
    }

    /// Prints `text` without tearing the spinner.
    pub(crate) fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Ends the step well; `result` is what came of it and may be empty.
    pub(crate) fn done(mut self, result: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let elapsed = seconds(self.started.elapsed());
        let mark = style("✓").green().for_stderr();
        let separator = if result.is_empty() { "" } else { ", " };
        eprintln!("{mark} {:<24} {elapsed}{separator}{result}", self.name);
    }

    fn heartbeat(&mut self, what: &str) {
        if self.last_line.elapsed() < HEARTBEAT {
            return;
        }
        self.last_line = Instant::now();
        let elapsed = seconds(self.started.elapsed());
        match self.total {
            Some(total) => eprintln!("{}: {}/{total}, {what}, {elapsed}", self.name, self.count),
            None => eprintln!("{}: {what}, {elapsed}", self.name),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Whether progress can be drawn: steps go to stderr, so that stdout holds results only.
pub(crate) fn is_terminal() -> bool {
    console::Term::stderr().is_term()
}

/// A duration as people read one: `4.2 s`, `38 s`, `3 min 07 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        whole @ 10..60 => format!("{whole} s"),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style_of("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}"));
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn bar_style() -> ProgressStyle {
    style_of("{spinner:.cyan} {prefix} [{bar:24.cyan/dim}] {pos}/{len} {elapsed:.dim} {wide_msg:.dim}")
        .progress_chars("=> ")
}

/// The templates are constants of this file; a wrong one costs the looks, not the run.
fn style_of(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let read = |millis| seconds(Duration::from_millis(millis));
        assert_eq!(read(4_230), "4.2 s");
        assert_eq!(read(38_900), "38 s");
        assert_eq!(read(187_000), "3 min 07 s");
    }
}
