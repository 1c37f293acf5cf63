//! The tokens of components: one for all, and one each by their names.

use std::collections::BTreeMap;

use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::config::{ConfigError, Settings};

/// Reads the secrets `<key>`, one token, and `<key>s`, a table in TOML of tokens by component. Errors call the latter `name`.
pub(super) fn read(settings: &mut Settings, key: &str, name: &str) -> Result<Tokens, ConfigError> {
    let one = settings.secret(key)?;
    let mut tokens = one.map(|token| Tokens::one(token.reveal())).unwrap_or_default();
    if let Some(table) = settings.secret(&format!("{key}s"))? {
        for (component, token) in parse(table.reveal()).map_err(|rule| ConfigError::new(format!("{name}: {rule}")))? {
            tokens.add(component, token);
        }
    }
    Ok(tokens)
}

/// No error shows the text: it holds nothing but secrets.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let parsed: Result<BTreeMap<String, String>, _> = toml::from_str(text);
    let tokens = parsed.map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line} is not of the form: component = \"token\"")
    })?;
    if let Some((component, _)) = tokens.iter().find(|(name, token)| name.is_empty() || token.is_empty()) {
        return Err(format!("{component:?}: a component and its token must not be empty"));
    }
    for (component, token) in &tokens {
        let mut others = tokens.iter().filter(|(name, _)| *name > component);
        if let Some((other, _)) = others.find(|(_, other)| *other == token) {
            return Err(format!(
                "{component:?} and {other:?} have the same token; each needs one of its own"
            ));
        }
    }
    Ok(tokens)
}
