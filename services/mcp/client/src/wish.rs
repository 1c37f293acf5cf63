//! Wishes, as the service reads them.

use serde_json::{Value, json};

pub(crate) fn progress(call: &str, progress: f64, total: Option<f64>, message: Option<String>) -> Value {
    json!({ "do": "progress", "call": call, "progress": progress, "total": total, "message": message })
}

pub(crate) fn log(call: &str, level: &str, logger: Option<String>, data: String) -> Value {
    json!({ "do": "log", "call": call, "level": level, "logger": logger, "data": data })
}

/// `list` is `tools`, `resources` or `prompts`.
pub(crate) fn changed(list: &str) -> Value {
    json!({ "do": "changed", "list": list })
}

pub(crate) fn updated(uri: String) -> Value {
    json!({ "do": "updated", "uri": uri })
}
