//! kill -9 of the host while the sidecar takes spans, with a queue on a volume: what was acknowledged arrives.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mainstay_otel_core::Signal;
use mainstay_otel_core::wire::{Fields, Limits, Value, put_bytes, split};
use rand::Rng;

use crate::common;

const KILLS: usize = 30;

/// How long the sidecar may be at work before it is killed.
const AT_WORK: Duration = Duration::from_millis(400);

fn manifest(folder: &Path, collector: SocketAddr) -> String {
    format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: kill
spec:
  template:
    spec:
      volumes:
        - name: state
          hostPath:
            path: {state}
      service:
        image: {otel}
        localResources:
          allowedHosts: ["*"]
          allowedIpNameLookups: ["*"]
          allowedHostLoopbackPorts: ["{port}"]
          volumeMounts:
            - name: state
              mountPath: /state
          environment:
            config:
              OTEL_EXPORTER_OTLP_ENDPOINT: http://host.wasmcloud.internal:{port}
              OTEL_QUEUE_FOLDER: /state
              OTEL_QUEUE_SEGMENT: 64KiB
              OTEL_QUEUE_MEMORY: 4KiB
              OTEL_BATCH_DELAY: 20ms
              OTEL_RETRY_MIN: 50ms
              OTEL_RETRY_MAX: 200ms
"#,
        state = folder.display(),
        otel = common::component_path("otel").display(),
        port = collector.port(),
    )
}

/// Starts the host; what it writes is appended to one file.
fn start(manifest: &Path, log: &Path) -> Child {
    let log: File = OpenOptions::new().append(true).create(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_host-test"))
        .arg("run")
        .arg(manifest)
        .arg("--components")
        .arg(common::target().join("components"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Where the sidecar takes spans, as soon as it does.
fn receiver(log: &Path) -> SocketAddr {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let said = text
            .split("its 127.0.0.1 is ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        if let Some(ip) = said {
            let address: SocketAddr = format!("{ip}:4318").parse().unwrap();
            if TcpStream::connect(address).is_ok() {
                return address;
            }
        }
        assert!(began.elapsed() < common::DEADLINE, "{text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A request with one span of this name.
fn request(name: u64) -> Vec<u8> {
    let mut span = Vec::new();
    put_bytes(&mut span, 5, name.to_string().as_bytes());
    [2, 2, 1].iter().fold(span, |inner, number| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *number, &inner);
        outer
    })
}

/// The names of the spans of a request.
fn names(body: &[u8]) -> Vec<u64> {
    let inner = |bytes: &[u8], number| -> Vec<u8> {
        let field = Fields::new(bytes)
            .map(Result::unwrap)
            .find(|field| field.number == number)
            .unwrap();
        match field.value {
            Value::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let limits = Limits {
        items: 1,
        bytes: usize::MAX,
    };
    let parts = split(Signal::Traces.request(), body, limits).unwrap();
    let name = |bytes: &[u8]| String::from_utf8(inner(&inner(&inner(&inner(bytes, 1), 2), 2), 5)).unwrap();
    parts.iter().map(|part| name(&part.bytes).parse().unwrap()).collect()
}

/// Sends spans one after the other until the connection breaks; returns those that were acknowledged.
fn send(address: SocketAddr, next: &mut u64, acknowledged: &mut BTreeSet<u64>) {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return;
    };
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    loop {
        let name = *next;
        *next += 1;
        let body = request(name);
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: otel\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = [0; 1024];
        let exchanged = stream
            .write_all(&[head.as_bytes(), &body].concat())
            .and_then(|()| stream.read(&mut answer));
        match exchanged {
            Ok(length) if answer[..length].starts_with(b"HTTP/1.1 200") => {
                acknowledged.insert(name);
            }
            Ok(length) if length > 0 => panic!("{}", String::from_utf8_lossy(&answer[..length])),
            _ => return,
        }
    }
}

/// A collector that keeps the names of spans, on threads of its own.
fn collector(arrived: &Arc<Mutex<Vec<u64>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let arrived = Arc::clone(arrived);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let arrived = Arc::clone(&arrived);
            std::thread::spawn(move || collect(stream, &arrived));
        }
    });
    address
}

fn collect(mut stream: TcpStream, arrived: &Mutex<Vec<u64>>) {
    let mut buffer = Vec::new();
    let mut read = [0; 65536];
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|part| part == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut read) {
                Ok(length) if length > 0 => buffer.extend_from_slice(&read[..length]),
                _ => return,
            }
        };
        let head = String::from_utf8(buffer[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length: usize = head
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap()
            .parse()
            .unwrap();
        while buffer.len() < end + length {
            match stream.read(&mut read) {
                Ok(length) if length > 0 => buffer.extend_from_slice(&read[..length]),
                _ => return,
            }
        }
        arrived.lock().unwrap().extend(names(&buffer[end..end + length]));
        buffer.drain(..end + length);
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

#[test]
fn kills_at_random_instants_lose_no_span_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("workload.yaml"), folder.path().join("log"));
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let collector = collector(&arrived);
    std::fs::write(&path, manifest(&folder.path().join("state"), collector)).unwrap();
    let (mut next, mut acknowledged) = (0, BTreeSet::new());
    let mut random = rand::rng();
    for _ in 0..KILLS {
        std::fs::write(&log, "").unwrap();
        let mut host = start(&path, &log);
        let address = receiver(&log);
        let after = AT_WORK.mul_f64(random.random());
        std::thread::scope(|scope| {
            scope.spawn(|| send(address, &mut next, &mut acknowledged));
            std::thread::sleep(after);
            host.kill().unwrap();
            host.wait().unwrap();
        });
    }
    std::fs::write(&log, "").unwrap();
    let mut host = start(&path, &log);
    let began = Instant::now();
    let missing = || -> Vec<u64> {
        let arrived: BTreeSet<u64> = arrived.lock().unwrap().iter().copied().collect();
        acknowledged.difference(&arrived).copied().collect()
    };
    while !missing().is_empty() {
        let text = || std::fs::read_to_string(&log).unwrap();
        assert!(began.elapsed() < common::DEADLINE, "lost: {:?}\n{}", missing(), text());
        std::thread::sleep(Duration::from_millis(20));
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let all = arrived.lock().unwrap();
    let once: BTreeSet<u64> = all.iter().copied().collect();
    println!(
        "{} acknowledged, {} arrived, {} of them twice",
        acknowledged.len(),
        once.len(),
        all.len() - once.len()
    );
    assert!(acknowledged.len() > KILLS, "{}", acknowledged.len());
    // At most what was on its way when it was killed comes twice.
    assert!(
        all.len() - once.len() <= once.len() / 2,
        "{} of {}",
        all.len() - once.len(),
        once.len()
    );
}
