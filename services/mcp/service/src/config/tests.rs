use std::time::Duration;

use super::Configuration;

fn read(environment: &[(&str, &str)]) -> Result<Configuration, String> {
    Configuration::read_from(environment.iter().copied()).map_err(|error| error.to_string())
}

#[test]
fn nothing_has_to_be_set() {
    let configuration = read(&[]).unwrap();
    assert!(!configuration.endpoints.stdio);
    assert_eq!(configuration.endpoints.tcp, None);
    assert_eq!(configuration.endpoints.context, Some("127.0.0.1:8083".parse().unwrap()));
    assert_eq!(configuration.timeout, Duration::from_secs(60));
    assert_eq!(configuration.task_timeout, Duration::from_secs(540));
    assert_eq!(configuration.server.name, "mainstay-mcp");
    assert_eq!(configuration.endpoints.gate.path, "/mcp");
    let allowed = configuration.endpoints.gate.allowed;
    assert_eq!(allowed.check(Some("localhost:1"), None), Ok(()));
    assert!(allowed.check(Some("tools.example"), None).is_err());
}

#[test]
fn everything_can_be_set() {
    let configuration = read(&[
        ("MCP_NAME", "tools"),
        ("MCP_INSTRUCTIONS", "Be brief."),
        ("MCP_STDIO", "on"),
        ("MCP_TCP", "127.0.0.1:9000"),
        ("MCP_HTTP", "127.0.0.1:9001"),
        ("MCP_CONTEXT", "off"),
        ("MCP_HOSTS", "tools.example, other.example"),
        ("MCP_ORIGINS", "https://app.example"),
        ("MCP_LIST_TTL", "5m"),
        ("MCP_CACHE_SCOPE", "public"),
        ("MCP_STATE_SECRET", "0123456789abcdef0123456789abcdef"),
        ("MCP_TASK_TIMEOUT", "5m"),
        ("MCP_MAX_MESSAGE", "1MiB"),
    ])
    .unwrap();
    assert!(configuration.endpoints.stdio && configuration.server.public);
    assert_eq!(configuration.server.list_ttl, 300_000);
    assert_eq!(configuration.endpoints.max_message, 1 << 20);
    assert_eq!(configuration.endpoints.context, None);
    let allowed = configuration.endpoints.gate.allowed;
    assert_eq!(
        allowed.check(Some("other.example"), Some("https://app.example")),
        Ok(())
    );
}

