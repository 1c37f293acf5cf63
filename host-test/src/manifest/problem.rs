//! Errors and warnings, each with line and column.

use std::cell::RefCell;
use std::fmt;

/// One thing about a manifest, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 if it is about the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 if it is about the file as a whole.
    pub column: usize,
    /// The field, the value, the rule and the way out.
    pub message: String,
}

/// Everything that is wrong with a manifest: one line each, `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.file, .problems))]
pub struct ManifestError {
    /// The file.
    pub file: String,
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Problem {
    pub(super) fn of_the_file(message: String) -> Self {
        Self {
            line: 0,
            column: 0,
            message,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

fn lines(file: &str, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let space = if problem.line == 0 { " " } else { "" };
        format!("{file}:{space}{problem}")
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Problems as they are found. Behind a shared reference, so that many readers of one document can add to it.
#[derive(Debug, Default)]
pub(super) struct Problems {
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Problems {
    pub(super) fn add_error(&self, problem: Problem) {
        self.errors.borrow_mut().push(problem);
    }

    pub(super) fn add_warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Errors and warnings, in the order of the file.
    pub(super) fn into_sorted(self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |problems: RefCell<Vec<Problem>>| {
            let mut problems = problems.into_inner();
            problems.sort_by_key(|problem| (problem.line, problem.column));
            problems
        };
        (sorted(self.errors), sorted(self.warnings))
    }
}
