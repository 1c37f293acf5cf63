//! A component as wasmCP's templates make them: it knows its interfaces alone, and nothing of the service.
//!
//! Its lists have two pages each. `shout` logs before it answers, `whoami` tells what it was told, `picture` gives bytes.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-mcp-wasmcp;
            world component {
                import wasmcp:mcp-v20251125/server-io@0.1.1;
                export wasmcp:mcp-v20251125/tools@0.1.1;
                export wasmcp:mcp-v20251125/resources@0.1.1;
                export wasmcp:mcp-v20251125/prompts@0.1.1;
            }",
        path: "../../../wit/wasmcp",
        world: "mainstay:test-mcp-wasmcp/component",
        generate_all,
    });
    use super::Component;
    export!(Component);
}

use bindings::exports::wasmcp::mcp_v20251125::{prompts, resources, tools};
use bindings::wasmcp::mcp_v20251125::mcp::*;
use bindings::wasmcp::mcp_v20251125::server_handler::MessageContext;
use bindings::wasmcp::mcp_v20251125::server_io;
use serde_json::{Value, json};

struct Component;

/// The second page of every list.
const MORE: &str = "more";

impl tools::Guest for Component {
    fn list_tools(_: MessageContext<'_>, request: ListToolsRequest) -> Result<ListToolsResult, ErrorCode> {
        let (names, next_cursor) = page(request.cursor, &["shout", "whoami"], &["picture"])?;
        Ok(ListToolsResult {
            meta: None,
            next_cursor,
            tools: names.iter().map(|name| tool(name)).collect(),
        })
    }

    fn call_tool(context: MessageContext<'_>, request: CallToolRequest) -> Result<Option<CallToolResult>, ErrorCode> {
        let arguments: Value = serde_json::from_str(&request.arguments.unwrap_or_default()).unwrap_or_default();
        Ok(Some(match request.name.as_str() {
            "shout" => {
                let said = arguments.get("text").and_then(|text| text.as_str()).unwrap_or_default();
                let told = log(&context, &format!("shouting {said}"));
                result(vec![text(&said.to_uppercase())], Some(json!({ "told": told })))
            }
            "whoami" => {
                let identity = context.identity.map(|identity| identity.claims.subject);
                let told = json!({ "revision": context.protocol_version, "identity": identity });
                result(vec![], Some(told))
            }
            "picture" => {
                let image = ImageContent {
                    data: BlobData::Blob(vec![1, 2, 3]),
                    mime_type: "image/png".to_owned(),
                    options: None,
                };
                result(vec![ContentBlock::Image(image)], None)
            }
            _ => return Ok(None),
        }))
    }
}

impl resources::Guest for Component {
    fn list_resources(_: MessageContext<'_>, request: ListResourcesRequest) -> Result<ListResourcesResult, ErrorCode> {
        let (names, next_cursor) = page(request.cursor, &["one"], &["two"])?;
        let resource = |name: &&str| McpResource {
            uri: format!("test://{name}"),
            name: (*name).to_owned(),
            options: None,
        };
        Ok(ListResourcesResult {
            meta: None,
            next_cursor,
            resources: names.iter().map(resource).collect(),
        })
    }

    fn read_resource(
        _: MessageContext<'_>,
        request: ReadResourceRequest,
    ) -> Result<Option<ReadResourceResult>, ErrorCode> {
        if request.uri == "test://broken" {
            return Err(ErrorCode::InternalError(error("it is broken")));
        }
        let Some(name) = request.uri.strip_prefix("test://").map(str::to_owned) else {
            return Ok(None);
        };
        let contents = TextResourceContents {
            uri: request.uri,
            text: TextData::Text(name),
            options: None,
        };
        Ok(Some(ReadResourceResult {
            meta: None,
            contents: vec![ResourceContents::Text(contents)],
        }))
    }

    fn list_resource_templates(
        _: MessageContext<'_>,
        _: ListResourceTemplatesRequest,
    ) -> Result<ListResourceTemplatesResult, ErrorCode> {
        Err(ErrorCode::MethodNotFound(error("no templates")))
    }
}

impl prompts::Guest for Component {
    fn list_prompts(_: MessageContext<'_>, request: ListPromptsRequest) -> Result<ListPromptsResult, ErrorCode> {
        let (names, next_cursor) = page(request.cursor, &["greet"], &[])?;
        let argument = PromptArgument {
            name: "who".to_owned(),
            description: None,
            required: Some(true),
            title: None,
        };
        let prompt = |name: &&str| Prompt {
            name: (*name).to_owned(),
            options: Some(PromptOptions {
                meta: None,
                arguments: Some(vec![argument.clone()]),
                description: Some("Greets somebody.".to_owned()),
                title: None,
                icons: None,
            }),
        };
        Ok(ListPromptsResult {
            meta: None,
            next_cursor,
            prompts: names.iter().map(prompt).collect(),
        })
    }

    fn get_prompt(_: MessageContext<'_>, request: GetPromptRequest) -> Result<Option<GetPromptResult>, ErrorCode> {
        let arguments: Value = serde_json::from_str(&request.arguments.unwrap_or_default()).unwrap_or_default();
        let who = arguments.get("who").and_then(|who| who.as_str()).unwrap_or_default();
        Ok((request.name == "greet").then(|| GetPromptResult {
            meta: None,
            description: None,
            messages: vec![PromptMessage {
                content: text(&format!("Say hello to {who}.")),
                role: Role::User,
            }],
        }))
    }
}

/// A page and where the next one is.
fn page<'a>(
    cursor: Option<String>,
    first: &'a [&'a str],
    second: &'a [&'a str],
) -> Result<(&'a [&'a str], Option<String>), ErrorCode> {
    match cursor.as_deref() {
        None => Ok((first, Some(MORE.to_owned()))),
        Some(MORE) => Ok((second, None)),
        Some(other) => Err(ErrorCode::InvalidParams(error(other))),
    }
}

fn tool(name: &str) -> Tool {
    let properties = match name {
        "shout" => json!({ "text": { "type": "string" } }),
        _ => json!({}),
    };
    Tool {
        name: name.to_owned(),
        input_schema: json!({ "type": "object", "properties": properties }).to_string(),
        options: Some(ToolOptions {
            meta: None,
            annotations: Some(ToolAnnotations {
                title: Some(format!("{name}, titled")),
                read_only_hint: Some(true),
                destructive_hint: None,
                idempotent_hint: None,
                open_world_hint: None,
            }),
            description: None,
            output_schema: None,
            title: None,
            icons: None,
        }),
    }
}

/// Tells the client, and whether that went well.
fn log(context: &MessageContext<'_>, data: &str) -> bool {
    let Some(stream) = context.client_stream else {
        return false;
    };
    let notification = LoggingMessageNotification {
        data: data.to_owned(),
        level: LogLevel::Info,
        logger: Some("shout".to_owned()),
    };
    let message = ServerMessage::Notification(ServerNotification::Log(notification));
    server_io::send_message(stream, message, &context.frame).is_ok()
}

fn result(content: Vec<ContentBlock>, structured: Option<Value>) -> CallToolResult {
    CallToolResult {
        meta: None,
        content,
        is_error: None,
        structured_content: structured.map(|structured| structured.to_string()),
    }
}

fn text(text: &str) -> ContentBlock {
    ContentBlock::Text(TextContent {
        text: TextData::Text(text.to_owned()),
        options: None,
    })
}

fn error(message: &str) -> Error {
    Error {
        code: -32603,
        message: message.to_owned(),
        data: None,
    }
}
