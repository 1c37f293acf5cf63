use std::time::Duration;

use mainstay_pool_core::postgres::Pooling;
use mainstay_runtime::net::Verification;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Configuration, String> {
    Configuration::read_from(variables.iter().copied()).map_err(|error| error.to_string())
}

/// One line of what goes wrong with this file.
fn wrong(toml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.toml");
    std::fs::write(&path, toml).unwrap();
    let error = read(&[("POOL_CONFIG", path.to_str().unwrap())]).unwrap_err();
    error.replace(path.to_str().unwrap(), "pool.toml")
}

#[test]
fn a_url_is_a_pool() {
    let url =
        "postgres://app:p%40ss@db1.example,db2.example:5433/shop?max=20&min_idle=2&sslmode=verify-full&pooling=session";
    let configuration = read(&[("POOL_APP_URL", url), ("PATH", "/bin")]).unwrap();
    let pool = &configuration.pools[0];
    assert_eq!(pool.name, "app");
    assert_eq!(pool.listen.to_string(), "127.0.0.1:5432");
    let upstream: Vec<String> = pool.upstream.iter().map(ToString::to_string).collect();
    assert_eq!(upstream, ["db1.example:5432", "db2.example:5433"]);
    assert_eq!((pool.limits.max, pool.limits.min_idle, pool.limits.hosts), (20, 2, 2));
    assert_eq!(pool.tls.settings.verification, Verification::VerifyFull);
    let Mode::Postgres(postgres) = &pool.mode else {
        panic!("{pool:?}")
    };
    assert_eq!((postgres.user.as_str(), postgres.database.as_str()), ("app", "shop"));
    assert_eq!(postgres.password.as_ref().unwrap().reveal(), "p@ss");
    assert_eq!(postgres.pooling, Pooling::Session);
    assert!(!format!("{configuration:?}").contains("p@ss"));
}

#[test]
fn a_password_may_hold_what_ends_things_elsewhere() {
    let configuration = read(&[("POOL_APP_URL", "postgres://app:se?c/r@t@db.example/shop?max=20")]).unwrap();
    let pool = &configuration.pools[0];
    assert_eq!(
        (pool.upstream[0].to_string().as_str(), pool.limits.max),
        ("db.example:5432", 20)
    );
    let Mode::Postgres(postgres) = &pool.mode else {
        panic!("{pool:?}")
    };
    assert_eq!(postgres.password.as_ref().unwrap().reveal(), "se?c/r@t");
}

#[test]
fn redis_and_tcp_have_urls_too() {
    let configuration = read(&[
        (
            "POOL_CACHE_URL",
            "rediss://:secret@cache.example/3?shared=4&keepalive=30s&command_timeout=10s",
        ),
        ("POOL_MAIL_URL", "tcp://mail.example:25?listen=2525&reuse=on-idle"),
    ])
    .unwrap();
    let [cache, mail] = &configuration.pools[..] else {
        panic!("{configuration:?}")
    };
    let Mode::Redis(redis) = &cache.mode else {
        panic!("{cache:?}")
    };
    assert_eq!((redis.user.as_deref(), redis.database, redis.shared), (None, 3, 4));
    assert_eq!((cache.limits.held, redis.command_timeout), (8, Duration::from_secs(10)));
    assert_eq!(cache.limits.keepalive, Some(Duration::from_secs(30)));
    assert_eq!(cache.tls.settings.verification, Verification::VerifyFull);
    let Mode::Tcp(tcp) = &mail.mode else { panic!("{mail:?}") };
    assert_eq!(
        (tcp.reuse, mail.listen.to_string().as_str()),
        (Reuse::OnIdle, "127.0.0.1:2525")
    );
    assert!(!mail.limits.can_check);
}

