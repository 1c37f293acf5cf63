//! What a person writes into the configuration of an MCP client, so that it finds the tools of an example.

use std::path::Path;

use serde_json::{Value, json};

use super::visits::{HTTP, given};

/// How a workload is run, and the name under which clients are to know its tools.
pub(crate) struct Tools<'a> {
    pub(crate) name: &'a str,
    pub(crate) host: &'a Path,
    pub(crate) manifest: &'a Path,
    pub(crate) components: &'a Path,
    /// The arguments that a person gave to the host.
    pub(crate) arguments: &'a [String],
}

impl Tools<'_> {
    /// The lines to paste.
    pub(crate) fn lines(&self) -> [String; 4] {
        [
            "for an MCP client that knows HTTP:".to_owned(),
            self.server(&json!({ "type": "http", "url": format!("http://{}/mcp", self.address()) })),
            "for one that starts its servers itself:".to_owned(),
            self.server(&json!({
                "command": self.host,
                "args": ["run", self.manifest, "--components", self.components, "--env", "MCP_STDIO=on"],
            })),
        ]
    }

    fn server(&self, server: &Value) -> String {
        json!({ "mcpServers": { self.name: server } }).to_string()
    }

    fn address(&self) -> String {
        given(self.arguments).map_or_else(|| HTTP.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(arguments: &[&str]) -> [String; 4] {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Tools {
            name: "calculator",
            host: Path::new("/m/host-test"),
            manifest: Path::new("/m/workload.yaml"),
            components: Path::new("/m/components"),
            arguments: &arguments,
        }
        .lines()
    }

    #[test]
    fn a_client_is_told_the_address_that_was_given() {
        for (arguments, address) in [
            (&[][..], "127.0.0.1:8000"),
            (&["--for", "9s", "--http", "127.0.0.1:9"], "127.0.0.1:9"),
            (&["--http=127.0.0.1:7"], "127.0.0.1:7"),
        ] {
            let server = format!(r#"{{"mcpServers":{{"calculator":{{"type":"http","url":"http://{address}/mcp"}}}}}}"#);
            assert_eq!(lines(arguments)[1], server);
        }
    }

    #[test]
    fn a_client_is_told_how_to_start_the_host() {
        let server = concat!(
            r#"{"mcpServers":{"calculator":{"args":["run","/m/workload.yaml","--components","/m/components","--env","#,
            r#""MCP_STDIO=on"],"command":"/m/host-test"}}}"#
        );
        assert_eq!(lines(&[])[3], server);
    }
}
