//! The TOML file, with the line of each value, so that an error can point at it.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::ConfigError;
use super::value::{Content, Value};

/// A table of the file: the whole of it, or one of its sections.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The file's path.
    pub(super) path: String,
    /// Where the table begins; 1 for the whole file, 0 if it was never text.
    pub(super) line: usize,
    pub(super) entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) item: Item,
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(String),
    List(Vec<String>),
    Table(Table),
    Tables(Vec<Table>),
    /// A list of what is neither all values nor all tables.
    Mixed,
}

impl Table {
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let reader = Reader::new(path, text);
        match DeTable::parse(text) {
            Ok(table) => Ok(reader.table(table.get_ref(), 1)),
            Err(error) => {
                let line = error.span().map_or(1, |span| reader.line(span.start));
                let message = error.message().replace('\n', ", ");
                Err(ConfigError::new(format!("{path} line {line}: {message}")))
            }
        }
    }

    /// A table that was never text: its entries have no lines.
    pub(super) fn of_texts(path: &str, texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let entry = |(key, text)| {
            (
                key,
                Entry {
                    line: 0,
                    item: Item::Text(text),
                },
            )
        };
        Self {
            path: path.to_owned(),
            line: 0,
            entries: texts.into_iter().map(entry).collect(),
        }
    }

    /// Where an entry stands, as errors name it.
    pub(super) fn name(&self, key: &str, entry: &Entry) -> String {
        match entry.line {
            0 => format!("{}: {key}", self.path),
            line => format!("{} line {line}: {key}", self.path),
        }
    }

    /// Where the table begins, as errors name it.
    pub(super) fn place(&self) -> String {
        match self.line {
            0 => self.path.clone(),
            line => format!("{} line {line}", self.path),
        }
    }

    pub(super) fn value(&self, key: &str, entry: Entry) -> Value {
        let name = self.name(key, &entry);
        let content = match entry.item {
            Item::Text(text) => Content::Text(text),
            Item::List(items) => Content::List(items),
            Item::Table(_) => Content::NoValue("a table"),
            Item::Tables(_) => Content::NoValue("a list of tables"),
            Item::Mixed => Content::NoValue("a list of mixed things"),
        };
        Value::new(name, content)
    }
}

struct Reader<'a> {
    path: &'a str,
    /// Where the lines end: a file may have a hundred thousand tables, and each value is asked for its line.
    line_ends: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a str, text: &str) -> Self {
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Self { path, line_ends }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    fn table(&self, table: &DeTable<'_>, line: usize) -> Table {
        let entries = table.iter().map(|(key, value)| {
            let entry = Entry {
                line: self.line(key.span().start),
                item: self.item(value),
            };
            (key.get_ref().to_string(), entry)
        });
        Table {
            path: self.path.to_owned(),
            line,
            entries: entries.collect(),
        }
    }

    fn item(&self, value: &Spanned<DeValue<'_>>) -> Item {
        match value.get_ref() {
            DeValue::Table(table) => Item::Table(self.table(table, self.line(value.span().start))),
            DeValue::Array(items) => self.array(items),
            value => scalar(value).map_or(Item::Mixed, Item::Text),
        }
    }

    fn array(&self, items: &DeArray<'_>) -> Item {
        let tables = items.iter().map(|item| match item.get_ref() {
            DeValue::Table(table) => Some(self.table(table, self.line(item.span().start))),
            _ => None,
        });
        let texts = items.iter().map(|item| scalar(item.get_ref()));
        if let Some(texts) = texts.collect() {
            Item::List(texts)
        } else if let Some(tables) = tables.collect() {
            Item::Tables(tables)
        } else {
            Item::Mixed
        }
    }
}

/// The text of a value, as it would stand in the environment.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let plain = i128::from_str_radix(number.as_str(), number.radix());
            Some(plain.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(instant) => Some(instant.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
