//! Who is let in, and what browsers are told about it.

use super::{Head, Response, refuse};
use crate::origin::Allowed;

/// Headers of ours that pages may see.
const EXPOSED: &str = "Mcp-Session-Id, WWW-Authenticate";

/// Headers that pages may send.
const SENT: &str = "Content-Type, Accept, Authorization, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name, \
                    Last-Event-ID";

/// Who is let in, and where.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Hosts and origins.
    pub allowed: Allowed,
    /// The path of the endpoint, `/mcp`.
    pub path: String,
}

impl Gate {
    /// Looks at the head of a request.
    ///
    /// # Errors
    /// It goes no further, with this response.
    pub fn admit(&self, head: &Head) -> Result<(), Response> {
        self.admit_or(head, || None)
    }

    /// [`Gate::admit`], with something to be told at other paths.
    ///
    /// # Errors
    /// As [`Gate::admit`], with what is told there too.
    pub fn admit_or(&self, head: &Head, elsewhere: impl FnOnce() -> Option<Response>) -> Result<(), Response> {
        let hosts: Vec<&str> = head
            .headers
            .iter()
            .filter(|(name, _)| name == "host")
            .map(|(_, value)| value.as_str())
            .collect();
        // Two of a kind are nobody's mistake: some part on the way would read the other.
        let twice = head.headers.iter().filter(|(name, _)| name == "origin").count() > 1;
        let host = match hosts.as_slice() {
            [host] => Some(*host),
            _ => None,
        };
        if twice {
            return Err(refuse(403, "more than one origin"));
        }
        self.allowed
            .check(host, head.header("origin"))
            .map_err(|refused| refuse(403, &refused.to_string()))?;
        if let Some(told) = elsewhere() {
            return Err(told);
        }
        if head.path != self.path {
            return Err(refuse(404, &format!("the endpoint is {}", self.path)));
        }
        if head.method == "OPTIONS" {
            let mut response = Response::empty(204);
            response
                .headers
                .push(("allow", "POST, GET, DELETE, OPTIONS".to_owned()));
            response
                .headers
                .push(("access-control-allow-methods", "POST, GET, DELETE, OPTIONS".to_owned()));
            let mut sent = SENT.to_owned();
            // Arguments that headers repeat have names of their own.
            for name in head
                .header("access-control-request-headers")
                .unwrap_or_default()
                .split(',')
            {
                let name = name.trim();
                let token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                if name.to_ascii_lowercase().starts_with(crate::headers::PARAMETER) && token {
                    sent.push_str(", ");
                    sent.push_str(name);
                }
            }
            response.headers.push(("access-control-allow-headers", sent));
            return Err(response);
        }
        Ok(())
    }

    /// Headers for a page that was let in. Every response to it has them.
    pub fn for_pages(&self, head: &Head) -> Vec<(&'static str, String)> {
        match head.header("origin") {
            Some(origin) if self.allowed.check(head.header("host"), Some(origin)).is_ok() => vec![
                ("access-control-allow-origin", origin.to_owned()),
                ("access-control-expose-headers", EXPOSED.to_owned()),
                ("vary", "Origin".to_owned()),
            ],
            _ => Vec::new(),
        }
    }
}
