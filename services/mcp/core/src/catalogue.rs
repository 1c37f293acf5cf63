//! What the components offer, as clients are told: checked once, listed page by page.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use crate::error::RpcError;
use crate::headers::{self, Repeated};
use crate::model::{Prompt, Resource, ResourceTemplate, Tool};
use crate::object;
use crate::revision::Revision;
use crate::schema::Schema;

/// What components offer.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Tools in the order in which they are to be listed.
    pub tools: Vec<Tool>,
    /// Resources and templates; none if there is nobody who has any.
    pub resources: Option<(Vec<Resource>, Vec<ResourceTemplate>)>,
    /// Prompts; none if there is nobody who has any.
    pub prompts: Option<Vec<Prompt>>,
    /// Whether arguments can be completed.
    pub completions: bool,
}

/// An offer, checked.
#[derive(Debug, Default)]
pub struct Catalogue {
    tools: BTreeMap<String, CheckedTool>,
    prompts: BTreeSet<String>,
    lists: BTreeMap<Kind, Vec<Item>>,
    completions: bool,
    /// Cursors of another one are not taken.
    generation: u32,
}

/// An item of a list, as clients are told.
#[derive(Debug)]
struct Item {
    json: String,
    /// Up to 2025-11-25, if that is something else.
    legacy: Option<String>,
}

/// A list that clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `tools/list`
    Tools,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `prompts/list`
    Prompts,
}

/// A tool, with all that a call of it is checked against.
#[derive(Debug)]
pub struct CheckedTool {
    /// Of its arguments.
    pub input: Schema,
    /// Of its structured content, if it has such.
    pub output: Option<Schema>,
    /// The arguments that headers repeat.
    pub repeated: Vec<Repeated>,
    /// Only clients may call it that can come back for the answer.
    pub needs_tasks: bool,
}

/// Something that is left out, and why, in one line.
pub type Problem = String;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The items, a JSON array.
    pub items: String,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Item {
    fn told(&self, revision: Revision) -> &str {
        let legacy = self.legacy.as_ref().filter(|_| !revision.is_stateless());
        legacy.unwrap_or(&self.json)
    }
}

impl Kind {
    /// The list that a method asks for.
    pub fn of_method(method: &str) -> Option<Self> {
        Some(match method {
            "tools/list" => Self::Tools,
            "resources/list" => Self::Resources,
            "resources/templates/list" => Self::Templates,
            "prompts/list" => Self::Prompts,
            _ => return None,
        })
    }

    /// The member of the result that holds the items.
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }
}

impl Catalogue {
    /// Checks an offer. What is wrong with it is left out and told.
    pub fn new(offer: Offer, generation: u32) -> (Self, Vec<Problem>) {
        let mut catalogue = Self {
            completions: offer.completions,
            generation,
            ..Self::default()
        };
        let mut problems = Vec::new();
        let mut listed = Vec::new();
        for tool in offer.tools {
            match catalogue.add_tool(&tool) {
                Ok(()) => listed.push(item_of(tool)),
                Err(problem) => problems.push(format!("tool {:?} is left out: {problem}", tool.name)),
            }
        }
        catalogue.lists.insert(Kind::Tools, listed);
        if let Some((resources, templates)) = offer.resources {
            let resources = unique("resource", resources, |resource| &resource.uri, &mut problems);
            catalogue.lists.insert(Kind::Resources, resources);
            let templates = unique("template", templates, |template| &template.uri_template, &mut problems);
            catalogue.lists.insert(Kind::Templates, templates);
        }
        if let Some(prompts) = offer.prompts {
            catalogue.prompts = prompts.iter().map(|prompt| prompt.name.clone()).collect();
            let prompts = unique("prompt", prompts, |prompt| &prompt.name, &mut problems);
            catalogue.lists.insert(Kind::Prompts, prompts);
        }
        (catalogue, problems)
    }

