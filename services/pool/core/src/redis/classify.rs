//! What a command means for who else is on the connection.

use super::Command;

/// What is to be done with a command of a client that has no connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It leaves nothing behind on the connection: it goes on one of many.
    Shared {
        /// It changes nothing, so it may be said again if nobody knows whether it was heard.
        read_only: bool,
    },
    /// It is answered here.
    Local(Local),
    /// What follows belongs to it, or it takes its time: a connection of its own until it is done.
    Until,
    /// It changes the connection for good: one of its own, for good.
    ForGood,
    /// It cannot be pooled.
    Refused(&'static str),
}

/// A command that is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// `AUTH`
    Auth,
    /// `HELLO`
    Hello,
    /// `QUIT`
    Quit,
    /// `RESET`
    Reset,
    /// `SELECT`, of the database that everybody has
    Select,
    /// `CLIENT SETNAME`
    SetName,
    /// `CLIENT GETNAME`
    GetName,
    /// `CLIENT SETINFO` and others that are of no consequence
    Ok,
    /// `CLIENT ID`
    Id,
    /// An empty line, which is not answered
    Nothing,
}

/// Commands that change nothing: the flag `readonly` of Redis's own table, and some that have it in spirit. Sorted.
const READ_ONLY: [&str; 88] = [
    "BITCOUNT",
    "BITFIELD_RO",
    "BITPOS",
    "COMMAND",
    "DBSIZE",
    "DUMP",
    "ECHO",
    "EVALSHA_RO",
    "EVAL_RO",
    "EXISTS",
    "EXPIRETIME",
    "FCALL_RO",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEORADIUSBYMEMBER_RO",
    "GEORADIUS_RO",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HEXPIRETIME",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HPEXPIRETIME",
    "HPTTL",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HTTL",
    "HVALS",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "LCS",
    "LINDEX",
    "LLEN",
    "LOLWUT",
    "LPOS",
    "LRANGE",
    "MEMORY",
    "MGET",
    "OBJECT",
    "PEXPIRETIME",
    "PFCOUNT",
    "PING",
    "PTTL",
    "PUBSUB",
    "RANDOMKEY",
    "ROLE",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SINTERCARD",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SORT_RO",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUBSTR",
    "SUNION",
    "TIME",
    "TTL",
    "TYPE",
    "XINFO",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREAD",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZDIFF",
    "ZINTER",
    "ZINTERCARD",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZSCORE",
];

/// The longest name that any table here holds.
const MAX_NAME: usize = 24;

/// What this command is, on a connection to this database.
pub fn classify(command: &Command<'_>, database: u32) -> Class {
    let Some(name) = command.word(0) else {
        return Class::Local(Local::Nothing);
    };
    let mut upper = [0_u8; MAX_NAME];
    let Some(upper) = upper.get_mut(..name.len()) else {
        return Class::Shared { read_only: false };
    };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    match &*upper {
        b"AUTH" => Class::Local(Local::Auth),
        b"HELLO" => Class::Local(Local::Hello),
        b"QUIT" => Class::Local(Local::Quit),
        b"RESET" => Class::Local(Local::Reset),
        b"SELECT" => select(command, database),
        b"CLIENT" => client(command),
        b"MULTI" | b"WATCH" => Class::Until,
        // Without a MULTI or WATCH before them they change nothing, and the answer is that of any connection.
        b"EXEC" | b"DISCARD" | b"UNWATCH" => Class::Shared { read_only: false },
        b"BLPOP" | b"BRPOP" | b"BRPOPLPUSH" | b"BLMOVE" | b"BLMPOP" | b"BZPOPMIN" | b"BZPOPMAX" | b"BZMPOP" => {
            Class::Until
        }
        b"XREAD" | b"XREADGROUP" if command.words().any(|word| word.eq_ignore_ascii_case(b"BLOCK")) => Class::Until,
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE"
        | b"MONITOR" | b"READONLY" | b"READWRITE" | b"ASKING" => Class::ForGood,
        b"SYNC" | b"PSYNC" | b"REPLCONF" => Class::Refused("a replica needs a connection to the server itself"),
        b"WAIT" | b"WAITAOF" => {
            Class::Refused("it waits for what its own connection wrote, and this one writes for many: use it in MULTI")
        }
        upper => Class::Shared {
            read_only: READ_ONLY.binary_search_by(|probe| probe.as_bytes().cmp(upper)).is_ok(),
        },
    }
}

fn select(command: &Command<'_>, database: u32) -> Class {
    let index = command.word(1).and_then(super::number);
    match index {
        Some(index) if index == i64::from(database) && command.words().len() == 2 => Class::Local(Local::Select),
        Some(_) if command.words().len() == 2 => Class::ForGood,
        // The server says what is wrong with it.
        _ => Class::Shared { read_only: false },
    }
}

fn client(command: &Command<'_>) -> Class {
    let two = command.words().len() == 2;
    if command.is(1, "SETNAME") && command.words().len() == 3 {
        Class::Local(Local::SetName)
    } else if command.is(1, "GETNAME") && two {
        Class::Local(Local::GetName)
    } else if command.is(1, "ID") && two {
        Class::Local(Local::Id)
    } else if command.is(1, "SETINFO") && command.words().len() == 4 {
        Class::Local(Local::Ok)
    } else if command.is(1, "REPLY") {
        match command.is(2, "ON") {
            true => Class::Local(Local::Ok),
            false => Class::Refused("every command has to be answered here"),
        }
    } else if ["TRACKING", "CACHING", "NO-EVICT", "NO-TOUCH"]
        .iter()
        .any(|name| command.is(1, name))
    {
        Class::ForGood
    } else {
        Class::Shared { read_only: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::Commands;

    fn class(line: &str) -> Class {
        let line = format!("{line}\n");
        classify(&Commands::default().next(line.as_bytes()).unwrap().unwrap(), 3)
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(READ_ONLY.is_sorted());
    }

    #[test]
    fn commands_are_told_apart() {
        let read = Class::Shared { read_only: true };
        let write = Class::Shared { read_only: false };
        let cases = [
            ("get a", read),
            ("GET a", read),
            ("set a 1", write),
            ("xread COUNT 1 STREAMS a 0", read),
            ("XREAD BLOCK 0 STREAMS a 0", Class::Until),
            ("xreadgroup GROUP g c block 5 STREAMS a >", Class::Until),
            ("BLPOP a 0", Class::Until),
            ("multi", Class::Until),
            ("WATCH a", Class::Until),
            ("exec", write),
            ("subscribe a", Class::ForGood),
            ("MONITOR", Class::ForGood),
            ("select 3", Class::Local(Local::Select)),
            ("SELECT 4", Class::ForGood),
            ("SELECT x", write),
            ("client setname a", Class::Local(Local::SetName)),
            ("CLIENT SETINFO LIB-NAME redis-py", Class::Local(Local::Ok)),
            ("CLIENT TRACKING ON", Class::ForGood),
            ("CLIENT LIST", write),
            ("client reply on", Class::Local(Local::Ok)),
            (
                "CLIENT REPLY OFF",
                Class::Refused("every command has to be answered here"),
            ),
            ("auth x", Class::Local(Local::Auth)),
            ("", Class::Local(Local::Nothing)),
            ("a.command.of.a.module.with.a.long.name", write),
            ("LPUSH a 1", write),
            ("EVAL x 0", write),
        ];
        for (line, expected) in cases {
            assert_eq!(class(line), expected, "{line}");
        }
        assert!(matches!(class("PSYNC ? -1"), Class::Refused(_)));
        assert!(matches!(class("wait 1 0"), Class::Refused(_)));
    }
}
