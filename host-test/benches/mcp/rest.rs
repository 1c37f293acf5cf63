//! What a server takes that does nothing, and how long it takes to start.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::figure::{self, Goal};
use crate::lines::Conversation;
use crate::server::{Kitchen, Subject, Way};
use crate::{Scale, process};

pub(crate) async fn run(kitchen: &Kitchen, scale: &Scale) -> Result<()> {
    println!(
        "at rest, a client connected: processor over {:?}, memory; and start to first answer",
        scale.idle
    );
    for subject in [Subject::Native, Subject::Composed, Subject::Fresh] {
        let mut starts = Vec::new();
        for _ in 0..scale.starts {
            starts.push(start(kitchen, subject).await?);
        }
        starts.sort_unstable();
        let mut server = kitchen.start(subject, Way::Stdio)?;
        let _conversation = Conversation::begin(&mut server).await?;
        let process = server.id()?.to_string();
        let before = process::processor_time_of(&process).context("/proc")?;
        tokio::time::sleep(scale.idle).await;
        let took = process::processor_time_of(&process).context("/proc")? - before;
        let share = took.as_secs_f64() / scale.idle.as_secs_f64() * 100.0;
        let memory = process::resident_of(&process).context("/proc")? as f64 / f64::from(1 << 20);
        let goal = if subject == Subject::Native {
            Goal::None
        } else {
            Goal::AtMost(0.1)
        };
        let start = figure::percentile(&starts, 0.5).as_millis();
        figure::row(
            &subject.to_string(),
            [
                &format!("{share:.3} %"),
                &format!("{memory:.1} MiB"),
                &format!("{start} ms"),
            ],
            goal.verdict(share),
        );
    }
    Ok(())
}

async fn start(kitchen: &Kitchen, subject: Subject) -> Result<Duration> {
    let began = Instant::now();
    let mut server = kitchen.start(subject, Way::Stdio)?;
    Conversation::begin(&mut server).await?;
    Ok(began.elapsed())
}
