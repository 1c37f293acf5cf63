//! Texts, images, sound, resources.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::Json;
use crate::object::{self, Object};
use crate::revision::Revision;

/// Who speaks, or who something is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Role {
    User,
    Assistant,
}

/// How a client may use something.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// Who it is for; nobody in particular if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<Role>,
    /// How much it matters, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// When it was last changed, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// A picture for something.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Icon {
    /// Where it is: an `https:` or `data:` URI.
    pub src: String,
    /// Its media type, if `src` does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// `48x48`, or `any`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<String>,
    /// `light` or `dark`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
}

/// What a resource holds.
#[derive(Clone, Debug)]
pub struct ResourceContents {
    /// Which resource.
    pub uri: String,
    /// Its media type.
    pub mime_type: Option<String>,
    /// What is in it.
    pub body: ResourceBody,
    /// `_meta`.
    pub meta: Option<Json>,
}

/// The body of a resource.
#[derive(Clone, Debug)]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Serialize for ResourceContents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            uri: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            mime_type: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            blob: Option<String>,
            #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
            meta: Option<&'a Json>,
        }
        let (text, blob) = match &self.body {
            ResourceBody::Text(text) => (Some(text.as_str()), None),
            ResourceBody::Blob(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        let wire = Wire {
            uri: &self.uri,
            mime_type: self.mime_type.as_deref(),
            text,
            blob,
            meta: self.meta.as_ref(),
        };
        wire.serialize(serializer)
    }
}

/// A block of content.
#[derive(Clone, Debug)]
pub struct Content {
    /// What it is.
    pub kind: ContentKind,
    /// How it may be used.
    pub annotations: Option<Annotations>,
    /// `_meta`.
    pub meta: Option<Json>,
}

/// What a block of content is.
#[derive(Clone, Debug)]
pub enum ContentKind {
    /// Text.
    Text(String),
    /// An image and its media type.
    Image(Vec<u8>, String),
    /// Sound and its media type.
    Audio(Vec<u8>, String),
    /// A resource that the client can read.
    Link(Box<super::Resource>),
    /// A resource with what it holds.
    Embedded(ResourceContents),
}

impl Content {
    /// A text, and nothing else said about it.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: ContentKind::Text(text.into()),
            annotations: None,
            meta: None,
        }
    }

    /// The block as JSON. What a revision does not know yet becomes what it knows: a link is told as text, and sound is
    /// embedded as a resource.
    pub fn to_json(&self, revision: Revision) -> String {
        let object = Object::new();
        let object = match &self.kind {
            ContentKind::Text(text) => object.with("type", "text").with("text", text),
            ContentKind::Image(data, mime_type) => blob(object.with("type", "image"), data, mime_type),
            ContentKind::Audio(data, mime_type) if revision.has_audio() => {
                blob(object.with("type", "audio"), data, mime_type)
            }
            ContentKind::Audio(data, mime_type) => {
                let resource = ResourceContents {
                    uri: "audio:".to_owned(),
                    mime_type: Some(mime_type.clone()),
                    body: ResourceBody::Blob(data.clone()),
                    meta: None,
                };
                object.with("type", "resource").with("resource", &resource)
            }
            ContentKind::Link(resource) if revision.has_structured_content() => {
                object.with("type", "resource_link").members(&object::text(resource))
            }
            ContentKind::Link(resource) => {
                let text = format!("{}: {}", resource.name, resource.uri);
                object.with("type", "text").with("text", &text)
            }
            ContentKind::Embedded(resource) => object.with("type", "resource").with("resource", resource),
        };
        let object = object.with_some("annotations", self.annotations.as_ref());
        object.with_some("_meta", self.meta.as_ref()).end()
    }
}

fn blob(object: Object, data: &[u8], mime_type: &str) -> Object {
    object.with("data", &STANDARD.encode(data)).with("mimeType", mime_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(kind: ContentKind) -> Content {
        Content {
            kind,
            annotations: None,
            meta: None,
        }
    }

    #[test]
    fn what_a_revision_does_not_know_becomes_what_it_knows() {
        let audio = content(ContentKind::Audio(vec![1, 2, 3], "audio/wav".to_owned()));
        assert_eq!(
            audio.to_json(Revision::V2025_03_26),
            r#"{"type":"audio","data":"AQID","mimeType":"audio/wav"}"#
        );
        assert_eq!(
            audio.to_json(Revision::V2024_11_05),
            r#"{"type":"resource","resource":{"uri":"audio:","mimeType":"audio/wav","blob":"AQID"}}"#
        );
        let link = content(ContentKind::Link(Box::new(super::super::Resource::new(
            "file:///a",
            "a",
        ))));
        assert_eq!(
            link.to_json(Revision::LATEST),
            r#"{"type":"resource_link","uri":"file:///a","name":"a"}"#
        );
        assert_eq!(
            link.to_json(Revision::V2025_03_26),
            r#"{"type":"text","text":"a: file:///a"}"#
        );
    }

    #[test]
    fn annotations_and_meta_are_told_with_the_content() {
        let mut text = Content::text("hi \u{2028}");
        text.annotations = Some(Annotations {
            audience: vec![Role::User],
            priority: Some(0.5),
            last_modified: None,
        });
        text.meta = super::super::json(r#"{"z":1,"a":2}"#.to_owned()).ok();
        assert_eq!(
            text.to_json(Revision::LATEST),
            "{\"type\":\"text\",\"text\":\"hi \u{2028}\",\"annotations\":{\"audience\":[\"user\"],\"priority\":0.5},\
             \"_meta\":{\"z\":1,\"a\":2}}"
        );
    }
}
