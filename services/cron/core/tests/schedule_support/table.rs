//! Tables of vectors in plain text: `## heading` lines, and under them lines of `"pattern" verb arguments`.

use std::path::Path;

/// One line of a table.
#[derive(Debug)]
pub(crate) struct Vector {
    /// File and line, to find it by.
    pub(crate) place: String,
    /// The heading above it: the clause it tests.
    pub(crate) heading: String,
    /// What stands in quotes, with `\t`, `\n` and `\u{a0}` (a no-break space) as in Rust.
    pub(crate) pattern: String,
    pub(crate) verb: String,
    pub(crate) arguments: String,
}

/// The vectors of one file beside the tests.
pub(crate) fn read(file: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut heading = String::new();
    let mut vectors = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", number + 1);
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.trim().to_owned();
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            vectors.push(vector(place, &heading, line));
        }
    }
    vectors
}

fn vector(place: String, heading: &str, line: &str) -> Vector {
    assert!(!heading.is_empty(), "{place}: a vector stands under a heading");
    let quoted = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let (pattern, rest) = quoted.unwrap_or_else(|| panic!("{place}: a vector is \"pattern\" verb arguments"));
    let rest = rest.trim();
    let (verb, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
    Vector {
        place,
        heading: heading.to_owned(),
        pattern: pattern
            .replace("\\t", "\t")
            .replace("\\n", "\n")
            .replace("\\u{a0}", "\u{a0}"),
        verb: verb.to_owned(),
        arguments: arguments.trim().to_owned(),
    }
}

/// Runs every vector and fails once, with all failures, each under its heading.
pub(crate) fn run(vectors: &[Vector], check: impl Fn(&Vector) -> Result<(), String>) {
    let mut failures = String::new();
    let mut heading = "";
    for vector in vectors {
        if let Err(why) = check(vector) {
            if heading != vector.heading {
                heading = &vector.heading;
                failures.push_str(&format!("\n{heading}\n"));
            }
            failures.push_str(&format!(
                "  {}: {:?} {}: {why}\n",
                vector.place, vector.pattern, vector.verb
            ));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
