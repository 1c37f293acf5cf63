//! The exposition format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{Family, Kind, Series};

pub(super) fn render(families: &BTreeMap<String, Family>) -> String {
    let mut text = String::new();
    for (name, family) in families.iter().filter(|(_, family)| !family.series.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write_family(&mut text, name, family);
    }
    text
}

fn write_family(text: &mut String, name: &str, family: &Family) -> fmt::Result {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    writeln!(
        text,
        "# HELP {name} {}",
        family.help.replace('\\', "\\\\").replace('\n', "\\n")
    )?;
    writeln!(text, "# TYPE {name} {kind}")?;
    for (labels, series) in &family.series {
        match series {
            Series::Counter(counter) => writeln!(text, "{name}{} {}", Labels(labels, None), counter.value())?,
            Series::Gauge(gauge) => writeln!(text, "{name}{} {}", Labels(labels, None), Float(gauge.value()))?,
            Series::Histogram(histogram) => {
                for (bound, count) in histogram.cumulative() {
                    writeln!(text, "{name}_bucket{} {count}", Labels(labels, Some(bound)))?;
                }
                writeln!(
                    text,
                    "{name}_bucket{} {}",
                    Labels(labels, Some(f64::INFINITY)),
                    histogram.count()
                )?;
                writeln!(text, "{name}_sum{} {}", Labels(labels, None), Float(histogram.sum()))?;
                writeln!(text, "{name}_count{} {}", Labels(labels, None), histogram.count())?;
            }
        }
    }
    Ok(())
}

/// `{a="1",b="2"}`, and the upper bound of a bucket as the last; nothing if there are none.
struct Labels<'a>(&'a [(String, String)], Option<f64>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(labels, bound) = self;
        if labels.is_empty() && bound.is_none() {
            return Ok(());
        }
        let mut separator = '{';
        for (name, value) in *labels {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{separator}{name}=\"{value}\"")?;
            separator = ',';
        }
        if let Some(bound) = bound {
            write!(f, "{separator}le=\"{}\"", Float(*bound))?;
        }
        f.write_char('}')
    }
}

/// A number as the format writes it.
struct Float(f64);

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Registry;
    use std::time::Duration;

    #[test]
    fn a_histogram_counts_values_up_to_each_bound() {
        let registry = Registry::default();
        let histogram = registry.histogram("lag_seconds", "Start lag.", &[("job", "a")], &[1.0, 0.5, 0.5, f64::NAN]);
        for value in [0.25, 0.5, 0.75, 8.0] {
            histogram.observe(value);
        }
        histogram.observe_duration(Duration::from_millis(500));
        assert_eq!(
            registry.render(),
            "# HELP lag_seconds Start lag.\n\
             # TYPE lag_seconds histogram\n\
             lag_seconds_bucket{job=\"a\",le=\"0.5\"} 3\n\
             lag_seconds_bucket{job=\"a\",le=\"1\"} 4\n\
             lag_seconds_bucket{job=\"a\",le=\"+Inf\"} 5\n\
             lag_seconds_sum{job=\"a\"} 10\n\
             lag_seconds_count{job=\"a\"} 5\n"
        );
    }

    #[test]
    fn text_from_outside_stays_inside_its_label() {
        let registry = Registry::default();
        registry
            .counter("runs_total", "Two\nlines \\.", &[("job", "a\"} 1\nb\\")])
            .add(1);
        assert_eq!(
            registry.render(),
            "# HELP runs_total Two\\nlines \\\\.\n\
             # TYPE runs_total counter\n\
             runs_total{job=\"a\\\"} 1\\nb\\\\\"} 1\n"
        );
    }

    #[test]
    fn a_gauge_shows_what_it_was_last_set_to() {
        let registry = Registry::default();
        let gauge = registry.gauge("depth", "Depth.", &[]);
        gauge.set(2.5);
        gauge.add(-1.0);
        assert_eq!(
            registry.render(),
            "# HELP depth Depth.\n# TYPE depth gauge\ndepth 1.5\n"
        );
        gauge.set(f64::NEG_INFINITY);
        assert!(registry.render().ends_with("depth -Inf\n"));
    }
}
