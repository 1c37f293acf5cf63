//! Calls what `nats-client.wasm` exports as HTTP requests tell it to, and answers with what came back.
//!
//! The path is the function (`/publisher/publish`), the headers of the request are its arguments (`subject: orders.a`,
//! times in milliseconds, message headers as `header: Name=Value`), the body is the message's.

mod arguments;
mod calls;

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-nats-caller;
            world caller {
                import mainstay:nats/publisher@0.1.0;
                import mainstay:nats/kv@0.1.0;
                import wasmcloud:messaging/consumer@0.2.0;
                import wasmcloud:messaging/consumer@0.3.0;
            }",
        path: ["../../../wit/nats", "../../../wit/messaging"],
        world: "mainstay:test-nats-caller/caller",
        generate_all,
    });
}

use arguments::Arguments;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Caller;

wasip3::http::service::export!(Caller);

impl wasip3::exports::http::handler::Guest for Caller {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let headers = request.get_headers().copy_all();
        let (_, result) = wit_future::new(|| Ok(()));
        let (body, _) = Request::consume_body(request, result);
        let arguments = Arguments::new(headers, body.collect().await);
        let said = calls::call(&path, &arguments).await;
        let (mut answer, to_client) = wit_stream::new();
        let (trailers, to_trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            let _ = answer.write_all(said.into_bytes()).await;
        });
        Ok(response)
    }
}
