//! Writing JSON objects member by member, in the order in which they are to be read.
//!
//! `serde_json::Value` would sort the members of what components hand over as JSON, and language models do see the order
//! of a schema's properties.

use serde::Serialize;

/// A JSON object in the making.
#[derive(Clone, Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Self {
        Self("{".to_owned())
    }
}

impl Object {
    /// One without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member whose value is JSON already.
    #[must_use]
    pub fn raw(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(&name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        self.raw(name, &text(&value))
    }

    /// Adds a member if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&(impl Serialize + ?Sized)>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds the members of an object that is JSON already. What is no object adds nothing.
    #[must_use]
    pub fn members(mut self, json: &str) -> Self {
        let inner = json.trim().strip_prefix('{').and_then(|json| json.strip_suffix('}'));
        let inner = inner.map_or("", str::trim);
        if !inner.is_empty() {
            if self.0.len() > 1 {
                self.0.push(',');
            }
            self.0.push_str(inner);
        }
        self
    }

    /// The object as text.
    #[must_use]
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A value as JSON. Only what has no JSON, which nothing here is, would be null.
pub fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A list of values that are JSON already.
pub fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = "[".to_owned();
    for value in values {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(value);
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_in_their_order() {
        let object = Object::new()
            .with("z", &1)
            .raw("a", r#"{"y":1,"b":2}"#)
            .with_some("none", None::<&u8>)
            .members(r#" {"q":[]} "#)
            .members("{}")
            .end();
        assert_eq!(object, r#"{"z":1,"a":{"y":1,"b":2},"q":[]}"#);
        assert_eq!(Object::new().members("{}").end(), "{}");
        assert_eq!(list(["1", "{}"]), "[1,{}]");
    }
}