#[test]
fn a_file_holds_any_number_of_pools_and_variables_their_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.toml");
    let toml = r#"
        [[pool]]
        name = "app"
        mode = "postgres"
        upstream = ["db1.example", "db2.example"]
        user = "app"
        idle_timeout = "off"
        acquire_timeout = "250ms"

        [[pool]]
        name = "cache"
        mode = "redis"
        upstream = "cache.example"
    "#;
    std::fs::write(&path, toml).unwrap();
    let variables = [
        ("POOL_CONFIG", path.to_str().unwrap()),
        ("POOL_APP_PASSWORD", "secret"),
        ("POOL_CACHE_TOKEN", "t"),
    ];
    let configuration = read(&variables).unwrap();
    let [app, cache] = &configuration.pools[..] else {
        panic!("{configuration:?}")
    };
    assert_eq!(
        (app.limits.idle_timeout, app.acquire_timeout),
        (None, Duration::from_millis(250))
    );
    assert!(app.tls.prefer && !cache.tls.prefer);
    let Mode::Postgres(postgres) = &app.mode else {
        panic!("{app:?}")
    };
    assert_eq!(postgres.password.as_ref().unwrap().reveal(), "secret");
    assert_eq!(cache.tokens.owner(b"t"), Some(""));
}

#[test]
fn every_pool_has_its_secrets_by_variables_of_its_own_and_components_tokens_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    std::fs::write(&path, "web = \"w\"\njobs = \"j\"\n").unwrap();
    let url = ("POOL_APP_URL", "postgres://app@b");
    let configuration = read(&[
        url,
        ("POOL_APP_PASSWORD", "secret"),
        ("POOL_APP_TOKEN", "t"),
        ("POOL_APP_TOKENS_FILE", path.to_str().unwrap()),
        ("POOL_LEASES_TOKENS", "mail = \"m\""),
    ])
    .unwrap();
    let Mode::Postgres(postgres) = &configuration.pools[0].mode else {
        panic!("{configuration:?}")
    };
    assert_eq!(postgres.password.as_ref().unwrap().reveal(), "secret");
    let tokens = &configuration.pools[0].tokens;
    let owners = [&b"t"[..], b"w", b"j", b"m"].map(|token| tokens.owner(token));
    assert_eq!(owners, [Some(""), Some("web"), Some("jobs"), None]);
    assert_eq!(configuration.lease_tokens.owner(b"m"), Some("mail"));

    let tcp = ("POOL_APP_URL", "tcp://b:1?listen=9000");
    let twice = ("POOL_APP_URL", "postgres://app:secret@b");
    for (variables, message) in [
        (
            [tcp, ("POOL_APP_TOKEN", "s3cret")],
            "pool \"app\": a pool of mode tcp has no place for a token; POOL_LEASES_TOKEN is for leases",
        ),
        (
            [twice, ("POOL_APP_PASSWORD", "s3cret")],
            "pool \"app\": its password is set twice",
        ),
        (
            [url, ("POOL_APP_TOKENS", "web = \"w\"\njobs = s3cret")],
            "POOL_APP_TOKENS: line 2 is not of the form: component = \"token\"",
        ),
        (
            [url, ("POOL_APP_TOKENS", "web = \"s3cret\"\njobs = \"s3cret\"")],
            "POOL_APP_TOKENS: \"jobs\" and \"web\" have the same token; each needs one of its own",
        ),
        (
            [url, ("POOL_APP_TOKENS", "web = \"\"")],
            "POOL_APP_TOKENS: \"web\": a component and its token must not be empty",
        ),
    ] {
        assert_eq!(read(&variables).unwrap_err(), message);
    }
}

