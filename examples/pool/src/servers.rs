//! Both servers, by way of the pool.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, AsyncTypedCommands, RedisConnectionInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::{Client, Config, NoTls};

use crate::Failure;

/// The ports of the pools, and that of the admin pages.
const POSTGRES: (&str, u16) = ("127.0.0.1", 5432);
const REDIS: (&str, u16) = ("127.0.0.1", 6379);
const ADMIN: (&str, u16) = ("127.0.0.1", 8085);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text NOT NULL)";

/// The notes, one a line.
pub(crate) async fn notes() -> Result<String, Failure> {
    let client = postgres().await?;
    let rows = client.query("SELECT id, text FROM notes ORDER BY id", &[]).await?;
    let lines = rows.iter().map(|row| {
        Ok(format!(
            "{}. {}\n",
            row.try_get::<_, i32>(0)?,
            row.try_get::<_, String>(1)?
        ))
    });
    lines.collect()
}

/// Keeps a note.
pub(crate) async fn keep(text: &str) -> Result<(), Failure> {
    postgres()
        .await?
        .execute("INSERT INTO notes (text) VALUES ($1)", &[&text])
        .await?;
    Ok(())
}

/// The number of this answer.
pub(crate) async fn count() -> Result<usize, Failure> {
    let stream = TcpStream::connect(REDIS).await?;
    let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::default());
    let (mut redis, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
    tokio::spawn(driver);
    Ok(usize::try_from(redis.incr("answers", 1).await?)?)
}

/// What the pool says of itself.
pub(crate) async fn pools() -> Result<String, Failure> {
    let mut stream = TcpStream::connect(ADMIN).await?;
    stream
        .write_all(b"GET /pools HTTP/1.1\r\nHost: pool\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| "the pool's admin page is no page".into())
}

async fn postgres() -> Result<Client, Failure> {
    let stream = TcpStream::connect(POSTGRES).await?;
    let (client, connection) = Config::new().user("app").connect_raw(stream, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(TABLE).await?;
    Ok(client)
}
