use super::*;

/// What is wrong with these variables.
fn error(variables: &[(&str, &str)]) -> String {
    let read = Configuration::read_from(variables.iter().copied()).and_then(|read| read.complete(Vec::new()));
    match read {
        Ok((jobs, _)) => panic!("{variables:?} are taken as {jobs:?}"),
        Err(error) => error.to_string(),
    }
}

fn jobs(variables: &[(&str, &str)]) -> Vec<Job> {
    Configuration::read_from(variables.iter().copied())
        .and_then(|read| read.complete(Vec::new()))
        .unwrap_or_else(|error| panic!("{error}"))
        .0
}

const DAILY: (&str, &str) = ("CRON_SCHEDULE", "0 3 * * *");

/// Variables beside `CRON_SCHEDULE="0 3 * * *"`, and what is said of them.
const BAD: &[(&str, &str, &str)] = &[
    (
        "CRON_SCHEDULE",
        "61 * * * *",
        r#"CRON_SCHEDULE "61 * * * *": minute 61 is not in 0-59"#,
    ),
    (
        "CRON_SCHEDULE",
        "* * * *",
        "CRON_SCHEDULE \"* * * *\": has 4 fields, not 5 (minute hour day-of-month month day-of-week), 6 (a second \
         before them) or 7 (a year after them)",
    ),
    (
        "CRON_SCHEDULE",
        "",
        "CRON_SCHEDULE \"\": is empty; write five fields such as \"0 3 * * *\", or an alias such as @daily",
    ),
    (
        "CRON_SCHEDULE",
        "0 0 30 2 *",
        "CRON_SCHEDULE \"0 0 30 2 *\": never fires: no date from 1970 to 2199 fits its day, month and year fields",
    ),
    (
        "CRON_SCHEDULE",
        "@every 5x",
        "CRON_SCHEDULE \"@every 5x\": @every \"5x\": not a duration; write whole numbers with w, d, h, m, s or ms, \
         largest first, such as 1m30s",
    ),
    (
        "CRON_ZONE",
        "Europe/Berln",
        "CRON_ZONE \"Europe/Berln\": not in the IANA time zone database; did you mean Europe/Berlin?",
    ),
    ("CRON_DST", "never", r#"CRON_DST "never": not one of skip, vixie"#),
    (
        "CRON_OVERLAP",
        "maybe",
        r#"CRON_OVERLAP "maybe": not one of allow, forbid, replace, queue"#,
    ),
    ("CRON_QUEUE", "0", r#"CRON_QUEUE "0": not a whole number in 1-1000"#),
    (
        "CRON_MISFIRE",
        "none",
        r#"CRON_MISFIRE "none": not one of skip, once, all"#,
    ),
    ("CRON_DEADLINE", "0s", r#"CRON_DEADLINE "0s": not in 1ms to 366d"#),
    ("CRON_JITTER", "2d", r#"CRON_JITTER "2d": not in 0s to 1d"#),
    (
        "CRON_START",
        "tomorrow",
        "CRON_START \"tomorrow\": not an instant; write 2026-12-24T18:00:00Z, or 2026-12-24T18:00:00 or 2026-12-24 in \
         the job's zone",
    ),
    (
        "CRON_MAX_RUNS",
        "-1",
        r#"CRON_MAX_RUNS "-1": not a whole number in 1-18446744073709551615"#,
    ),
    ("CRON_SUSPEND", "yes", r#"CRON_SUSPEND "yes": not one of true, false"#),
    (
        "CRON_PAUSE_ON_FAILURE",
        "1",
        r#"CRON_PAUSE_ON_FAILURE "1": not one of true, false"#,
    ),
    (
        "CRON_EXCLUDE",
        "2026-12-25, christmas",
        "CRON_EXCLUDE \"christmas\": not a date, nor two dates or instants with a slash between, for example \
         2026-12-25, 2026-12-24/2027-01-01 or 2026-12-24T18:00:00/2026-12-24T20:00:00",
    ),
    (
        "CRON_EXCLUDE",
        "2027-01-01/2026-12-24",
        r#"CRON_EXCLUDE "2027-01-01/2026-12-24": ends before it begins"#,
    ),
    (
        "CRON_TIMEOUT",
        "5x",
        r#"CRON_TIMEOUT "5x": unit x is not one of d, h, m, s, ms, us, for example 5s"#,
    ),
    (
        "CRON_TIMEOUT",
        "30",
        r#"CRON_TIMEOUT "30": 30 has no unit (d, h, m, s, ms, us), for example 30s"#,
    ),
    ("CRON_TIMEOUT", "2d", r#"CRON_TIMEOUT "2d": not in 1ms to 1d"#),
    (
        "CRON_RETRIES",
        "lots",
        r#"CRON_RETRIES "lots": not a whole number in 0-1000"#,
    ),
    ("CRON_RETRY_MIN", "2m", "retry_min 2m is more than retry_max 1m"),
    (
        "CRON_RETRY_FOR",
        "forever",
        "CRON_RETRY_FOR \"forever\": not a number and a unit, for example 30s, 1m30s or 500ms",
    ),
    (
        "CRON_PAYLOAD_BASE64",
        "!!",
        "CRON_PAYLOAD_BASE64 \"!!\": not base64: Invalid symbol 33, offset 0.",
    ),
    (
        "CRON_PAYLOAD_FILE",
        "/nowhere/payload",
        "CRON_PAYLOAD_FILE \"/nowhere/payload\": not read: No such file or directory (os error 2)",
    ),
    (
        "CRON_NAME",
        "two words",
        "CRON_NAME \"two words\": not 1 to 128 letters, digits and . _ - /, for example nightly-report",
    ),
    (
        "CRON_IN_FLIGHT",
        "0",
        r#"CRON_IN_FLIGHT "0": not a whole number in 1-10000"#,
    ),
    (
        "CRON_GRACE",
        "1w",
        r#"CRON_GRACE "1w": unit w is not one of d, h, m, s, ms, us, for example 1s"#,
    ),
    (
        "CRON_STATE",
        "",
        r#"CRON_STATE "": empty, must be the path of a folder, for example /state"#,
    ),
    (
        "CRON_ADMIN",
        "8082",
        "CRON_ADMIN \"8082\": not off, nor an IP address and a port, for example 127.0.0.1:8082",
    ),
    (
        "CRON_HEALTH",
        "localhost",
        "CRON_HEALTH \"localhost\": not off, nor an IP address and a port, for example 127.0.0.1:8081",
    ),
    (
        "CRON_TIMOUT",
        "30s",
        "CRON_TIMOUT: no such setting, the nearest is CRON_TIMEOUT",
    ),
    (
        "CRON_CONFIG",
        "/nowhere/cron.toml",
        "CRON_CONFIG \"/nowhere/cron.toml\": not read: No such file or directory (os error 2)",
    ),
    (
        "CRON_JOBS",
        "[[job]]\nname = \"a\"",
        "CRON_JOBS line 1: schedule is not set, for example schedule = \"0 3 * * *\"",
    ),
    (
        "CRON_JOBS",
        "[[job]]\nname = \"a\"\nschedule = \"@daily\"\n[[job]]\nname = \"a\"\nschedule = \"@daily\"",
        "CRON_JOBS line 5: name \"a\": is another job's name already; each job needs one of its own",
    ),
    (
        "CRON_JOBS",
        "[[job]]\nname = \"a\"\nschedule = \"@daily\"\noverlapp = \"allow\"",
        "CRON_JOBS line 4: overlapp: no such setting, the nearest is overlap",
    ),
    (
        "CRON_JOBS",
        "[jobs]",
        "CRON_JOBS line 1: jobs: no such setting, the nearest is job",
    ),
    (
        "CRON_JOBS",
        "[[job]\n",
        "CRON_JOBS line 1: unclosed array table, expected `]`",
    ),
    (
        "CRON_JOBS",
        "[[job]]\nname = \"a\"\nschedule = \"@daily\"\nstart = \"2027-01-02\"\nend = \"2027-01-01\"",
        "CRON_JOBS line 1: start 2027-01-02T00:00:00Z is later than end 2027-01-01T00:00:00Z",
    ),
];

#[test]
fn a_wrong_setting_is_told_in_one_line_that_names_it() {
    let mut wrong = Vec::new();
    for (name, value, message) in BAD {
        let told = match *name {
            "CRON_SCHEDULE" => error(&[(name, value)]),
            _ => error(&[DAILY, (name, value)]),
        };
        if told != *message || told.contains('\n') {
            wrong.push(format!("{name}={value:?}\n  says   {told}\n  not    {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(BAD.len() >= 30);
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    assert_eq!(
        error(&[DAILY, ("CRON_PAYLOAD", "a"), ("CRON_PAYLOAD_FILE", "/a")]),
        "CRON_PAYLOAD and CRON_PAYLOAD_FILE are both set, must be one"
    );
    assert_eq!(
        error(&[("CRON_NAME", "report")]),
        "CRON_NAME \"report\": names a job without a schedule; set CRON_SCHEDULE too"
    );
    assert_eq!(
        error(&[]),
        "no job: set CRON_SCHEDULE, for example CRON_SCHEDULE=\"0 3 * * *\", or [[job]] tables in the file of \
         CRON_CONFIG or the text of CRON_JOBS, or let the component export mainstay:cron/schedule"
    );
}

#[test]
fn settings_outside_of_the_tables_hold_for_jobs_that_do_not_say_otherwise() {
    let inline = r#"
        [[job]]
        name = "berlin"
        schedule = "0 3 * * *"

        [[job]]
        name = "tokyo"
        schedule = "0 3 * * *"
        zone = "Asia/Tokyo"
        retries = 0
        exclude = ["2026-12-25", "2026-12-30/2027-01-01"]
    "#;
    let all = jobs(&[
        ("CRON_ZONE", "Europe/Berlin"),
        ("CRON_RETRIES", "7"),
        DAILY,
        ("CRON_JOBS", inline),
    ]);
    let summary: Vec<_> = all
        .iter()
        .map(|job| (&*job.name, job.zone.name(), job.policy.retry.retries))
        .collect();
    assert_eq!(
        summary,
        [
            ("job", "Europe/Berlin", 7),
            ("berlin", "Europe/Berlin", 7),
            ("tokyo", "Asia/Tokyo", 0)
        ]
    );
    // Jobs that are alike share what they have in common.
    assert!(std::sync::Arc::ptr_eq(&all[0].schedule, &all[1].schedule));
    assert!(std::sync::Arc::ptr_eq(&all[0].policy, &all[1].policy));

    // The 25th is left out, and so is all from the 30th to the 1st, by the days of Tokyo.
    let mut next = Vec::new();
    let mut after = "2026-12-23T18:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
    while next.len() < 6 {
        after = all[2].next_after(after).unwrap();
        next.push(after.to_string());
    }
    let expected = [
        "2026-12-25",
        "2026-12-26",
        "2026-12-27",
        "2026-12-28",
        "2027-01-01",
        "2027-01-02",
    ]
    .map(|day| format!("{day}T18:00:00Z"));
    assert_eq!(next, expected);
}

#[test]
fn a_payload_is_a_text_or_base64_or_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"\xff\x00").unwrap();
    let path = file.path().to_str().unwrap();
    let payload = |name, value| jobs(&[DAILY, (name, value)])[0].payload.to_vec();
    assert_eq!(payload("CRON_PAYLOAD", "hello"), b"hello");
    assert_eq!(payload("CRON_PAYLOAD_BASE64", "/wA="), b"\xff\x00");
    assert_eq!(payload("CRON_PAYLOAD_FILE", path), b"\xff\x00");
    assert_eq!(jobs(&[DAILY])[0].payload.to_vec(), b"");
}

fn definition(name: &str, schedule: &str, settings: &[(&str, &str)]) -> Definition {
    Definition {
        name: name.to_owned(),
        schedule: schedule.to_owned(),
        payload: b"its own".to_vec(),
        settings: settings
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

#[test]
fn a_component_brings_jobs_of_its_own() {
    let read = || Configuration::read_from([DAILY]).unwrap();
    let (jobs, _) = read()
        .complete(vec![definition("sweep", "@hourly", &[("overlap", "forbid")])])
        .unwrap();
    assert_eq!(jobs.iter().map(|job| &*job.name).collect::<Vec<_>>(), ["job", "sweep"]);
    assert_eq!(&*jobs[1].payload, b"its own");

    let told = |definition| read().complete(vec![definition]).unwrap_err().to_string();
    assert_eq!(
        told(definition("sweep", "61 * * * *", &[])),
        "job \"sweep\" of the component: schedule \"61 * * * *\": minute 61 is not in 0-59"
    );
    assert_eq!(
        told(definition("sweep", "@hourly", &[("timeout", "5x")])),
        "job \"sweep\" of the component: timeout \"5x\": unit x is not one of d, h, m, s, ms, us, for example 5s"
    );
    assert_eq!(
        told(definition("job", "@hourly", &[])),
        "job \"job\" of the component: name \"job\": is another job's name already; each job needs one of its own"
    );
    assert_eq!(
        told(definition("sweep", "@hourly", &[("overlaps", "forbid")])),
        "job \"sweep\" of the component: overlaps: no such setting, the nearest is overlap"
    );
}

#[test]
fn jobs_of_the_variables_a_file_the_inline_text_and_the_component_are_mixed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "misfire = \"all\"\n[[job]]\nname = \"file\"\nschedule = \"@daily\"\npayload = \"from the file\"\n";
    std::fs::write(file.path(), text).unwrap();
    let inline = "[[job]]\nname = \"inline\"\nschedule = \"@daily\"";
    let variables = [
        DAILY,
        ("CRON_NAME", "variables"),
        ("CRON_PAYLOAD", "from the variables"),
        ("CRON_CONFIG", file.path().to_str().unwrap()),
        ("CRON_JOBS", inline),
    ];
    let configuration = Configuration::read_from(variables).unwrap();
    let (jobs, _) = configuration.complete(vec![definition("own", "@daily", &[])]).unwrap();
    let summary: Vec<_> = jobs
        .iter()
        .map(|job| {
            (
                &*job.name,
                std::str::from_utf8(&job.payload).unwrap(),
                job.policy.misfire,
            )
        })
        .collect();
    // What is set outside of a table, in the file or as a variable, holds for the jobs of all four.
    let all = mainstay_cron_core::policy::Misfire::All;
    assert_eq!(
        summary,
        [
            ("variables", "from the variables", all),
            ("file", "from the file", all),
            ("inline", "from the variables", all),
            ("own", "its own", all)
        ]
    );
}

#[test]
fn a_name_is_one_jobs_whichever_two_of_the_four_bring_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let table = "[[job]]\nname = \"twice\"\nschedule = \"@daily\"";
    std::fs::write(file.path(), table).unwrap();
    let path = file.path().to_str().unwrap();
    let by_variables: &[_] = &[DAILY, ("CRON_NAME", "twice")];
    let by_file: &[_] = &[("CRON_CONFIG", path)];
    let by_text: &[_] = &[("CRON_JOBS", table)];
    let taken = "name \"twice\": is another job's name already; each job needs one of its own";
    let (of_file, of_text, of_component) = (
        format!("{path} line 2: {taken}"),
        format!("CRON_JOBS line 2: {taken}"),
        format!("job \"twice\" of the component: {taken}"),
    );
    for (first, second, message) in [
        (by_variables, by_file, &of_file),
        (by_variables, by_text, &of_text),
        (by_file, by_text, &of_text),
    ] {
        assert_eq!(error(&[first, second].concat()), *message);
    }
    for first in [by_variables, by_file, by_text] {
        let read = Configuration::read_from(first.iter().copied()).unwrap();
        let told = read.complete(vec![definition("twice", "@daily", &[])]).unwrap_err();
        assert_eq!(told.to_string(), of_component);
    }
    let read = Configuration::read_from::<&str, &str>([]).unwrap();
    let twice = vec![definition("twice", "@daily", &[]), definition("twice", "@hourly", &[])];
    assert_eq!(read.complete(twice).unwrap_err().to_string(), of_component);
}

#[test]
fn this_component_takes_part_in_no_election() {
    assert!(Configuration::read_from([DAILY, ("CRON_ELECTION", "off")]).is_ok());
    assert_eq!(
        error(&[DAILY, ("CRON_ELECTION", "nats")]),
        "CRON_ELECTION \"nats\": this component runs its jobs alone; replicas that elect one run cron-elected.wasm"
    );
}
