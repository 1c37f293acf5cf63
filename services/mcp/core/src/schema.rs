//! JSON Schema: 2020-12 unless a schema says otherwise; drafts 4, 6, 7 and 2019-09 too.
//!
//! Nothing is fetched: a schema that refers to another by the network is refused (2026-07-28 §`$ref` Resolution).

use jsonschema::Validator;
use serde_json::Value;

use crate::model::Json;

/// At most so many violations are told.
const TOLD: usize = 5;

/// A schema that values can be checked against.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is none, or refers to what is not in it, in words.
    pub fn new(json: &Json) -> Result<Self, String> {
        let value: Value = serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
        let validator = jsonschema::validator_for(&value).map_err(|error| error.to_string())?;
        Ok(Self { validator })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, in words, with the place of each mistake.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mut told = String::new();
        for error in self.validator.iter_errors(value).take(TOLD) {
            let place = error.instance_path().to_string();
            if !told.is_empty() {
                told.push_str("; ");
            }
            if !place.is_empty() {
                told.push_str(&place);
                told.push_str(": ");
            }
            told.push_str(&error.to_string());
        }
        Err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;
    use serde_json::json as value;

    fn schema(text: &str) -> Result<Schema, String> {
        Schema::new(&json(text.to_owned()).unwrap())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let schema = schema(r#"{"type":"object","properties":{"a":{"type":"number"}},"required":["b"]}"#).unwrap();
        assert_eq!(schema.check(&value!({"a": 1, "b": 2})), Ok(()));
        assert_eq!(
            schema.check(&value!({"a": "x"})),
            Err("\"b\" is a required property; /a: \"x\" is not of type \"number\"".to_owned())
        );
    }

    #[test]
    fn the_default_dialect_is_2020_12_and_others_are_named() {
        let tuple = schema(r#"{"prefixItems":[{"type":"string"}],"items":false}"#).unwrap();
        assert!(tuple.check(&value!(["a", 1])).is_err());
        let older = r#"{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}],"additionalItems":false}"#;
        assert!(schema(older).unwrap().check(&value!(["a", 1])).is_err());
    }

    #[test]
    fn a_schema_that_is_none_or_elsewhere_is_refused() {
        assert!(schema(r#"{"type":"thing"}"#).is_err());
        assert!(schema(r##"{"$ref":"#/$defs/none"}"##).is_err());
        assert!(schema(r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#).is_err());
    }
}
