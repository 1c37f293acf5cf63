//! Resources, prompts, completions.

use serde_json::json;

use crate::bindings::exports::mainstay::mcp::completions::{self, Completion, Reference};
use crate::bindings::exports::mainstay::mcp::prompts::{self, Argument, Message, Prompt, PromptOutcome, PromptResult};
use crate::bindings::exports::mainstay::mcp::resources::{self, Listing, ReadOutcome, ResourceTemplate};
use crate::bindings::mainstay::mcp::types::{
    Block, Caller, Content, Failure, Input, ResourceBody, ResourceContents, ResourceInfo, Role,
};
use crate::plain::{PNG, image, resource};
use crate::{Everything, asking, content};

fn info(uri: &str, name: &str, mime_type: &str) -> ResourceInfo {
    ResourceInfo {
        uri: uri.to_owned(),
        name: name.to_owned(),
        title: None,
        description: Some(format!("the {name} of the conformance suite")),
        mime_type: Some(mime_type.to_owned()),
        size: None,
        annotations: None,
        icons: Vec::new(),
        meta: None,
    }
}

impl resources::Guest for Everything {
    async fn list_resources() -> Result<Option<Listing>, Failure> {
        let template = ResourceTemplate {
            uri_template: "test://template/{id}/data".to_owned(),
            name: "template".to_owned(),
            title: None,
            description: Some("the template of the conformance suite".to_owned()),
            mime_type: Some("application/json".to_owned()),
            annotations: None,
            icons: Vec::new(),
            meta: None,
        };
        Ok(Some(Listing {
            resources: vec![
                info("test://static-text", "static text", "text/plain"),
                info("test://static-binary", "static image", "image/png"),
                info("test://watched-resource", "watched resource", "text/plain"),
            ],
            templates: vec![template],
        }))
    }

    async fn read_resource(uri: String, _input: Input, _caller: Caller) -> Result<ReadOutcome, Failure> {
        let id = uri
            .strip_prefix("test://template/")
            .and_then(|rest| rest.strip_suffix("/data"));
        let contents = match (uri.as_str(), id) {
            ("test://static-text", _) => {
                resource(&uri, "text/plain", "This is the content of the static text resource.")
            }
            ("test://watched-resource", _) => resource(&uri, "text/plain", "watched"),
            ("test://static-binary", _) => ResourceContents {
                body: ResourceBody::Blob(PNG.to_vec()),
                ..resource(&uri, "image/png", "")
            },
            (_, Some(id)) => {
                let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                resource(&uri, "application/json", &data.to_string())
            }
            _ => return Ok(ReadOutcome::NotMine),
        };
        Ok(ReadOutcome::Done(vec![contents]))
    }
}

fn prompt(name: &str, arguments: &[&str]) -> Prompt {
    let argument = |name: &&str| Argument {
        name: (*name).to_owned(),
        title: None,
        description: Some(format!("the argument {name}")),
        required: true,
    };
    Prompt {
        name: name.to_owned(),
        title: None,
        description: Some(format!("{name} of the conformance suite")),
        arguments: arguments.iter().map(argument).collect(),
        icons: Vec::new(),
        meta: None,
    }
}

fn says(content: Content) -> Message {
    Message {
        role: Role::User,
        content,
    }
}

fn text(text: impl Into<String>) -> Message {
    says(content(Block::Text(text.into())))
}

impl prompts::Guest for Everything {
    async fn list_prompts() -> Result<Option<Vec<Prompt>>, Failure> {
        Ok(Some(vec![
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
            prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
            prompt("test_prompt_with_image", &[]),
            prompt("test_input_required_result_prompt", &[]),
        ]))
    }

    async fn get_prompt(
        name: String,
        arguments: Vec<(String, String)>,
        input: Input,
        _caller: Caller,
    ) -> Result<PromptOutcome, Failure> {
        let argument = |name: &str| {
            let found = arguments.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let messages = match name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (argument("arg1"), argument("arg2"));
                vec![text(format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => {
                let embedded = "Embedded resource content for testing.";
                let resource = resource(argument("resourceUri"), "text/plain", embedded);
                vec![
                    says(content(Block::Embedded(resource))),
                    text("Please process the embedded resource above."),
                ]
            }
            "test_prompt_with_image" => vec![says(content(image())), text("Please analyze the image above.")],
            "test_input_required_result_prompt" => match asking::answer(&input, "user_context") {
                Some(answer) => vec![text(format!("In the context of {answer}"))],
                None => {
                    let context = json!({ "context": { "type": "string" } });
                    let question = asking::form("What context should the prompt use?", &context, &["context"]);
                    return Ok(PromptOutcome::NeedsInput(asking::needs(
                        [("user_context", question)],
                        None,
                    )));
                }
            },
            _ => return Ok(PromptOutcome::NotMine),
        };
        Ok(PromptOutcome::Done(PromptResult {
            description: None,
            messages,
            meta: None,
        }))
    }
}

impl completions::Guest for Everything {
    async fn enabled() -> bool {
        true
    }

    async fn complete(
        _reference: Reference,
        _argument: String,
        value: String,
        _known: Vec<(String, String)>,
        _caller: Caller,
    ) -> Result<Option<Completion>, Failure> {
        let known = ["paris", "park", "party", "test1", "test2"];
        let values: Vec<String> = known
            .iter()
            .filter(|known| known.starts_with(&value))
            .map(ToString::to_string)
            .collect();
        Ok(Some(Completion {
            total: Some(values.len() as u64),
            values,
            has_more: Some(false),
        }))
    }
}
