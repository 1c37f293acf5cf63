//! Bad settings and their exact messages.

use std::time::Duration;

use super::{ConfigError, Secret, Settings};

#[derive(Debug, PartialEq)]
struct Example {
    schedule: String,
    timeout: Duration,
    max_in_flight: u64,
    buffer: u64,
    overlap: bool,
    verbose: bool,
    zone: String,
    servers: Vec<String>,
    endpoint: Option<String>,
    password: Option<Secret>,
    jobs: Vec<(String, Duration)>,
}

fn example(settings: &mut Settings) -> Result<Example, ConfigError> {
    let second = Duration::from_secs(1);
    Ok(Example {
        schedule: settings.required("schedule", "@every 10s")?.text()?.to_owned(),
        timeout: settings.or("timeout", 30 * second, |value| value.duration(second..=3600 * second))?,
        max_in_flight: settings.or("max_in_flight", 256, |value| value.integer(1..=1024))?,
        buffer: settings.or("buffer", 1 << 20, |value| value.size(1024..=1 << 30))?,
        overlap: settings.or("overlap", true, |value| {
            value.one_of(&[("allow", true), ("forbid", false)])
        })?,
        verbose: settings.or("verbose", false, super::Value::flag)?,
        zone: settings.or("zone", "UTC".to_owned(), |value| {
            value.parse(|zone| {
                if zone == "UTC" {
                    Ok(zone.to_owned())
                } else {
                    Err("no such zone, for example UTC")
                }
            })
        })?,
        servers: settings.or("servers", Vec::new(), |value| {
            value
                .list()?
                .iter()
                .map(|server| Ok(server.address()?.to_string()))
                .collect()
        })?,
        endpoint: match settings.value_named("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT") {
            Some(value) => Some(value.text()?.to_owned()),
            None => None,
        },
        password: settings.secret("password")?,
        jobs: settings.tables("job", |job| {
            let name = job.required("name", "backup")?.text()?.to_owned();
            let every = job.or("every", second, |value| value.duration(second..=60 * second))?;
            if name == "both" {
                return Err(job.error("name and every exclude each other"));
            }
            Ok((name, every))
        })?,
    })
}

fn read(environment: &[(&str, &str)]) -> Result<Example, String> {
    Settings::read_from("CRON_", environment.iter().copied(), example).map_err(|error| error.to_string())
}

/// Reads a file, whose path in messages is `FILE`.
fn read_file(toml: &str, environment: &[(&str, &str)]) -> Result<Example, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cron.toml").to_str().unwrap().to_owned();
    std::fs::write(&path, toml).unwrap();
    let mut environment = environment.to_vec();
    environment.push(("CRON_CONFIG", &path));
    read(&environment).map_err(|message| message.replace(&path, "FILE"))
}

