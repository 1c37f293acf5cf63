//! From what components say to what the protocol says, and back.

use mainstay_mcp_core::catalogue::{Offer, Problem};
use mainstay_mcp_core::engine::{CallRequest, Event};
use mainstay_mcp_core::error::RpcError;
use mainstay_mcp_core::model::{self, Ask, Content, ContentKind, Done, Json, Outcome, ResourceBody};

use crate::types::{self, Failure};
use crate::{completions, events, prompts, resources, tools};

/// What a component said that cannot be told.
type Wrong = String;

/// Who asks, as components are told.
pub(crate) fn caller(request: &CallRequest) -> types::Caller {
    let caller = &request.caller;
    let (client_name, client_version) = caller.client.clone().unzip();
    types::Caller {
        call: request.token.clone(),
        revision: caller.revision.name().to_owned(),
        client_name,
        client_version,
        capabilities: caller.capabilities.to_string(),
        identity: caller.identity.as_deref().map(|identity| types::Identity {
            subject: identity.subject.clone(),
            issuer: identity.issuer.clone(),
            scopes: identity.scopes.clone(),
            claims: identity.claims.clone(),
        }),
        meta: request.meta.clone(),
        traceparent: request.traceparent.clone(),
    }
}

/// What happened to a client, as components are told.
pub(crate) fn event(event: Event) -> events::Event {
    let subscription = |client, uri| events::Subscription { client, uri };
    match event {
        Event::Connected(client, name, version) => {
            events::Event::Connected(events::Connected { client, name, version })
        }
        Event::Subscribed(client, uri) => events::Event::Subscribed(subscription(client, uri)),
        Event::Unsubscribed(client, uri) => events::Event::Unsubscribed(subscription(client, uri)),
        Event::Closed(client) => events::Event::Closed(client),
    }
}

/// What became of a call of a tool.
pub(crate) fn tool_outcome(answered: Result<tools::Outcome, Failure>) -> Outcome {
    outcome(answered.map(|answered| match answered {
        tools::Outcome::Done(result) => tool_result(result).map(|result| Outcome::Done(Done::Tool(result))),
        tools::Outcome::NeedsInput(needed) => needs_input(needed),
        tools::Outcome::NotMine => Ok(Outcome::NotMine),
    }))
}

/// What became of reading a resource.
pub(crate) fn read_outcome(answered: Result<resources::ReadOutcome, Failure>) -> Outcome {
    outcome(answered.map(|answered| match answered {
        resources::ReadOutcome::Done(contents) => {
            let contents = contents.into_iter().map(resource_contents).collect::<Result<_, _>>();
            contents.map(|contents| Outcome::Done(Done::Resource(contents)))
        }
        resources::ReadOutcome::NeedsInput(needed) => needs_input(needed),
        resources::ReadOutcome::NotMine => Ok(Outcome::NotMine),
    }))
}

/// What became of asking for a prompt.
pub(crate) fn prompt_outcome(answered: Result<prompts::PromptOutcome, Failure>) -> Outcome {
    outcome(answered.map(|answered| match answered {
        prompts::PromptOutcome::Done(result) => {
            let message = |message: prompts::Message| {
                Ok::<_, Wrong>(model::PromptMessage {
                    role: role(message.role),
                    content: content(message.content)?,
                })
            };
            Ok(Outcome::Done(Done::Prompt(model::PromptResult {
                description: result.description,
                messages: result.messages.into_iter().map(message).collect::<Result<_, _>>()?,
                meta: object("meta", result.meta)?,
            })))
        }
        prompts::PromptOutcome::NeedsInput(needed) => needs_input(needed),
        prompts::PromptOutcome::NotMine => Ok(Outcome::NotMine),
    }))
}

