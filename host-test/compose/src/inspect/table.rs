//! An inspection as people read it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Inspection, Item, Kind, Size};

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Http => "HTTP component",
            Self::Reactive => "reactive component",
            Self::Inert => "component without exports",
        })
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wasi = if self.wasi.is_empty() {
            String::new()
        } else {
            format!(", WASI {}", self.wasi.join(" and "))
        };
        writeln!(f, "{}: {}{wasi}, {}", self.name, self.kind, self.size)?;
        section(f, "needs a component that exports", &self.required)?;
        section(f, "can use, but does without (see host-test fit)", &self.optional)?;
        packages(f, "needs of the host", &self.host)?;
        if !self.types.is_empty() {
            writeln!(f, "\nnames types of (nothing to link)\n  {}", self.types.join("\n  "))?;
        }
        section(f, "exports", &self.exports)?;
        for warning in &self.warnings {
            writeln!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

/// Each interface with its functions.
fn section(f: &mut fmt::Formatter<'_>, title: &str, items: &[Item]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for item in items {
        writeln!(f, "  {}", item.name)?;
        item.functions
            .iter()
            .try_for_each(|function| writeln!(f, "      {function}"))?;
    }
    Ok(())
}

/// A line for each package: `wasi:cli@0.2.12  environment, exit`. What they hold is for WASI to say.
fn packages(f: &mut fmt::Formatter<'_>, title: &str, items: &[Item]) -> fmt::Result {
    let mut packages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for item in items {
        let (name, version) = item.name.split_once('@').unwrap_or((&item.name, ""));
        let (package, interface) = name.split_once('/').unwrap_or((name, ""));
        packages
            .entry(format!("{package}@{version}"))
            .or_default()
            .push(interface);
    }
    if packages.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    let width = packages.keys().map(String::len).max().unwrap_or_default();
    packages
        .iter()
        .try_for_each(|(package, interfaces)| writeln!(f, "  {package:<width$}  {}", interfaces.join(", ")))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.module_count == 1 { "" } else { "s" };
        let (file, modules) = (Bytes(self.file), Bytes(self.modules));
        write!(f, "{file} ({} core module{plural}: {modules}", self.module_count)?;
        if self.callbacks > 0 {
            write!(f, "; no-op callbacks: {}", Bytes(self.callbacks))?;
        }
        f.write_str(")")
    }
}

/// A size as people read one: `87 KiB`, `1.24 MiB`.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.0 as f64 / 1024.0;
        if self.0 < 1024 {
            write!(f, "{} B", self.0)
        } else if kib < 1024.0 {
            write!(f, "{kib:.0} KiB")
        } else {
            write!(f, "{:.2} MiB", kib / 1024.0)
        }
    }
}
