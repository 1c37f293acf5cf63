//! Where settings are found, and what is refused because nobody asked for it.

use std::collections::BTreeMap;

use super::file::{Item, Table};
use super::value::{Content, Value};
use super::{ConfigError, Secret};

/// The settings of one service, or of one table in its file.
///
/// Every setting that is asked for is thereby known. What is set and was not asked for is an error, so a reader must
/// ask for all of its settings, whatever their values.
#[derive(Debug)]
pub struct Settings {
    /// `CRON_`; none in a table, whose settings have no variables.
    prefix: Option<String>,
    environment: BTreeMap<String, String>,
    table: Option<Table>,
    /// Names that were asked for: of variables and of keys in the table.
    known_variables: Vec<String>,
    known_keys: Vec<String>,
}

impl Settings {
    /// Reads the settings with this prefix from the environment, and from the file that `<prefix>CONFIG` names.
    pub fn read<T>(prefix: &str, read: impl FnOnce(&mut Self) -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        // A value that is not Unicode is nobody's setting, or wrong in a way that its reader will tell.
        let variables = std::env::vars_os();
        let text = variables.map(|(key, value)| (key.to_string_lossy().into(), value.to_string_lossy().into_owned()));
        Self::read_from::<T, String, String>(prefix, text, read)
    }

    /// [`Settings::read`] from an environment that is given.
    pub fn read_from<T, K: Into<String>, V: Into<String>>(
        prefix: &str,
        environment: impl IntoIterator<Item = (K, V)>,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let environment = environment
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        let mut settings = Self {
            prefix: Some(prefix.to_owned()),
            environment,
            table: None,
            known_variables: Vec::new(),
            known_keys: Vec::new(),
        };
        if let Some(path) = settings.value("config") {
            let text =
                path.parse(|path| std::fs::read_to_string(path).map_err(|error| format!("not read: {error}")))?;
            settings.table = Some(Table::parse(path.text()?, &text)?);
        }
        let value = read(&mut settings)?;
        settings.refuse_unknown()?;
        Ok(value)
    }

    /// Reads settings from TOML that is not a file of its own. Errors call it `source`.
    pub fn read_toml<T>(
        source: &str,
        text: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        Self::read_table(Table::parse(source, text)?, read)
    }

    /// Reads settings from names and texts, the last of a name winning. Errors call them `source`.
    pub fn read_pairs<T>(
        source: &str,
        pairs: impl IntoIterator<Item = (String, String)>,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        Self::read_table(Table::of_texts(source, pairs), read)
    }

    /// A setting, if it is set. `key` is its name in the file, `timeout`; its variable is `CRON_TIMEOUT`.
    pub fn value(&mut self, key: &str) -> Option<Value> {
        let variable = self.variable(key);
        self.find(key, variable)
    }

