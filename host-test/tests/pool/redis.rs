//! Redis through the pool: clients that know nothing of it, and a real server.

use std::time::Instant;

use mainstay_host_test::workload::Workload;
use mainstay_peers::Redis;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::common;
use crate::support::{self, before_redis, figures, log, metric, operate, python, ready, redis_program, succeed};

#[tokio::test]
async fn redis_py_runs_unmodified() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "max=8").start();
    ready(&workload).await;
    let host = workload.loopback().to_string();
    let said = succeed(&workload, &mut python("redis_client.py", &[&host, "6379"])).await;
    assert_eq!(said, "RESP2\nRESP3\n");
    let figures = figures(&workload, "cache").await;
    assert!(
        figures["active"].as_u64().unwrap() <= 4,
        "only shared ones are out: {figures}"
    );
}

#[tokio::test]
async fn redis_cli_and_redis_benchmark_run_unmodified() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "").start();
    ready(&workload).await;
    let host = workload.loopback().to_string();
    let mut cli = redis_program("redis-cli", &host, 6379, &["SET", "a", "1"]);
    assert_eq!(succeed(&workload, &mut cli).await.trim(), "OK");
    let mut cli = redis_program("redis-cli", &host, 6379, &["-3", "GET", "a"]);
    assert_eq!(succeed(&workload, &mut cli).await.trim(), "1");
    let mut cli = redis_program("redis-cli", &host, 6379, &["INFO", "server"]);
    assert!(succeed(&workload, &mut cli).await.contains("redis_version:7.0.15"));
    let arguments = [
        "-n",
        "20000",
        "-c",
        "50",
        "-P",
        "16",
        "-q",
        "-t",
        "set,get,incr,lpush,mset",
    ];
    let said = succeed(
        &workload,
        &mut redis_program("redis-benchmark", &host, 6379, &arguments),
    )
    .await;
    assert_eq!(said.matches("requests per second").count(), 5, "{said}");
    assert!(!said.contains("rror"), "{said}");
}

