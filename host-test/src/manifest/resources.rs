//! What a part of a workload may see and use.

use std::collections::BTreeMap;

use super::field::{Field, Fields, nearest};
use super::workload::Context;
use super::yaml::{Entry, Value};
use crate::workload::spec::{Mount, Resources, Volume};

pub(super) fn resources(field: &Field<'_>, volumes: &[Volume], context: &Context<'_>) -> Resources {
    let known = [
        "environment",
        "config",
        "volumeMounts",
        "allowedHosts",
        "allowedIpNameLookups",
        "allowedHostLoopbackPorts",
    ];
    let Some(fields) = field.fields(&known) else {
        return Resources::default();
    };
    let environment = fields.optional("environment").map(|field| environment(&field, context));
    let mut resources = Resources {
        environment: environment.unwrap_or_default(),
        config: fields
            .optional("config")
            .map(|config| owned(config.string_map()))
            .unwrap_or_default(),
        mounts: mounts(&fields.list("volumeMounts"), volumes),
        ..Resources::default()
    };
    grants(&fields, &mut resources);
    resources
}

/// Whom it may reach. A list that is there replaces the one before.
pub(super) fn grants(fields: &Fields<'_>, resources: &mut Resources) {
    let list = |name: &str| fields.optional(name).and_then(|field| field.items());
    if let Some(hosts) = list("allowedHosts") {
        resources.allowed_hosts = hosts.iter().filter_map(Field::parsed).collect();
    }
    if let Some(names) = list("allowedIpNameLookups") {
        resources.allowed_ip_name_lookups = names.iter().filter_map(Field::parsed).collect();
    }
    if let Some(ports) = list("allowedHostLoopbackPorts") {
        resources.allowed_host_loopback_ports = ports.iter().filter_map(port).collect();
    }
}

pub(super) fn owned(entries: Vec<(&Entry, &str)>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(entry, text)| (entry.key.clone(), text.to_owned()))
        .collect()
}

/// Environment variables: those of Secrets over those of ConfigMaps over those written here, as the operator has it.
fn environment(field: &Field<'_>, context: &Context<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(fields) = field.fields(&["config", "configFrom", "secretFrom"]) else {
        return variables;
    };
    if let Some(config) = fields.optional("config") {
        variables = self::variables(&config);
    }
    layers(&fields, context, |reference, key, text| {
        if let Some(rule) = broken_rule(key) {
            reference.error(format_args!("brings \"{key}\", which {rule}"));
        }
        variables.insert(key.to_owned(), text.to_owned());
    });
    variables
}

/// Environment variables as they are written.
pub(super) fn variables(config: &Field<'_>) -> BTreeMap<String, String> {
    for (entry, field) in config.entries().unwrap_or_default() {
        if let Some(rule) = broken_rule(&entry.key) {
            field.error(format_args!("\"{}\" {rule}", entry.key));
        }
    }
    // A mapping that is none was reported above.
    if matches!(config.node.value, Value::Mapping(_)) {
        owned(config.string_map())
    } else {
        BTreeMap::new()
    }
}

/// What `configFrom` and then `secretFrom` bring, in the order of the file.
pub(super) fn layers(fields: &Fields<'_>, context: &Context<'_>, mut bring: impl FnMut(&Field<'_>, &str, &str)) {
    for (name, is_secret) in [("configFrom", false), ("secretFrom", true)] {
        for reference in fields.list(name) {
            let source = if is_secret {
                context.objects.secret(&reference, context.namespace)
            } else {
                context.objects.config_map(&reference, context.namespace)
            };
            for (key, text) in source.into_iter().flat_map(|source| &source.data) {
                bring(&reference, key, text);
            }
        }
    }
}

/// Kubernetes' rule for names of environment variables.
fn broken_rule(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_name = !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit());
    (!is_name).then_some("is not the name of a variable: letters, digits, _, - and ., not a digit first")
}

fn mounts(items: &[Field<'_>], volumes: &[Volume]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for item in items {
        let Some(fields) = item.fields(&["name", "mountPath", "readOnly"]) else {
            continue;
        };
        let volume = fields.require("name").and_then(|name| known_volume(&name, volumes));
        let path = fields.require("mountPath").and_then(|path| {
            let text = path.name()?;
            if !text.starts_with('/') {
                path.error(format_args!(
                    "\"{text}\" does not begin at the root, for example /state"
                ));
            }
            if mounts.iter().any(|mount| mount.path == text) {
                path.error(format_args!("\"{text}\" has a volume already"));
            }
            Some(text.to_owned())
        });
        let read_only = fields
            .optional("readOnly")
            .and_then(|field| field.boolean())
            .unwrap_or(false);
        if let (Some(volume), Some(path)) = (volume, path) {
            mounts.push(Mount {
                volume,
                path,
                read_only,
            });
        }
    }
    mounts
}

fn known_volume(field: &Field<'_>, volumes: &[Volume]) -> Option<String> {
    let name = field.name()?;
    if volumes.iter().any(|volume| volume.name == name) {
        return Some(name.to_owned());
    }
    let hint = nearest(name, volumes.iter().map(|volume| volume.name.as_str())).map_or_else(
        || "add it to spec.template.spec.volumes".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    field.error(format_args!("there is no volume \"{name}\"; {hint}"));
    None
}

/// `5432` or `5432/tcp`; `53/udp` is a grant that this host cannot give.
fn port(field: &Field<'_>) -> Option<u16> {
    let text = field.text()?;
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = number.parse().ok().filter(|port| *port > 0);
    match (port, protocol.to_ascii_lowercase().as_str()) {
        (Some(port), "tcp") => Some(port),
        (Some(_), "udp") => {
            field.warn("has no effect here: only TCP reaches the machine's own loopback");
            None
        }
        _ => {
            field.error(format_args!(
                "\"{text}\" is not a port: 1-65535, then /tcp or /udp if need be, for example 5432"
            ));
            None
        }
    }
}