    /// A setting whose variable is the ecosystem's own: `endpoint`, `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn value_named(&mut self, key: &str, variable: &str) -> Option<Value> {
        self.find(key, Some(variable.to_owned()))
    }

    /// A setting that must be set. `example` is one that could stand there.
    pub fn required(&mut self, key: &str, example: &str) -> Result<Value, ConfigError> {
        self.value(key).ok_or_else(|| self.missing(key, example))
    }

    /// What `read` makes of a setting, or `default` if it is not set.
    pub fn or<T>(
        &mut self,
        key: &str,
        default: T,
        read: impl FnOnce(&Value) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.value(key).as_ref().map_or(Ok(default), read)
    }

    /// A secret, if it is set: by the variable itself, or by a file that `<variable>_FILE` or `<key>_file` names.
    pub fn secret(&mut self, key: &str) -> Result<Option<Secret>, ConfigError> {
        if let Some(table) = &self.table
            && let Some(entry) = table.entries.get(key)
        {
            let name = table.name(key, entry);
            let rule = "a secret, must come by a variable, or by a file that this one names";
            return Err(ConfigError::new(format!(
                "{name}: {rule}: {key}_file = \"/run/secrets/{key}\""
            )));
        }
        let direct = self.value(key);
        let by_file = self.value(&format!("{key}_file"));
        match (direct, by_file) {
            (Some(direct), Some(file)) => {
                let message = format!("{} and {} are both set, must be one", direct.name(), file.name());
                Err(ConfigError::new(message))
            }
            (Some(direct), None) => Ok(Some(Secret::new(direct.text()?))),
            (None, Some(file)) => {
                let text =
                    file.parse(|path| std::fs::read_to_string(path).map_err(|error| format!("not read: {error}")))?;
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    Err(file.error("an empty file"))
                } else {
                    Ok(Some(Secret::new(text)))
                }
            }
            (None, None) => Ok(None),
        }
    }

    /// What `read` makes of each table of a list, `[[job]]` in the file; none if there is no such list.
    pub fn tables<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        self.known_keys.push(key.to_owned());
        let Some(table) = &mut self.table else {
            return Ok(Vec::new());
        };
        match table.entries.remove(key) {
            None => Ok(Vec::new()),
            Some(entry) => match entry.item {
                Item::Tables(tables) => tables
                    .into_iter()
                    .map(|table| Self::read_table(table, &mut read))
                    .collect(),
                Item::List(items) if items.is_empty() => Ok(Vec::new()),
                _ => {
                    let rule = format!("not a list of tables, each must begin with [[{key}]]");
                    Err(ConfigError::new(format!("{}: {rule}", table.name(key, &entry))))
                }
            },
        }
    }

    /// What `read` makes of a table, `[retry]` in the file, if it is there.
    pub fn table<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.known_keys.push(key.to_owned());
        let Some(table) = &mut self.table else { return Ok(None) };
        match table.entries.remove(key) {
            None => Ok(None),
            Some(entry) => match entry.item {
                Item::Table(table) => Self::read_table(table, read).map(Some),
                _ => {
                    let rule = format!("not a table, must begin with [{key}]");
                    Err(ConfigError::new(format!("{}: {rule}", table.name(key, &entry))))
                }
            },
        }
    }

    /// Settings that have another prefix because another service has them as well: `NATS_URL`, or `url` in the table
    /// `[nats]` of this service's file. Variables that are the other service's alone are not refused.
    pub fn beside<T>(
        &mut self,
        key: &str,
        prefix: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let environment = self.environment.clone();
        let shared = |table| Self {
            prefix: Some(prefix.to_owned()),
            environment,
            table,
            known_variables: Vec::new(),
            known_keys: Vec::new(),
        };
        let table = self.table(key, |inner| Ok(inner.table.take()))?.flatten();
        let mut settings = shared(table);
        let value = read(&mut settings)?;
        settings.refuse_unknown_keys()?;
        Ok(value)
    }

    /// An error about these settings as a whole, for rules that bind more than one of them.
    pub fn error(&self, rule: impl std::fmt::Display) -> ConfigError {
        match (&self.prefix, &self.table) {
            (None, Some(table)) => ConfigError::new(format!("{}: {rule}", table.place())),
            _ => ConfigError::new(rule.to_string()),
        }
    }

    fn read_table<T>(table: Table, read: impl FnOnce(&mut Self) -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        let mut settings = Self {
            prefix: None,
            environment: BTreeMap::new(),
            table: Some(table),
            known_variables: Vec::new(),
            known_keys: Vec::new(),
        };
        let value = read(&mut settings)?;
        settings.refuse_unknown()?;
        Ok(value)
    }

    fn variable(&self, key: &str) -> Option<String> {
        self.prefix
            .as_ref()
            .map(|prefix| format!("{prefix}{}", key.to_uppercase()))
    }

    fn find(&mut self, key: &str, variable: Option<String>) -> Option<Value> {
        self.known_keys.push(key.to_owned());
        let in_file = self.table.as_mut().and_then(|table| {
            let entry = table.entries.remove(key)?;
            Some(table.value(key, entry))
        });
        let in_environment = variable.and_then(|variable| {
            self.known_variables.push(variable.clone());
            let text = self.environment.remove(&variable)?;
            Some(Value::new(variable, Content::Text(text)))
        });
        in_environment.or(in_file)
    }

    fn missing(&self, key: &str, example: &str) -> ConfigError {
        let Some(variable) = self.variable(key) else {
            return self.error(format!("{key} is not set, for example {key} = \"{example}\""));
        };
        let mistyped = self.unknown_variables().find(|unknown| is_near(unknown, &variable));
        if let Some(mistyped) = mistyped {
            return ConfigError::new(format!("{mistyped}: no such setting, the nearest is {variable}"));
        }
        let file = self
            .table
            .as_ref()
            .map_or(String::new(), |table| format!(", nor {key} in {}", table.path));
        ConfigError::new(format!(
            "{variable} is not set{file}, for example {variable}=\"{example}\""
        ))
    }

    fn unknown_variables(&self) -> impl Iterator<Item = &str> {
        let prefix = self.prefix.as_deref();
        let unknown = move |name: &&String| prefix.is_some_and(|prefix| name.starts_with(prefix));
        self.environment.keys().filter(unknown).map(String::as_str)
    }

    fn refuse_unknown(&self) -> Result<(), ConfigError> {
        // Only the name is shown: the value may be a secret whose name was mistyped.
        if let Some(unknown) = self.unknown_variables().next() {
            return Err(no_such_setting(unknown, unknown, &self.known_variables));
        }
        self.refuse_unknown_keys()
    }

    fn refuse_unknown_keys(&self) -> Result<(), ConfigError> {
        if let Some(table) = &self.table
            && let Some((key, entry)) = table.entries.iter().next()
        {
            return Err(no_such_setting(&table.name(key, entry), key, &self.known_keys));
        }
        Ok(())
    }
}

fn no_such_setting(name: &str, key: &str, known: &[String]) -> ConfigError {
    let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key));
    let nearest = nearest.map_or(String::new(), |nearest| format!(", the nearest is {nearest}"));
    ConfigError::new(format!("{name}: no such setting{nearest}"))
}

/// Whether one is likely to be the other, mistyped.
fn is_near(name: &str, other: &str) -> bool {
    strsim::damerau_levenshtein(name, other) <= 2
}
