//! Metrics. `wasi:otel` says the times once for all points of an aggregate, OTLP at each point.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point,
};

use super::context::{span_id, trace_id};
use super::value::attributes;
use super::{nanoseconds, resource, scope};
use crate::metrics::{self, MetricData, MetricNumber, Temporality};
use crate::types;

/// A request with the metrics of one resource.
pub fn request(exported: metrics::ResourceMetrics) -> ExportMetricsServiceRequest {
    let (resource, resource_schema) = resource(exported.resource);
    let resource_metrics = ResourceMetrics {
        resource: Some(resource),
        scope_metrics: exported.scope_metrics.into_iter().map(scope_metrics).collect(),
        schema_url: resource_schema,
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![resource_metrics],
    }
}

fn scope_metrics(of_scope: metrics::ScopeMetrics) -> ScopeMetrics {
    let (scope, scope_schema) = scope(of_scope.scope);
    ScopeMetrics {
        scope: Some(scope),
        metrics: of_scope.metrics.into_iter().map(metric).collect(),
        schema_url: scope_schema,
    }
}

fn metric(metric: metrics::Metric) -> Metric {
    // The instrument's type of number stands in each number too.
    let data = match metric.data {
        MetricData::F64Gauge(data) | MetricData::U64Gauge(data) | MetricData::S64Gauge(data) => gauge(data),
        MetricData::F64Sum(data) | MetricData::U64Sum(data) | MetricData::S64Sum(data) => sum(data),
        MetricData::F64Histogram(data) | MetricData::U64Histogram(data) | MetricData::S64Histogram(data) => {
            histogram(data)
        }
        MetricData::F64ExponentialHistogram(data)
        | MetricData::U64ExponentialHistogram(data)
        | MetricData::S64ExponentialHistogram(data) => exponential_histogram(data),
    };
    Metric {
        name: metric.name,
        description: metric.description,
        unit: metric.unit,
        metadata: Vec::new(),
        data: Some(data),
    }
}

/// The times of an aggregate.
#[derive(Clone, Copy)]
struct Times {
    start: u64,
    time: u64,
}

fn gauge(gauge: metrics::Gauge) -> Data {
    let times = Times {
        start: gauge.start_time.map(nanoseconds).unwrap_or_default(),
        time: nanoseconds(gauge.time),
    };
    let points = gauge.data_points.into_iter();
    Data::Gauge(Gauge {
        data_points: points
            .map(|point| number(point.attributes, point.value, point.exemplars, times))
            .collect(),
    })
}

fn sum(sum: metrics::Sum) -> Data {
    let times = Times {
        start: nanoseconds(sum.start_time),
        time: nanoseconds(sum.time),
    };
    let points = sum.data_points.into_iter();
    Data::Sum(Sum {
        data_points: points
            .map(|point| number(point.attributes, point.value, point.exemplars, times))
            .collect(),
        aggregation_temporality: temporality(sum.temporality, sum.is_monotonic).into(),
        is_monotonic: sum.is_monotonic,
    })
}

fn number(
    labels: Vec<types::KeyValue>,
    value: MetricNumber,
    exemplars: Vec<metrics::Exemplar>,
    times: Times,
) -> NumberDataPoint {
    let value = match integer(value) {
        Some(integer) => number_data_point::Value::AsInt(integer),
        None => number_data_point::Value::AsDouble(float(value)),
    };
    NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.time,
        exemplars: exemplars.into_iter().map(exemplar).collect(),
        flags: 0,
        value: Some(value),
    }
}

fn histogram(histogram: metrics::Histogram) -> Data {
    let start = nanoseconds(histogram.start_time);
    let time = nanoseconds(histogram.time);
    let point = |point: metrics::HistogramDataPoint| HistogramDataPoint {
        attributes: attributes(point.attributes),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: point.count,
        sum: Some(float(point.sum)),
        bucket_counts: point.bucket_counts,
        explicit_bounds: point.bounds,
        exemplars: point.exemplars.into_iter().map(exemplar).collect(),
        flags: 0,
        min: point.min.map(float),
        max: point.max.map(float),
    };
    Data::Histogram(Histogram {
        data_points: histogram.data_points.into_iter().map(point).collect(),
        aggregation_temporality: temporality(histogram.temporality, true).into(),
    })
}

fn exponential_histogram(histogram: metrics::ExponentialHistogram) -> Data {
    let start = nanoseconds(histogram.start_time);
    let time = nanoseconds(histogram.time);
    let point = |point: metrics::ExponentialHistogramDataPoint| ExponentialHistogramDataPoint {
        attributes: attributes(point.attributes),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: point.count,
        sum: Some(float(point.sum)),
        scale: point.scale.into(),
        zero_count: point.zero_count,
        positive: Some(buckets(point.positive_bucket)),
        negative: Some(buckets(point.negative_bucket)),
        flags: 0,
        exemplars: point.exemplars.into_iter().map(exemplar).collect(),
        min: point.min.map(float),
        max: point.max.map(float),
        zero_threshold: point.zero_threshold,
    };
    Data::ExponentialHistogram(ExponentialHistogram {
        data_points: histogram.data_points.into_iter().map(point).collect(),
        aggregation_temporality: temporality(histogram.temporality, true).into(),
    })
}

fn buckets(bucket: metrics::ExponentialBucket) -> Buckets {
    Buckets {
        offset: bucket.offset,
        bucket_counts: bucket.counts,
    }
}

fn exemplar(exemplar: metrics::Exemplar) -> Exemplar {
    let value = match integer(exemplar.value) {
        Some(integer) => exemplar::Value::AsInt(integer),
        None => exemplar::Value::AsDouble(float(exemplar.value)),
    };
    Exemplar {
        filtered_attributes: attributes(exemplar.filtered_attributes),
        time_unix_nano: nanoseconds(exemplar.time),
        span_id: span_id(&exemplar.span_id),
        trace_id: trace_id(&exemplar.trace_id),
        value: Some(value),
    }
}

/// `low-memory` is what an SDK is asked for, so it means what an SDK does with it (OpenTelemetry: OTLP metrics exporter).
fn temporality(temporality: Temporality, only_grows: bool) -> AggregationTemporality {
    match temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative,
        Temporality::Delta => AggregationTemporality::Delta,
        Temporality::LowMemory if only_grows => AggregationTemporality::Delta,
        Temporality::LowMemory => AggregationTemporality::Cumulative,
    }
}

/// The number, if OTLP's integers, which have a sign, hold it.
fn integer(number: MetricNumber) -> Option<i64> {
    match number {
        MetricNumber::F64(_) => None,
        MetricNumber::S64(number) => Some(number),
        MetricNumber::U64(number) => i64::try_from(number).ok(),
    }
}

/// The number as OTLP has sums, minima and maxima.
fn float(number: MetricNumber) -> f64 {
    match number {
        MetricNumber::F64(number) => number,
        MetricNumber::S64(number) => number as f64,
        MetricNumber::U64(number) => number as f64,
    }
}