#[test]
fn wrong_settings_are_told_in_one_line_without_secrets() {
    let urls = [
        (
            "db.example",
            "POOL_APP_URL: no URL, for example postgres://app:secret@db.example/app",
        ),
        (
            "mysql://a:secret@b",
            "POOL_APP_URL: scheme \"mysql\" is not one of postgres, redis, rediss, tcp, tls",
        ),
        (
            "postgres://db.example",
            "POOL_APP_URL: it names no user, for example postgres://app@db.example",
        ),
        ("postgres://app:secret@", "POOL_APP_URL: it names no host"),
        (
            "postgres://app:%zz@b",
            "POOL_APP_URL: a % is not followed by two hexadecimal digits",
        ),
        (
            "postgres://app:secret@b:0",
            "POOL_APP_URL: its host is not a name or an IP address, with a port in 1-65535 or none, and commas between \
             several",
        ),
        (
            "postgres://app:secret/db",
            "POOL_APP_URL: its host is not a name or an IP address, with a port in 1-65535 or none, and commas between \
             several",
        ),
        (
            "postgres://app:se?secret@db:99999/app",
            "POOL_APP_URL: its host is not a name or an IP address, with a port in 1-65535 or none, and commas between \
             several",
        ),
        (
            "postgres://app:secret@b?maxx=1",
            "POOL_APP_URL: maxx: no such setting, the nearest is max",
        ),
        (
            "postgres://app:secret@b?max=0",
            "POOL_APP_URL: max \"0\": not a whole number in 1-1000",
        ),
        ("redis://b/secret", "POOL_APP_URL: its database is not a number"),
        (
            "redis://b?max=4",
            "POOL_APP_URL: shared 2 for each of RESP2 and RESP3 is 4, which is not less than max 4; transactions and \
             subscriptions need connections of their own",
        ),
        (
            "redis://b?tls=prefer",
            "POOL_APP_URL: tls \"prefer\": only PostgreSQL can be asked whether it has TLS; use off or require",
        ),
        (
            "tcp://b:1",
            "POOL_APP_URL: listen is not set, for example listen = \"127.0.0.1:9000\"",
        ),
        (
            "tcp://b:1?listen=0.0.0.0:9",
            "POOL_APP_URL: listen \"0.0.0.0:9\": not a port on the loopback, for example 127.0.0.1:5432",
        ),
        (
            "postgres://a@b?listen=8085",
            "pool \"app\": listen 127.0.0.1:8085 is that of admin already; each needs a port of its own",
        ),
    ];
    for (url, message) in urls {
        assert!(
            !message.contains("secret") || message.contains("for example"),
            "{message}"
        );
        assert_eq!(read(&[("POOL_APP_URL", url)]).unwrap_err(), message);
    }
    assert!(
        read(&[])
            .unwrap_err()
            .starts_with("no pool: set POOL_<NAME>_URL, for example")
    );
    let twice = [("POOL_A_URL", "postgres://a@b"), ("POOL_B_URL", "postgres://a@b")];
    assert!(read(&twice).unwrap_err().contains("is that of a already"));
    let head = "[[pool]]\nname = \"a\"\nmode = \"postgres\"\nupstream = \"b\"\nuser = \"u\"\n";
    let files = [
        (
            "[[pool]]\nmode = \"redis\"",
            "pool.toml line 1: name is not set, for example name = \"app\"",
        ),
        (
            "[[pool]]\nname = \"a b\"",
            "pool.toml line 2: name \"a b\": not 1 to 63 letters, digits and - _ .",
        ),
        (
            "[[pool]]\nname = \"a\"\nmode = \"mongo\"",
            "pool.toml line 3: mode \"mongo\": not one of postgres, redis, tcp",
        ),
        (
            &format!("{head}password = \"secret\""),
            "pool.toml line 6: password: a secret, must come by a variable, or by a file that this one names: \
             password_file = \"/run/secrets/password\"",
        ),
        (
            &format!("{head}min_idle = 11"),
            "pool.toml line 1: min_idle 11 is more than max 10",
        ),
        (
            &format!("{head}reset = \"no\""),
            "pool.toml line 6: reset \"no\": not one of changed, always, never",
        ),
    ];
    for (toml, message) in files {
        assert_eq!(wrong(toml), message);
    }
}
