//! `wasi:http/handler`: requests that the host hands over, while `run` goes on in the same instance.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use mainstay_mcp_core::http::{Head, Response as Whole};
use wasip3::http::types::{ErrorCode, Fields, HeaderError, Method, Request, Response};
use wasip3::wit_bindgen::{self, StreamResult};
use wasip3::{wit_future, wit_stream};

use super::{Answer, Events, Site};

thread_local! {
    /// Open when the service has started.
    static SITE: RefCell<Option<Rc<Site>>> = const { RefCell::new(None) };
}

/// Read at once.
const READ: usize = 64 << 10;

/// Lets requests in.
pub(crate) fn open(site: Rc<Site>) {
    SITE.set(Some(site));
}

/// Answers a request; 503 before the service has started.
///
/// # Errors
/// The host does not take the answer.
pub async fn handle(request: Request) -> Result<Response, ErrorCode> {
    let Some(site) = SITE.with_borrow(Clone::clone) else {
        return whole(Whole::empty(503));
    };
    let head = head(&request);
    let asker = match site.admit(&head).await {
        Ok(asker) => asker,
        Err(response) => return whole(response),
    };
    let Some(body) = body(request, site.max_message).await else {
        return whole(site.too_large());
    };
    match site.answer(&head, &body, &asker).await {
        Answer::Whole(response) => whole(response),
        Answer::Events(headers, events) => stream(headers, events),
    }
}

fn head(request: &Request) -> Head {
    let method = match request.get_method() {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
        // None of these is served.
        _ => "OTHER",
    };
    let path = request.get_path_with_query().unwrap_or_default();
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let fields = request.get_headers().copy_all();
    let mut headers: Vec<(String, String)> = fields
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), text(value)))
        .collect();
    // Hosts tell it apart from the other headers.
    if let Some(authority) = request.get_authority()
        && headers.iter().all(|(name, _)| name != "host")
    {
        headers.push(("host".to_owned(), authority));
    }
    Head {
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        headers,
    }
}

/// The whole body, unless it is too large.
async fn body(request: Request, limit: usize) -> Option<Vec<u8>> {
    let (_, result) = wit_future::new(|| Ok(()));
    let (mut stream, _trailers) = Request::consume_body(request, result);
    let mut body = Vec::new();
    let mut buffer = Vec::with_capacity(READ);
    loop {
        let (status, read) = stream.read(buffer).await;
        body.extend_from_slice(&read);
        if body.len() > limit {
            return None;
        }
        if matches!(status, StreamResult::Dropped) {
            return Some(body);
        }
        buffer = read;
        buffer.clear();
    }
}

fn whole(response: Whole) -> Result<Response, ErrorCode> {
    let response = response.with_length();
    let (mut body, to_client) = wit_stream::new();
    let responded = respond(response.status, &response.headers, to_client)?;
    if !response.body.is_empty() {
        wit_bindgen::spawn_local(async move {
            body.write_all(response.body.into_bytes()).await;
        });
    }
    Ok(responded)
}

fn stream(headers: Vec<(&'static str, String)>, mut events: Events) -> Result<Response, ErrorCode> {
    let (mut body, to_client) = wit_stream::new();
    let responded = respond(200, &headers, to_client)?;
    wit_bindgen::spawn_local(async move {
        while let Some(chunk) = events.next().await {
            if !body.write_all(Bytes::into(chunk)).await.is_empty() {
                // The client is gone.
                return;
            }
        }
    });
    Ok(responded)
}

fn respond(
    status: u16,
    headers: &[(&'static str, String)],
    body: wit_bindgen::StreamReader<u8>,
) -> Result<Response, ErrorCode> {
    let fields = Fields::new();
    let failed = |error: HeaderError| ErrorCode::InternalError(Some(format!("{error:?}")));
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(failed)?;
    }
    let (trailers, to_trailers) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (response, _sent) = Response::new(fields, Some(body), to_trailers);
    response
        .set_status_code(status)
        .map_err(|()| ErrorCode::InternalError(Some(format!("status {status}"))))?;
    Ok(response)
}