    fn add_tool(&mut self, tool: &Tool) -> Result<(), Problem> {
        if tool.name.is_empty() {
            return Err("it has no name".to_owned());
        }
        if self.tools.contains_key(&tool.name) {
            return Err("another tool has its name".to_owned());
        }
        let input: Value = serde_json::from_str(tool.input_schema.get()).map_err(|error| error.to_string())?;
        if input.get("type").and_then(Value::as_str) != Some("object") {
            return Err("\"type\" of its input schema must be \"object\"".to_owned());
        }
        let output = tool.output_schema.as_ref().map(Schema::new).transpose();
        let checked = CheckedTool {
            input: Schema::new(&tool.input_schema).map_err(|error| format!("its input schema: {error}"))?,
            output: output.map_err(|error| format!("its output schema: {error}"))?,
            repeated: headers::repeated(&input)?,
            needs_tasks: tool.needs_tasks,
        };
        self.tools.insert(tool.name.clone(), checked);
        Ok(())
    }

    /// A tool.
    pub fn tool(&self, name: &str) -> Option<&CheckedTool> {
        self.tools.get(name)
    }

    /// Whether there is a prompt of that name.
    pub fn has_prompt(&self, name: &str) -> bool {
        self.prompts.contains(name)
    }

    /// Whether anybody has what this list would show.
    pub fn offers(&self, kind: Kind) -> bool {
        self.lists.contains_key(&kind)
    }

    /// Whether arguments can be completed.
    pub fn offers_completions(&self) -> bool {
        self.completions
    }

    /// How many items a list has.
    pub fn count(&self, kind: Kind) -> usize {
        self.lists.get(&kind).map_or(0, Vec::len)
    }

    /// A page of at most `size` items for clients of a revision, from the beginning or where `cursor` says.
    ///
    /// # Errors
    /// The cursor is none of this catalogue's.
    pub fn page(&self, kind: Kind, cursor: Option<&str>, size: usize, revision: Revision) -> Result<Page, RpcError> {
        let items = self.lists.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let start = match cursor {
            None => 0,
            Some(cursor) => self
                .start(kind, cursor)
                .filter(|start| *start < items.len())
                .ok_or_else(|| RpcError::params(format!("cursor {cursor:?} is not valid, or not any more")))?,
        };
        let end = start.saturating_add(size.max(1)).min(items.len());
        let page = items.get(start..end).unwrap_or_default();
        Ok(Page {
            items: object::list(page.iter().map(|item| item.told(revision))),
            next: (end < items.len()).then(|| self.cursor(kind, end)),
        })
    }

    fn cursor(&self, kind: Kind, start: usize) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {} {start}", kind.member(), self.generation))
    }

    fn start(&self, kind: Kind, cursor: &str) -> Option<usize> {
        let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (of, start) = decoded.rsplit_once(' ')?;
        let start = start.parse().ok()?;
        (of == format!("{} {}", kind.member(), self.generation)).then_some(start)
    }
}

/// 2025-11-25 §Tool: the output schema is an object's, as structured content is one. From 2026-07-28 on both are any JSON.
fn item_of(mut tool: Tool) -> Item {
    let json = object::text(&tool);
    let output = tool.output_schema.take();
    let schema = output.and_then(|schema| serde_json::from_str::<Value>(schema.get()).ok());
    let other = schema.is_some_and(|schema| schema.get("type").and_then(Value::as_str) != Some("object"));
    let legacy = other.then(|| object::text(&tool));
    Item { json, legacy }
}

