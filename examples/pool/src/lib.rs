//! An HTTP component that keeps notes in PostgreSQL and counts its answers in Redis, by drivers that know nothing of the
//! pool.
//!
//! | request | answer |
//! |---|---|
//! | `GET /notes` | the notes |
//! | `POST /notes/TEXT` | the note is kept |
//! | `GET /pools` | what the pool's admin page shows |
//!
//! It lives for one request, and so do its connections. They lead to the pool in its workload, which takes no password:
//! the connections to the servers are the pool's, and so are the credentials.

mod http;
mod servers;

use http::Answer;
use wasip3::http::types::{ErrorCode, Method, Request, Response};

struct Notes;

wasip3::http::service::export!(Notes);

impl wasip3::exports::http::handler::Guest for Notes {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (method, path) = (request.get_method(), request.get_path_with_query().unwrap_or_default());
        // The drivers stand on tokio, and nothing else goes on in this instance: it may wait there.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let answer = match runtime {
            Ok(runtime) => runtime.block_on(answer(&method, &path)),
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(answer) => http::respond(answer),
            Err(error) => http::respond(Answer(503, format!("{error}\n"))),
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn answer(method: &Method, path: &str) -> Result<Answer, Failure> {
    match (method, path.strip_prefix("/notes")) {
        (Method::Get, Some("" | "/")) => {
            let (notes, count) = (servers::notes().await?, servers::count().await?);
            Ok(Answer(200, format!("{notes}answer {count}\n")))
        }
        (Method::Post, Some(text)) if text.len() > 1 => {
            servers::keep(&http::decoded(text.trim_start_matches('/'))).await?;
            Ok(Answer(201, format!("answer {}\n", servers::count().await?)))
        }
        (Method::Get, None) if path == "/pools" => Ok(Answer(200, servers::pools().await?)),
        _ => Ok(Answer(404, "GET /notes, POST /notes/TEXT, GET /pools\n".to_owned())),
    }
}
