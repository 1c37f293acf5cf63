//! What a deployment runs: the service, the components and the volumes.

use super::deployment::kubernetes;
use super::field::{Field, Fields, Unique};
use super::host_interface;
use super::image::Images;
use super::objects::Objects;
use super::resources::resources;
use crate::workload::Spec;
use crate::workload::spec::{Component, Service, Volume, VolumeSource};

/// What the parts of a workload refer to.
pub(super) struct Context<'a> {
    pub(super) objects: &'a Objects<'a>,
    pub(super) images: &'a Images<'a>,
    pub(super) namespace: Option<&'a str>,
}

/// Kubernetes counts with `int32`.
pub(super) const INT32: std::ops::RangeInclusive<i64> = 0..=i32::MAX as i64;

pub(super) fn spec(field: &Field<'_>, context: &Context<'_>) -> Option<Spec> {
    let known = [
        "service",
        "components",
        "volumes",
        "hostInterfaces",
        "environment",
        "hostId",
        "hostSelector",
        "kubernetes",
    ];
    let fields = field.fields(&known)?;
    for placement in ["environment", "hostId", "hostSelector"] {
        fields.without_effect(placement, "there is one host to choose from");
    }
    kubernetes(&fields);
    host_interface::check(&fields.list("hostInterfaces"), context);
    let volumes = volumes(&fields.list("volumes"), context);
    let service = fields
        .optional("service")
        .map(|service| self::service(&service, &volumes, context));
    let components = components(&fields.list("components"), &volumes, context);
    if service.is_none() && fields.optional("components").is_none() {
        field.error("runs nothing: it needs a service, components or both");
    }
    Some(Spec {
        name: String::new(),
        service: service.flatten(),
        components,
        volumes,
    })
}

fn service(field: &Field<'_>, volumes: &[Volume], context: &Context<'_>) -> Option<Service> {
    let known = [
        "image",
        "imagePullPolicy",
        "imagePullSecret",
        "maxRestarts",
        "localResources",
    ];
    let fields = field.fields(&known)?;
    let image = image(&fields, context);
    // As in the cluster, a service that does not ask for restarts gets none.
    let restarts = fields
        .optional("maxRestarts")
        .and_then(|restarts| restarts.integer(INT32))
        .unwrap_or(0);
    let resources = fields
        .optional("localResources")
        .map(|field| resources(&field, volumes, context))
        .unwrap_or_default();
    Some(Service {
        image: image?,
        arguments: Vec::new(),
        max_restarts: restarts.unsigned_abs(),
        resources,
    })
}

fn components(items: &[Field<'_>], volumes: &[Volume], context: &Context<'_>) -> Vec<Component> {
    let mut names = Unique::default();
    let component = |field: &Field<'_>| component(field, volumes, context);
    for item in items {
        if let Some((field, name)) = name_of(item) {
            names.check(&field, name);
        }
    }
    items.iter().filter_map(component).collect()
}

/// The name of a component, without a word about anything else that may be wrong with it.
fn name_of<'a>(item: &Field<'a>) -> Option<(Field<'a>, &'a str)> {
    let super::yaml::Value::Mapping(_) = item.node.value else {
        return None;
    };
    let (_, field) = item.entries()?.into_iter().find(|(entry, _)| entry.key == "name")?;
    match &field.node.value {
        super::yaml::Value::Scalar { text, .. } => Some((field.clone(), text)),
        _ => None,
    }
}

fn component(field: &Field<'_>, volumes: &[Volume], context: &Context<'_>) -> Option<Component> {
    let known = [
        "name",
        "image",
        "imagePullPolicy",
        "imagePullSecret",
        "poolSize",
        "maxInvocations",
        "maxConcurrency",
        "localResources",
    ];
    let fields = field.fields(&known)?;
    let name = fields.require("name").and_then(|name| name.name());
    let image = image(&fields, context);
    let count = |name: &str| {
        let count = fields.optional(name).and_then(|field| field.integer(INT32))?;
        u32::try_from(count).ok()
    };
    let pool_size = count("poolSize").unwrap_or(0);
    if pool_size == 0 {
        for name in ["maxInvocations", "maxConcurrency"] {
            fields.without_effect(name, "without a poolSize each call has an instance of its own");
        }
    }
    let resources = fields
        .optional("localResources")
        .map(|field| resources(&field, volumes, context))
        .unwrap_or_default();
    Some(Component {
        name: name?.to_owned(),
        image: image?,
        pool_size,
        max_concurrency: count("maxConcurrency").unwrap_or(0),
        max_invocations: count("maxInvocations").unwrap_or(0),
        resources,
    })
}

/// The image's file. How a cluster would pull it is checked and left alone.
fn image(fields: &Fields<'_>, context: &Context<'_>) -> Option<std::path::PathBuf> {
    if let Some(policy) = fields.optional("imagePullPolicy") {
        policy.one_of(&["Always", "IfNotPresent", "Never"]);
    }
    if let Some(secret) = fields.optional("imagePullSecret") {
        secret.reference();
    }
    context.images.file(&fields.require("image")?)
}

fn volumes(items: &[Field<'_>], context: &Context<'_>) -> Vec<Volume> {
    let mut names = Unique::default();
    items
        .iter()
        .filter_map(|item| volume(item, &mut names, context))
        .collect()
}

fn volume<'a>(field: &Field<'a>, names: &mut Unique<'a>, context: &Context<'_>) -> Option<Volume> {
    let fields = field.fields(&["name", "ephemeral", "hostPath"])?;
    let name = fields.require("name").and_then(|name| {
        let text = name.name()?;
        names.check(&name, text);
        if !is_dns_label(text) {
            name.error(format_args!(
                "\"{text}\" is not a name: lower case letters, digits and -, at most 63, for example state"
            ));
        }
        Some(text)
    });
    let source = match (fields.optional("ephemeral"), fields.optional("hostPath")) {
        (Some(ephemeral), None) => ephemeral.fields(&[]).map(|_| VolumeSource::Ephemeral),
        (None, Some(host_path)) => host_path
            .fields(&["path"])?
            .require("path")
            .and_then(|path| directory(&path, context.images)),
        (Some(_), Some(_)) => {
            field.error("is both ephemeral and a hostPath; keep one");
            None
        }
        // What was meant instead is reported already.
        (None, None) if fields.has_unknown() => None,
        (None, None) => {
            field.error("says not where its files are: add ephemeral: {} or hostPath: { path: ... }");
            None
        }
    };
    Some(Volume {
        name: name?.to_owned(),
        source: source?,
    })
}

/// A directory of this machine, which has to be there already.
pub(super) fn directory(field: &Field<'_>, images: &Images<'_>) -> Option<VolumeSource> {
    let path = images.folder.join(field.name()?);
    if path.is_dir() {
        return Some(VolumeSource::HostPath(path));
    }
    field.error(format_args!("{} is not a directory; make it first", path.display()));
    None
}

/// RFC 1123 §2.1, as Kubernetes has it.
fn is_dns_label(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 63 && name.chars().all(fits) && !name.starts_with('-') && !name.ends_with('-')
}
