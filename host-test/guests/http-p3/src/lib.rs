//! Answers HTTP requests by wasi:http 0.3: the path at once, then the body of the request as it comes.
//!
//! `/trap` traps.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Handler;

wasip3::http::service::export!(Handler);

impl wasip3::exports::http::handler::Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        assert!(path != "/trap", "asked to trap");
        let (_, result) = wit_future::new(|| Ok(()));
        let (mut body, _) = Request::consume_body(request, result);
        let (mut answer, to_client) = wit_stream::new();
        let (trailers, to_trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            let mut rest = answer.write_all(path.into_bytes()).await;
            while rest.is_empty() {
                let (status, chunk) = body.read(Vec::with_capacity(1024)).await;
                rest = answer.write_all(chunk).await;
                if matches!(status, wit_bindgen::StreamResult::Dropped) {
                    return;
                }
            }
        });
        Ok(response)
    }
}
