// Hands the same telemetry to two endpoints by OpenTelemetry's own exporters: send.js http|proto|grpc DIRECT SIDECAR
"use strict";

const { SpanKind, SpanStatusCode, trace, context, ROOT_CONTEXT } = require("@opentelemetry/api");
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const {
  AggregationTemporality,
  AggregationType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} = require("@opentelemetry/sdk-metrics");
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");

const [protocol, direct, sidecar] = process.argv.slice(2);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${protocol}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${protocol}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${protocol}`);

const resource = resourceFromAttributes({ "service.name": "node", list: ["a", "b"], n: 3, f: 0.25, b: true });

function spans() {
  const kept = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(kept)] });
  const tracer = provider.getTracer("tracer", "1.0", { schemaUrl: "https://example.com/schema" });
  const parent = tracer.startSpan("parent", { kind: SpanKind.SERVER });
  const links = [{ context: parent.spanContext(), attributes: { why: "linked" } }];
  const child = tracer.startSpan("child", { links, attributes: { k: "v" } }, trace.setSpan(ROOT_CONTEXT, parent));
  child.addEvent("event", { n: 1 });
  child.setStatus({ code: SpanStatusCode.ERROR, message: "went wrong" });
  child.recordException(new Error("went wrong"));
  child.end();
  parent.end();
  return kept.getFinishedSpans();
}

async function metrics() {
  const kept = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter: kept, exportIntervalMillis: 3_600_000 });
  const views = [{ instrumentName: "exponential", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }];
  const provider = new MeterProvider({ resource, readers: [reader], views });
  const meter = provider.getMeter("meter", "2.0");
  meter.createCounter("counter", { description: "counts", unit: "1" }).add(3, { k: "v" });
  meter.createUpDownCounter("balance").add(-2.5);
  meter.createGauge("gauge", { unit: "Cel" }).record(21.5);
  for (const name of ["histogram", "exponential"]) {
    const histogram = meter.createHistogram(name, { unit: "s" });
    for (const value of [0, 0.001, 5, 1e6]) histogram.record(value, { route: "/" });
  }
  await reader.forceFlush();
  const [data] = kept.getMetrics();
  await reader.shutdown();
  return data;
}

function logs() {
  const kept = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor(kept)] });
  const logger = provider.getLogger("logger", "3.0", { schemaUrl: "https://example.com/schema" });
  logger.emit({
    timestamp: Date.now(),
    severityText: "WARN",
    severityNumber: SeverityNumber.WARN2,
    body: { text: "grün", list: [1, 2.5, true], bytes: new Uint8Array([0, 255]) },
    attributes: { k: "v", map: { deep: 1 } },
    eventName: "event",
    context: context.active(),
  });
  return kept.getFinishedLogRecords();
}

async function send(Exporter, path, data) {
  for (const to of [direct, sidecar]) {
    const url = protocol === "grpc" ? `http://${to}` : `http://${to}/v1/${path}`;
    const exporter = new Exporter({ url });
    const result = await new Promise((done) => exporter.export(data, done));
    if (result.code !== 0) throw new Error(`${path} to ${to}: ${result.error}`);
    await exporter.shutdown();
  }
}

async function main() {
  await send(OTLPTraceExporter, "traces", spans());
  await send(OTLPMetricExporter, "metrics", await metrics());
  await send(OTLPLogExporter, "logs", logs());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
