//! Pages to their end, and what is said of the things that are listed.

use crate::content::role;
use crate::failure;
use crate::mcp::{self, Failure, ResourceInfo};
use crate::wasmcp::{self, ErrorCode};

/// A component that gives more pages than this gives them for ever.
const PAGES: usize = 10_000;

/// All items of a list whose pages `page` asks for. None if the component has no such list.
///
/// # Errors
/// The component gives a page not, or no last one.
pub fn all<T>(
    mut page: impl FnMut(Option<String>) -> Result<(Vec<T>, Option<String>), ErrorCode>,
) -> Result<Option<Vec<T>>, Failure> {
    let (mut items, mut cursor) = (Vec::new(), None);
    for number in 0..PAGES {
        match page(cursor) {
            Ok((more, next)) => {
                items.extend(more);
                cursor = next;
            }
            Err(ErrorCode::MethodNotFound(_)) if number == 0 => return Ok(None),
            Err(code) => return Err(failure(code)),
        }
        if cursor.is_none() {
            return Ok(Some(items));
        }
    }
    Err(Failure::Broken(format!("a list has more than {PAGES} pages")))
}

/// A resource, as it is listed.
#[must_use]
pub fn resource(uri: String, name: String, options: Option<wasmcp::ResourceOptions>) -> ResourceInfo {
    let mut info = ResourceInfo {
        uri,
        name,
        title: None,
        description: None,
        mime_type: None,
        size: None,
        annotations: None,
        icons: Vec::new(),
        meta: None,
    };
    if let Some(options) = options {
        info.title = options.title;
        info.description = options.description;
        info.mime_type = options.mime_type;
        info.size = options.size;
        info.annotations = options.annotations.map(annotations);
        info.icons = icons(options.icons);
        info.meta = options.meta;
    }
    info
}

/// How something may be used.
#[must_use]
pub fn annotations(annotations: wasmcp::Annotations) -> mcp::Annotations {
    mcp::Annotations {
        audience: annotations.audience.into_iter().flatten().map(role).collect(),
        priority: annotations.priority,
        last_modified: annotations.last_modified,
    }
}

/// Pictures.
#[must_use]
pub fn icons(icons: Option<Vec<wasmcp::Icon>>) -> Vec<mcp::Icon> {
    let icon = |icon: wasmcp::Icon| mcp::Icon {
        src: icon.src,
        mime_type: icon.mime_type,
        sizes: icon.sizes.unwrap_or_default(),
        theme: icon.theme.map(|theme| {
            match theme {
                wasmcp::IconTheme::Light => "light",
                wasmcp::IconTheme::Dark => "dark",
            }
            .to_owned()
        }),
    };
    icons.into_iter().flatten().map(icon).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> wasmcp::Error {
        wasmcp::Error {
            code: -32601,
            message: "no".to_owned(),
            data: None,
        }
    }

    #[test]
    fn pages_are_asked_for_to_the_last() {
        let pages = |cursor: Option<String>| match cursor.as_deref() {
            None => Ok((vec![1, 2], Some("2".to_owned()))),
            Some("2") => Ok((vec![3], None)),
            Some(_) => Err(ErrorCode::InvalidParams(error())),
        };
        assert_eq!(all(pages).unwrap(), Some(vec![1, 2, 3]));
    }

    #[test]
    fn a_component_without_the_list_is_no_failure() {
        let none = |_: Option<String>| Err::<(Vec<u8>, _), _>(ErrorCode::MethodNotFound(error()));
        assert_eq!(all(none).unwrap(), None);
    }

    #[test]
    fn pages_without_end_are_given_up() {
        let endless = |_: Option<String>| Ok((vec![()], Some("again".to_owned())));
        let Err(Failure::Broken(reason)) = all(endless) else {
            panic!("it ended")
        };
        assert_eq!(reason, "a list has more than 10000 pages");
    }
}
