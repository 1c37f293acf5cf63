//! The commit that is checked out.

use std::process::Command;

use crate::process;
use crate::workspace::Workspace;

/// A commit, as far as images and figures name it.
pub(crate) struct Commit {
    /// All of it, with `-dirty` where tracked files differ.
    pub(crate) hash: String,
    /// RFC 3339.
    pub(crate) date: String,
}

/// Asks git; `None` in a folder that is no checkout.
pub(crate) fn commit(workspace: &Workspace) -> Option<Commit> {
    let ask = |arguments: &[&str]| {
        let mut git = Command::new("git");
        process::answer(git.args(arguments).current_dir(&workspace.root)).ok()
    };
    let date = ask(&["show", "--no-patch", "--format=%cI"])?;
    let mut hash = ask(&["rev-parse", "HEAD"])?;
    if !ask(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        hash.push_str("-dirty");
    }
    Some(Commit { hash, date })
}
