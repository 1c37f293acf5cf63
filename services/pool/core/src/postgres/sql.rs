//! What a query does to its session, as far as its text tells.
//!
//! No parser: words, with strings, quoted names and comments left out. It errs on the side of a reset too many. What a
//! function of the user's does to the session cannot be seen; `reset = "always"` is for those.

/// What a query does to its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// It holds LISTEN, which needs a session of one's own.
    pub listens: bool,
    /// The session may not be as before: it has to be reset before somebody else gets it.
    pub changes: bool,
    /// It may drop prepared statements: DEALLOCATE, DISCARD.
    pub deallocates: bool,
}

impl Effects {
    /// Those of both.
    pub fn and(self, other: Self) -> Self {
        Self {
            listens: self.listens || other.listens,
            changes: self.changes || other.changes,
            deallocates: self.deallocates || other.deallocates,
        }
    }
}

/// Statements that leave a session as it was, whatever follows. Others change it.
const HARMLESS: [&str; 39] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DROP",
    "END",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "INSERT",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
    "VALUES",
];

/// Words that make a statement change its session though it begins harmlessly.
const TELLTALE: [&str; 6] = ["TEMP", "TEMPORARY", "HOLD", "SET_CONFIG", "DBLINK_CONNECT", "LO_CREAT"];

/// Reads a query.
pub fn scan(query: &[u8]) -> Effects {
    let mut effects = Effects::default();
    let mut words = Words { rest: query };
    // Which word of its statement the next one is, and how the statement began.
    let (mut position, mut first) = (0, Kind::Other);
    while let Some(token) = words.next() {
        let Token::Word(word) = token else {
            (position, first) = (0, Kind::Other);
            continue;
        };
        match (position, first) {
            (0, _) => {
                first = kind(word);
                match first {
                    Kind::Listen => effects.listens = true,
                    Kind::Discard => effects.deallocates = true,
                    Kind::Deallocate => effects.deallocates = true,
                    Kind::Other => effects.changes = true,
                    Kind::Set | Kind::Reset | Kind::Harmless => {}
                }
                effects.changes |= matches!(first, Kind::Listen | Kind::Discard);
            }
            // SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction.
            (1, Kind::Set)
                if ["LOCAL", "TRANSACTION", "CONSTRAINTS"]
                    .iter()
                    .any(|local| is(word, local)) => {}
            (1, Kind::Set) => effects.changes = true,
            // RESET of one setting or all brings a session nearer to how it was.
            (_, Kind::Reset) => {}
            _ => effects.changes |= is_telltale(word),
        }
        position += 1;
    }
    effects
}

#[derive(Clone, Copy)]
enum Kind {
    Listen,
    Discard,
    Deallocate,
    Set,
    Reset,
    Harmless,
    Other,
}

