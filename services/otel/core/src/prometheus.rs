//! Metrics in Prometheus' text format as OTLP, for the sidecar's own: what `/metrics` shows, the collector gets.
//!
//! Counters become cumulative monotonic sums, gauges gauges, histograms histograms with the same bounds (OpenTelemetry
//! Specification, Prometheus and OpenMetrics Compatibility). Lines that are none of these are left out.

use std::convert::Infallible;

use crate::wire::{put_bytes, put_fixed64, put_key, put_message, put_varint};

/// When counting began, and now; nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Of all sums and histograms.
    pub start: u64,
    /// Of all points.
    pub now: u64,
}

/// A metric: lines of the text that belong together.
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    kind: &'a str,
    samples: Vec<Sample<'a>>,
}

struct Sample<'a> {
    /// What follows the family's name: nothing, `_bucket`, `_sum`, `_count`.
    suffix: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// An `ExportMetricsServiceRequest` with the metrics of a text, under a resource of this name.
pub fn to_request(text: &str, service: &str, span: Span) -> Vec<u8> {
    let mut request = Vec::new();
    let Ok(()) = put_message(&mut request, 1, |group| {
        put_message(group, 1, |resource| put_attribute(resource, 1, "service.name", service))?;
        put_message(group, 2, |scope| {
            for family in families(text) {
                put_message(scope, 2, |metric| put_metric(metric, &family, span))?;
            }
            Ok::<_, Infallible>(())
        })
    });
    request
}

fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.push(Family {
                name,
                help,
                kind,
                samples: Vec::new(),
            });
        } else if let Some(family) = families.last_mut()
            && let Some(sample) = sample(line, family.name)
        {
            family.samples.push(sample);
        }
    }
    families
}

fn sample<'a>(line: &'a str, family: &str) -> Option<Sample<'a>> {
    let rest = line.strip_prefix(family)?;
    let end = rest.find(['{', ' '])?;
    let (suffix, rest) = rest.split_at_checked(end)?;
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = match value.trim() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        value => value.parse().ok()?,
    };
    Some(Sample { suffix, labels, value })
}

/// Labels up to their closing brace, and what follows.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name, value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

const GAUGE: u32 = 5;
const SUM: u32 = 7;
const HISTOGRAM: u32 = 9;
const CUMULATIVE: u64 = 2;

fn put_metric(metric: &mut Vec<u8>, family: &Family<'_>, span: Span) -> Result<(), Infallible> {
    put_bytes(metric, 1, family.name.as_bytes());
    put_bytes(metric, 2, family.help.as_bytes());
    match family.kind {
        "counter" => put_message(metric, SUM, |sum| {
            for sample in &family.samples {
                put_message(sum, 1, |point| put_number(point, sample, Some(span.start), span.now))?;
            }
            put_number_field(sum, 2, CUMULATIVE);
            put_number_field(sum, 3, 1);
            Ok(())
        }),
        "histogram" => put_message(metric, HISTOGRAM, |histogram| {
            for series in family
                .samples
                .chunk_by(|a, b| !(a.suffix == "_count" && b.suffix != "_count"))
            {
                put_message(histogram, 1, |point| put_histogram(point, series, span))?;
            }
            put_number_field(histogram, 2, CUMULATIVE);
            Ok(())
        }),
        _ => put_message(metric, GAUGE, |gauge| {
            for sample in &family.samples {
                put_message(gauge, 1, |point| put_number(point, sample, None, span.now))?;
            }
            Ok(())
        }),
    }
}

fn put_number(point: &mut Vec<u8>, sample: &Sample<'_>, start: Option<u64>, now: u64) -> Result<(), Infallible> {
    if let Some(start) = start {
        put_fixed64(point, 2, start);
    }
    put_fixed64(point, 3, now);
    // Counters count.
    match start {
        Some(_) if sample.value >= 0.0 && sample.value.fract() == 0.0 => put_fixed64(point, 6, sample.value as u64),
        _ => put_fixed64(point, 4, sample.value.to_bits()),
    }
    sample
        .labels
        .iter()
        .try_for_each(|(name, value)| put_attribute(point, 7, name, value))
}

/// The lines of one series: its buckets, which count what is up to their bounds, its sum and its count.
fn put_histogram(point: &mut Vec<u8>, series: &[Sample<'_>], span: Span) -> Result<(), Infallible> {
    put_fixed64(point, 2, span.start);
    put_fixed64(point, 3, span.now);
    let mut below = 0;
    for sample in series {
        match sample.suffix {
            "_bucket" => {
                let count = sample.value as u64;
                put_fixed64(point, 6, count.saturating_sub(below));
                below = count;
                let bound = sample
                    .labels
                    .iter()
                    .find(|(name, _)| *name == "le")
                    .and_then(|(_, bound)| bound.parse::<f64>().ok());
                if let Some(bound) = bound.filter(|bound| bound.is_finite()) {
                    put_fixed64(point, 7, bound.to_bits());
                }
            }
            "_sum" => put_fixed64(point, 5, sample.value.to_bits()),
            _ => put_fixed64(point, 4, sample.value as u64),
        }
    }
    let labels = series.last().map_or(&[][..], |sample| &sample.labels);
    labels
        .iter()
        .try_for_each(|(name, value)| put_attribute(point, 9, name, value))
}

fn put_number_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, 0);
    put_varint(out, value);
}

fn put_attribute(out: &mut Vec<u8>, number: u32, key: &str, value: &str) -> Result<(), Infallible> {
    put_message(out, number, |attribute| {
        put_bytes(attribute, 1, key.as_bytes());
        put_message(attribute, 2, |any| {
            put_bytes(any, 1, value.as_bytes());
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signal, json};

    #[test]
    fn each_kind_of_metric_is_one_of_otlp() {
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\\\"\\\\\",y=\"\"} 7\na_total 8\n\
                    # HELP b Level.\n# TYPE b gauge\nb 0.5\nnonsense\n\
                    # HELP c_seconds Time.\n# TYPE c_seconds histogram\n\
                    c_seconds_bucket{d=\"e\",le=\"0.5\"} 1\nc_seconds_bucket{d=\"e\",le=\"+Inf\"} 3\nc_seconds_sum{d=\"e\"} 9.5\nc_seconds_count{d=\"e\"} 3\n";
        let request = to_request(text, "otel", Span { start: 1, now: 2 });
        let json = String::from_utf8(json::encode(Signal::Metrics.request(), &request).unwrap()).unwrap();
        let expected = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"otel"}}]},"scopeMetrics":[{"metrics":[{"name":"a_total","description":"Things.","sum":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asInt":"7","attributes":[{"key":"x","value":{"stringValue":"1\"\\"}},{"key":"y","value":{"stringValue":""}}]},{"startTimeUnixNano":"1","timeUnixNano":"2","asInt":"8"}],"aggregationTemporality":2,"isMonotonic":true}},{"name":"b","description":"Level.","gauge":{"dataPoints":[{"timeUnixNano":"2","asDouble":0.5}]}},{"name":"c_seconds","description":"Time.","histogram":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","count":"3","sum":9.5,"bucketCounts":["1","2"],"explicitBounds":[0.5],"attributes":[{"key":"d","value":{"stringValue":"e"}}]}],"aggregationTemporality":2}}]}]}]}"#;
        assert_eq!(json, expected);
    }
}
