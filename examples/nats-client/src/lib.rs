//! An HTTP component that asks over NATS: `GET /alice` is answered with what `greet.alice` answers.
//!
//! It lives for one request, and so does its connection, which leads no further than to the NATS service in its workload:
//! the service holds the one to the server, and the credentials.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/nats", world: "sender" });
}

use bindings::mainstay::nats::publisher::{self, Error, Message};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

const TIMEOUT_NANOSECONDS: u64 = 5_000_000_000;

struct Asker;

wasip3::http::service::export!(Asker);

impl wasip3::exports::http::handler::Guest for Asker {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let question = Message {
            subject: format!("greet.{}", path.trim_start_matches('/')),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let (status, text) = match publisher::request(question, TIMEOUT_NANOSECONDS).await {
            Ok(reply) => (200, reply.body),
            Err(error) => (status(&error), format!("{error:?}\n").into_bytes()),
        };
        respond(status, text)
    }
}

/// Each error says what went wrong; here, whose fault it was.
fn status(error: &Error) -> u16 {
    match error {
        Error::InvalidSubject(_) | Error::InvalidHeader(_) | Error::TooLarge(_) => 400,
        Error::Denied(_) => 403,
        Error::NoResponders => 404,
        Error::Timeout => 504,
        Error::Refused(_) => 502,
        Error::Unavailable(_) => 503,
    }
}

fn respond(status: u16, text: Vec<u8>) -> Result<Response, ErrorCode> {
    let (mut body, to_client) = wit_stream::new();
    let (trailers, to_trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
    drop(trailers);
    response
        .set_status_code(status)
        .map_err(|()| ErrorCode::InternalError(None))?;
    wit_bindgen::spawn_local(async move {
        // Who has hung up does not read it.
        let _ = body.write_all(text).await;
    });
    Ok(response)
}