fn kind(word: &[u8]) -> Kind {
    let harmless = HARMLESS.iter().any(|harmless| is(word, harmless)) || is(word, "WITH") || is(word, "UNLISTEN");
    match word {
        _ if harmless => match is(word, "DEALLOCATE") {
            true => Kind::Deallocate,
            false => Kind::Harmless,
        },
        _ if is(word, "SET") => Kind::Set,
        _ if is(word, "RESET") => Kind::Reset,
        _ if is(word, "LISTEN") => Kind::Listen,
        _ if is(word, "DISCARD") => Kind::Discard,
        _ => Kind::Other,
    }
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// `pg_advisory_lock` and its kin hold until the session ends; those with `xact` in their name do not.
fn is_telltale(word: &[u8]) -> bool {
    let contains = |part: &[u8]| word.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    let advisory = word.len() > 15 && contains(b"advisory") && !contains(b"xact") && !contains(b"unlock");
    advisory || TELLTALE.iter().any(|telltale| is(word, telltale))
}

enum Token<'a> {
    Word(&'a [u8]),
    /// The end of a statement.
    Semicolon,
}

struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, after) = self.rest.split_first()?;
            match (*first, after.first()) {
                (b';', _) => {
                    self.rest = after;
                    return Some(Token::Semicolon);
                }
                (b'\'' | b'"', _) => self.skip_quoted(*first, false),
                (b'e' | b'E', Some(b'\'')) => {
                    self.rest = after;
                    self.skip_quoted(b'\'', true);
                }
                (b'$', _) => self.skip_dollar_quoted(),
                (b'-', Some(b'-')) => {
                    let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
                    self.skip(end);
                }
                (b'/', Some(b'*')) => self.skip_comment(),
                (first, _) if is_letter(first) => {
                    let end = self
                        .rest
                        .iter()
                        .position(|byte| !is_letter(*byte) && !byte.is_ascii_digit());
                    let (word, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
                    self.rest = rest;
                    return Some(Token::Word(word));
                }
                // A number, with the letters that it may hold.
                (b'0'..=b'9', _) => {
                    let end = self.rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
                    self.skip(end.unwrap_or(self.rest.len()));
                }
                _ => self.rest = after,
            }
        }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// A doubled quote is one end and one beginning, which comes to the same.
    fn skip_quoted(&mut self, quote: u8, backslashes: bool) {
        self.skip(1);
        while let Some((byte, after)) = self.rest.split_first() {
            self.rest = after;
            match *byte {
                b'\\' if backslashes => self.skip(1),
                byte if byte == quote => return,
                _ => {}
            }
        }
    }

    /// `$tag$ .. $tag$`; a `$1` is none.
    fn skip_dollar_quoted(&mut self) {
        let inside = self.rest.get(1..).unwrap_or_default();
        let length = inside
            .iter()
            .position(|byte| !is_letter(*byte) && !byte.is_ascii_digit());
        let (Some(length), Some(b'$')) = (length, length.and_then(|length| inside.get(length))) else {
            return self.skip(1);
        };
        if inside.first().is_some_and(u8::is_ascii_digit) {
            return self.skip(1);
        }
        let (tag, rest) = self.rest.split_at_checked(length + 2).unwrap_or((self.rest, &[]));
        let end = memchr::memmem::find(rest, tag).map_or(rest.len(), |end| end + tag.len());
        self.rest = rest.get(end..).unwrap_or_default();
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            match self.rest {
                [b'/', b'*', rest @ ..] => {
                    depth += 1;
                    self.rest = rest;
                }
                [b'*', b'/', rest @ ..] => {
                    depth -= 1;
                    self.rest = rest;
                    if depth == 0 {
                        return;
                    }
                }
                [_, rest @ ..] => self.rest = rest,
                [] => return,
            }
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn effects(query: &str) -> Effects {
        scan(query.as_bytes())
    }

    #[test]
    fn what_leaves_the_session_alone_calls_for_no_reset() {
        let queries = [
            "",
            "select 1",
            "SELECT 'LISTEN x; SET a = 1', \"set\", $$ DISCARD ALL $$, $a$ temp $$ ; set x $a$",
            "INSERT INTO t VALUES ($1, $2)",
            "/* SET /* a */ LISTEN */ SELECT 1 -- ; LISTEN a",
            "BEGIN; SET LOCAL statement_timeout = 1; SET TRANSACTION READ ONLY; COMMIT",
            "select e'\\'; set x = 1'",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "SELECT pg_advisory_xact_lock(1), pg_advisory_unlock_all()",
            "DECLARE c CURSOR FOR SELECT 1",
            "CREATE TABLE t (id int)",
            "RESET ALL",
            "UNLISTEN *",
            "UPDATE t SET a = 1",
            "SELECT 1e5, 0x10temp",
            ";;",
        ];
        for query in queries {
            let found = effects(query);
            assert!(!found.changes && !found.listens, "{query}: {found:?}");
        }
    }

    #[test]
    fn what_changes_the_session_calls_for_a_reset() {
        let queries = [
            "set search_path to a",
            "SET SESSION AUTHORIZATION bob",
            "SELECT 1; SeT role bob",
            "CREATE TEMP TABLE t (id int)",
            "SELECT * INTO TEMPORARY t FROM u",
            "PREPARE p AS SELECT 1",
            "LISTEN a",
            "LOAD 'x'",
            "DO $$ BEGIN END $$",
            "CALL p()",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock_shared(1)",
            "SELECT set_config('a.b', '1', false)",
            "DISCARD TEMP",
            "gibberish",
        ];
        for query in queries {
            assert!(effects(query).changes, "{query}");
        }
    }

    #[test]
    fn a_listen_is_found_wherever_it_stands() {
        for query in [
            "LISTEN a",
            " listen a",
            "/**/LISTEN a",
            "SELECT 1;LISTEN a",
            "--\nListen \"a\"",
        ] {
            assert!(effects(query).listens, "{query}");
        }
        assert!(effects("deallocate all").deallocates);
        assert!(effects("DISCARD ALL").deallocates);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(query in prop::collection::vec(any::<u8>(), 0..200)) {
            scan(&query);
        }

        #[test]
        fn a_listen_after_any_harmless_statement_is_found(
            text in "(SELECT ('[^']{0,9}'|\"[^\"]{0,9}\"|/\\*[a-z]{0,9}\\*/|\\$\\$[a-z']{0,9}\\$\\$|--[a-z';]{0,9}\n| )){0,4}",
        ) {
            let query = format!("{}; LISTEN a", text);
            prop_assert!(effects(&query).listens);
        }
    }
}
