//! The arguments of a call, from the headers and the body of an HTTP request.

/// Named texts and a body.
pub(crate) struct Arguments {
    named: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Arguments {
    pub(crate) fn new(headers: Vec<(String, Vec<u8>)>, body: Vec<u8>) -> Self {
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        let named = headers.into_iter().map(|(name, value)| (name, text(value)));
        Self {
            named: named.collect(),
            body,
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.named.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A text that need not be there.
    pub(crate) fn maybe(&self, name: &str) -> Option<String> {
        self.all(name).next().map(str::to_owned)
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.maybe(name).unwrap_or_default()
    }

    /// A number that need not be there.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.maybe(name).and_then(|text| text.parse().ok())
    }

    /// A time in nanoseconds that is given in milliseconds.
    pub(crate) fn nanoseconds(&self, name: &str) -> Option<u64> {
        self.number(name).map(|milliseconds| milliseconds * 1_000_000)
    }

    /// The headers of a message. A `\r` stands for a line break, which HTTP could not carry.
    pub(crate) fn message_headers(&self) -> Vec<(String, String)> {
        let pairs = self.all("header").filter_map(|text| text.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.replace("\\r", "\r")))
            .collect()
    }

    /// The body; where `size` is given, so many bytes.
    pub(crate) fn message_body(&self) -> Vec<u8> {
        match self.number("size") {
            Some(size) => vec![b'x'; usize::try_from(size).unwrap_or_default()],
            None => self.body.clone(),
        }
    }
}
