//! One setting, and the ways to read it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::{ConfigError, format_duration, format_size, parse_duration, parse_size};

/// A setting that is set. Every error it gives names it and shows what it holds.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it stands: `CRON_TIMEOUT`, or `/config/cron.toml line 3: timeout`.
    name: String,
    content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    List(Vec<String>),
    /// Of what kind it is instead.
    NoValue(&'static str),
}

impl Value {
    pub(super) fn new(name: String, content: Content) -> Self {
        Self { name, content }
    }

    /// Where it stands, as errors name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, as it was given.
    pub fn text(&self) -> Result<&str, ConfigError> {
        match &self.content {
            Content::Text(text) => Ok(text),
            Content::List(_) => Err(ConfigError::new(format!("{}: a list, must be one value", self.name))),
            Content::NoValue(kind) => Err(ConfigError::new(format!("{}: {kind}, must be a value", self.name))),
        }
    }

    /// What `parse` makes of the text. Its error is the rule that the text breaks.
    pub fn parse<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, ConfigError> {
        parse(self.text()?).map_err(|rule| self.error(rule))
    }

    /// A whole number in a range.
    pub fn integer<T>(&self, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let rule = || format!("not a whole number in {}-{}", range.start(), range.end());
        self.parse(|text| {
            text.trim()
                .parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(rule)
        })
    }

    /// A duration in a range, see [`parse_duration`].
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, ConfigError> {
        let duration = self.parse(parse_duration)?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = (format_duration(*range.start()), format_duration(*range.end()));
        Err(self.error(format!("not in {least} to {most}")))
    }

    /// A size in bytes in a range, see [`parse_size`].
    pub fn size(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let bytes = self.parse(parse_size)?;
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        Err(self.error(format!(
            "not in {} to {}",
            format_size(*range.start()),
            format_size(*range.end())
        )))
    }

    /// One of some words.
    pub fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Result<T, ConfigError> {
        self.parse(|text| match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(meaning.clone()),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(format!("not one of {}", words.join(", ")))
            }
        })
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Result<bool, ConfigError> {
        self.one_of(&[("true", true), ("false", false)])
    }

    /// An IP address and a port. Host names are for [`net`](crate::net).
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        let rule = "not an IP address and a port, for example 127.0.0.1:8081";
        self.parse(|text| text.trim().parse().map_err(|_| rule))
    }

    /// Its items: those of an array in the file, or the parts of a text between commas.
    pub fn list(&self) -> Result<Vec<Self>, ConfigError> {
        let items: Vec<String> = match &self.content {
            Content::List(items) => items.clone(),
            _ => self
                .text()?
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        };
        Ok(items
            .into_iter()
            .map(|item| Self::new(self.name.clone(), Content::Text(item)))
            .collect())
    }

    /// An error that says which rule this value breaks, for checks that are a service's own.
    pub fn error(&self, rule: impl Display) -> ConfigError {
        match &self.content {
            Content::Text(text) => ConfigError::new(format!("{} {text:?}: {rule}", self.name)),
            Content::List(_) | Content::NoValue(_) => ConfigError::new(format!("{}: {rule}", self.name)),
        }
    }
}