/// How an argument may go on.
pub(crate) fn completion(answered: Result<Option<completions::Completion>, Failure>) -> Outcome {
    outcome(answered.map(|answered| {
        Ok(match answered {
            Some(completion) => Outcome::Done(Done::Completion(model::Completion {
                values: completion.values,
                total: completion.total,
                has_more: completion.has_more,
            })),
            None => Outcome::NotMine,
        })
    }))
}

fn outcome(answered: Result<Result<Outcome, Wrong>, Failure>) -> Outcome {
    match answered {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(wrong)) => Outcome::Failed(RpcError::internal(format!("the component's answer: {wrong}"))),
        Err(Failure::Invalid(message)) => Outcome::Failed(RpcError::params(message)),
        Err(Failure::Broken(message)) => Outcome::Failed(RpcError::internal(message)),
    }
}

/// What components offer, and what of it cannot be told.
pub(crate) fn offer(
    tools: Vec<tools::Tool>,
    resources: Option<resources::Listing>,
    prompts: Option<Vec<prompts::Prompt>>,
    completions: bool,
) -> (Offer, Vec<Problem>) {
    let mut problems = Vec::new();
    let tools = each("tool", tools, |tool| tool.name.clone(), tool, &mut problems);
    let resources = resources.map(|listing| {
        let name = |resource: &types::ResourceInfo| resource.uri.clone();
        let found = each("resource", listing.resources, name, resource, &mut problems);
        let name = |template: &resources::ResourceTemplate| template.uri_template.clone();
        (
            found,
            each("template", listing.templates, name, template, &mut problems),
        )
    });
    let prompts = prompts.map(|prompts| each("prompt", prompts, |prompt| prompt.name.clone(), prompt, &mut problems));
    let offer = Offer {
        tools,
        resources,
        prompts,
        completions,
    };
    (offer, problems)
}

fn each<T, U>(
    what: &str,
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    convert: impl Fn(T) -> Result<U, Wrong>,
    problems: &mut Vec<Problem>,
) -> Vec<U> {
    let converted = items.into_iter().filter_map(|item| {
        let name = name(&item);
        let wrong = |wrong| problems.push(format!("{what} {name:?} is left out: {wrong}"));
        convert(item).map_err(wrong).ok()
    });
    converted.collect()
}

fn tool(tool: tools::Tool) -> Result<model::Tool, Wrong> {
    Ok(model::Tool {
        name: tool.name,
        title: tool.title,
        description: tool.description,
        input_schema: json("its input schema", tool.input_schema)?,
        output_schema: tool
            .output_schema
            .map(|schema| json("its output schema", schema))
            .transpose()?,
        annotations: tool.hints.map(|hints| model::ToolAnnotations {
            title: None,
            read_only_hint: hints.read_only,
            destructive_hint: hints.destructive,
            idempotent_hint: hints.idempotent,
            open_world_hint: hints.open_world,
        }),
        icons: icons(tool.icons),
        meta: object("its meta", tool.meta)?,
        needs_tasks: tool.needs_tasks,
    })
}

fn tool_result(result: tools::ToolResult) -> Result<model::ToolResult, Wrong> {
    Ok(model::ToolResult {
        content: result.content.into_iter().map(content).collect::<Result<_, _>>()?,
        structured: result
            .structured
            .map(|structured| json("structured", structured))
            .transpose()?,
        is_error: result.is_error,
        meta: object("meta", result.meta)?,
    })
}

fn resource(resource: types::ResourceInfo) -> Result<model::Resource, Wrong> {
    Ok(model::Resource {
        uri: resource.uri,
        name: resource.name,
        title: resource.title,
        description: resource.description,
        mime_type: resource.mime_type,
        size: resource.size,
        annotations: resource.annotations.map(annotations),
        icons: icons(resource.icons),
        meta: object("its meta", resource.meta)?,
    })
}

