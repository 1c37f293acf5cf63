//! The deployment's own fields: what it is called, and what it asks of a cluster.

use super::field::{Field, Fields};
use super::image::Images;
use super::objects::{API_VERSION, Objects};
use super::workload;
use crate::workload::Spec;

/// Why what steers a cluster has no effect.
const CLUSTER: &str = "this host is one machine";

/// Fields of Kubernetes' ObjectMeta; the last ones are the server's own, and come with `kubectl get -o yaml`.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

pub(super) fn spec(deployment: &Fields<'_>, objects: &Objects<'_>, images: &Images<'_>) -> Option<Spec> {
    if let Some(version) = deployment.require("apiVersion") {
        version.one_of(&[API_VERSION]);
    }
    let identity = deployment.require("metadata").and_then(|metadata| identity(&metadata));
    let spec =
        deployment
            .require("spec")?
            .fields(&["replicas", "deployPolicy", "artifacts", "kubernetes", "template"])?;
    cluster(&spec);
    let template = spec.require("template")?.fields(&["labels", "annotations", "spec"])?;
    for name in ["labels", "annotations"] {
        template.optional(name).map(|field| field.string_map());
    }
    let namespace = identity.and_then(|(_, namespace)| namespace);
    let mut spec = workload::spec(
        &template.require("spec")?,
        &workload::Context {
            objects,
            images,
            namespace,
        },
    )?;
    spec.name = identity?.0.to_owned();
    Some(spec)
}

/// What only a cluster can honour.
fn cluster(spec: &Fields<'_>) {
    if let Some(replicas) = spec.optional("replicas")
        && let Some(count) = replicas.integer(0..=i64::from(i32::MAX))
        && count != 1
    {
        replicas.warn(format_args!(
            "{count} replicas are one here; in a cluster each runs a service of its own"
        ));
    }
    if let Some(policy) = spec.optional("deployPolicy") {
        policy.one_of(&["RollingUpdate", "Recreate"]);
    }
    for artifact in spec.list("artifacts") {
        if let Some(artifact) = artifact.fields(&["name", "artifactFrom"]) {
            artifact.require("name").and_then(|name| name.name());
            artifact.require("artifactFrom").and_then(|from| from.reference());
        }
    }
    spec.without_effect("artifacts", "images are files");
    kubernetes(spec);
}

/// The same group stands in the deployment and in its template.
pub(super) fn kubernetes(fields: &Fields<'_>) {
    let Some(kubernetes) = fields.optional("kubernetes") else {
        return;
    };
    if let Some(service) = kubernetes
        .fields(&["service"])
        .and_then(|fields| fields.optional("service"))
    {
        service.reference();
    }
    fields.without_effect("kubernetes", CLUSTER);
}

/// Name and namespace of an object.
pub(super) fn identity<'a>(metadata: &Field<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let metadata = metadata.fields(METADATA)?;
    for name in ["labels", "annotations"] {
        metadata.optional(name).map(|field| field.string_map());
    }
    let namespace = metadata.optional("namespace").and_then(|namespace| namespace.name());
    let field = metadata.require("name")?;
    let name = field.name()?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() > 253 || !name.chars().all(fits) || !name.starts_with(edge) || !name.ends_with(edge) {
        field.error(format_args!(
            "\"{name}\" is not a name: lower case letters, digits, - and ., at most 253, for example cron"
        ));
    }
    Some((name, namespace))
}
