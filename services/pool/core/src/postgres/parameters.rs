//! Settings that a session reports (§53.2.7), and how the next one gets the same.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::reply;

/// Reported settings that a client may set. The others are the server's, or end with the session.
const TRACKED: [&str; 7] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "IntervalStyle",
    "search_path",
    "standard_conforming_strings",
    "TimeZone",
];

/// Settings of a session, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Sets one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        match self.0.get_mut(&*name) {
            Some(place) => value.as_ref().clone_into(place),
            None => {
                self.0.insert(name.into_owned(), value.into_owned());
            }
        }
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a client may bring a setting of this name, in whichever case: gives how it is spelled.
    pub fn tracked(name: &str) -> Option<&'static str> {
        TRACKED.into_iter().find(|tracked| tracked.eq_ignore_ascii_case(name))
    }

    /// ParameterStatus for each.
    pub fn report(&self, out: &mut BytesMut) {
        for (name, value) in &self.0 {
            reply::parameter(out, name, value);
        }
    }

    /// The query that gives a session with settings `other` these; none if it has them.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let mut query = String::new();
        for name in TRACKED {
            // What a server does not report it may not know, `search_path` before version 18.
            if let (Some(mine), Some(theirs)) = (self.get(name), other.get(name))
                && mine != theirs
            {
                query.push_str(&format!("SET {name} TO {};", quote(mine)));
            }
        }
        (!query.is_empty()).then_some(query)
    }
}

/// A literal, whatever `standard_conforming_strings` is.
fn quote(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match text.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters.set(name.as_bytes(), value.as_bytes());
        }
        parameters
    }

    #[test]
    fn only_what_differs_and_may_be_set_is_set() {
        let client = parameters(&[("TimeZone", "UTC"), ("DateStyle", "ISO, DMY"), ("server_version", "15")]);
        let server = parameters(&[("TimeZone", "UTC"), ("DateStyle", "ISO, MDY"), ("server_version", "16")]);
        assert_eq!(client.difference(&server).unwrap(), "SET DateStyle TO 'ISO, DMY';");
        assert_eq!(server.difference(&server), None);
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let client = parameters(&[("application_name", r"a'; DROP TABLE x; -- \'")]);
        let server = parameters(&[("application_name", "")]);
        let expected = r"SET application_name TO E'a''; DROP TABLE x; -- \\''';";
        assert_eq!(client.difference(&server).unwrap(), expected);
    }
}
