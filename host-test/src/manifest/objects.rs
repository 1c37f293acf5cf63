//! The objects of one file: one WorkloadDeployment, and the ConfigMaps and Secrets that it refers to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::deployment;
use super::field::{Field, Fields, nearest};
use super::image::Images;
use super::problem::{Problem, Problems};
use super::yaml::Node;
use crate::workload::Spec;

pub(super) const API_VERSION: &str = "runtime.wasmcloud.dev/v1alpha1";
pub(super) const KIND: &str = "WorkloadDeployment";

/// The objects of one file.
pub(super) struct Objects<'a> {
    deployment: Fields<'a>,
    config_maps: Vec<Source<'a>>,
    secrets: Vec<Source<'a>>,
}

/// A ConfigMap or a Secret.
pub(super) struct Source<'a> {
    name: &'a str,
    namespace: Option<&'a str>,
    /// What it holds, Secrets decoded.
    pub(super) data: Vec<(&'a str, String)>,
}

impl<'a> Objects<'a> {
    pub(super) fn sort(documents: &'a [Node], problems: &'a Problems) -> Option<Self> {
        let (mut deployments, mut config_maps, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
        let mut unreadable = false;
        for document in documents {
            let document = Field::document(document, problems);
            match kind(&document) {
                Some((kind, KIND)) => deployments.push((kind, document)),
                Some((_, "ConfigMap")) => config_maps.extend(config_map(&document)),
                Some((_, "Secret")) => secrets.extend(secret(&document)),
                Some((kind, other)) => unreadable |= !is_the_cluster_s(&kind, other),
                None => unreadable = true,
            }
        }
        let mut deployments = deployments.into_iter();
        let Some((_, deployment)) = deployments.next() else {
            // One that cannot be read may have been meant.
            if !unreadable {
                let message = format!("holds no {KIND}; it needs one document with kind: {KIND}");
                problems.add_error(Problem::of_the_file(message));
            }
            return None;
        };
        for (kind, _) in deployments {
            kind.error(format_args!("a second {KIND}; a file runs one workload"));
        }
        let deployment = deployment.fields(&["apiVersion", "kind", "metadata", "spec", "status"])?;
        Some(Self {
            deployment,
            config_maps,
            secrets,
        })
    }

    pub(super) fn spec(&self, images: &Images<'_>) -> Option<Spec> {
        deployment::spec(&self.deployment, self, images)
    }

    pub(super) fn config_map(&self, reference: &Field<'a>, namespace: Option<&str>) -> Option<&Source<'a>> {
        find(&self.config_maps, "ConfigMap", reference, namespace)
    }

    pub(super) fn secret(&self, reference: &Field<'a>, namespace: Option<&str>) -> Option<&Source<'a>> {
        find(&self.secrets, "Secret", reference, namespace)
    }
}

/// What a document is.
fn kind<'a>(document: &Field<'a>) -> Option<(Field<'a>, &'a str)> {
    let kind = document.entries()?.into_iter().find(|(entry, _)| entry.key == "kind");
    let Some((_, kind)) = kind else {
        document.error("kind is missing");
        return None;
    };
    let text = kind.text()?;
    Some((kind, text))
}

/// Whether an object that is not for this host is for the cluster.
fn is_the_cluster_s(kind: &Field<'_>, text: &str) -> bool {
    if ["Workload", "WorkloadReplicaSet", "Artifact", "Host"].contains(&text) {
        kind.error(format_args!("\"{text}\" cannot be run; write a {KIND}"));
        return false;
    }
    if let Some(near) = nearest(text, [KIND, "ConfigMap", "Secret"].into_iter()) {
        kind.error(format_args!("unknown kind \"{text}\"; did you mean {near}?"));
        return false;
    }
    kind.warn(format_args!("has no effect here: a {text} is the cluster's business"));
    true
}

/// What `{ name: ... }` refers to.
fn find<'s, 'a>(
    sources: &'s [Source<'a>],
    kind: &str,
    reference: &Field<'_>,
    namespace: Option<&str>,
) -> Option<&'s Source<'a>> {
    let (field, name) = reference.reference()?;
    // Without a namespace an object goes to the one that the whole file is applied to.
    let within_reach =
        |source: &&Source<'_>| source.namespace.is_none() || namespace.is_none() || source.namespace == namespace;
    let named = || sources.iter().filter(|source| source.name == name);
    if let Some(source) = named().find(within_reach) {
        return Some(source);
    }
    if let Some(namespace) = named().find_map(|source| source.namespace) {
        field.error(format_args!(
            "{kind} \"{name}\" is in the namespace {namespace}, not in the deployment's"
        ));
    } else {
        let hint = nearest(name, sources.iter().map(|source| source.name)).map_or_else(
            || format!("add it as a document of its own (kind: {kind}), after a line ---"),
            |near| format!("did you mean {near}?"),
        );
        field.error(format_args!("this file holds no {kind} \"{name}\"; {hint}"));
    }
    None
}

fn config_map<'a>(document: &Field<'a>) -> Option<Source<'a>> {
    let object = document.fields(&["apiVersion", "kind", "metadata", "data", "binaryData", "immutable"])?;
    let (name, namespace) = identity(&object)?;
    let entries = object
        .optional("data")
        .map(|data| data.string_map())
        .unwrap_or_default();
    let data = entries
        .into_iter()
        .map(|(entry, text)| (entry.key.as_str(), text.to_owned()))
        .collect();
    object.without_effect("binaryData", "the operator passes on data only");
    Some(Source { name, namespace, data })
}

fn secret<'a>(document: &Field<'a>) -> Option<Source<'a>> {
    let object = document.fields(&[
        "apiVersion",
        "kind",
        "metadata",
        "data",
        "stringData",
        "type",
        "immutable",
    ])?;
    let (name, namespace) = identity(&object)?;
    let mut data = Vec::new();
    for (entry, field) in object
        .optional("data")
        .and_then(|data| data.entries())
        .unwrap_or_default()
    {
        // The value itself stays out of the message: it may be a secret that someone forgot to encode.
        let decoded = field.text().and_then(|text| {
            BASE64
                .decode(text.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
        });
        match decoded {
            Some(text) => data.push((entry.key.as_str(), text)),
            None => field.error("is not base64 of UTF-8 text; plain text goes under stringData"),
        }
    }
    for (entry, text) in object
        .optional("stringData")
        .map(|data| data.string_map())
        .unwrap_or_default()
    {
        data.push((entry.key.as_str(), text.to_owned()));
    }
    Some(Source { name, namespace, data })
}

fn identity<'a>(object: &Fields<'a>) -> Option<(&'a str, Option<&'a str>)> {
    if let Some(version) = object.require("apiVersion") {
        version.one_of(&["v1"]);
    }
    deployment::identity(&object.require("metadata")?)
}
