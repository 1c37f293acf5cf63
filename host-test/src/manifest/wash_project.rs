//! The project of `wash dev`: a folder with `.wash/config.yaml`.
//!
//! As in wash, the workload's environment and grants go to the service and to every component, a component of
//! `dev.components` adds its own, and every volume appears everywhere. Nothing is built: the files have to be there.

use std::path::{Path, PathBuf};

use super::field::{Field, Fields, Unique};
use super::image::Images;
use super::problem::Problems;
use super::resources::{grants, owned, variables};
use super::workload::{INT32, directory};
use super::yaml::Node;
use crate::workload::Spec;
use crate::workload::spec::{Component, Mount, Resources, Service, Volume};

/// Where a project says what it is, within its folder.
pub(super) const FILE: &str = ".wash/config.yaml";

/// What `dev` may hold that means something to wash alone: its plugins, its engine, its quotas.
const WASH_ALONE: &[&str] = &[
    "service_ports",
    "allow_insecure_registries",
    "host_plugins",
    "environment",
    "host_interfaces",
    "tls_cert_path",
    "tls_key_path",
    "tls_ca_path",
    "http_client_ca_paths",
    "http_client_trust_roots",
    "max_outbound_socket_connections_per_workload",
    "max_inbound_socket_connections_per_workload",
    "max_connections",
    "max_outbound_http_connections_per_workload",
    "http_connection_wait",
    "wasi_webgpu",
    "data_nats_url",
    "wasi_keyvalue_redis_url",
    "wasi_keyvalue_path",
    "wasi_keyvalue_nats_url",
    "wasi_blobstore_path",
    "postgres_url",
    "wasi_otel",
    "wasm_proposals",
];

/// What `dev` may hold that is read here.
const DEV: &[&str] = &[
    "address",
    "command",
    "component_path",
    "service",
    "service_file",
    "service_image",
    "service_pull_policy",
    "components",
    "volumes",
];

/// Fields of one of `dev.components`.
const SIDECAR: &[&str] = &[
    "name",
    "file",
    "image",
    "pullPolicy",
    "environment",
    "config",
    "allowedHosts",
    "allowedIpNameLookups",
    "allowedHostLoopbackPorts",
    "poolSize",
    "maxInvocations",
    "maxConcurrency",
];

/// The project's folder, if the path leads to a project: the folder itself or its `.wash/config.yaml`.
pub(super) fn folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    path.ends_with(FILE)
        .then(|| path.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned())
}

pub(super) fn spec(document: &Node, problems: &Problems, images: &Images<'_>) -> Option<Spec> {
    let document = Field::document(document, problems);
    let known = [
        "version", "build", "dev", "host", "new", "workload", "configs", "secrets", "wit",
    ];
    let project = document.fields(&known)?;
    project.without_effect("host", "it is for wash");
    let dev = project
        .optional("dev")
        .and_then(|dev| dev.fields(&[DEV, WASH_ALONE].concat()));
    let (volumes, mounts) = volumes(dev.as_ref(), images);
    let mut shared = shared(project.optional("workload").as_ref())?;
    shared.mounts = mounts;
    let image = main_component(&project, dev.as_ref(), images);
    let main = image.map(|image| Component {
        image,
        ..component(MAIN, &shared)
    });
    let mut spec = Spec {
        name: name(images.folder),
        volumes,
        ..Spec::default()
    };
    if let Some(dev) = &dev {
        dev.without_effect("address", "serve HTTP with --http");
        for name in WASH_ALONE {
            dev.without_effect(name, "it is for wash");
        }
        let image = source(dev, "service_file", "service_image", images);
        spec.service = image.map(|image| Service {
            image,
            resources: shared.clone(),
            ..Service::default()
        });
        spec.components = components(&dev.list("components"), &shared, images);
    }
    let is_service = dev.and_then(|dev| dev.optional("service")?.boolean()) == Some(true);
    let Component { image, resources, .. } = main.clone()?;
    if is_service {
        spec.service = Some(Service {
            image,
            resources,
            ..Service::default()
        });
    } else {
        spec.components.extend(main);
    }
    Some(spec)
}

/// What the component under development is called, as in wash.
const MAIN: &str = "wash-dev-component";

fn component(name: &str, resources: &Resources) -> Component {
    Component {
        name: name.to_owned(),
        resources: resources.clone(),
        ..Component::default()
    }
}

fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole
        .file_name()
        .map_or_else(|| "dev".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// `dev.component_path`, or else `build.component_path`.
fn main_component(project: &Fields<'_>, dev: Option<&Fields<'_>>, images: &Images<'_>) -> Option<PathBuf> {
    let build = project
        .optional("build")
        .and_then(|build| build.fields(&["command", "env", "component_path"]));
    let field = match (dev.and_then(|dev| dev.optional("component_path")), build) {
        (Some(field), _) => field,
        (None, Some(build)) => build.require("component_path")?,
        (None, None) => {
            project.missing("build.component_path");
            return None;
        }
    };
    Some(images.path(&field, field.name()?))
}

/// A file, or an image that stands for one.
fn source(fields: &Fields<'_>, file: &str, image: &str, images: &Images<'_>) -> Option<PathBuf> {
    match (fields.optional(file), fields.optional(image)) {
        (Some(file), None) => Some(images.path(&file, file.name()?)),
        (None, Some(image)) => images.file(&image),
        (Some(_), Some(both)) => {
            both.error(format_args!("{file} is there too; keep one"));
            None
        }
        (None, None) => None,
    }
}

/// What the service and every component have in common.
fn shared(workload: Option<&Field<'_>>) -> Option<Resources> {
    let mut resources = Resources::default();
    let Some(workload) = workload else {
        return Some(resources);
    };
    let known = [
        "environment",
        "config",
        "allowedHosts",
        "allowedIpNameLookups",
        "allowedHostLoopbackPorts",
    ];
    let fields = workload.fields(&known)?;
    // wash: a workload that says nothing of hosts may reach them all, an empty list none.
    if fields.optional("allowedHosts").is_none() {
        resources.allowed_hosts.extend("*".parse());
    }
    own(&fields, &mut resources);
    Some(resources)
}

/// Adds what one block says to what it had before.
fn own(fields: &Fields<'_>, resources: &mut Resources) {
    if let Some(environment) = fields.optional("environment")
        && let Some(layer) = environment.fields(&["config", "configFrom", "secretFrom"])
    {
        resources.environment.extend(
            layer
                .optional("config")
                .map(|config| variables(&config))
                .unwrap_or_default(),
        );
        for from in ["configFrom", "secretFrom"] {
            if let Some(field) = layer.optional(from) {
                field.error("cannot be read by this host; pass the values with --env");
            }
        }
    }
    resources.config.extend(
        fields
            .optional("config")
            .map(|config| owned(config.string_map()))
            .unwrap_or_default(),
    );
    grants(fields, resources);
}

fn components(items: &[Field<'_>], shared: &Resources, images: &Images<'_>) -> Vec<Component> {
    let mut names = Unique::default();
    let mut components = Vec::new();
    for (field, component) in items.iter().filter_map(|item| sidecar(item, shared, images)) {
        if let Some(name) = field.name() {
            names.check(&field, name);
        }
        components.push(component);
    }
    components
}

/// One of `dev.components`, and the field with its name.
fn sidecar<'a>(item: &Field<'a>, shared: &Resources, images: &Images<'_>) -> Option<(Field<'a>, Component)> {
    let fields = item.fields(SIDECAR)?;
    let field = fields.require("name")?;
    let name = field.name()?;
    let mut resources = shared.clone();
    own(&fields, &mut resources);
    if fields.optional("file").or_else(|| fields.optional("image")).is_none() {
        item.error("has neither file nor image");
    }
    let count = |name: &str| {
        let count = fields.optional(name).and_then(|field| field.integer(INT32));
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
    };
    let component = Component {
        image: source(&fields, "file", "image", images)?,
        pool_size: count("poolSize"),
        max_concurrency: count("maxConcurrency"),
        max_invocations: count("maxInvocations"),
        ..component(name, &resources)
    };
    Some((field, component))
}

/// Every volume, and where it appears in everyone.
fn volumes(dev: Option<&Fields<'_>>, images: &Images<'_>) -> (Vec<Volume>, Vec<Mount>) {
    let items = dev.map(|dev| dev.list("volumes")).unwrap_or_default();
    let volume = |(index, item): (usize, &Field<'_>)| {
        let fields = item.fields(&["host_path", "guest_path"])?;
        let source = fields.require("host_path").and_then(|path| directory(&path, images));
        let path = fields.require("guest_path")?.name()?.to_owned();
        let name = format!("volume-{index}");
        let mount = Mount {
            volume: name.clone(),
            path,
            read_only: false,
        };
        Some((Volume { name, source: source? }, mount))
    };
    items.iter().enumerate().filter_map(volume).unzip()
}
