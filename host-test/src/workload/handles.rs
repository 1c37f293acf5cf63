//! The handles among values: streams and resources, wherever they are nested.

use wasmtime::component::Val;

/// Visits all streams and resources in values, in order.
pub(super) fn each(
    values: &mut [Val],
    visit: &mut dyn FnMut(&mut Val) -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    values.iter_mut().try_for_each(|value| each_in(value, visit))
}

fn each_in(value: &mut Val, visit: &mut dyn FnMut(&mut Val) -> wasmtime::Result<()>) -> wasmtime::Result<()> {
    match value {
        Val::Stream(_) | Val::Resource(_) => visit(value),
        // A list of bytes is long and has no handles in it.
        Val::List(items) if !matches!(items.first(), Some(Val::U8(_))) => each(items, visit),
        Val::Tuple(items) | Val::FixedLengthList(items) => each(items, visit),
        Val::Record(fields) => fields.iter_mut().try_for_each(|(_, field)| each_in(field, visit)),
        Val::Map(entries) => entries.iter_mut().try_for_each(|(_, entry)| each_in(entry, visit)),
        Val::Variant(_, Some(inner)) | Val::Option(Some(inner)) | Val::Result(Ok(Some(inner)) | Err(Some(inner))) => {
            each_in(inner, visit)
        }
        _ => Ok(()),
    }
}
