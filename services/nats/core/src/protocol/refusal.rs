//! What a server refuses without hanging up: the connection goes on, and somebody has to be told.
//!
//! Whatever else it says by -ERR is its last word (nats-server `server/client.go`: `closeConnection` follows).

/// Something that was said to a server and that it does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    text: String,
    what: Refused,
}

/// What it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A subscription to this subject; behind it the text goes on so.
    Subscription {
        /// The subject, as the server knows it.
        subject: String,
        /// ` using queue "workers"`, `, too many tokens`, or nothing.
        rest: String,
    },
    /// A publish, or the reply subject of one. Whose it was is not said.
    Publish,
    /// A subscription, and it is not said which one.
    Unnamed,
}

const VIOLATION: &str = "Permissions Violation for ";

impl Refusal {
    /// Reads the text of an -ERR; `None` if the server hangs up after it.
    ///
    /// ```
    /// use mainstay_nats_core::protocol::refusal::{Refusal, Refused};
    ///
    /// let refusal = Refusal::parse("Permissions Violation for Publish to \"a\"").unwrap();
    /// assert_eq!(refusal.what(), &Refused::Publish);
    /// assert_eq!(Refusal::parse("Authorization Violation"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let what = match after(text, VIOLATION) {
            Some(of) => match after(of, "Subscription to ").and_then(quoted) {
                Some((subject, rest)) => Refused::Subscription {
                    subject,
                    rest: rest.to_owned(),
                },
                None => Refused::Publish,
            },
            None if ["maximum subscriptions exceeded", "Invalid Subject"]
                .iter()
                .any(|known| text.eq_ignore_ascii_case(known)) =>
            {
                Refused::Unnamed
            }
            None => return None,
        };
        Some(Self {
            text: text.to_owned(),
            what,
        })
    }

    /// What the server says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it does not do.
    pub fn what(&self) -> &Refused {
        &self.what
    }
}

impl Refused {
    /// The text that tells a client of a refused subscription by the name that it knows it by.
    pub(crate) fn subscription(subject: &str, rest: &str) -> String {
        format!("{VIOLATION}Subscription to {subject:?}{rest}")
    }
}

/// What is behind a beginning, letters of either case being the same.
fn after<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(beginning.len())?;
    head.eq_ignore_ascii_case(beginning).then_some(rest)
}

/// A text in quotes as Go's `%q` writes one, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut rest = text.strip_prefix('"')?.chars();
    loop {
        match rest.next()? {
            '"' => return Some((inside, rest.as_str())),
            '\\' => inside.push(rest.next()?),
            letter => inside.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<Refused> {
        Refusal::parse(text).map(|refusal| refusal.what)
    }

    #[test]
    fn what_the_server_goes_on_after_is_told_from_its_last_word() {
        let subscription = |subject: &str, rest: &str| {
            Some(Refused::Subscription {
                subject: subject.to_owned(),
                rest: rest.to_owned(),
            })
        };
        for (text, expected) in [
            (
                r#"Permissions Violation for Subscription to "a.>""#,
                subscription("a.>", ""),
            ),
            (
                r#"permissions violation for subscription to "a\"b\\c" using queue "q""#,
                subscription(r#"a"b\c"#, r#" using queue "q""#),
            ),
            (
                r#"Permissions Violation for Publish to "subscription.to.x""#,
                Some(Refused::Publish),
            ),
            (
                r#"Permissions Violation for Publish with Reply of "Subscription to""#,
                Some(Refused::Publish),
            ),
            ("maximum subscriptions exceeded", Some(Refused::Unnamed)),
            ("Invalid Subject", Some(Refused::Unnamed)),
            ("Authorization Violation", None),
            ("maximum connections exceeded", None),
            ("Stale Connection", None),
            ("Slow Consumer", None),
            ("Permissions", None),
            ("", None),
        ] {
            assert_eq!(what(text), expected, "{text}");
        }
    }
}