fn template(template: resources::ResourceTemplate) -> Result<model::ResourceTemplate, Wrong> {
    Ok(model::ResourceTemplate {
        uri_template: template.uri_template,
        name: template.name,
        title: template.title,
        description: template.description,
        mime_type: template.mime_type,
        annotations: template.annotations.map(annotations),
        icons: icons(template.icons),
        meta: object("its meta", template.meta)?,
    })
}

fn prompt(prompt: prompts::Prompt) -> Result<model::Prompt, Wrong> {
    let argument = |argument: prompts::Argument| model::Argument {
        name: argument.name,
        title: argument.title,
        description: argument.description,
        required: argument.required,
    };
    Ok(model::Prompt {
        name: prompt.name,
        title: prompt.title,
        description: prompt.description,
        arguments: prompt.arguments.into_iter().map(argument).collect(),
        icons: icons(prompt.icons),
        meta: object("its meta", prompt.meta)?,
    })
}

fn resource_contents(contents: types::ResourceContents) -> Result<model::ResourceContents, Wrong> {
    Ok(model::ResourceContents {
        uri: contents.uri,
        mime_type: contents.mime_type,
        body: match contents.body {
            types::ResourceBody::Text(text) => ResourceBody::Text(text),
            types::ResourceBody::Blob(bytes) => ResourceBody::Blob(bytes),
        },
        meta: object("meta of a resource", contents.meta)?,
    })
}

fn content(content: types::Content) -> Result<Content, Wrong> {
    let kind = match content.block {
        types::Block::Text(text) => ContentKind::Text(text),
        types::Block::Image(media) => ContentKind::Image(media.data, media.mime_type),
        types::Block::Audio(media) => ContentKind::Audio(media.data, media.mime_type),
        types::Block::Link(linked) => ContentKind::Link(Box::new(resource(linked)?)),
        types::Block::Embedded(contents) => ContentKind::Embedded(resource_contents(contents)?),
    };
    Ok(Content {
        kind,
        annotations: content.annotations.map(annotations),
        meta: object("meta of content", content.meta)?,
    })
}

fn needs_input(needed: types::InputNeeded) -> Result<Outcome, Wrong> {
    let ask = |(key, question)| question_of(question).map(|ask| (key, ask));
    Ok(Outcome::NeedsInput(model::NeedsInput {
        asks: needed.questions.into_iter().map(ask).collect::<Result<_, _>>()?,
        state: needed.state,
    }))
}

fn question_of(question: types::Question) -> Result<Ask, Wrong> {
    Ok(match question {
        types::Question::Form(form) => Ask::Form(form.message, object_of("the schema of a form", form.schema)?),
        types::Question::Page(page) => Ask::Page(page.message, page.url),
        types::Question::Sample(parameters) => Ask::Sample(object_of("the parameters of a sample", parameters)?),
        types::Question::Roots => Ask::Roots,
    })
}

fn role(role: types::Role) -> model::Role {
    match role {
        types::Role::User => model::Role::User,
        types::Role::Assistant => model::Role::Assistant,
    }
}

fn annotations(annotations: types::Annotations) -> model::Annotations {
    model::Annotations {
        audience: annotations.audience.into_iter().map(role).collect(),
        priority: annotations.priority,
        last_modified: annotations.last_modified,
    }
}

fn icons(icons: Vec<types::Icon>) -> Vec<model::Icon> {
    let icon = |icon: types::Icon| model::Icon {
        src: icon.src,
        mime_type: icon.mime_type,
        sizes: icon.sizes,
        theme: icon.theme,
    };
    icons.into_iter().map(icon).collect()
}

fn json(what: &str, text: String) -> Result<Json, Wrong> {
    model::json(text).map_err(|error| format!("{what} is not JSON: {error}"))
}

fn object_of(what: &str, text: String) -> Result<Json, Wrong> {
    model::json_object(text).map_err(|error| format!("{what}: {error}"))
}

fn object(what: &str, text: Option<String>) -> Result<Option<Json>, Wrong> {
    text.map(|text| object_of(what, text)).transpose()
}
