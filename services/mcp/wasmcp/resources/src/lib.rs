//! Lets a component that exports `wasmcp:mcp-v20251125/resources@0.1.1` join unmodified.

mainstay_wasmcp::adapter!("mainstay:wasmcp-adapter/resources-adapter");

use bindings::exports::mainstay::mcp::resources::{Guest, Listing, ReadOutcome, ResourceTemplate};
use bindings::wasmcp::mcp_v20251125::resources;
use mainstay_wasmcp::calling::{self, Route};
use mainstay_wasmcp::mcp::{Caller, Failure, Input};
use mainstay_wasmcp::wasmcp::{self, ListResourceTemplatesRequest, ListResourcesRequest, ReadResourceRequest};
use mainstay_wasmcp::{content, failure, list};

struct Adapter;

impl Guest for Adapter {
    async fn list_resources() -> Result<Option<Listing>, Failure> {
        let found = list::all(|cursor| {
            let page = resources::list_resources(&calling::asking(), &ListResourcesRequest { cursor })?;
            Ok((page.resources, page.next_cursor))
        })?;
        let templates = list::all(|cursor| {
            let request = ListResourceTemplatesRequest { cursor };
            let page = resources::list_resource_templates(&calling::asking(), &request)?;
            Ok((page.resource_templates, page.next_cursor))
        })?;
        if found.is_none() && templates.is_none() {
            return Ok(None);
        }
        let resource = |found: wasmcp::McpResource| list::resource(found.uri, found.name, found.options);
        Ok(Some(Listing {
            resources: found.into_iter().flatten().map(resource).collect(),
            templates: templates.into_iter().flatten().map(template).collect(),
        }))
    }

    async fn read_resource(uri: String, _input: Input, caller: Caller) -> Result<ReadOutcome, Failure> {
        let route = Route::open();
        let read = resources::read_resource(&route.call(caller), &ReadResourceRequest { uri }).map_err(failure)?;
        read.map_or(Ok(ReadOutcome::NotMine), |result| {
            let contents = result
                .contents
                .into_iter()
                .map(content::contents)
                .collect::<Result<_, _>>()?;
            Ok(ReadOutcome::Done(contents))
        })
    }
}

fn template(template: wasmcp::ResourceTemplate) -> ResourceTemplate {
    let mut told = ResourceTemplate {
        uri_template: template.uri_template,
        name: template.name,
        title: None,
        description: None,
        mime_type: None,
        annotations: None,
        icons: Vec::new(),
        meta: None,
    };
    if let Some(options) = template.options {
        told.title = options.title;
        told.description = options.description;
        told.mime_type = options.mime_type;
        told.annotations = options.annotations.map(list::annotations);
        told.icons = list::icons(options.icons);
        told.meta = options.meta;
    }
    told
}
