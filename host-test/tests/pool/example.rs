//! tokio-postgres, redis-rs and sqlx in components that live for one request.

use mainstay_peers::{Postgres, Redis, postgres};
use tokio::task::JoinSet;

use crate::support::{self, visit};

#[tokio::test]
async fn drivers_in_short_lived_components_share_the_pools_connections() {
    let (server, cache) = (Postgres::start().unwrap(), Redis::start(&[]).unwrap());
    let password = postgres::PASSWORD_IN_URL;
    let (app, second) = (server.port(), cache.port());
    let app = format!("postgres://app:{password}@host.wasmcloud.internal:{app}/app?max=3");
    let workload = support::service(&[server.port(), cache.port()])
        .environment("POOL_APP_URL", &app)
        .environment("POOL_CACHE_URL", &format!("redis://host.wasmcloud.internal:{second}"))
        .component("example-pool")
        .http()
        .start();
    support::ready(&workload).await;
    let address = workload.http().unwrap();
    let (status, body) = visit(address, "POST", "/notes/milk%20and%20bread").await;
    assert_eq!((status, body.as_str().contains("answer 1")), (201, true), "{body}");
    let mut requests = JoinSet::new();
    for number in 0..40 {
        requests.spawn(async move { visit(address, "POST", &format!("/notes/{number}")).await });
    }
    for (status, body) in requests.join_all().await {
        assert_eq!(status, 201, "{body}");
    }
    let (_, body) = visit(address, "GET", "/notes").await;
    assert!(
        body.contains("1. milk and bread\n") && body.contains("answer 42"),
        "{body}"
    );
    assert_eq!(server.sql("app", "SELECT count(*) FROM notes").unwrap(), "41");
    let (_, pools) = visit(address, "GET", "/pools").await;
    assert!(pools.contains("\"name\":\"cache\""), "{pools}");
    let figures = support::figures(&workload, "app").await;
    assert!(figures["connects"].as_u64().unwrap() <= 3, "{figures}");
}

#[tokio::test]
async fn sqlx_in_short_lived_components_runs_unmodified() {
    let server = Postgres::start().unwrap();
    let workload = support::before_postgres(&server, "max=3")
        .component("test/pool-sqlx")
        .http()
        .start();
    support::ready(&workload).await;
    let table = "CREATE TABLE notes (text text); GRANT ALL ON notes TO app";
    server.sql("app", table).unwrap();
    let address = workload.http().unwrap();
    let mut requests = JoinSet::new();
    for number in 0..20 {
        requests.spawn(async move { visit(address, "GET", &format!("/{number}")).await });
    }
    for (status, body) in requests.join_all().await {
        assert!(
            status == 200 && body.contains(" notes\n"),
            "{body}\n{}",
            support::log(&workload)
        );
    }
    let (_, body) = visit(address, "GET", "/last").await;
    assert!(body.contains("21 notes\n"), "{body}");
    let figures = support::figures(&workload, "app").await;
    assert!(figures["connects"].as_u64().unwrap() <= 3, "{figures}");
}
