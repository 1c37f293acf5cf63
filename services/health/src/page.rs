//! Which requests are for a page, and what the others get.

use crate::answer::Answer;

/// The pages that every service has.
const PAGES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A request that the service is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether only the head of the answer is wanted.
    pub head: bool,
    page: &'static str,
}

impl Request {
    /// The request for a method and a path with its query; otherwise the answer, 404 or 405.
    pub fn new(method: &str, path_with_query: &str) -> Result<Self, Answer> {
        let path = path_with_query.split('?').next().unwrap_or_default();
        let Some(page) = PAGES.into_iter().find(|page| *page == path) else {
            return Err(Answer::text(404, format!("not one of {}\n", PAGES.join(", "))));
        };
        match method {
            "GET" => Ok(Self { head: false, page }),
            "HEAD" => Ok(Self { head: true, page }),
            _ => Err(Answer::text(405, "only GET and HEAD\n")),
        }
    }

    /// What is sent to the service at `address`. HTTP/1.0, because its answers end with the connection and come in no
    /// chunks (RFC 9112 §6.3).
    pub fn to_bytes(self, address: &str) -> Vec<u8> {
        let method = if self.head { "HEAD" } else { "GET" };
        format!(
            "{method} {} HTTP/1.0\r\nhost: {address}\r\nuser-agent: mainstay-health\r\n\r\n",
            self.page
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_asked_for_and_nothing_else_is() {
        let request = Request::new("GET", "/readyz?verbose").unwrap();
        let expected = "GET /readyz HTTP/1.0\r\nhost: 127.0.0.1:8081\r\nuser-agent: mainstay-health\r\n\r\n";
        assert_eq!(request.to_bytes("127.0.0.1:8081"), expected.as_bytes());
        assert!(
            Request::new("HEAD", "/metrics")
                .unwrap()
                .to_bytes("x")
                .starts_with(b"HEAD /metrics HTTP/1.0\r\n")
        );
        for path in [
            "",
            "/",
            "/healthz/",
            "/readyz\r\nx: y",
            "/METRICS",
            "//healthz",
            "/admin?/healthz",
        ] {
            assert_eq!(Request::new("GET", path).unwrap_err().status, 404, "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "get", ""] {
            assert_eq!(Request::new(method, "/healthz").unwrap_err().status, 405, "{method}");
        }
    }
}