/// A client that knows what each answer must be.
async fn echo(workload: &Workload, client: usize, count: usize, depth: usize) -> usize {
    let mut stream = TcpStream::connect((workload.loopback(), 6379)).await.unwrap();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let (mut asked, mut heard) = (0, 0);
    let mut line = String::new();
    while heard < count {
        let mut out = String::new();
        while asked < count && asked - heard < depth {
            let text = format!("{client}.{asked}");
            out.push_str(&format!("*2\r\n$4\r\nECHO\r\n${}\r\n{text}\r\n", text.len()));
            asked += 1;
        }
        writer.write_all(out.as_bytes()).await.unwrap();
        while heard < asked {
            line.clear();
            reader.read_line(&mut line).await.unwrap();
            assert!(line.starts_with('$'), "{line}");
            line.clear();
            reader.read_line(&mut line).await.unwrap();
            assert_eq!(line.trim_end(), format!("{client}.{heard}"), "the answer is another's");
            heard += 1;
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_million_pipelined_commands_goes_to_another() {
    let server = Redis::start(&[]).unwrap();
    let workload = std::sync::Arc::new(before_redis(&server, "").start());
    ready(&workload).await;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..50 {
        let workload = std::sync::Arc::clone(&workload);
        // Some ask one at a time, some a thousand.
        let depth = [1, 10, 100, 1000][client % 4];
        let count = if depth == 1 { 2_000 } else { 26_500 };
        clients.spawn(async move { echo(&workload, client, count, depth).await });
    }
    let answers: usize = clients.join_all().await.into_iter().sum();
    println!("{answers} answers in {:?}", began.elapsed());
    assert!(answers >= 1_000_000, "{answers}");
    assert_eq!(figures(&workload, "cache").await["connects"], 2, "on two connections");
}

/// Says something; gives all that is answered up to this end.
async fn say(stream: &mut TcpStream, text: &str, end: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(end) {
        let read = tokio::time::timeout(common::DEADLINE, stream.read(&mut buffer))
            .await
            .expect(&answer)
            .unwrap();
        assert!(read > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    answer
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_and_only_what_changes_nothing_is_said_twice() {
    let mut server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "").start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 6379).await;
    assert_eq!(say(&mut stream, "SET a 1\r\n", "\r\n").await, "+OK\r\n");
    for _ in 0..3 {
        server.kill();
        server.start_again().unwrap();
        let back = Instant::now();
        // A read goes to the new connection, unseen.
        assert_eq!(say(&mut stream, "GET a\r\n", "\r\n").await, "$-1\r\n");
        println!("served {:?} after the server was back", back.elapsed());
    }
    server.kill();
    let answer = say(&mut stream, "GET a\r\n", "\r\n").await;
    assert!(
        answer.starts_with("-ERR pool \"cache\": ") && answer.contains("refused, nothing listens there"),
        "{answer}"
    );
    server.start_again().unwrap();
    let deadline = Instant::now() + common::DEADLINE;
    while say(&mut stream, "INCR n\r\n", "\r\n").await.starts_with('-') {
        assert!(Instant::now() < deadline, "{}", log(&workload));
    }
    assert_eq!(say(&mut stream, "GET n\r\n", "1\r\n").await, "$1\r\n1\r\n");
}

#[tokio::test]
async fn a_client_that_dies_at_any_byte_holds_up_nobody() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "max=5").start();
    ready(&workload).await;
    let text = "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\n*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n";
    for end in 0..text.len() {
        let mut stream = common::connect(&workload, 6379).await;
        stream.write_all(&text.as_bytes()[..end]).await.unwrap();
        drop(stream);
    }
    let mut stream = common::connect(&workload, 6379).await;
    let answer = say(&mut stream, "MULTI\r\nSET a 1\r\nEXEC\r\nGET a\r\n", "1\r\n1\r\n").await;
    assert_eq!(answer, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n1\r\n");
    support::eventually("none is out but shared ones", &workload, async || {
        figures(&workload, "cache").await["active"].as_u64().unwrap() <= 2
            && metric(&workload, "pool_clients{pool=\"cache\"}").await == 1.0
    })
    .await;
}

#[tokio::test]
async fn an_operator_pauses_drains_and_reconnects() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "acquire_timeout=30s&leak_after=1s").start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 6379).await;
    assert_eq!(say(&mut stream, "SET a 1\r\n", "\r\n").await, "+OK\r\n");
    assert_eq!(figures(&workload, "cache").await["active"], 1);

    // A pause holds up what is said in it, and nothing is lost.
    assert_eq!(operate(&workload, "cache", "pause").await["state"], "paused");
    stream.write_all(b"INCR a\r\n").await.unwrap();
    support::eventually("it waits", &workload, async || {
        figures(&workload, "cache").await["waiting"] == 1
    })
    .await;
    let mut direct = redis_program("redis-cli", "127.0.0.1", server.port(), &["GET", "a"]);
    assert_eq!(succeed(&workload, &mut direct).await.trim(), "1");
    operate(&workload, "cache", "resume").await;
    assert_eq!(say(&mut stream, "GET a\r\n", "$1\r\n2\r\n").await, ":2\r\n$1\r\n2\r\n");

    let connects = figures(&workload, "cache").await["connects"].as_u64().unwrap();
    operate(&workload, "cache", "reconnect").await;
    assert_eq!(say(&mut stream, "GET a\r\n", "2\r\n").await, "$1\r\n2\r\n");
    assert_eq!(figures(&workload, "cache").await["connects"], connects + 1);

    // Connections that nobody uses go at once, shared ones among them.
    let began = Instant::now();
    operate(&workload, "cache", "drain").await;
    support::eventually("it is drained", &workload, async || {
        figures(&workload, "cache").await["state"] == "drained"
    })
    .await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    let answer = say(&mut stream, "GET a\r\n", "\r\n").await;
    assert!(answer.contains("the pool is being drained"), "{answer}");
    operate(&workload, "cache", "resume").await;
    assert_eq!(say(&mut stream, "GET a\r\n", "2\r\n").await, "$1\r\n2\r\n");
    assert_eq!(
        figures(&workload, "cache").await["leaks"],
        0,
        "shared ones are no leaks"
    );
}

#[tokio::test]
async fn who_has_a_connection_of_its_own_leaves_the_shared_ones_to_all() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "max=3&shared=1&acquire_timeout=1s").start();
    ready(&workload).await;
    let mut blocking = common::connect(&workload, 6379).await;
    blocking.write_all(b"BLPOP q 0\r\n").await.unwrap();
    support::eventually("it has one", &workload, async || {
        figures(&workload, "cache").await["active"] == 1
    })
    .await;
    let mut other = common::connect(&workload, 6379).await;
    let refused = say(&mut other, "BLPOP q 0\r\n", "\r\n").await;
    assert!(refused.contains("others have all 1"), "{refused}");
    for hello in ["", "HELLO 3\r\n"] {
        let mut stream = common::connect(&workload, 6379).await;
        let answer = say(&mut stream, &format!("{hello}SET a 1\r\n"), "+OK\r\n").await;
        assert!(answer.ends_with("+OK\r\n"), "{answer}");
    }
    // What is the pool's is answered here on a connection of one's own too.
    let mut watching = common::connect(&workload, 6379).await;
    let pushed = say(&mut watching, "RPUSH q 1\r\n", "\r\n").await;
    assert_eq!(pushed, ":1\r\n");
    let answer = say(
        &mut watching,
        "WATCH a\r\nAUTH any\r\nMULTI\r\nAUTH any\r\nEXEC\r\n",
        "*0\r\n",
    )
    .await;
    assert_eq!(
        answer,
        "+OK\r\n+OK\r\n+OK\r\n-ERR Command not allowed inside a transaction\r\n*0\r\n"
    );
}

