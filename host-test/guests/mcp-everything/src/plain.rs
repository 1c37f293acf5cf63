//! Tools that answer at once.

use crate::bindings::exports::mainstay::mcp::tools::ToolResult;
use crate::bindings::mainstay::mcp::types::{Block, Media, ResourceBody, ResourceContents};
use crate::{content, result, said};

/// One red pixel.
pub(crate) const PNG: [u8; 69] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, 0xf7, 0x03, 0x41, 0x43,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// No sound at all, in 8 bits and 8 kHz.
const WAV: [u8; 44] = [
    b'R', b'I', b'F', b'F', 36, 0, 0, 0, b'W', b'A', b'V', b'E', b'f', b'm', b't', b' ', 16, 0, 0, 0, 1, 0, 1, 0, 0x40,
    0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0, b'd', b'a', b't', b'a', 0, 0, 0, 0,
];

pub(crate) fn image() -> Block {
    Block::Image(Media {
        data: PNG.to_vec(),
        mime_type: "image/png".to_owned(),
    })
}

pub(crate) fn resource(uri: &str, mime_type: &str, text: &str) -> ResourceContents {
    ResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        body: ResourceBody::Text(text.to_owned()),
        meta: None,
    }
}

pub(crate) fn call(name: &str, arguments: &str) -> Option<ToolResult> {
    Some(match name {
        "test_simple_text" => said("This is a simple text response for testing."),
        "test_image_content" => result(vec![content(image())]),
        "test_audio_content" => result(vec![content(Block::Audio(Media {
            data: WAV.to_vec(),
            mime_type: "audio/wav".to_owned(),
        }))]),
        "test_embedded_resource" => {
            let text = "This is an embedded resource content.";
            result(vec![content(Block::Embedded(resource(
                "test://embedded-resource",
                "text/plain",
                text,
            )))])
        }
        "test_multiple_content_types" => {
            let json = r#"{"test":"data","value":123}"#;
            let resource = resource("test://mixed-content-resource", "application/json", json);
            let text = Block::Text("Multiple content types test:".to_owned());
            result([text, image(), Block::Embedded(resource)].map(content).to_vec())
        }
        "test_error_handling" => ToolResult {
            is_error: true,
            ..said("This tool intentionally returns an error for testing")
        },
        "trap" => core::arch::wasm32::unreachable(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "test_x_mcp_header" | "json_schema_2020_12_tool" => said(arguments),
        _ => return None,
    })
}
