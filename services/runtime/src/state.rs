//! Files that survive a crash at any instant.
//!
//! A state file is one line that says what it is, and a JSON text:
//!
//! ```text
//! mainstay-state cron 1 9a0c7d3f 27
//! {"last":"2026-11-22T18:10"}
//! ```
//!
//! the kind, its version, a CRC-32 of all but itself, and the length of the text. It is written to a file beside it, synced and renamed,
//! so what is read is either the old content or the new one. A file that is neither, since a disk failed or a person
//! edited it, is set aside and reported, never used: the first eight are kept, and the newest after them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Corrupt files that are kept beside the good one.
const MAX_SET_ASIDE: u32 = 9;

/// A file that holds the state of a service.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    kind: &'static str,
    version: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// No file: a first start.
    Nothing,
    /// What was saved last.
    Found(T),
    /// A file that cannot be trusted, where it was moved to, and why.
    SetAside {
        /// The file's new path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a state could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A newer release wrote the file. It is left as it is.
    #[error("{}: version {found}, this service reads up to {supported}: run the newer one, or move the file away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// The value has no JSON form, such as a map whose keys are not texts.
    #[error("{}: not saved: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why there is no JSON form.
        source: serde_json::Error,
    },
}

impl StateFile {
    /// A file of a kind, one word, whose content is of this version. Older versions are read too: give what they lack
    /// a `serde(default)`.
    pub fn new(path: impl Into<PathBuf>, kind: &'static str, version: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            version,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what was saved last. A corrupt file is set aside and logged.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StateError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(error) => return Err(self.io("read", error)),
        };
        let reason = match self.decode(&bytes) {
            Ok((version, _)) if version > self.version => {
                let (path, supported) = (self.path.clone(), self.version);
                return Err(StateError::Newer {
                    path,
                    found: version,
                    supported,
                });
            }
            Ok((_, text)) => match serde_json::from_slice(text) {
                Ok(value) => return Ok(Loaded::Found(value)),
                Err(error) => format!("not the content of a {} state: {error}", self.kind),
            },
            Err(reason) => reason,
        };
        let path = self.set_aside()?;
        tracing::error!(file = %self.path.display(), moved_to = %path.display(), "corrupt state set aside: {reason}");
        Ok(Loaded::SetAside { path, reason })
    }

    /// Replaces what was saved last. When it returns, the new content survives a crash.
    pub fn save<T: Serialize>(&self, value: &T) -> Result<(), StateError> {
        let text = serde_json::to_vec(value).map_err(|source| StateError::Encode {
            path: self.path.clone(),
            source,
        })?;
        let (kind, version, length) = (self.kind, self.version, text.len());
        let checksum = checksum(kind, version, &text);
        let mut bytes = format!("mainstay-state {kind} {version} {checksum} {length}\n").into_bytes();
        bytes.extend_from_slice(&text);

        let beside = self.beside("new");
        let mut file = File::create(&beside).map_err(|error| self.io("create the new file", error))?;
        file.write_all(&bytes).map_err(|error| self.io("write", error))?;
        file.sync_all().map_err(|error| self.io("sync", error))?;
        drop(file);
        fs::rename(&beside, &self.path).map_err(|error| self.io("rename the new file", error))?;
        self.sync_folder().map_err(|error| self.io("sync the folder", error))
    }

    /// The version and the text of a file's bytes, or what is wrong with them.
    fn decode<'a>(&self, bytes: &'a [u8]) -> Result<(u32, &'a [u8]), String> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("no first line")?;
        let (head, text) = bytes.split_at(end);
        let text = text.get(1..).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| "first line not text")?;
        let words: Vec<&str> = head.split(' ').collect();
        let ["mainstay-state", kind, version, written, length] = words.as_slice() else {
            return Err("first line not that of a state file".to_owned());
        };
        if *kind != self.kind {
            return Err(format!("a state of {kind}, not of {}", self.kind));
        }
        let version = version
            .parse()
            .map_err(|_| format!("version {version:?} not a number"))?;
        if length.parse() != Ok(text.len()) {
            return Err(format!("{} bytes, must be {length}", text.len()));
        }
        let actual = checksum(kind, version, text);
        if *written != actual {
            return Err(format!("checksum {actual}, must be {written}"));
        }
        Ok((version, text))
    }

    fn set_aside(&self) -> Result<PathBuf, StateError> {
        let numbered = (1..MAX_SET_ASIDE).map(|number| self.beside(&format!("corrupt-{number}")));
        let free = numbered.into_iter().find(|path| !path.exists());
        let path = free.unwrap_or_else(|| self.beside(&format!("corrupt-{MAX_SET_ASIDE}")));
        fs::rename(&self.path, &path).map_err(|error| self.io("set aside", error))?;
        Ok(path)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        name.into()
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn io(&self, action: &'static str, source: io::Error) -> StateError {
        StateError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

/// The CRC-32 of everything that a file says.
fn checksum(kind: &str, version: u32, text: &[u8]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(format!("{kind} {version} ").as_bytes());
    hasher.update(text);
    format!("{:08x}", hasher.finalize())
}

#[cfg(test)]
mod tests;
