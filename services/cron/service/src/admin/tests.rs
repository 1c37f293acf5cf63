use std::time::Duration;

use hyper::{Method, StatusCode};
use mainstay_cron_core::{Action, Engine, Limits, Moment, Now, Outcome};
use serde_json::{Value, json};

use super::routes::answer;
use crate::config::Configuration;

fn at(seconds: u64) -> Now {
    // 2026-11-22T12:00:00Z
    let start = Moment::from_nanoseconds(1_795_348_800_000_000_000);
    Now {
        wall: start.plus(Duration::from_secs(seconds)),
        steady: Duration::from_secs(seconds),
    }
}

fn engine() -> Engine {
    let jobs = r#"
        [[job]]
        name = "reports/nightly"
        schedule = "0 3 * * *"
        zone = "Europe/Berlin"
        overlap = "forbid"

        [[job]]
        name = "off"
        schedule = "@hourly"
        suspend = true
    "#;
    let configuration = Configuration::read_from([("CRON_JOBS", jobs)]).unwrap();
    let (jobs, _) = configuration.complete(Vec::new()).unwrap();
    Engine::new(Limits::default(), jobs, None, false, at(0)).0
}

fn ask(engine: &mut Engine, method: Method, target: &str) -> (StatusCode, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let reply = answer(engine, at(0), &method, path, query);
    (reply.status, reply.body)
}

/// Lets everything that can run succeed.
fn run_all(engine: &mut Engine) {
    loop {
        let mut actions = Vec::new();
        engine.poll(at(0), &mut actions);
        let starts: Vec<_> = actions
            .iter()
            .filter_map(|a| if let Action::Start(s) = a { Some(s.key) } else { None })
            .collect();
        if starts.is_empty() {
            return;
        }
        for key in starts {
            engine.finished(
                key,
                Outcome::Succeeded,
                Duration::from_millis(7),
                at(0),
                &mut Vec::new(),
            );
        }
    }
}

#[test]
fn jobs_are_listed_with_their_next_five_ticks_and_last_outcomes() {
    let mut engine = engine();
    let (status, body) = ask(&mut engine, Method::POST, "/jobs/reports/nightly/run");
    assert_eq!(
        (status, body),
        (
            StatusCode::ACCEPTED,
            json!({ "run": "reports/nightly@2026-11-22T12:00:00Z" })
        )
    );
    run_all(&mut engine);
    let (status, body) = ask(&mut engine, Method::GET, "/jobs/reports/nightly");
    assert_eq!(status, StatusCode::OK);
    let next: Vec<String> = (23..=27).map(|day| format!("2026-11-{day}T03:00:00+01:00")).collect();
    assert_eq!(
        body,
        json!({
            "name": "reports/nightly",
            "schedule": "0 3 * * *",
            "words": "at 03:00, in Europe/Berlin",
            "zone": "Europe/Berlin",
            "overlap": "forbid",
            "misfire": "once",
            "suspended": null,
            "next": next,
            "active": [],
            "last": [{
                "run": "reports/nightly@2026-11-22T12:00:00Z",
                "scheduled": "2026-11-22T13:00:00+01:00",
                "outcome": "succeeded",
                "attempt": 1,
                "milliseconds": 7,
            }],
            "last_success": "2026-11-22T13:00:00+01:00",
            "last_error": null,
            "runs": 0,
            "missed": 0,
            "failures": 0,
        })
    );
    let (_, all) = ask(&mut engine, Method::GET, "/jobs?limit=1");
    assert_eq!((&all["jobs"][0]["name"], &all["more"]), (&json!("off"), &json!(1)));
    let (_, rest) = ask(&mut engine, Method::GET, "/jobs?after=off");
    assert_eq!(
        (&rest["jobs"][0]["name"], &rest["more"]),
        (&json!("reports/nightly"), &json!(0))
    );
}

#[test]
fn a_job_is_run_suspended_resumed_and_backfilled() {
    let mut engine = engine();
    let mut post = |target: &str| ask(&mut engine, Method::POST, target);
    assert_eq!(post("/jobs/reports/nightly/run").0, StatusCode::ACCEPTED);
    let (status, body) = post("/jobs/reports/nightly/run");
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert_eq!(
        post("/jobs/reports/nightly/suspend").1["suspended"],
        "until it is resumed"
    );
    assert_eq!(post("/jobs/reports/nightly/resume").1["suspended"], Value::Null);
    assert_eq!(post("/jobs/off/resume").0, StatusCode::CONFLICT);
    let (status, body) = post("/jobs/reports/nightly/backfill?from=2026-11-20T00:00:00Z&to=2026-11-22T12:00:00Z");
    assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "ticks": 3 })));
    run_all(&mut engine);
    let (_, body) = ask(&mut engine, Method::GET, "/jobs/reports/nightly");
    assert_eq!(body["last"][0]["run"], "reports/nightly@2026-11-22T02:00:00Z");
}

#[test]
fn an_expression_is_read_without_a_job() {
    let mut engine = engine();
    let target = "/schedule?schedule=30+4+*+*+MON%231&zone=Europe/Paris&count=2";
    let (status, body) = ask(&mut engine, Method::GET, target);
    assert_eq!(status, StatusCode::OK);
    let next = ["2026-12-07T04:30:00+01:00", "2027-01-04T04:30:00+01:00"];
    let expected = json!({
        "schedule": "30 4 * * MON#1",
        "zone": "Europe/Paris",
        "words": "at 04:30 on the first Monday of the month, in Europe/Paris",
        "fields": "0 30 4 * * 1#1",
        "next": next,
    });
    assert_eq!(body, expected);
}

#[test]
fn what_cannot_be_answered_gets_a_status_and_one_line() {
    let cases = [
        (
            Method::GET,
            "/",
            404,
            "/ is not a page; pages are /jobs, /jobs/NAME and /schedule",
        ),
        (Method::GET, "/jobs/none", 404, "no job has the name \"none\""),
        (
            Method::POST,
            "/jobs/off",
            405,
            "a job is only read; post to /jobs/NAME/run and the like",
        ),
        (
            Method::POST,
            "/jobs/off/stop",
            404,
            "\"stop\" is not run, suspend, resume or backfill",
        ),
        (Method::DELETE, "/jobs/off", 405, "DELETE is not GET or POST"),
        (
            Method::GET,
            "/jobs?limit=0",
            400,
            "limit \"0\" is not a whole number in 1-1000",
        ),
        (
            Method::GET,
            "/schedule",
            400,
            "schedule is missing, for example /schedule?schedule=@daily",
        ),
        (
            Method::GET,
            "/schedule?schedule=61+*+*+*+*",
            400,
            "schedule \"61 * * * *\": minute 61 is not in 0-59",
        ),
        (
            Method::GET,
            "/schedule?schedule=@daily&dst=no",
            400,
            "dst \"no\" is not skip or vixie",
        ),
        (
            Method::POST,
            "/jobs/off/backfill?from=today&to=2026-11-22T00:00:00Z",
            400,
            "from \"today\" is not an instant, for example 2026-11-22T03:00:00Z",
        ),
        (
            Method::POST,
            "/jobs/off/backfill?from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z",
            400,
            "the range ends at 2026-11-23T00:00:00Z, which is still to come; those ticks fire by themselves",
        ),
    ];
    let mut engine = engine();
    for (method, target, status, error) in cases {
        let (told, body) = ask(&mut engine, method.clone(), target);
        assert_eq!(
            (told.as_u16(), &body["error"]),
            (status, &json!(error)),
            "{method} {target}"
        );
    }
}
