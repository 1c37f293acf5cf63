//! What a component brings.

use crate::mcp::{self, Block, Content, Failure, Media, ResourceBody, ResourceInfo};
use crate::wasmcp::{self, Blob, ContentBlock, ContentOptions};
use crate::{data, list};

/// A block of content.
///
/// # Errors
/// A stream in it cannot be read.
pub fn content(block: ContentBlock) -> Result<Content, Failure> {
    Ok(match block {
        ContentBlock::Text(text) => with(Block::Text(data::text(text.text)?), text.options),
        ContentBlock::Image(blob) => media(blob, Block::Image)?,
        ContentBlock::Audio(blob) => media(blob, Block::Audio)?,
        ContentBlock::ResourceLink(link) => with(Block::Link(linked(link)), None),
        ContentBlock::EmbeddedResource(embedded) => {
            with(Block::Embedded(contents(embedded.resource)?), embedded.options)
        }
    })
}

/// What is in a resource.
///
/// # Errors
/// A stream in it cannot be read.
pub fn contents(contents: wasmcp::ResourceContents) -> Result<mcp::ResourceContents, Failure> {
    let (uri, body, options) = match contents {
        wasmcp::ResourceContents::Text(text) => (text.uri, ResourceBody::Text(data::text(text.text)?), text.options),
        wasmcp::ResourceContents::Blob(blob) => (blob.uri, ResourceBody::Blob(data::bytes(blob.blob)?), blob.options),
    };
    let (mime_type, meta) = options.map(|options| (options.mime_type, options.meta)).unzip();
    Ok(mcp::ResourceContents {
        uri,
        mime_type: mime_type.flatten(),
        body,
        meta: meta.flatten(),
    })
}

/// Who says something.
#[must_use]
pub fn role(role: wasmcp::Role) -> mcp::Role {
    match role {
        wasmcp::Role::User => mcp::Role::User,
        wasmcp::Role::Assistant => mcp::Role::Assistant,
    }
}

fn with(block: Block, options: Option<ContentOptions>) -> Content {
    let (annotations, meta) = options.map(|options| (options.annotations, options.meta)).unzip();
    Content {
        block,
        annotations: annotations.flatten().map(list::annotations),
        meta: meta.flatten(),
    }
}

fn media(blob: Blob, block: impl Fn(Media) -> Block) -> Result<Content, Failure> {
    let media = Media {
        data: data::bytes(blob.data)?,
        mime_type: blob.mime_type,
    };
    Ok(with(block(media), blob.options))
}

fn linked(link: wasmcp::ResourceLinkContent) -> ResourceInfo {
    let options = link.options.map(|options| wasmcp::ResourceOptions {
        size: options.size,
        title: options.title,
        description: options.description,
        mime_type: options.mime_type,
        annotations: options.annotations,
        meta: options.meta,
        icons: options.icons,
    });
    list::resource(link.uri, link.name, options)
}
