//! Whose tokens are taken over HTTP.

use std::collections::BTreeMap;

use mainstay_mcp_core::auth::{Guard, Keys, Resource, Verifier};
use mainstay_runtime::config::{ConfigError, Settings, Value};

use super::Issuer;

/// Who is let in, and where the keys come from if they are fetched.
type Auth = (Guard, Option<Issuer>);

pub(super) fn read(settings: &mut Settings) -> Result<Option<Auth>, ConfigError> {
    let rotating = Issuer::read(settings)?;
    let given = keys(settings)?;
    let keys = match (given, &rotating) {
        (Some(_), Some(_)) => return Err(ConfigError::new(MORE_THAN_ONE)),
        (None, Some(_)) => Some(Keys::default()),
        (given, None) => given,
    };
    let issuer = settings.value("auth_issuer");
    let resource = settings.value("auth_resource");
    let audience = settings.value("auth_audience");
    let servers = settings.value("auth_servers");
    let scopes = settings.value("auth_scopes");
    let tools = settings.value("auth_tool_scopes");
    let (Some(keys), Some(issuer), Some(resource)) = (keys, &issuer, &resource) else {
        let some = [&issuer, &resource, &audience, &servers, &scopes, &tools]
            .into_iter()
            .flatten()
            .next();
        return match some {
            None => Ok(None),
            Some(value) => Err(ConfigError::new(format!(
                "{} is set, and needs beside it MCP_AUTH_ISSUER, MCP_AUTH_RESOURCE, and MCP_AUTH_JWKS_URL, MCP_AUTH_JWKS or MCP_AUTH_PEM",
                value.name()
            ))),
        };
    };
    let url = |value: &Value| match value.text()? {
        text if text.starts_with("https://") || text.starts_with("http://") => Ok(text.to_owned()),
        _ => Err(value.error("not a URL, for example https://tools.example.com/mcp")),
    };
    let (issuer, resource) = (url(issuer)?, url(resource)?);
    let audience = audience.map_or(Ok(resource.clone()), |value| Ok(value.text()?.to_owned()))?;
    let guard = Guard {
        scopes: texts(scopes.as_ref())?,
        tools: tools.as_ref().map_or(Ok(BTreeMap::new()), tool_scopes)?,
        resource: Resource {
            url: resource,
            authorization_servers: match servers {
                None => vec![issuer.clone()],
                Some(servers) => servers.list()?.iter().map(url).collect::<Result<_, _>>()?,
            },
        },
        verifier: Verifier { keys, issuer, audience },
    };
    Ok(Some((guard, rotating)))
}

const MORE_THAN_ONE: &str = "MCP_AUTH_JWKS_URL, MCP_AUTH_JWKS, MCP_AUTH_PEM, MCP_AUTH_JWKS_FILE, MCP_AUTH_PEM_FILE: \
                             more than one is set, must be one";

fn keys(settings: &mut Settings) -> Result<Option<Keys>, ConfigError> {
    let file = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("not read: {error}"));
    let found = [
        settings.value("auth_jwks").map(|value| value.parse(Keys::from_jwks)),
        settings.value("auth_pem").map(|value| value.parse(Keys::from_pem)),
        settings
            .value("auth_jwks_file")
            .map(|value| value.parse(|path| Keys::from_jwks(&file(path)?))),
        settings
            .value("auth_pem_file")
            .map(|value| value.parse(|path| Keys::from_pem(&file(path)?))),
    ];
    let mut found = found.into_iter().flatten();
    match (found.next(), found.next()) {
        (keys, None) => keys.transpose(),
        (_, Some(_)) => Err(ConfigError::new(MORE_THAN_ONE)),
    }
}

fn texts(value: Option<&Value>) -> Result<Vec<String>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    value.list()?.iter().map(|item| Ok(item.text()?.to_owned())).collect()
}

/// `delete=admin, write=editor`
fn tool_scopes(value: &Value) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let mut tools = BTreeMap::<String, Vec<String>>::new();
    for item in value.list()? {
        let (tool, scope) = item.parse(|text| {
            let (tool, scope) = text.split_once('=').ok_or("not like tool=scope")?;
            Ok::<_, &str>((tool.trim().to_owned(), scope.trim().to_owned()))
        })?;
        tools.entry(tool).or_default().push(scope);
    }
    Ok(tools)
}
