//! Components of wasmCP, as they are, behind the adapters.

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::common::{self, Builder, component_path};
use crate::dummy::{self, links, ours};
use crate::support::{self, make, ready, tcp};

/// wasmCP's own signatures.
const WASMCP: &str = include_str!("wasmcp.wit");

#[test]
fn the_adapters_and_the_client_have_the_signatures_of_wasmcp() {
    let component = dummy::component(
        "import wasmcp:mcp-v20251125/server-io@0.1.1; export wasmcp:mcp-v20251125/tools@0.1.1;
         export wasmcp:mcp-v20251125/resources@0.1.1; export wasmcp:mcp-v20251125/prompts@0.1.1;",
        &without_functions(WASMCP),
    );
    let adapters = [
        "wasmcp-tools-adapter",
        "wasmcp-resources-adapter",
        "wasmcp-prompts-adapter",
    ]
    .map(ours);
    let [tools, resources, prompts] = adapters;
    assert_eq!(
        links(None, &[component, tools, resources, prompts, ours("mcp-client")]),
        [
            "wasmcp:mcp-v20251125/server-io@0.1.1 of mcp-client",
            "wasmcp:mcp-v20251125/tools@0.1.1 of user",
            "wasmcp:mcp-v20251125/resources@0.1.1 of user",
            "wasmcp:mcp-v20251125/prompts@0.1.1 of user",
        ]
    );
}

/// The same without the functions that transports and middleware call, and no component with tools does.
fn without_functions(wit: &str) -> String {
    ["parse-message", "handle", "decode", "authorize"]
        .iter()
        .fold(wit.to_owned(), |wit, name| {
            let (before, rest) = wit.split_once(&format!(" {name}: func")).unwrap();
            format!("{before}{}", rest.split_once(';').unwrap().1)
        })
}

#[tokio::test]
async fn a_component_of_wasmcp_has_its_tools_resources_and_prompts_here() {
    let folder = tempfile::tempdir().unwrap();
    let adapters = [
        "wasmcp-tools-adapter",
        "wasmcp-resources-adapter",
        "wasmcp-prompts-adapter",
    ];
    let fitted = folder.path().join("mcp.wasm");
    let parts: Vec<_> = ["mcp-open", "test/mcp-wasmcp", "mcp-client"]
        .iter()
        .chain(&adapters)
        .map(|name| component_path(name))
        .collect();
    make("fit", &parts, &fitted);
    let mut workload = common::service("mcp")
        .component("test/mcp-wasmcp")
        .component("mcp-client");
    for adapter in adapters {
        workload = workload.component(adapter);
    }
    let workload = workload.with_service(|service| service.image = fitted);
    let (_workload, mut client) = client(workload).await;
    the_tools_work(&mut client).await;

    let listed = client.request("resources/list", json!({})).await;
    assert_eq!(names(&listed["result"]["resources"]), ["one", "two"]);
    let listed = client.request("resources/templates/list", json!({})).await;
    assert_eq!(listed["result"]["resourceTemplates"], json!([]));
    let read = client.request("resources/read", json!({"uri": "test://two"})).await;
    assert_eq!(
        read["result"]["contents"],
        json!([{"uri": "test://two", "text": "two"}])
    );
    let broken = client.request("resources/read", json!({"uri": "test://broken"})).await;
    assert_eq!(broken["error"], json!({"code": -32603, "message": "it is broken"}));
    let unknown = client.request("resources/read", json!({"uri": "other://x"})).await;
    assert_eq!(unknown["error"]["code"], -32002);

    let listed = client.request("prompts/list", json!({})).await;
    assert_eq!(names(&listed["result"]["prompts"]), ["greet"]);
    let filled = json!({"name": "greet", "arguments": {"who": "Ada"}});
    let filled = client.request("prompts/get", filled).await;
    let message = json!({"role": "user", "content": {"type": "text", "text": "Say hello to Ada."}});
    assert_eq!(filled["result"]["messages"], json!([message]));
}

#[tokio::test]
async fn the_adapter_and_the_component_may_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let joined = folder.path().join("tools.wasm");
    let parts = ["wasmcp-tools-adapter", "test/mcp-wasmcp"].map(component_path);
    make("chain", &parts, &joined);
    let workload = common::service("mcp")
        .component_with("test/mcp-wasmcp", |component| component.image = joined)
        .component("mcp-client");
    let (_workload, mut client) = client(workload).await;
    the_tools_work(&mut client).await;
}

type Client = support::Lines<tokio::net::tcp::OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf>;

/// Starts a workload, and a client of it.
async fn client(workload: Builder) -> (mainstay_host_test::workload::Workload, Client) {
    let workload = workload.environment("MCP_TCP", "127.0.0.1:8090").start();
    ready(&workload).await;
    let mut client = tcp(&workload, 8090).await;
    client.initialize("2025-11-25").await;
    (workload, client)
}

async fn the_tools_work<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(client: &mut support::Lines<R, W>) {
    let listed = client.request("tools/list", json!({})).await;
    assert_eq!(names(&listed["result"]["tools"]), ["shout", "whoami", "picture"]);
    assert_eq!(listed["result"]["tools"][0]["title"], "shout, titled");
    assert_eq!(listed["result"]["tools"][0]["annotations"]["readOnlyHint"], true);

    let call = |name: &str, arguments| json!({"name": name, "arguments": arguments});
    let params = call("shout", json!({"text": "hello"}));
    client
        .send(&json!({"jsonrpc": "2.0", "id": "shout", "method": "tools/call", "params": params}))
        .await;
    let log = client.next().await;
    assert_eq!(log["method"], "notifications/message");
    assert_eq!(
        log["params"],
        json!({"level": "info", "logger": "shout", "data": "shouting hello"})
    );
    let answer = client.next().await;
    assert_eq!(answer["id"], "shout");
    assert_eq!(answer["result"]["content"][0]["text"], "HELLO");
    assert_eq!(answer["result"]["structuredContent"], json!({"told": true}));

    let answer = client.request("tools/call", call("whoami", json!({}))).await;
    let told = json!({"revision": "2025-11-25", "identity": null});
    assert_eq!(answer["result"]["structuredContent"], told);
    let answer = client.request("tools/call", call("picture", json!({}))).await;
    let image = json!({"type": "image", "data": "AQID", "mimeType": "image/png"});
    assert_eq!(answer["result"]["content"], json!([image]));
    let answer = client.request("tools/call", call("none", json!({}))).await;
    assert_eq!(answer["error"]["code"], -32602);
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}
