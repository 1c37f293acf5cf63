//! What may be asked, and what is answered.
//!
//! | request | answer |
//! |---|---|
//! | `GET /jobs?after=NAME&limit=N` | jobs in the order of their names, 100 unless told |
//! | `GET /jobs/NAME` | one job: next five ticks, last outcomes, runs going on |
//! | `POST /jobs/NAME/run` | a run, now |
//! | `POST /jobs/NAME/suspend`, `.../resume` | no ticks until it is resumed |
//! | `POST /jobs/NAME/backfill?from=INSTANT&to=INSTANT` | the ticks of a range that is past |
//! | `GET /schedule?schedule=TEXT&zone=ZONE&dst=RULE&after=INSTANT&count=N` | what an expression means |

use std::collections::HashMap;

use hyper::{Method, StatusCode};
use mainstay_cron_core::engine::OperateError;
use mainstay_cron_core::schedule::{DstRule, ParseContext, Schedule, Zone};
use mainstay_cron_core::{Engine, JobId, Moment, Now, run_id};
use mainstay_runtime::admin::Reply;
use serde_json::{Value, json};

use super::view;

/// What an operator asks for in vain.
fn refusal(error: OperateError) -> Reply {
    let status = match error {
        OperateError::Busy(_) | OperateError::SuspendedByConfiguration | OperateError::Poisonous => {
            StatusCode::CONFLICT
        }
        OperateError::Future(_) | OperateError::TooMany => StatusCode::BAD_REQUEST,
    };
    Reply::error(status, error)
}

/// Answers a request.
pub(super) fn answer(engine: &mut Engine, now: Now, method: &Method, path: &str, query: &str) -> Reply {
    let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let answered = match (method, path) {
        (&Method::GET, "/jobs") => jobs(engine, now, &query),
        (&Method::GET, "/schedule") => schedule(now.wall, &query),
        (&Method::GET | &Method::POST, _) => match path.strip_prefix("/jobs/") {
            Some(rest) if method == Method::GET => find(engine, rest).map(|id| ok(view::job(engine, id, now))),
            Some(rest) => act(engine, now, rest, &query),
            None => Err(Reply::error(
                StatusCode::NOT_FOUND,
                format!("{path} is not a page; pages are /jobs, /jobs/NAME and /schedule"),
            )),
        },
        _ => Err(Reply::error(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not GET or POST"),
        )),
    };
    answered.unwrap_or_else(|reply| reply)
}

/// Answers a request to a replica that runs no jobs, for this reason: it knows what expressions mean, and nothing else.
pub(super) fn standby(method: &Method, path: &str, query: &str, reason: &str) -> Reply {
    if method == Method::GET && path == "/schedule" {
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let now = Moment::from(jiff::Timestamp::now());
        return schedule(now, &query).unwrap_or_else(|reply| reply);
    }
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, reason)
}

fn ok(body: Value) -> Reply {
    Reply::new(StatusCode::OK, body)
}

fn find(engine: &Engine, name: &str) -> Result<JobId, Reply> {
    engine
        .find(name)
        .ok_or_else(|| Reply::error(StatusCode::NOT_FOUND, format!("no job has the name {name:?}")))
}

fn jobs(engine: &Engine, now: Now, query: &HashMap<String, String>) -> Result<Reply, Reply> {
    let limit = number(query, "limit", 100, 1000)?;
    let after = query.get("after").map_or("", String::as_str);
    let ids = engine.by_name_after(after);
    let page: Vec<Value> = ids.iter().take(limit).map(|id| view::job(engine, *id, now)).collect();
    let more = ids.len().saturating_sub(limit);
    Ok(ok(json!({ "now": now.wall.to_string(), "jobs": page, "more": more })))
}

fn act(engine: &mut Engine, now: Now, rest: &str, query: &HashMap<String, String>) -> Result<Reply, Reply> {
    let Some((name, action)) = rest.rsplit_once('/') else {
        return Err(Reply::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "a job is only read; post to /jobs/NAME/run and the like",
        ));
    };
    let id = find(engine, name)?;
    match action {
        "run" => {
            let key = engine.run_now(id, now).map_err(refusal)?;
            Ok(Reply::new(
                StatusCode::ACCEPTED,
                json!({ "run": run_id(name, key.scheduled) }),
            ))
        }
        "suspend" => {
            engine.suspend(id);
            Ok(ok(view::job(engine, id, now)))
        }
        "resume" => {
            engine.resume(id, now).map_err(refusal)?;
            Ok(ok(view::job(engine, id, now)))
        }
        "backfill" => {
            let (from, to) = (instant(query, "from")?, instant(query, "to")?);
            let ticks = engine.backfill(id, from, to, now).map_err(refusal)?;
            Ok(Reply::new(StatusCode::ACCEPTED, json!({ "ticks": ticks })))
        }
        other => Err(Reply::error(
            StatusCode::NOT_FOUND,
            format!("{other:?} is not run, suspend, resume or backfill"),
        )),
    }
}

/// What an expression means, without a job.
fn schedule(now: Moment, query: &HashMap<String, String>) -> Result<Reply, Reply> {
    let bad = |error: &dyn std::fmt::Display| Reply::error(StatusCode::BAD_REQUEST, error);
    let text = query
        .get("schedule")
        .ok_or_else(|| bad(&"schedule is missing, for example /schedule?schedule=@daily"))?;
    let zone = query
        .get("zone")
        .map_or("UTC", String::as_str)
        .parse::<Zone>()
        .map_err(|error| bad(&error))?;
    let dst = match query.get("dst").map(String::as_str) {
        None | Some("skip") => DstRule::Skip,
        Some("vixie") => DstRule::Vixie,
        Some(other) => return Err(bad(&format!("dst {other:?} is not skip or vixie"))),
    };
    let job = query.get("job").map_or("", String::as_str);
    let context = ParseContext {
        job,
        zone: zone.clone(),
        dst,
        start: None,
    };
    let schedule = Schedule::parse(text, &context).map_err(|error| bad(&error))?;
    let after = if query.contains_key("after") {
        instant(query, "after")?
    } else {
        now
    };
    let count = number(query, "count", 5, 1000)?;
    let next: Vec<String> = schedule
        .upcoming(after.into())
        .take(count)
        .map(|tick| view::local(tick.into(), &zone))
        .collect();
    Ok(ok(json!({
        "schedule": text,
        "zone": zone.name(),
        "words": schedule.describe(),
        "fields": schedule.fields(),
        "next": next,
    })))
}

fn instant(query: &HashMap<String, String>, name: &str) -> Result<Moment, Reply> {
    let text = query.get(name).map_or("", String::as_str);
    let instant = text.parse::<jiff::Timestamp>().map(Moment::from);
    instant.map_err(|_| {
        let error = format!("{name} {text:?} is not an instant, for example 2026-11-22T03:00:00Z");
        Reply::error(StatusCode::BAD_REQUEST, error)
    })
}

fn number(query: &HashMap<String, String>, name: &str, default: usize, most: usize) -> Result<usize, Reply> {
    let Some(text) = query.get(name) else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        Reply::error(
            StatusCode::BAD_REQUEST,
            format!("{name} {text:?} is not a whole number in 1-{most}"),
        )
    })
}
