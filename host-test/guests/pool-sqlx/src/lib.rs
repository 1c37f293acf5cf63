//! Keeps notes by sqlx, with a connection for each request: `GET /TEXT` keeps one in a transaction, and is answered with
//! how many there are.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Notes;

wasip3::http::service::export!(Notes);

impl wasip3::exports::http::handler::Guest for Notes {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        // sqlx stands on tokio, and nothing else goes on in this instance: it may wait there.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let kept = match runtime {
            Ok(runtime) => runtime.block_on(keep(path.trim_start_matches('/'))),
            Err(error) => Err(sqlx::Error::Io(error)),
        };
        let text = kept.map_or_else(|error| format!("{error}\n"), |count| format!("{count} notes\n"));
        let (mut body, to_client) = wit_stream::new();
        let (trailers, to_trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            body.write_all(text.into_bytes()).await;
        });
        Ok(response)
    }
}

async fn keep(text: &str) -> Result<i64, sqlx::Error> {
    // No file of a home folder is looked for, and TLS is the pool's business.
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(5432)
        .username("app")
        .database("app")
        .ssl_mode(PgSslMode::Disable);
    let mut connection = options.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("INSERT INTO notes (text) VALUES ($1)")
        .bind(text)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let row = sqlx::query("SELECT count(*) FROM notes")
        .fetch_one(&mut connection)
        .await?;
    let count = row.try_get(0)?;
    connection.close().await?;
    Ok(count)
}
