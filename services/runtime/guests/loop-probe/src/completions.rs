//! Whether each of many callbacks completes, once.

use std::time::Duration;

use mainstay_runtime::callback::Callbacks;
use tokio::task::JoinSet;

use crate::callee;

/// A fifth of the calls are queued at once, and each of those tasks makes five, one after another.
const ROUNDS: u64 = 5;
const DEADLINE: Duration = Duration::from_secs(600);

pub(crate) async fn probe(calls: u64, in_flight: usize) -> Result<String, String> {
    let callbacks = Callbacks::new(in_flight);
    let mut tasks = JoinSet::new();
    let width = calls.div_ceil(ROUNDS);
    for task in 0..width {
        let callbacks = callbacks.clone();
        tasks.spawn_local(async move {
            let mut sum = 0;
            for round in 0..ROUNDS {
                let id = round * width + task;
                sum += callbacks
                    .call(DEADLINE, callee::echo(id))
                    .await
                    .map_err(|error| error.to_string())?;
            }
            Ok::<u64, String>(sum)
        });
    }
    let mut sum = 0;
    let mut most = 0;
    while let Some(task) = tasks.join_next().await {
        sum += task.map_err(|error| error.to_string())??;
        most = most.max(callbacks.in_flight());
    }
    let calls = width * ROUNDS;
    let expected = calls * (calls - 1) / 2;
    Ok(format!(
        "{{\"calls\":{calls},\"sum\":{sum},\"expected\":{expected},\"most\":{most}}}"
    ))
}