#[test]
fn what_is_wrong_is_told_with_its_value_and_the_rule() {
    for (name, value, message) in [
        ("MCP_STDIO", "yes", "MCP_STDIO \"yes\": not one of on, off"),
        (
            "MCP_TCP",
            "9000",
            "MCP_TCP \"9000\": not off, nor an IP address and a port, for example 127.0.0.1:8090",
        ),
        ("MCP_PATH", "mcp", "MCP_PATH \"mcp\": not a path, for example /mcp"),
        (
            "MCP_HOSTS",
            "a, b:1",
            "MCP_HOSTS \"b:1\": must be a host name without a port",
        ),
        (
            "MCP_ORIGINS",
            "app.example",
            "MCP_ORIGINS \"app.example\": must be like https://app.example.com",
        ),
        ("MCP_PAGE", "0", "MCP_PAGE \"0\": not a whole number in 1-10000"),
        (
            "MCP_CACHE_SCOPE",
            "all",
            "MCP_CACHE_SCOPE \"all\": not one of private, public",
        ),
        ("MCP_TIMEOUT", "10m", "MCP_TIMEOUT \"10m\": not in 1ms to 9m"),
        ("MCP_TASK_TIMEOUT", "1h", "MCP_TASK_TIMEOUT \"1h\": not in 1ms to 9m"),
        (
            "MCP_STATE_SECRET",
            "",
            "MCP_STATE_SECRET: 0 bytes, not 32 at least, as `openssl rand -hex 32` makes them",
        ),
        (
            "MCP_STATE_SECRET",
            "sesame",
            "MCP_STATE_SECRET: 6 bytes, not 32 at least, as `openssl rand -hex 32` makes them",
        ),
        ("MCP_STATE_TTL", "2d", "MCP_STATE_TTL \"2d\": not in 1s to 1d"),
        (
            "MCP_AUTH_JWKS",
            "{}",
            "MCP_AUTH_JWKS \"{}\": not a JWK set: it has no \"keys\"",
        ),
        (
            "MCP_AUTH_ISSUER",
            "https://issuer.example",
            "MCP_AUTH_ISSUER is set, and needs beside it MCP_AUTH_ISSUER, MCP_AUTH_RESOURCE, and MCP_AUTH_JWKS_URL, MCP_AUTH_JWKS or MCP_AUTH_PEM",
        ),
        (
            "MCP_AUTH_JWKS_URL",
            "issuer.example/jwks",
            "MCP_AUTH_JWKS_URL \"issuer.example/jwks\": not a URL, for example https://issuer.example.com/.well-known/jwks.json",
        ),
        (
            "MCP_AUTH_JWKS_CA",
            "ca.pem",
            "MCP_AUTH_JWKS_CA \"ca.pem\": is for MCP_AUTH_JWKS_URL, which is not set",
        ),
        (
            "MCP_STIDO",
            "on",
            "MCP_STIDO: no such setting, the nearest is MCP_STDIO",
        ),
    ] {
        assert_eq!(read(&[(name, value)]).unwrap_err(), message);
    }
}

#[test]
fn tokens_can_be_asked_for() {
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}"#;
    let guard = read(&[
        ("MCP_AUTH_ISSUER", "https://issuer.example"),
        ("MCP_AUTH_RESOURCE", "https://tools.example/mcp"),
        ("MCP_AUTH_JWKS", keys),
        ("MCP_AUTH_SCOPES", "tools"),
        ("MCP_AUTH_TOOL_SCOPES", "delete=admin, delete=owner"),
    ])
    .unwrap()
    .guard
    .unwrap();
    assert_eq!(guard.verifier.audience, "https://tools.example/mcp");
    assert_eq!(guard.scopes, ["tools"]);
    assert_eq!(guard.tools["delete"], ["admin", "owner"]);
    assert_eq!(guard.resource.authorization_servers, ["https://issuer.example"]);
}

#[test]
fn keys_can_be_fetched() {
    let set = [
        ("MCP_AUTH_ISSUER", "https://issuer.example"),
        ("MCP_AUTH_RESOURCE", "https://tools.example/mcp"),
        ("MCP_AUTH_JWKS_URL", "https://issuer.example/keys?v=1"),
    ];
    let configuration = read(&set).unwrap();
    assert!(configuration.guard.unwrap().verifier.keys.is_empty());
    let issuer = configuration.issuer.unwrap();
    assert_eq!(issuer.endpoint.to_string(), "issuer.example:443");
    assert_eq!(
        (issuer.authority.as_str(), issuer.path.as_str()),
        ("issuer.example", "/keys?v=1")
    );
    assert!(issuer.tls.is_some());
    assert_eq!(
        (issuer.age, issuer.pause),
        (Duration::from_secs(3600), Duration::from_secs(30))
    );
    let plain = read(&[set[0], set[1], ("MCP_AUTH_JWKS_URL", "http://127.0.0.1:9000")]).unwrap();
    let issuer = plain.issuer.unwrap();
    assert_eq!((issuer.path.as_str(), issuer.tls.is_none()), ("/", true));
    let twice = read(&[set[0], set[1], set[2], ("MCP_AUTH_PEM_FILE", "/no/such.pem")]);
    assert!(
        twice
            .unwrap_err()
            .ends_with("no/such.pem\": not read: No such file or directory (os error 2)")
    );
}
