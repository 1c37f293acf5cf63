//! `wasi:http/incoming-handler`: from a request to the service's page, or to the reason why there is none.

mod exchange;

use mainstay_runtime::config::Settings;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

use crate::answer::Answer;
use crate::page::Request;
use crate::settings::Target;

struct Health;

wasip2::http::proxy::export!(Health);

impl wasip2::exports::http::incoming_handler::Guest for Health {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let method = method(request.method());
        let path = request.path_with_query().unwrap_or_default();
        respond(response, &answer(&method, &path), method == "HEAD");
    }
}

fn answer(method: &str, path: &str) -> Answer {
    let request = match Request::new(method, path) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let target = match Settings::read("HEALTH_", Target::read) {
        Ok(target) => target,
        Err(error) => return Answer::unavailable(&error.to_string()),
    };
    let Target { address, timeout } = target;
    let received = exchange::exchange(address, &request.to_bytes(&address.to_string()), timeout);
    let answer = received.and_then(|received| Answer::parse(&received, request.head).map_err(str::to_owned));
    answer.unwrap_or_else(|reason| Answer::unavailable(&format!("the service at {address} {reason}")))
}

fn method(method: Method) -> String {
    match method {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Other(other) => other,
        _ => String::new(),
    }
}

/// Sends an answer. What fails here fails because the client is gone, and there is nobody to tell.
fn respond(response: ResponseOutparam, answer: &Answer, head: bool) {
    let mut fields = vec![
        ("content-type", answer.content_type.clone().into_bytes()),
        ("cache-control", b"no-store".to_vec()),
    ];
    if answer.status == 405 {
        fields.push(("allow", b"GET, HEAD".to_vec()));
    }
    let headers = Fields::new();
    for (name, value) in fields {
        let _ = headers.append(name, &value);
    }
    let outgoing = OutgoingResponse::new(headers);
    let _ = outgoing.set_status_code(answer.status);
    let body = outgoing.body();
    ResponseOutparam::set(response, Ok(outgoing));
    let Ok(body) = body else { return };
    if !head && let Ok(stream) = body.write() {
        // `blocking-write-and-flush` takes 4096 bytes at most.
        for part in answer.body.chunks(4096) {
            if stream.blocking_write_and_flush(part).is_err() {
                break;
            }
        }
    }
    let _ = OutgoingBody::finish(body, None);
}