#[tokio::test]
async fn a_shared_connection_whose_server_has_vanished_is_given_up_under_traffic() {
    let server = Redis::start(&[]).unwrap();
    let cutter = support::Cutter::start(server.port()).await;
    let url = format!(
        "redis://host.wasmcloud.internal:{}?max=3&shared=1&command_timeout=500ms&keepalive=1s",
        cutter.port
    );
    let workload = support::service(&[cutter.port])
        .environment("POOL_CACHE_URL", &url)
        .start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 6379).await;
    assert_eq!(say(&mut stream, "SET a 1\r\n", "\r\n").await, "+OK\r\n");
    cutter.fall_silent();
    // One that goes on asking does not put it off.
    let mut busy = common::connect(&workload, 6379).await;
    let asks = async {
        while busy.write_all(b"GET a\r\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("it is cut off");
    };
    let answer = tokio::select! {
        answer = say(&mut stream, "INCR a\r\n", "\r\n") => answer,
        () = asks => String::new(),
    };
    assert!(answer.contains("no answer within 500ms"), "{answer}");
    // It was done, as it happens.
    assert_eq!(say(&mut stream, "GET a\r\n", "2\r\n").await, "$1\r\n2\r\n");
    // Nor is one kept that nobody uses.
    let lost = "pool_errors_total{pool=\"cache\",kind=\"server-lost\"}";
    cutter.fall_silent();
    drop((stream, busy));
    support::eventually("it is noticed", &workload, async || {
        metric(&workload, lost).await == 2.0
    })
    .await;
}

