//! pgbench's reads: direct, through PgBouncer, through the pool; and with a connection for each under TLS.

use std::path::PathBuf;

use anyhow::{Context, Result};
use mainstay_peers::{PgBouncer, Postgres, postgres, tools};
use rcgen::{CertificateParams, KeyPair};
use tokio::process::Command;

use crate::bed::{self, CONNECTIONS};
use crate::figure::{Goal, row};

/// Where pgbench connects to, and what that is.
struct Place {
    name: &'static str,
    host: String,
    port: u16,
}

pub(crate) async fn run(seconds: u64) -> Result<()> {
    let server = Postgres::start()?;
    let bouncer = PgBouncer::start(&server, CONNECTIONS)?;
    let password = postgres::PASSWORD_IN_URL;
    let port = server.port();
    let url = format!("postgres://app:{password}@host.wasmcloud.internal:{port}/app?max={CONNECTIONS}");
    let pool = bed::pool("POOL_APP_URL", &url, port, 5432).await?;
    let local = || "127.0.0.1".to_owned();
    let places = [
        Place {
            name: "direct",
            host: local(),
            port,
        },
        Place {
            name: "PgBouncer",
            host: local(),
            port: bouncer.port(),
        },
        Place {
            name: "the pool",
            host: pool.loopback().to_string(),
            port: 5432,
        },
    ];
    let pgbench = tools::postgres("pgbench")?;
    println!("{}", bed::output(Command::new(&pgbench).arg("--version")).await?.trim());
    let [direct, ..] = &places;
    bed::output(&mut command(&pgbench, direct, &["-i", "-q", "-s", "10"])).await?;
    let seconds = seconds.to_string();
    for (what, arguments) in [
        ("-S simple, 8 clients", &["-S", "-M", "simple", "-c", "8"][..]),
        ("-S extended, 8 clients", &["-S", "-M", "extended", "-c", "8"]),
        ("-S prepared, 8 clients", &["-S", "-M", "prepared", "-c", "8"]),
        ("-S simple, 1 client", &["-S", "-M", "simple", "-c", "1"]),
    ] {
        let arguments = [arguments, &["-n", "-T", &seconds]].concat();
        let mut figures = Vec::new();
        for place in &places {
            // PgBouncer 1.18 knows no prepared statements in transaction pooling.
            if place.name == "PgBouncer" && what.contains("prepared") {
                figures.push((place.name, None));
                continue;
            }
            figures.push((
                place.name,
                Some(measure(&mut command(&pgbench, place, &arguments)).await?),
            ));
        }
        print(what, &figures);
    }
    each_connects(&pgbench, &seconds).await
}

/// What a component does that lives for one request: connect, ask, and go. Directly it needs TLS and a login each time.
async fn each_connects(pgbench: &PathBuf, seconds: &str) -> Result<()> {
    let mut server = Postgres::start()?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
    server.enable_tls(&certificate.pem(), &key.serialize_pem())?;
    let password = postgres::PASSWORD_IN_URL;
    let port = server.port();
    let url = format!("postgres://app:{password}@host.wasmcloud.internal:{port}/app?max={CONNECTIONS}&tls=require");
    let pool = bed::pool("POOL_APP_URL", &url, port, 5432).await?;
    let direct = Place {
        name: "direct, with TLS",
        host: "127.0.0.1".to_owned(),
        port,
    };
    let pooled = Place {
        name: "the pool, TLS behind it",
        host: pool.loopback().to_string(),
        port: 5432,
    };
    bed::output(&mut command(pgbench, &direct, &["-i", "-q", "-s", "10"])).await?;
    println!("\npgbench -S simple, 8 clients, each connects anew for each transaction");
    row("", [&"tps", &"mean ms"], "");
    let mut rates = Vec::new();
    for (place, mode) in [(&direct, "require"), (&pooled, "disable")] {
        let mut command = command(
            pgbench,
            place,
            &["-S", "-C", "-M", "simple", "-c", "8", "-n", "-T", seconds],
        );
        let (rate, latency) = measure(command.env("PGSSLMODE", mode)).await?;
        row(place.name, [&format!("{rate:.0}"), &format!("{latency:.3}")], "");
        rates.push(rate);
    }
    if let [direct, pooled] = rates[..] {
        let times = pooled / direct;
        row(
            "the pool / direct",
            [&format!("{times:.1}"), &""],
            Goal::AtLeast(10.0).verdict(times),
        );
    }
    Ok(())
}

/// Transactions a second, and what one takes, in milliseconds.
async fn measure(command: &mut Command) -> Result<(f64, f64)> {
    let said = bed::output(command).await?;
    let figure = |begins: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(begins));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("pgbench says no {begins:?}: {said}"))
    };
    Ok((figure("tps = ")?, figure("latency average = ")?))
}

fn print(what: &str, figures: &[(&str, Option<(f64, f64)>)]) {
    println!("\npgbench {what}");
    row("", [&"tps", &"mean ms"], "");
    let of = |name| {
        figures
            .iter()
            .find(|(other, _)| *other == name)
            .and_then(|(_, figures)| *figures)
    };
    for (name, figures) in figures {
        match figures {
            Some((rate, latency)) => row(name, [&format!("{rate:.0}"), &format!("{latency:.3}")], ""),
            None => row(name, [&"cannot", &""], ""),
        }
    }
    if let (Some(peer), Some(pool)) = (of("PgBouncer"), of("the pool")) {
        let part = pool.0 / peer.0;
        row(
            "the pool / PgBouncer",
            [&format!("{part:.2}"), &""],
            Goal::AtLeast(0.7).verdict(part),
        );
    }
    if let (Some(direct), Some(pool)) = (of("direct"), of("the pool")) {
        let added = pool.1 - direct.1;
        let goal = if what.contains("1 client") {
            Goal::AtMost(0.15)
        } else {
            Goal::None
        };
        row("the pool - direct", [&"", &format!("{added:.3}")], goal.verdict(added));
    }
}

fn command(pgbench: &PathBuf, place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(pgbench);
    command.args(["-h", &place.host, "-p", &place.port.to_string(), "-U", "app"]);
    command.env("PGPASSWORD", postgres::PASSWORD).args(arguments).arg("app");
    command
}
