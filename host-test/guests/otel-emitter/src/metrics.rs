//! Metrics.

use std::time::{Duration, Instant};

use crate::bindings::wasi::otel::metrics::{
    self, Exemplar, ExponentialBucket, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, GaugeDataPoint,
    Histogram, HistogramDataPoint, Metric, MetricData, MetricNumber, ResourceMetrics, ScopeMetrics, Sum, SumDataPoint,
    Temporality,
};
use crate::{at, attributes, resource, scope};

/// Exports metrics of every type.
pub(crate) fn export() -> String {
    match metrics::export(&all()) {
        Ok(()) => "taken".to_owned(),
        Err(error) => format!("not taken: {error}"),
    }
}

/// Exports until it works: the first answer, the last, and how many there were.
pub(crate) fn until_taken() -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(40);
    let first = export();
    println!("first: {first}");
    let mut last = first.clone();
    while last != "taken" && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        last = export();
    }
    vec![first, last]
}

fn all() -> ResourceMetrics {
    let float = MetricNumber::F64(0.1 + 0.2);
    let signed = MetricNumber::S64(i64::MIN);
    let unsigned = MetricNumber::U64(u64::MAX);
    let small = MetricNumber::U64(7);
    let all = [
        MetricData::F64Gauge(gauge(float)),
        MetricData::S64Gauge(gauge(signed)),
        MetricData::U64Gauge(gauge(unsigned)),
        MetricData::F64Sum(sum(float, Temporality::Delta, true)),
        MetricData::S64Sum(sum(signed, Temporality::Cumulative, false)),
        MetricData::U64Sum(sum(small, Temporality::LowMemory, true)),
        MetricData::F64Histogram(histogram(float, Temporality::Delta)),
        MetricData::S64Histogram(histogram(signed, Temporality::Cumulative)),
        MetricData::U64Histogram(histogram(small, Temporality::LowMemory)),
        MetricData::F64ExponentialHistogram(exponential(float, Temporality::Delta)),
        MetricData::S64ExponentialHistogram(exponential(signed, Temporality::Cumulative)),
        MetricData::U64ExponentialHistogram(exponential(small, Temporality::LowMemory)),
        MetricData::S64Sum(sum(signed, Temporality::LowMemory, false)),
    ];
    let metric = |(number, data)| Metric {
        name: format!("metric.{number}"),
        description: "What it measures.".to_owned(),
        unit: "By".to_owned(),
        data,
    };
    ResourceMetrics {
        resource: resource(),
        scope_metrics: vec![ScopeMetrics {
            scope: scope(),
            metrics: all.into_iter().enumerate().map(metric).collect(),
        }],
    }
}

fn exemplars(value: MetricNumber) -> Vec<Exemplar> {
    let exemplar = Exemplar {
        filtered_attributes: attributes(),
        time: at(2),
        value,
        span_id: "00000000000000a1".to_owned(),
        trace_id: "000102030405060708090a0b0c0d0e0f".to_owned(),
    };
    let outside_of_spans = Exemplar {
        span_id: String::new(),
        trace_id: String::new(),
        ..exemplar.clone()
    };
    vec![exemplar, outside_of_spans]
}

fn gauge(value: MetricNumber) -> Gauge {
    let point = GaugeDataPoint {
        attributes: attributes(),
        value,
        exemplars: exemplars(value),
    };
    Gauge {
        data_points: vec![point],
        start_time: None,
        time: at(1),
    }
}

fn sum(value: MetricNumber, temporality: Temporality, is_monotonic: bool) -> Sum {
    let point = SumDataPoint {
        attributes: attributes(),
        value,
        exemplars: exemplars(value),
    };
    Sum {
        data_points: vec![point],
        start_time: at(0),
        time: at(1),
        temporality,
        is_monotonic,
    }
}

fn histogram(value: MetricNumber, temporality: Temporality) -> Histogram {
    let point = HistogramDataPoint {
        attributes: attributes(),
        count: u64::MAX,
        bounds: vec![-1.5, 0.0, 1e300],
        bucket_counts: vec![1, 2, 3, u64::MAX],
        min: Some(value),
        max: None,
        sum: value,
        exemplars: exemplars(value),
    };
    Histogram {
        data_points: vec![point],
        start_time: at(0),
        time: at(1),
        temporality,
    }
}

fn exponential(value: MetricNumber, temporality: Temporality) -> ExponentialHistogram {
    let point = ExponentialHistogramDataPoint {
        attributes: attributes(),
        count: 12,
        min: None,
        max: Some(value),
        sum: value,
        scale: -10,
        zero_count: 3,
        positive_bucket: ExponentialBucket {
            offset: i32::MIN,
            counts: vec![4, 0, 5],
        },
        negative_bucket: ExponentialBucket {
            offset: 1,
            counts: Vec::new(),
        },
        zero_threshold: 1e-9,
        exemplars: exemplars(value),
    };
    ExponentialHistogram {
        data_points: vec![point],
        start_time: at(0),
        time: at(1),
        temporality,
    }
}