#[test]
fn bad_variables_name_themselves_their_value_and_the_rule() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "TIMEOUT",
            "5x",
            r#"CRON_TIMEOUT "5x": unit x is not one of d, h, m, s, ms, us, for example 5s"#,
        ),
        (
            "TIMEOUT",
            "30",
            r#"CRON_TIMEOUT "30": 30 has no unit (d, h, m, s, ms, us), for example 30s"#,
        ),
        ("TIMEOUT", "2h", r#"CRON_TIMEOUT "2h": not in 1s to 1h"#),
        ("TIMEOUT", "0s", r#"CRON_TIMEOUT "0s": not in 1s to 1h"#),
        (
            "TIMEOUT",
            "",
            r#"CRON_TIMEOUT "": empty, for example 30s, 1m30s or 500ms"#,
        ),
        (
            "MAX_IN_FLIGHT",
            "0",
            r#"CRON_MAX_IN_FLIGHT "0": not a whole number in 1-1024"#,
        ),
        (
            "MAX_IN_FLIGHT",
            "1.5",
            r#"CRON_MAX_IN_FLIGHT "1.5": not a whole number in 1-1024"#,
        ),
        (
            "MAX_IN_FLIGHT",
            "-1",
            r#"CRON_MAX_IN_FLIGHT "-1": not a whole number in 1-1024"#,
        ),
        (
            "MAX_IN_FLIGHT",
            "many",
            r#"CRON_MAX_IN_FLIGHT "many": not a whole number in 1-1024"#,
        ),
        (
            "BUFFER",
            "64K",
            r#"CRON_BUFFER "64K": unit K is not one of B, KiB, MiB, GiB, for example 64KiB"#,
        ),
        ("BUFFER", "1B", r#"CRON_BUFFER "1B": not in 1KiB to 1GiB"#),
        ("OVERLAP", "alow", r#"CRON_OVERLAP "alow": not one of allow, forbid"#),
        ("OVERLAP", "Allow", r#"CRON_OVERLAP "Allow": not one of allow, forbid"#),
        ("VERBOSE", "1", r#"CRON_VERBOSE "1": not one of true, false"#),
        (
            "ZONE",
            "Europe/Pariss",
            r#"CRON_ZONE "Europe/Pariss": no such zone, for example UTC"#,
        ),
        (
            "SERVERS",
            "127.0.0.1:1, localhost:2",
            r#"CRON_SERVERS "localhost:2": not an IP address and a port, for example 127.0.0.1:8081"#,
        ),
        (
            "TIMOUT",
            "5s",
            "CRON_TIMOUT: no such setting, the nearest is CRON_TIMEOUT",
        ),
        (
            "PASSWRD",
            "hunter2",
            "CRON_PASSWRD: no such setting, the nearest is CRON_PASSWORD",
        ),
        (
            "PASSWORD_FILE",
            "/no/such/file",
            r#"CRON_PASSWORD_FILE "/no/such/file": not read: "#,
        ),
        ("CONFIG", "/no/such/file", r#"CRON_CONFIG "/no/such/file": not read: "#),
        ("ZONE", "a\nb", r#"CRON_ZONE "a\nb": no such zone, for example UTC"#),
    ];
    for (variable, value, message) in cases {
        let variable = format!("CRON_{variable}");
        let error = read(&[("CRON_SCHEDULE", "@every 1s"), (&variable, value)]).unwrap_err();
        if message.ends_with(": not read: ") {
            assert!(error.starts_with(message), "{error}");
        } else {
            assert_eq!(error, *message);
        }
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_missing_setting_says_what_could_stand_there() {
    assert_eq!(
        read(&[]).unwrap_err(),
        r#"CRON_SCHEDULE is not set, for example CRON_SCHEDULE="@every 10s""#
    );
    assert_eq!(
        read_file("zone = 'UTC'", &[]).unwrap_err(),
        r#"CRON_SCHEDULE is not set, nor schedule in FILE, for example CRON_SCHEDULE="@every 10s""#
    );
    assert_eq!(
        read(&[("CRON_SCHEDUEL", "@every 1s")]).unwrap_err(),
        "CRON_SCHEDUEL: no such setting, the nearest is CRON_SCHEDULE"
    );
}

#[test]
fn bad_files_name_the_line() {
    let cases = [
        (
            "schedule = ",
            "FILE line 1: string values must be quoted, expected literal string",
        ),
        ("schedule = 'a'\nschedule = 'b'", "FILE line 2: duplicate key"),
        (
            "schedule = 'a'\n\ntimeout = 5",
            r#"FILE line 3: timeout "5": 5 has no unit (d, h, m, s, ms, us), for example 5s"#,
        ),
        (
            "schedule = 'a'\ntimout = '5s'",
            "FILE line 2: timout: no such setting, the nearest is timeout",
        ),
        (
            "schedule = ['a', 'b']",
            "FILE line 1: schedule: a list, must be one value",
        ),
        ("[schedule]\nx = 1", "FILE line 1: schedule: a table, must be a value"),
        (
            "schedule = 'a'\npassword = 'hunter2'",
            "FILE line 2: password: a secret, must come by a variable, or by a file that this one names: password_file = \"/run/secrets/password\"",
        ),
        (
            "schedule = 'a'\njob = 1",
            "FILE line 2: job: not a list of tables, each must begin with [[job]]",
        ),
        (
            "schedule = 'a'\n[job]\nname = 'x'",
            "FILE line 2: job: not a list of tables, each must begin with [[job]]",
        ),
        (
            "schedule = 'a'\n[[job]]\nname = 'x'\n[[job]]\n",
            "FILE line 4: name is not set, for example name = \"backup\"",
        ),
        (
            "schedule = 'a'\n[[job]]\nname = 'x'\nevry = '1s'",
            "FILE line 4: evry: no such setting, the nearest is every",
        ),
        (
            "schedule = 'a'\n[[job]]\nname = 'x'\nevery = '2m'",
            r#"FILE line 4: every "2m": not in 1s to 1m"#,
        ),
        (
            "schedule = 'a'\n[[job]]\nname = 'both'",
            "FILE line 2: name and every exclude each other",
        ),
        (
            "schedule = 'a'\nservers = [1, [2]]",
            "FILE line 2: servers: a list of mixed things, must be a value",
        ),
    ];
    for (toml, message) in cases {
        assert_eq!(read_file(toml, &[]).unwrap_err(), message, "{toml}");
    }
}

#[test]
fn the_file_and_the_environment_are_read_together_and_a_variable_wins() {
    let toml = "schedule = '@every 1s'\n\
                timeout = '1m'\n\
                max_in_flight = 0x10\n\
                verbose = true\n\
                servers = ['127.0.0.1:1', '127.0.0.1:2']\n\
                [[job]]\nname = 'a'\n[[job]]\nname = 'b'\nevery = '5s'\n";
    let environment = [
        ("CRON_TIMEOUT", "2m"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("CRON_PASSWORD", "hunter2"),
        ("PATH", "/bin"),
    ];
    let read = read_file(toml, &environment).unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(
        read,
        Example {
            schedule: "@every 1s".to_owned(),
            timeout: 120 * second,
            max_in_flight: 16,
            buffer: 1 << 20,
            overlap: true,
            verbose: true,
            zone: "UTC".to_owned(),
            servers: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
            endpoint: Some("http://127.0.0.1:4318".to_owned()),
            password: Some(Secret::new("hunter2")),
            jobs: vec![("a".to_owned(), second), ("b".to_owned(), 5 * second)],
        }
    );
    assert!(!format!("{read:?}").contains("hunter2"));
}

#[test]
fn a_secret_comes_by_a_file_without_its_last_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    let path = path.to_str().unwrap();
    let schedule = ("CRON_SCHEDULE", "@every 1s");
    let by_file = read(&[schedule, ("CRON_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(by_file.password.unwrap().reveal(), "hunter2");
    assert_eq!(
        read(&[schedule, ("CRON_PASSWORD_FILE", path), ("CRON_PASSWORD", "hunter2")]).unwrap_err(),
        "CRON_PASSWORD and CRON_PASSWORD_FILE are both set, must be one"
    );
    std::fs::write(path, "\n").unwrap();
    assert_eq!(
        read(&[schedule, ("CRON_PASSWORD_FILE", path)]).unwrap_err(),
        format!("CRON_PASSWORD_FILE {path:?}: an empty file")
    );
}

#[test]
fn a_secret_is_never_shown() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    assert_eq!(secret.reveal(), "hunter2");
}

#[test]
fn settings_that_come_as_text_or_as_pairs_are_named_by_their_source() {
    let read = |settings: &mut Settings| settings.or("timeout", 0, |value| value.integer(0..=9));
    assert_eq!(Settings::read_toml("CRON_JOBS", "timeout = 5", read), Ok(5));
    let error = Settings::read_toml("CRON_JOBS", "\ntimeout = 50", read).unwrap_err();
    assert_eq!(
        error.to_string(),
        "CRON_JOBS line 2: timeout \"50\": not a whole number in 0-9"
    );
    let pairs = |key: &str, text: &str| [(key.to_owned(), text.to_owned())];
    assert_eq!(Settings::read_pairs("job \"a\"", pairs("timeout", "5"), read), Ok(5));
    let error = Settings::read_pairs("job \"a\"", pairs("timeuot", "5"), read).unwrap_err();
    assert_eq!(
        error.to_string(),
        "job \"a\": timeuot: no such setting, the nearest is timeout"
    );
}
