//! Interfaces asked of the host.
//!
//! This host serves WASI to everyone who imports it and has no plugins, so nothing here is configured; what is asked for
//! and not there is said at once, not when a link is missing.

use super::field::Field;
use super::resources::layers;
use super::workload::Context;
use crate::workload::SERVED;

type Identity<'a> = (String, Option<&'a str>, Option<&'a str>);

pub(super) fn check(items: &[Field<'_>], context: &Context<'_>) {
    let mut seen: Vec<Identity<'_>> = Vec::new();
    for item in items {
        let Some(identity) = interface(item, context) else {
            continue;
        };
        let (package, name, _) = &identity;
        if seen.contains(&identity) {
            item.error(format_args!("{package} is there twice"));
        } else if name.is_none() && seen.iter().any(|(other, name, _)| other == package && name.is_none()) {
            item.error(format_args!(
                "{package} is there twice without a name; give each but one a name"
            ));
        }
        seen.push(identity);
    }
}

/// Its package, name and version.
fn interface<'a>(item: &Field<'a>, context: &Context<'_>) -> Option<Identity<'a>> {
    let known = [
        "namespace",
        "package",
        "interfaces",
        "version",
        "name",
        "config",
        "configFrom",
        "secretFrom",
    ];
    let fields = item.fields(&known)?;
    let namespace = fields.require("namespace").and_then(|namespace| namespace.name());
    let package = fields.require("package").and_then(|package| package.name());
    let interfaces = fields
        .require("interfaces")
        .and_then(|interfaces| Some((interfaces.items()?, interfaces)));
    if let Some((items, interfaces)) = interfaces {
        if items.is_empty() {
            interfaces.error("is empty; name at least one interface");
        }
        items.iter().for_each(|item| _ = item.name());
    }
    let name = fields.optional("name").and_then(|name| {
        let text = name.name()?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.len() > 64 || text.starts_with('-') || !text.chars().all(fits) {
            name.error(format_args!(
                "\"{text}\" is not a name: lower case letters, digits and -, at most 64"
            ));
        }
        Some(text)
    });
    let version = fields.optional("version").and_then(|version| version.name());
    fields.optional("config").map(|config| config.string_map());
    layers(&fields, context, |_, _, _| {});
    for name in ["config", "configFrom", "secretFrom"] {
        fields.without_effect(name, "the interfaces of this host have no settings");
    }
    let package = format!("{}:{}", namespace?, package?);
    if !is_served(&package) {
        item.warn(format_args!(
            "has no effect here: this host serves no {package}; what imports it needs a component that exports it"
        ));
    }
    Some((package, name, version))
}

/// Whether this host serves any of a package, whichever version.
fn is_served(package: &str) -> bool {
    SERVED
        .iter()
        .any(|served| served.split(['/', '@']).next() == Some(package))
}
