//! From a [`Spec`] to components that can run. Whatever is wrong with a workload is found here, before it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use wasmtime::component::Component;

use super::call::Caller;
use super::http::Handler;
use super::link::{self, Linked, Unlinked};
use super::pool;
use super::service::Service;
use super::sockets::{Loopback, Network, Role};
use super::spec::{self, DEFAULT_MEMORY_LIMIT, Resources, Spec};
use super::status::CallCounts;
use super::stdio::Stdio;
use super::unit::Recipe;
use super::volumes::Volumes;
use super::{Host, Options};

/// A workload that can be run.
pub(super) struct Prepared {
    pub(super) service: Option<Service>,
    pub(super) handler: Option<Arc<Handler>>,
    /// The components.
    pub(super) linked: Vec<Linked>,
    pub(super) caller: Arc<Caller>,
    pub(super) loopback: Loopback,
    pub(super) stdio: Stdio,
    /// Kept for as long as the workload runs.
    pub(super) volumes: Volumes,
}

pub(super) fn prepare(host: &Host, spec: &Spec, options: &Options) -> anyhow::Result<Prepared> {
    check_names(spec)?;
    let compiled = compile(host, spec)?;
    let volumes = Volumes::open(&spec.volumes)?;
    let kitchen = Kitchen {
        volumes: &volumes,
        loopback: Loopback::reserve(),
        stdio: Stdio::new(options.input.clone(), &options.output),
        options,
    };
    let mut unlinked = Vec::new();
    for (component, compiled) in spec.components.iter().zip(&compiled) {
        unlinked.push(Unlinked {
            name: component.name.clone(),
            image: component.image.clone(),
            component: compiled.clone(),
            recipe: kitchen.recipe(&component.name, &[], &component.resources, Role::Component)?,
            pool: pool_limits(component),
            is_service: false,
        });
    }
    let service = spec.service.as_ref().zip(compiled.get(spec.components.len()));
    if let Some((service, compiled)) = service {
        let program = stem(&service.image);
        unlinked.push(Unlinked {
            recipe: kitchen.recipe(&program, &service.arguments, &service.resources, Role::Service)?,
            name: program,
            image: service.image.clone(),
            component: compiled.clone(),
            pool: None,
            is_service: true,
        });
    }
    let Kitchen { loopback, stdio, .. } = kitchen;
    let caller = Arc::new(Caller {
        host: host.clone(),
        deadlines: options.deadlines.clone(),
        counts: CallCounts::default(),
    });
    let mut linked = link::link(host, &caller, unlinked)?;
    let service = match service {
        Some((_, compiled)) => {
            let unit = linked.pop().context("the service")?.unit;
            Some(Service::new(compiled, unit)?)
        }
        None => None,
    };
    let (service, requests) = service.unzip();
    let handler = match (&service, requests.flatten()) {
        (Some(service), Some(requests)) => Some(Handler::of_service(&caller, service.unit(), requests)),
        _ => Handler::find(&caller, &linked)?,
    };
    let handler = handler.map(Arc::new);
    Ok(Prepared {
        service,
        handler,
        linked,
        caller,
        loopback,
        stdio,
        volumes,
    })
}

fn check_names(spec: &Spec) -> anyhow::Result<()> {
    if spec.service.is_none() && spec.components.is_empty() {
        bail!("workload \"{}\" is empty: it needs a service or a component", spec.name);
    }
    let mut seen = BTreeSet::new();
    for component in &spec.components {
        if !seen.insert(&component.name) {
            bail!(
                "component name \"{}\" is taken: give each component a name of its own",
                component.name
            );
        }
    }
    Ok(())
}

/// All images, the components' and then the service's, compiled at the same time.
fn compile(host: &Host, spec: &Spec) -> anyhow::Result<Vec<Component>> {
    let images = spec.components.iter().map(|component| &component.image);
    let images: Vec<_> = images
        .chain(spec.service.iter().map(|service| &service.image))
        .collect();
    thread::scope(|scope| {
        let threads: Vec<_> = images
            .into_iter()
            .map(|image| scope.spawn(|| host.compile(image)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, anyhow::Result<Component>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("the compiler failed")))
        };
        threads.into_iter().map(join).collect()
    })
}

fn pool_limits(component: &spec::Component) -> Option<pool::Limits> {
    let limit = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    (component.pool_size > 0).then(|| pool::Limits {
        instances: limit(component.pool_size),
        concurrency: limit(component.max_concurrency.max(1)),
        calls: if component.max_invocations == 0 {
            u64::MAX
        } else {
            component.max_invocations.into()
        },
    })
}

/// What a service is called in messages and by its first argument: its file without the extension.
fn stem(image: &Path) -> String {
    image.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What all recipes of a workload have in common.
struct Kitchen<'a> {
    volumes: &'a Volumes,
    loopback: Loopback,
    stdio: Stdio,
    options: &'a Options,
}

impl Kitchen<'_> {
    fn recipe(&self, program: &str, arguments: &[String], resources: &Resources, role: Role) -> anyhow::Result<Recipe> {
        let mut environment: BTreeMap<_, _> = resources.environment.clone();
        environment.extend(self.options.environment.iter().cloned());
        let network = Network {
            loopback: self.loopback.clone(),
            role,
            allowed_hosts: resources.allowed_hosts.clone().into(),
            allowed_names: resources.allowed_ip_name_lookups.clone(),
            allowed_host_loopback_ports: resources.allowed_host_loopback_ports.clone(),
            delayed_sends: self.options.delayed_sends,
        };
        Ok(Recipe {
            environment: environment.into_iter().collect(),
            arguments: std::iter::once(program.to_owned())
                .chain(arguments.iter().cloned())
                .collect(),
            preopens: self.volumes.preopens(&resources.mounts)?,
            config: Arc::new(resources.config.clone()),
            network: Arc::new(network),
            stdio: self.stdio.clone(),
            memory_limit: resources.memory_limit.unwrap_or(DEFAULT_MEMORY_LIMIT),
        })
    }
}