#[tokio::test]
async fn credentials_are_the_services_and_appear_in_no_log() {
    let server = Redis::start(&["--requirepass", "s3cret"]).unwrap();
    let port = server.port();
    let url = format!("redis://:s3cret@host.wasmcloud.internal:{port}/1");
    let workload = support::service(&[port]).environment("POOL_CACHE_URL", &url).start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 6379).await;
    assert_eq!(
        say(&mut stream, "AUTH whatever\r\nSET a 1\r\n", "+OK\r\n+OK\r\n").await,
        "+OK\r\n+OK\r\n"
    );
    let port = port.to_string();
    let mut direct = redis_program(
        "redis-cli",
        "127.0.0.1",
        server.port(),
        &["-n", "1", "-a", "s3cret", "GET", "a"],
    );
    assert_eq!(
        succeed(&workload, &mut direct).await.trim(),
        "1",
        "in database 1 of {port}"
    );
    assert!(!log(&workload).contains("s3cret"));

    let wrong = format!("redis://:wr0ng@host.wasmcloud.internal:{port}");
    let workload = support::service(&[server.port()])
        .environment("POOL_CACHE_URL", &wrong)
        .start();
    let mut stream = common::connect(&workload, 6379).await;
    let answer = say(&mut stream, "GET a\r\n", "\r\n").await;
    assert!(answer.contains("the server says: WRONGPASS"), "{answer}");
    assert!(!log(&workload).contains("wr0ng"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_has_to_go_and_the_others_stay() {
    let server = Redis::start(&[]).unwrap();
    let workload = before_redis(&server, "max=3&shared=1").start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 6379).await;
    say(
        &mut stream,
        &format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n{}\r\n", "x".repeat(100_000)),
        "\r\n",
    )
    .await;
    let flood = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n".repeat(1000);
    let flooded = async {
        while stream.write_all(flood.as_bytes()).await.is_ok() {}
        std::future::pending().await
    };
    let mut other = common::connect(&workload, 6379).await;
    let slow = "pool_errors_total{pool=\"cache\",kind=\"client-slow\"}";
    let others = async {
        while metric(&workload, slow).await == 0.0 {
            assert_eq!(say(&mut other, "GET none\r\n", "\r\n").await, "$-1\r\n");
        }
        say(&mut other, "GET none\r\n", "\r\n").await
    };
    let served = async {
        tokio::select! {
            answer = others => answer,
            () = flooded => panic!("nobody ends it"),
        }
    };
    let answer = tokio::time::timeout(common::DEADLINE, served).await;
    assert_eq!(answer.unwrap_or_else(|_| panic!("{}", log(&workload))), "$-1\r\n");
    drop(stream);
    support::eventually("it is gone", &workload, async || {
        metric(&workload, "pool_clients{pool=\"cache\"}").await == 1.0
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_is_said_again_or_the_client_is_told() {
    let server = Redis::start(&[]).unwrap();
    let cutter = support::Cutter::start(server.port()).await;
    let url = format!("redis://host.wasmcloud.internal:{}", cutter.port);
    let workload = support::service(&[cutter.port])
        .environment("POOL_CACHE_URL", &url)
        .start();
    ready(&workload).await;
    let value = "x".repeat(100_000);
    let mut stream = common::connect(&workload, 6379).await;
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n{value}\r\n");
    assert_eq!(say(&mut stream, &set, "\r\n").await, "+OK\r\n");
    let whole = format!("$100000\r\n{value}\r\n");
    for after in [0, 1, 5, 9, 10, 1000, 50_000, whole.len() - 1] {
        let mut stream = common::connect(&workload, 6379).await;
        cutter.cut_after(after);
        stream.write_all(b"GET a\r\n").await.unwrap();
        let mut answer = vec![0; whole.len()];
        let read = tokio::time::timeout(common::DEADLINE, async {
            let mut read = 0;
            while read < answer.len() {
                match stream.read(&mut answer[read..]).await {
                    Ok(0) | Err(_) => break,
                    Ok(more) => read += more,
                }
            }
            read
        });
        let read = read.await.expect("an answer or an end");
        assert!(
            whole.as_bytes().starts_with(&answer[..read]),
            "cut after {after}: another answer"
        );
        let mut stream = common::connect(&workload, 6379).await;
        assert_eq!(say(&mut stream, "GET a\r\n", "x\r\n").await.len(), whole.len());
    }
}

/// Runs a command at a node itself.
async fn at(workload: &Workload, node: &Redis, arguments: &[&str]) -> String {
    let mut direct = redis_program("redis-cli", "127.0.0.1", node.port(), arguments);
    succeed(workload, &mut direct).await.trim().to_owned()
}

/// A node of a cluster, on free ports.
fn node() -> Redis {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bus = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    Redis::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]).unwrap()
}

#[tokio::test]
async fn a_cluster_tells_clients_where_to_go_through_the_pool() {
    let (one, other) = (node(), node());
    let workload = before_redis(&one, "").start();
    ready(&workload).await;
    at(&workload, &one, &["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]).await;
    at(&workload, &other, &["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]).await;
    let id = at(&workload, &other, &["CLUSTER", "MYID"]).await;
    let own = at(&workload, &one, &["CLUSTER", "MYID"]).await;
    let info = at(&workload, &other, &["CLUSTER", "NODES"]).await;
    let address = info.split(' ').find(|word| word.contains('@')).unwrap();
    let bus = address.split(['@', ',']).nth(1).unwrap();
    let port = other.port().to_string();
    at(&workload, &one, &["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
    support::eventually("the cluster is one", &workload, async || {
        at(&workload, &one, &["CLUSTER", "INFO"])
            .await
            .contains("cluster_state:ok")
            && at(&workload, &other, &["CLUSTER", "INFO"])
                .await
                .contains("cluster_state:ok")
    })
    .await;

    // `foo` is in slot 12182, `bar` in 5061.
    let mut stream = common::connect(&workload, 6379).await;
    let moved = format!("-MOVED 12182 127.0.0.1:{port}\r\n");
    assert_eq!(say(&mut stream, "GET foo\r\n", "\r\n").await, moved);
    assert_eq!(say(&mut stream, "SET bar 1\r\n", "\r\n").await, "+OK\r\n");
    at(&workload, &other, &["CLUSTER", "SETSLOT", "5061", "IMPORTING", &own]).await;
    at(&workload, &one, &["CLUSTER", "SETSLOT", "5061", "MIGRATING", &id]).await;
    let ask = format!("-ASK 5061 127.0.0.1:{port}\r\n");
    assert_eq!(say(&mut stream, "GET {bar}else\r\n", "\r\n").await, ask);
    assert_eq!(say(&mut stream, "GET bar\r\n", "1\r\n").await, "$1\r\n1\r\n");

    // Where it leads: there by a pool too, ASKING and what it is for on one connection.
    let second = before_redis(&other, "").start();
    ready(&second).await;
    let mut stream = common::connect(&second, 6379).await;
    let asked = say(&mut stream, "ASKING\r\nGET {bar}else\r\n", "$-1\r\n").await;
    assert_eq!(asked, "+OK\r\n$-1\r\n");
}
