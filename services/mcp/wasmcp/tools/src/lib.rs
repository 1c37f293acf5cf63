//! Lets a component that exports `wasmcp:mcp-v20251125/tools@0.1.1` join unmodified.
//!
//! A component of its own and not a part of the service: what is called synchronously runs in its caller's store, and would
//! block the service.

mainstay_wasmcp::adapter!("mainstay:wasmcp-adapter/tools-adapter");

use bindings::exports::mainstay::mcp::tools::{Guest, Hints, Outcome, Tool, ToolResult};
use bindings::wasmcp::mcp_v20251125::tools;
use mainstay_wasmcp::calling::{self, Route};
use mainstay_wasmcp::mcp::{Caller, Failure, Input};
use mainstay_wasmcp::wasmcp::{self, CallToolRequest, ListToolsRequest};
use mainstay_wasmcp::{content, failure, list};

struct Adapter;

impl Guest for Adapter {
    async fn list_tools() -> Result<Vec<Tool>, Failure> {
        let all = list::all(|cursor| {
            let page = tools::list_tools(&calling::asking(), &ListToolsRequest { cursor })?;
            Ok((page.tools, page.next_cursor))
        });
        Ok(all?.into_iter().flatten().map(tool).collect())
    }

    async fn call_tool(name: String, arguments: String, _input: Input, caller: Caller) -> Result<Outcome, Failure> {
        let request = CallToolRequest {
            name,
            arguments: Some(arguments),
        };
        let route = Route::open();
        let called = tools::call_tool(&route.call(caller), &request).map_err(failure)?;
        called.map_or(Ok(Outcome::NotMine), |result| {
            Ok(Outcome::Done(ToolResult {
                content: result
                    .content
                    .into_iter()
                    .map(content::content)
                    .collect::<Result<_, _>>()?,
                structured: result.structured_content,
                is_error: result.is_error.unwrap_or_default(),
                meta: result.meta,
            }))
        })
    }
}

fn tool(tool: wasmcp::Tool) -> Tool {
    let mut told = Tool {
        name: tool.name,
        title: None,
        description: None,
        input_schema: tool.input_schema,
        output_schema: None,
        hints: None,
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    };
    if let Some(options) = tool.options {
        let hinted = options.annotations.as_ref().and_then(|hints| hints.title.clone());
        told.title = options.title.or(hinted);
        told.description = options.description;
        told.output_schema = options.output_schema;
        told.hints = options.annotations.map(|hints| Hints {
            read_only: hints.read_only_hint,
            destructive: hints.destructive_hint,
            idempotent: hints.idempotent_hint,
            open_world: hints.open_world_hint,
        });
        told.icons = list::icons(options.icons);
        told.meta = options.meta;
    }
    told
}
