//! A request as one request for each trace.

use std::collections::HashMap;

use crate::sampling::SpanView;
use crate::wire::schema::{Kind, Message, SPAN};
use crate::wire::{Fields, Malformed, Value, put_bytes, put_message};

/// The spans of one trace under one resource and scope.
pub(super) struct Group<'a> {
    pub(super) trace_id: &'a [u8],
    pub(super) spans: Vec<SpanView<'a>>,
    /// The `Resource`, if there is one.
    pub(super) resource: &'a [u8],
    /// The spans with their resource and scope.
    pub(super) request: Vec<u8>,
}

const RESOURCE: u32 = 1;

/// Groups of a request, in the order of its spans.
pub(super) fn by_trace<'a>(request: &'static Message, bytes: &'a [u8]) -> Result<Vec<Group<'a>>, Malformed> {
    let mut groups = Vec::new();
    let top = Opened::open(request, bytes)?;
    for (resource_number, resource_message, resource_bytes) in &top.children {
        let resource = Opened::open(resource_message, resource_bytes)?;
        for (scope_number, scope_message, scope_bytes) in &resource.children {
            let scope = Opened::open(scope_message, scope_bytes)?;
            for (trace_id, spans) in of_scope(&scope) {
                let mut request = Vec::new();
                let Ok(()) = put_message(&mut request, *resource_number, |out| {
                    out.extend_from_slice(&resource.envelope);
                    put_message(out, *scope_number, |out| {
                        out.extend_from_slice(&scope.envelope);
                        for (number, span, _) in &spans {
                            put_bytes(out, *number, span);
                        }
                        Ok::<_, std::convert::Infallible>(())
                    })
                });
                groups.push(Group {
                    trace_id,
                    spans: spans.into_iter().map(|(_, _, view)| view).collect(),
                    resource: crate::resource::bytes_of(resource_bytes, RESOURCE).unwrap_or_default(),
                    request,
                });
            }
        }
    }
    Ok(groups)
}

type Span<'a> = (u32, &'a [u8], SpanView<'a>);

fn of_scope<'a>(scope: &Opened<'a>) -> Vec<(&'a [u8], Vec<Span<'a>>)> {
    let mut groups: Vec<(&[u8], Vec<Span<'_>>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for (number, _, span) in &scope.children {
        let view = SpanView::new(span);
        let place = *places.entry(view.trace_id).or_insert_with(|| {
            groups.push((view.trace_id, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, spans)) = groups.get_mut(place) {
            spans.push((*number, span, view));
        }
    }
    groups
}

/// A message above the spans: what leads to them, and what stands beside.
struct Opened<'a> {
    envelope: Vec<u8>,
    children: Vec<(u32, &'static Message, &'a [u8])>,
}

impl<'a> Opened<'a> {
    fn open(message: &'static Message, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut opened = Self {
            envelope: Vec::new(),
            children: Vec::new(),
        };
        for field in Fields::new(bytes) {
            let field = field.map_err(|fault| Malformed::new(message, fault))?;
            match (message.field(field.number).map(|known| known.kind), field.value) {
                (Some(Kind::Message(inner)), Value::Bytes(child))
                    if inner.holds_items || std::ptr::eq(inner, &SPAN) =>
                {
                    opened.children.push((field.number, inner, child));
                }
                _ => opened.envelope.extend_from_slice(field.raw),
            }
        }
        Ok(opened)
    }
}
