use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;

fn span(name: &str) -> Span {
    Span {
        name: name.to_owned(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        began: UNIX_EPOCH + Duration::from_nanos(1_800_000_000_000_000_001),
        took: Duration::from_millis(2),
        attributes: vec![
            ("faas.trigger", Attribute::Text("timer".to_owned())),
            ("mainstay.cron.attempt", Attribute::Number(2)),
        ],
        error: Some("no \"room\"".to_owned()),
    }
}

fn receiver(url: &str) -> Result<Option<Receiver>, ConfigError> {
    Settings::read_from("CRON_", [("CRON_OTLP_ENDPOINT", url)], Receiver::read)
}

/// Answers each request with the next status, and keeps what was asked.
async fn collector(listener: TcpListener, statuses: &[&str], asked: &RefCell<Vec<String>>) {
    for status in statuses {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let complete = |request: &[u8]| {
            let text = String::from_utf8_lossy(request).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            (body.len() == length.parse::<usize>().unwrap()).then_some(text)
        };
        let text = loop {
            if let Some(text) = complete(&request) {
                break text;
            }
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "cut off");
        };
        asked.borrow_mut().push(text);
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// What a collector is asked that answers so while these spans are pushed, and the metrics then.
async fn exchange(statuses: &[&str], names: &[&str]) -> (Vec<String>, String) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let context = Context::new("cron");
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/any/", listener.local_addr().unwrap());
            let spans = Spans::start(receiver(&url).unwrap().unwrap(), &context);
            for name in names {
                spans.push(span(name));
            }
            collector(listener, statuses, &asked).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        })
        .await;
    (asked.take(), context.metrics.render())
}

#[tokio::test]
async fn spans_are_sent_in_one_batch_as_otlp_has_them() {
    let (asked, metrics) = exchange(&["200 OK"], &["job", "other"]).await;
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /any/v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let resource = &body["resourceSpans"][0];
    let service = json!([{"key": "service.name", "value": {"stringValue": "cron"}}]);
    assert_eq!(resource["resource"]["attributes"], service);
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2);
    let expected = json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "flags": 1,
        "name": "job",
        "kind": 3,
        "startTimeUnixNano": "1800000000000000001",
        "endTimeUnixNano": "1800000000002000001",
        "attributes": [
            {"key": "faas.trigger", "value": {"stringValue": "timer"}},
            {"key": "mainstay.cron.attempt", "value": {"intValue": "2"}},
        ],
        "status": {"code": 2, "message": "no \"room\""},
    });
    assert_eq!(spans[0], expected);
    assert!(metrics.contains("mainstay_spans_sent_total 2"), "{metrics}");
}

#[tokio::test]
async fn a_batch_is_sent_again_if_it_may_be_taken_later_and_dropped_if_not() {
    let (asked, metrics) = exchange(&["503 Service Unavailable", "200 OK"], &["job"]).await;
    assert_eq!(asked[0], asked[1]);
    assert!(metrics.contains("mainstay_spans_sent_total 1"), "{metrics}");
    let (asked, metrics) = exchange(&["400 Bad Request"], &["job"]).await;
    assert_eq!(asked.len(), 1);
    assert!(metrics.contains("mainstay_spans_refused_total 1"), "{metrics}");
}

#[test]
fn an_endpoint_is_an_http_url() {
    let good = receiver("http://127.0.0.1:4318").unwrap().unwrap();
    assert_eq!((&*good.authority, &*good.path), ("127.0.0.1:4318", "/v1/traces"));
    for wrong in [
        "127.0.0.1:4318",
        "https://collector:4318",
        "http://user:secret@collector",
        "http://x/?a=b",
        "",
    ] {
        let error = receiver(wrong).unwrap_err().to_string();
        assert!(error.starts_with("CRON_OTLP_ENDPOINT"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
