//! Counters, gauges and histograms, rendered as Prometheus text.
//!
//! - `series`: the three kinds of metric
//! - `text`: the exposition format

mod series;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use series::{Counter, Gauge, Histogram};

/// Label combinations that one metric may have. Further ones share a series whose label values are `other`, so that
/// names from outside cannot fill the memory.
pub const MAX_SERIES: usize = 1000;

/// Upper bounds in seconds that suit most durations, from half a millisecond to a minute.
pub const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// The metrics of one service. Cloning shares them.
///
/// ```
/// use mainstay_runtime::metrics::Registry;
///
/// let registry = Registry::default();
/// registry.counter("cron_runs_total", "Runs that ended.", &[("job", "backup"), ("outcome", "ok")]).add(1);
/// assert!(registry.render().ends_with("\ncron_runs_total{job=\"backup\",outcome=\"ok\"} 1\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    families: Arc<Mutex<BTreeMap<String, Family>>>,
}

#[derive(Debug)]
struct Family {
    help: String,
    kind: Kind,
    series: BTreeMap<Labels, Series>,
}

/// Names and values, in the order they were given.
type Labels = Vec<(String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Registry {
    /// The counter of this name and these labels, made when it is asked for the first time. Keep it where it is used
    /// often: looking it up costs more than counting.
    ///
    /// Names follow Prometheus: `<service>_<what>_<unit>_total`. A name that is not a valid metric name, or that
    /// already is of another kind, gives a metric that counts but is not shown, and an error in the log.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        match self.series(
            name,
            help,
            labels,
            Kind::Counter,
            || Series::Counter(Counter::default()),
        ) {
            Some(Series::Counter(counter)) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of this name and these labels; see [`Registry::counter`].
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        match self.series(name, help, labels, Kind::Gauge, || Series::Gauge(Gauge::default())) {
            Some(Series::Gauge(gauge)) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram of this name and these labels; see [`Registry::counter`]. `bounds` are the upper bounds of its
    /// buckets, ascending, such as [`SECONDS`].
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)], bounds: &[f64]) -> Histogram {
        match self.series(name, help, labels, Kind::Histogram, || {
            Series::Histogram(Histogram::new(bounds))
        }) {
            Some(Series::Histogram(histogram)) => histogram,
            _ => Histogram::new(bounds),
        }
    }

    /// All metrics in the Prometheus text format 0.0.4, sorted by name and labels.
    pub fn render(&self) -> String {
        text::render(&self.lock())
    }

    /// Forgets one series, such as that of a job that is no more. Handles that are still held count unseen.
    pub fn remove(&self, name: &str, labels: &[(&str, &str)]) {
        if let Some(family) = self.lock().get_mut(name) {
            family.series.remove(&owned(labels));
        }
    }

    fn series(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        kind: Kind,
        make: impl Fn() -> Series,
    ) -> Option<Series> {
        if !is_metric_name(name) || !labels.iter().all(|(label, _)| is_label_name(label)) {
            tracing::error!(
                metric = name,
                "not a metric of Prometheus: name and labels are letters, digits and _"
            );
            return None;
        }
        let mut families = self.lock();
        let family = families.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            series: BTreeMap::new(),
        });
        if family.kind != kind {
            tracing::error!(
                metric = name,
                "is a {:?} already, cannot be a {kind:?} too",
                family.kind
            );
            return None;
        }
        let mut labels = owned(labels);
        if family.series.len() >= MAX_SERIES && !family.series.contains_key(&labels) {
            for (_, value) in &mut labels {
                "other".clone_into(value);
            }
        }
        Some(family.series.entry(labels).or_insert_with(make).clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn is_metric_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(valid) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':') && name != "le"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_and_labels_are_the_same_metric() {
        let registry = Registry::default();
        registry.counter("runs_total", "Runs.", &[("job", "a")]).add(2);
        registry.counter("runs_total", "Runs.", &[("job", "a")]).add(3);
        assert_eq!(registry.counter("runs_total", "Runs.", &[("job", "a")]).value(), 5);
        assert_eq!(registry.counter("runs_total", "Runs.", &[("job", "b")]).value(), 0);
    }

    #[test]
    fn a_name_of_another_kind_or_an_invalid_one_is_not_shown_and_does_not_fail() {
        let registry = Registry::default();
        registry.counter("runs", "Runs.", &[]).add(1);
        registry.gauge("runs", "Runs.", &[]).set(7.0);
        for (name, label) in [
            ("", "a"),
            ("9lives", "a"),
            ("two words", "a"),
            ("ok", "le"),
            ("ok", "a:b"),
            ("ok", ""),
        ] {
            registry.counter(name, "No.", &[(label, "x")]).add(1);
        }
        assert_eq!(registry.render(), "# HELP runs Runs.\n# TYPE runs counter\nruns 1\n");
    }

    #[test]
    fn series_past_the_limit_share_one() {
        let registry = Registry::default();
        for job in 0..MAX_SERIES + 10 {
            registry
                .counter("runs_total", "Runs.", &[("job", &job.to_string())])
                .add(1);
        }
        let text = registry.render();
        assert_eq!(text.lines().count(), 2 + MAX_SERIES + 1);
        assert!(text.contains("runs_total{job=\"other\"} 10\n"), "{text}");
    }

    #[test]
    fn a_removed_series_is_no_longer_shown() {
        let registry = Registry::default();
        registry.counter("runs_total", "Runs.", &[("job", "a")]).add(1);
        registry.counter("runs_total", "Runs.", &[("job", "b")]).add(1);
        registry.remove("runs_total", &[("job", "a")]);
        assert_eq!(
            registry.render(),
            "# HELP runs_total Runs.\n# TYPE runs_total counter\nruns_total{job=\"b\"} 1\n"
        );
    }
}
