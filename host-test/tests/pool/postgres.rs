//! PostgreSQL through the pool: clients that know nothing of it, and a real server.

use mainstay_peers::{Postgres, postgres};

use crate::common;
use crate::support::{
    self, before_postgres, eventually, figures, log, metric, operate, pgbench, psql, python, ready, run, succeed,
};

#[tokio::test]
async fn psql_runs_unmodified_and_needs_no_password() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "").start();
    ready(&workload).await;
    let said = succeed(
        &workload,
        &mut psql(&workload, &["-c", "SELECT current_user, current_database()"]),
    )
    .await;
    assert_eq!(said.trim(), "app|app");
    let script = "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100000); \\d t \n \
        BEGIN; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; COMMIT; SELECT sum(id), count(*) FROM t; \
        COPY (SELECT id FROM t WHERE id < 4) TO STDOUT;";
    let mut command = psql(&workload, &["-f", "-"]);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, script.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let said = succeed(&workload, command.stdin(file)).await;
    assert!(said.contains("5000050000|100000\n1\n2\n3\n"), "{said}");
    let ran = run(&mut psql(&workload, &["-c", "SELECT 1/0"])).await;
    assert!(
        !ran.succeeded && ran.stderr.contains("ERROR:  division by zero"),
        "{}",
        ran.stderr
    );
    assert!(!log(&workload).contains(postgres::PASSWORD));
}

#[tokio::test]
async fn pgbench_runs_in_every_mode_with_more_clients_than_connections() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=4&acquire_timeout=30s").start();
    ready(&workload).await;
    let host = workload.loopback().to_string();
    succeed(&workload, &mut pgbench(&host, 5432, &["-i", "-q", "-s", "1"])).await;
    for mode in ["simple", "extended", "prepared"] {
        // A thread for each client: pgbench prepares statements one client a thread at a time, whoever waits for whom.
        let arguments = ["-M", mode, "-c", "20", "-j", "20", "-t", "20"];
        let said = succeed(&workload, &mut pgbench(&host, 5432, &arguments)).await;
        assert!(
            said.contains("number of transactions actually processed: 400/400"),
            "{said}"
        );
        assert!(said.contains("number of failed transactions: 0"), "{said}");
    }
    let figures = figures(&workload, "app").await;
    assert!(figures["connects"].as_u64().unwrap() <= 4, "{figures}");
    assert_eq!(figures["refusals"], 0);
}

#[tokio::test]
async fn asyncpg_and_psycopg_run_unmodified() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=3").start();
    ready(&workload).await;
    let host = workload.loopback().to_string();
    let said = succeed(&workload, &mut python("postgres_clients.py", &[&host, "5432"])).await;
    assert_eq!(said, "asyncpg\npsycopg\n");
    let lost = "pool_errors_total{pool=\"app\",kind=\"server-lost\"}";
    assert_eq!(
        metric(&workload, lost).await,
        0.0,
        "a setting that is wrong costs no server"
    );
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    assert_eq!(
        server.sql("app", &format!("{sleeping} AND state = 'active'")).unwrap(),
        "0",
        "it was cancelled"
    );
}

#[tokio::test]
async fn two_hundred_clients_on_ten_connections_never_see_each_other() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=10&acquire_timeout=60s").start();
    ready(&workload).await;
    let host = workload.loopback().to_string();
    let said = succeed(&workload, &mut python("isolation.py", &[&host, "5432", "200", "5"])).await;
    println!("{said}");
    assert!(said.starts_with("1000 transactions of 200 clients on "), "{said}");
    let figures = figures(&workload, "app").await;
    assert!(figures["connects"].as_u64().unwrap() <= 10, "{figures}");
}

#[tokio::test]
async fn a_session_is_reset_only_if_it_was_changed() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=1").start();
    ready(&workload).await;
    let resets = "pool_resets_total{pool=\"app\"}";
    for sql in [
        "SELECT 1",
        "BEGIN; SET LOCAL work_mem = '1MB'; COMMIT",
        "CREATE TABLE t (id int)",
    ] {
        succeed(&workload, &mut psql(&workload, &["-c", sql])).await;
    }
    assert_eq!(metric(&workload, resets).await, 0.0);
    succeed(&workload, &mut psql(&workload, &["-c", "SET work_mem = '1MB'"])).await;
    let said = succeed(&workload, &mut psql(&workload, &["-c", "SHOW work_mem"])).await;
    assert_eq!(said.trim(), "4MB", "the next client has the session as it was");
    assert_eq!(metric(&workload, resets).await, 1.0);
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT pg_advisory_lock(1)"])).await;
    eventually("the lock is gone", &workload, async || {
        server
            .sql("app", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            .unwrap()
            == "0"
    })
    .await;
}

#[tokio::test]
async fn a_client_that_dies_in_a_transaction_leaves_nothing_behind() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=1").start();
    ready(&workload).await;
    succeed(&workload, &mut psql(&workload, &["-c", "CREATE TABLE t (id int)"])).await;
    let mut command = psql(&workload, &[]);
    let mut dying = command
        .stdin(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = dying.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, b"BEGIN; INSERT INTO t VALUES (1);\n")
        .await
        .unwrap();
    eventually("the transaction is open", &workload, async || {
        server
            .sql(
                "app",
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'",
            )
            .unwrap()
            == "1"
    })
    .await;
    dying.kill().await.unwrap();
    let said = succeed(&workload, &mut psql(&workload, &["-c", "SELECT count(*) FROM t"])).await;
    assert_eq!(said.trim(), "0");
    assert_eq!(figures(&workload, "app").await["active"], 0);
    assert_eq!(
        metric(&workload, "pool_closed_total{pool=\"app\",reason=\"unclean\"}").await,
        1.0
    );
}

