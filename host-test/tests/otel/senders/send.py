"""Hands the same telemetry to two endpoints by OpenTelemetry's own exporters: send.py grpc|http DIRECT SIDECAR"""

import sys
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

protocol, direct, sidecar = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

resource = Resource.create({"service.name": "python", "list": ["a", "b"], "n": 3, "f": 0.25, "b": True})


def spans():
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("tracer", "1.0", "https://example.com/schema", {"scope": "attribute"})
    with tracer.start_as_current_span("parent", kind=trace.SpanKind.SERVER) as parent:
        link = trace.Link(parent.get_span_context(), {"why": "linked"})
        with tracer.start_as_current_span("child", links=[link], attributes={"k": "v", "bytes": b"\x00\xff"}) as child:
            child.add_event("event", {"n": 1})
            child.set_status(trace.Status(trace.StatusCode.ERROR, "went wrong"))
            child.record_exception(ValueError("went wrong"))
    return kept.get_finished_spans()


def metrics():
    temporality = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    reader = InMemoryMetricReader(preferred_temporality=temporality)
    view = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(resource=resource, metric_readers=[reader], views=[view])
    meter = provider.get_meter("meter", "2.0")
    meter.create_counter("counter", "1", "counts").add(3, {"k": "v"})
    meter.create_up_down_counter("balance").add(-2.5)
    meter.create_gauge("gauge", "Cel").set(21.5)
    for name in ("histogram", "exponential"):
        histogram = meter.create_histogram(name, "s")
        for value in (0, 0.001, 5, 1e6):
            histogram.record(value, {"route": "/"})
    return reader.get_metrics_data()


def logs():
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("logger", "3.0", "https://example.com/schema")
    body = {"text": "grün", "list": [1, 2.5, True], "bytes": b"\x00\xff"}
    logger.emit(
        LogRecord(
            timestamp=time.time_ns(),
            severity_text="WARN",
            severity_number=SeverityNumber.WARN2,
            body=body,
            attributes={"k": "v", "map": {"deep": 1}},
            event_name="event",
        )
    )
    return kept.get_finished_logs()


def endpoint(to, path):
    return f"http://{to}" if protocol == "grpc" else f"http://{to}/v1/{path}"


more = {"insecure": True} if protocol == "grpc" else {}
for path, exporter, data in (
    ("traces", OTLPSpanExporter, spans()),
    ("metrics", OTLPMetricExporter, metrics()),
    ("logs", OTLPLogExporter, logs()),
):
    for to in (direct, sidecar):
        sender = exporter(endpoint=endpoint(to, path), **more)
        result = sender.export(data)
        assert result.name == "SUCCESS", f"{path} to {to}: {result}"
        sender.shutdown()
