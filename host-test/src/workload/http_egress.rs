//! Outgoing `wasi:http` requests, let through to the granted hosts only.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::egress::HostPattern;

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

/// The hosts that requests may go to.
#[derive(Debug, Clone)]
pub(super) struct Egress(pub(super) Arc<[HostPattern]>);

impl Egress {
    fn allows(&self, uri: &http::Uri) -> bool {
        let scheme = uri.scheme_str().unwrap_or("https");
        uri.host().is_some_and(|host| {
            self.0
                .iter()
                .any(|entry| entry.allows_request(scheme, host, uri.port_u16()))
        })
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _result: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let allowed = self.allows(request.uri());
        Box::new(async move {
            if !allowed {
                return Err(Error::HttpRequestDenied);
            }
            let (response, connection) = wasmtime_wasi_http::default_send_request(request, options).await?;
            let connection: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(connection);
            Ok((response.map(|body| body.boxed_unsync()), connection))
        })
    }
}