#[tokio::test]
async fn a_password_that_the_server_does_not_take_is_said_so_at_once_and_shown_nowhere() {
    let server = Postgres::start().unwrap();
    let port = server.port();
    let url = format!("postgres://app:wr0ng@host.wasmcloud.internal:{port}/app");
    let workload = support::service(&[port]).environment("POOL_APP_URL", &url).start();
    drop(common::connect(&workload, 5432).await);
    let ran = run(&mut psql(&workload, &["-c", "SELECT 1"])).await;
    assert!(
        ran.stderr
            .contains("the server says: password authentication failed for user \"app\" (SQLSTATE 28P01)"),
        "{}",
        ran.stderr
    );
    assert!(!log(&workload).contains("wr0ng"));
}

#[tokio::test]
async fn md5_and_clear_text_passwords_are_spoken_too() {
    for method in ["md5", "password"] {
        let server = Postgres::with_config(method, "").unwrap();
        let workload = before_postgres(&server, "").start();
        ready(&workload).await;
        succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    }
}

#[tokio::test]
async fn a_session_pool_keeps_a_session_and_lets_it_listen() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=2&pooling=session").start();
    ready(&workload).await;
    let said = succeed(
        &workload,
        &mut psql(
            &workload,
            &[
                "-c",
                "SET work_mem = '1MB'",
                "-c",
                "LISTEN a",
                "-c",
                "NOTIFY a, 'b'",
                "-c",
                "SHOW work_mem",
            ],
        ),
    )
    .await;
    assert!(
        said.contains("Asynchronous notification \"a\" with payload \"b\"") && said.contains("1MB"),
        "{said}"
    );
    let said = succeed(&workload, &mut psql(&workload, &["-c", "SHOW work_mem"])).await;
    assert_eq!(said.trim(), "4MB");
}

#[tokio::test]
async fn what_cannot_be_pooled_is_refused_in_words() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "").start();
    ready(&workload).await;
    let cases = [
        (
            "dbname=other user=app",
            "database \"other\" is not behind the pool \"app\", which leads to \"app\"",
        ),
        (
            "dbname=app user=app options='-c work_mem=1MB'",
            "startup parameter \"options\" cannot be pooled",
        ),
        (
            "dbname=app user=app replication=database",
            "replication needs a connection to the server itself",
        ),
    ];
    for (connection, message) in cases {
        let mut command = tokio::process::Command::new(mainstay_peers::tools::postgres("psql").unwrap());
        let connection = format!("host={} port=5432 {connection}", workload.loopback());
        let ran = run(command.args(["-X", "-c", "SELECT 1"]).arg(connection)).await;
        assert!(!ran.succeeded && ran.stderr.contains(message), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_token_is_wanted_where_one_is_set() {
    let server = Postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = server.port();
    let toml = format!(
        "[[pool]]\nname = \"app\"\nmode = \"postgres\"\nupstream = \"host.wasmcloud.internal:{port}\"\nuser = \"app\"\n"
    );
    std::fs::write(folder.path().join("pool.toml"), toml).unwrap();
    let workload = support::service(&[port])
        .volume(folder.path(), "/config")
        .environment("POOL_CONFIG", "/config/pool.toml")
        .environment("POOL_APP_PASSWORD", postgres::PASSWORD)
        .environment("POOL_APP_TOKEN", "t0ken")
        .environment("POOL_APP_TOKENS", "web = \"w3b\"")
        .start();
    ready(&workload).await;
    let ran = run(psql(&workload, &["-c", "SELECT 1"]).env("PGPASSWORD", "wrong")).await;
    assert!(ran.stderr.contains("it is no token of the pool"), "{}", ran.stderr);
    succeed(
        &workload,
        psql(&workload, &["-c", "SELECT 1"]).env("PGPASSWORD", "t0ken"),
    )
    .await;
    succeed(&workload, psql(&workload, &["-c", "SELECT 1"]).env("PGPASSWORD", "w3b")).await;
    let of_web = "pool_logins_total{pool=\"app\",component=\"web\"}";
    assert_eq!(metric(&workload, of_web).await, 1.0);
    assert!(log(&workload).contains("component=\"web\"") || log(&workload).contains("component=web"));
    for secret in ["t0ken", "w3b"] {
        assert!(!log(&workload).contains(secret));
    }
}

#[tokio::test]
async fn an_operator_pauses_drains_and_reconnects() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=2&acquire_timeout=30s").start();
    ready(&workload).await;
    let backend = || async {
        let said = succeed(&workload, &mut psql(&workload, &["-c", "SELECT pg_backend_pid()"])).await;
        said.trim().to_owned()
    };
    let first = backend().await;
    assert_eq!(operate(&workload, "app", "reconnect").await["idle"], 0);
    assert_ne!(backend().await, first);
    assert_eq!(operate(&workload, "app", "pause").await["state"], "paused");
    let mut waiting = psql(&workload, &["-c", "SELECT 1"]);
    let waiting = tokio::spawn(async move { run(&mut waiting).await });
    eventually("somebody waits", &workload, async || {
        figures(&workload, "app").await["waiting"] == 1
    })
    .await;
    operate(&workload, "app", "resume").await;
    assert!(waiting.await.unwrap().succeeded);
    operate(&workload, "app", "drain").await;
    assert_eq!(figures(&workload, "app").await["state"], "drained");
    let ran = run(&mut psql(&workload, &["-c", "SELECT 1"])).await;
    assert!(ran.stderr.contains("the pool is being drained"), "{}", ran.stderr);
    operate(&workload, "app", "resume").await;
    backend().await;
}
