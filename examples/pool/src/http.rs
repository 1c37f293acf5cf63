//! The little of HTTP that it takes.

use wasip3::http::types::{ErrorCode, Fields, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

/// A status and a text.
pub(crate) struct Answer(pub(crate) u16, pub(crate) String);

pub(crate) fn respond(Answer(status, text): Answer) -> Result<Response, ErrorCode> {
    let (mut body, to_client) = wit_stream::new();
    let (trailers, to_trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
    drop(trailers);
    response
        .set_status_code(status)
        .map_err(|()| ErrorCode::InternalError(None))?;
    wit_bindgen::spawn_local(async move {
        // Who has hung up does not read it.
        let _ = body.write_all(text.into_bytes()).await;
    });
    Ok(response)
}

/// A text of a path: `milk%20and%20bread` is `milk and bread`.
pub(crate) fn decoded(text: &str) -> String {
    let parsed = form_urlencoded::parse(text.as_bytes()).next();
    parsed.map(|(text, _)| text.into_owned()).unwrap_or_default()
}