fn unique<T: Serialize>(what: &str, items: Vec<T>, key: impl Fn(&T) -> &str, problems: &mut Vec<Problem>) -> Vec<Item> {
    let mut known = BTreeSet::new();
    let mut listed = Vec::new();
    for item in &items {
        if known.insert(key(item)) {
            let (json, legacy) = (object::text(item), None);
            listed.push(Item { json, legacy });
        } else {
            problems.push(format!("{what} {:?} is left out: another has its name", key(item)));
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    fn tool(name: &str, schema: &str) -> Tool {
        Tool {
            name: name.to_owned(),
            title: None,
            description: None,
            input_schema: json(schema.to_owned()).unwrap(),
            output_schema: None,
            annotations: None,
            icons: Vec::new(),
            meta: None,
            needs_tasks: false,
        }
    }

    fn catalogue(tools: Vec<Tool>, generation: u32) -> (Catalogue, Vec<Problem>) {
        let offer = Offer {
            tools,
            ..Offer::default()
        };
        Catalogue::new(offer, generation)
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let names = ["c", "a", "b", "e", "d"];
        let (catalogue, problems) = catalogue(names.map(|name| tool(name, r#"{"type":"object"}"#)).to_vec(), 1);
        assert_eq!(problems, Vec::<String>::new());
        let (mut cursor, mut pages) = (None, Vec::new());
        loop {
            let page = catalogue
                .page(Kind::Tools, cursor.as_deref(), 2, Revision::LATEST)
                .unwrap();
            pages.push(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let item = |name| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#);
        let expected = [vec!["c", "a"], vec!["b", "e"], vec!["d"]];
        let expected = expected.map(|names| format!("[{}]", names.into_iter().map(item).collect::<Vec<_>>().join(",")));
        assert_eq!(pages, expected);
    }

    #[test]
    fn a_cursor_of_another_list_or_time_is_refused() {
        let tools = || ["a", "b"].map(|name| tool(name, r#"{"type":"object"}"#)).to_vec();
        let (first, _) = catalogue(tools(), 1);
        let cursor = first
            .page(Kind::Tools, None, 1, Revision::LATEST)
            .unwrap()
            .next
            .unwrap();
        assert!(first.page(Kind::Prompts, Some(&cursor), 1, Revision::LATEST).is_err());
        assert!(
            catalogue(tools(), 2)
                .0
                .page(Kind::Tools, Some(&cursor), 1, Revision::LATEST)
                .is_err()
        );
        for cursor in ["", "invalid", "dG9vbHMgMSA5", "\u{0}"] {
            let error = first.page(Kind::Tools, Some(cursor), 1, Revision::LATEST).unwrap_err();
            assert_eq!(error.code, crate::error::INVALID_PARAMS, "{cursor:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_left_out_and_told() {
        let (catalogue, problems) = catalogue(
            vec![
                tool("good", r#"{"type":"object"}"#),
                tool("good", r#"{"type":"object"}"#),
                tool("", r#"{"type":"object"}"#),
                tool("list", r#"{"type":"array"}"#),
                tool("far", r#"{"type":"object","$ref":"https://example.com/schema"}"#),
                tool(
                    "header",
                    r#"{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
                ),
            ],
            1,
        );
        assert_eq!(catalogue.count(Kind::Tools), 1);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert_eq!(problems[0], "tool \"good\" is left out: another tool has its name");
        assert_eq!(
            problems[2],
            "tool \"list\" is left out: \"type\" of its input schema must be \"object\""
        );
    }

    #[test]
    fn an_output_schema_that_is_no_objects_is_not_told_where_structured_content_is_an_object() {
        let with = |output: &str| {
            let mut tool = tool("t", r#"{"type":"object"}"#);
            tool.output_schema = Some(json(output.to_owned()).unwrap());
            tool
        };
        for (output, told) in [
            (r#"{"type":"object"}"#, true),
            (r#"{"type":"array"}"#, false),
            (r#"{"anyOf":[{"type":"object"}]}"#, false),
        ] {
            let (catalogue, problems) = catalogue(vec![with(output)], 1);
            assert_eq!(problems, Vec::<String>::new());
            for (revision, told) in [(Revision::LATEST_LEGACY, told), (Revision::LATEST, true)] {
                let page = catalogue.page(Kind::Tools, None, 1, revision).unwrap();
                assert_eq!(page.items.contains("outputSchema"), told, "{output}");
            }
        }
    }
}
