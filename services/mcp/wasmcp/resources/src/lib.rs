//! Lets a component that exports `wasmcp:mcp-v20251125/resources@0.1.1` join unmodified.

mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../../wit/mcp", "../../../../wit/wasmcp", "../wit"],
        world: "mainstay:wasmcp-adapter/resources-adapter",
        with: {
            "mainstay:mcp/types@0.1.0": mainstay_wasmcp::bindings::mainstay::mcp::types,
            "wasi:io/error@0.2.8": mainstay_wasmcp::bindings::wasi::io::error,
            "wasi:io/poll@0.2.8": mainstay_wasmcp::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.8": mainstay_wasmcp::bindings::wasi::io::streams,
            "wasmcp:auth/types@0.1.1": mainstay_wasmcp::bindings::wasmcp::auth::types,
            "wasmcp:mcp-v20251125/mcp@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::mcp,
            "wasmcp:mcp-v20251125/server-auth@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_auth,
            "wasmcp:mcp-v20251125/server-handler@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_handler,
            "wasmcp:mcp-v20251125/server-io@0.1.1": mainstay_wasmcp::bindings::wasmcp::mcp_v20251125::server_io,
        },
        generate_all,
    });
    use super::Adapter;
    export!(Adapter);
}

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
