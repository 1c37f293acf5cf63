//! The MCP server, as a component: what `cargo xtask build` makes `mcp-open` and `mcp` of.
//!
//! It hands `run` to the service, and requests of the host's HTTP to the same one.

#[cfg(target_family = "wasm")]
mod export {
    use mainstay_runtime::{Options, Waiting};
    use wasip3::http::types::{ErrorCode, Request, Response};

    struct Mcp;

    wasip3::cli::command::export!(Mcp);
    wasip3::http::service::export!(Mcp);

    impl wasip3::exports::cli::run::Guest for Mcp {
        async fn run() -> Result<(), ()> {
            // The host enters by the handler too, so nothing may block.
            let options = Options {
                waiting: Waiting::ComponentModel,
            };
            mainstay_runtime::run_with(options, "mcp", |context| {
                mainstay_mcp::service::start(context, mainstay_mcp::component::Imported)
            })
            .await
        }
    }

    impl wasip3::exports::http::handler::Guest for Mcp {
        async fn handle(request: Request) -> Result<Response, ErrorCode> {
            mainstay_mcp::http::handler::handle(request).await
        }
    }
}
