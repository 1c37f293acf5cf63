//! What there is.

use serde_json::{Value, json};

use crate::bindings::exports::mainstay::mcp::tools::Tool;

fn tool(name: &str, description: &str, schema: &Value) -> Tool {
    Tool {
        name: name.to_owned(),
        title: None,
        description: Some(description.to_owned()),
        input_schema: schema.to_string(),
        output_schema: None,
        hints: None,
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    }
}

pub(crate) fn tools() -> Vec<Tool> {
    let nothing = json!({ "type": "object", "properties": {} });
    let text =
        |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    let mut tools: Vec<Tool> = [
        ("test_simple_text", "answers with a text"),
        ("test_image_content", "answers with an image"),
        ("test_audio_content", "answers with sound"),
        ("test_embedded_resource", "answers with a resource"),
        ("test_multiple_content_types", "answers with several kinds of content"),
        ("test_error_handling", "always fails"),
        ("test_tool_with_logging", "logs while it works"),
        ("test_logging_tool", "logs while it works"),
        ("test_tool_with_progress", "says how far it is"),
        ("test_reconnection", "closes its stream before it answers"),
        ("test_trigger_tool_change", "says that the tools changed"),
        ("test_trigger_prompt_change", "says that the prompts changed"),
        ("test_missing_capability", "needs a language model of the client's"),
        ("test_streaming_elicitation", "asks the user"),
        ("test_elicitation_sep1034_defaults", "asks with defaults"),
        ("test_elicitation_sep1330_enums", "asks with choices"),
        ("test_input_required_result_elicitation", "asks for a name"),
        ("test_input_required_result_sampling", "asks a language model"),
        ("test_input_required_result_list_roots", "asks for roots"),
        ("test_input_required_result_request_state", "asks, and remembers"),
        (
            "test_input_required_result_multiple_inputs",
            "asks three things at once",
        ),
        ("test_input_required_result_multi_round", "asks twice"),
        ("test_input_required_result_tampered_state", "asks, and trusts nobody"),
        (
            "test_input_required_result_capabilities",
            "asks what the client can answer",
        ),
        ("trap", "takes its instance down"),
        ("spin", "never ends and never awaits"),
        ("who", "says who calls"),
        ("ask_form", "asks the user in the middle of the call"),
        ("ask_sample", "asks a language model in the middle of the call"),
        ("change_resources", "says that the resources changed"),
        ("update_watched", "says that the watched resource changed"),
    ]
    .map(|(name, description)| tool(name, description, &nothing))
    .to_vec();
    tools.push(tool("test_sampling", "has a language model answer", &text("prompt")));
    tools.push(tool("test_elicitation", "asks the user", &text("message")));
    let region = json!({ "type": "string", "x-mcp-header": "Region" });
    let schema = json!({ "type": "object", "properties": { "region": region } });
    tools.push(tool("test_x_mcp_header", "has a header repeat its argument", &schema));
    for (name, needs_tasks) in [
        ("greet", false),
        ("slow_compute", false),
        ("failing_job", true),
        ("protocol_error_job", false),
        ("confirm_delete", false),
        ("multi_input", false),
        ("test_tool_with_task", true),
    ] {
        let tool = tool(name, "takes its time", &json!({ "type": "object" }));
        tools.push(Tool { needs_tasks, ..tool });
    }
    tools.push(tool(
        "json_schema_2020_12_tool",
        "has a schema of every kind",
        &every_keyword(),
    ));
    tools
}

/// A schema with the keywords that have to come through.
fn every_keyword() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": text, "city": text },
            },
        },
        "properties": {
            "name": text,
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": text,
            "email": text,
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
