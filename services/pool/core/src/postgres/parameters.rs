//! Settings that a session reports (§53.2.7), and how the next one gets the same.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::reply;

/// Settings that a client may set, reported by newer servers at least. The others are the server's, or end with the session.
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

    /// The query that gives a session these settings; none if it has them. It has those of `reported`, and of `unreported`
    /// what a client was given on it that it does not report, as `search_path` before version 18.
    pub fn difference(&self, reported: &Self, unreported: &Self) -> Option<String> {
        let mut query = String::new();
        for name in TRACKED {
            let theirs = reported.get(name).or_else(|| unreported.get(name));
            match self.get(name) {
                Some(mine) if theirs != Some(mine) => query.push_str(&set(name, mine)),
                // Another client's.
                None if unreported.get(name).is_some() => query.push_str(&format!("RESET {name};")),
                _ => {}
            }
        }
        (!query.is_empty()).then_some(query)
    }

    /// Those that a client may set and a session does not report.
    pub fn beyond(&self, reported: &Self) -> Self {
        let tracked = TRACKED.into_iter().filter(|name| reported.get(name).is_none());
        let beyond = tracked.filter_map(|name| Some((name.to_owned(), self.get(name)?.to_owned())));
        Self(beyond.collect())
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The statement that gives a session a setting, as it would stand in its startup message.
fn set(name: &str, value: &str) -> String {
    let value = quote(value);
    match name {
        // After SET the text would be the name of one schema, commas and all.
        "search_path" => format!("SELECT pg_catalog.set_config('{name}', {value}, false);"),
        _ => format!("SET {name} TO {value};"),
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
        let none = Parameters::default();
        assert_eq!(
            client.difference(&server, &none).unwrap(),
            "SET DateStyle TO 'ISO, DMY';"
        );
        assert_eq!(server.difference(&server, &none), None);
    }

    #[test]
    fn what_a_server_does_not_report_is_set_too_and_taken_back_for_the_next_client() {
        let server = parameters(&[("TimeZone", "UTC")]);
        let client = parameters(&[("TimeZone", "UTC"), ("search_path", "a, \"B\"")]);
        let query = client.difference(&server, &Parameters::default()).unwrap();
        assert_eq!(query, "SELECT pg_catalog.set_config('search_path', 'a, \"B\"', false);");
        let unreported = client.beyond(&server);
        assert_eq!(unreported, parameters(&[("search_path", "a, \"B\"")]));
        assert_eq!(client.difference(&server, &unreported), None);
        let other = parameters(&[("TimeZone", "UTC")]);
        assert_eq!(other.difference(&server, &unreported).unwrap(), "RESET search_path;");
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let client = parameters(&[("application_name", r"a'; DROP TABLE x; -- \'")]);
        let server = parameters(&[("application_name", "")]);
        let expected = r"SET application_name TO E'a''; DROP TABLE x; -- \\''';";
        assert_eq!(client.difference(&server, &Parameters::default()).unwrap(), expected);
    }
}
