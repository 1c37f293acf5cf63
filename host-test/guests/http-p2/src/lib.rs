//! Answers HTTP requests by wasi:http 0.2: `METHOD PATH BODY`, or what the path asks for.
//!
//! `/trap` traps, `/fetch?URL` fetches.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};

struct Handler;

wasip2::http::proxy::export!(Handler);

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let answer = match path.split_once('?') {
            Some(("/fetch", url)) => fetch(url).unwrap_or_else(|error| format!("not fetched: {error}")),
            _ => answer(&request, &path),
        };
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(answer.as_bytes());
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

fn answer(request: &IncomingRequest, path: &str) -> String {
    assert!(path != "/trap", "asked to trap");
    let body = request.consume().map(|body| read(&body)).unwrap_or_default();
    format!("{:?} {path} {body}", request.method())
}

fn read(body: &IncomingBody) -> String {
    let mut bytes = Vec::new();
    if let Ok(stream) = body.stream() {
        while let Ok(chunk) = stream.blocking_read(64 << 10) {
            bytes.extend(chunk);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn fetch(url: &str) -> Result<String, String> {
    let request = OutgoingRequest::new(Fields::new());
    let authority = url.trim_start_matches("http://");
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| "scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some("/")).map_err(|()| "path")?;
    let response = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    response.subscribe().block();
    let response = response.get().ok_or("no response")?.map_err(|()| "taken twice")?;
    let response = response.map_err(|error| format!("{error:?}"))?;
    let body = response.consume().map_err(|()| "no body")?;
    Ok(format!("fetched {}", read(&body)))
}
