//! What can be told from the type of a linked function.

use wasmtime::component::types::{ComponentFunc, Type};

/// What the parameters and results of a function carry besides plain values. A resource, a stream or a future belongs to
/// the store that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Handles {
    None,
    /// Streams of bytes.
    Streams,
    /// Resources, and perhaps streams.
    Resources,
    /// Futures, error contexts, and streams of anything else.
    Others,
}

/// Whether an import may be satisfied by an export. Types are compared by structure; a resource is another one in every
/// component, so that functions with resources are compared by their async-ness only.
pub(super) fn fits(imported: &ComponentFunc, exported: &ComponentFunc) -> bool {
    let same = || {
        imported
            .params()
            .map(|(_, ty)| ty)
            .eq(exported.params().map(|(_, ty)| ty))
            && imported.results().eq(exported.results())
    };
    imported.async_() == exported.async_() && (handles(imported) >= Handles::Resources || same())
}

/// The hardest to pass on of all that a function carries.
pub(super) fn handles(function: &ComponentFunc) -> Handles {
    let types = function.params().map(|(_, ty)| ty).chain(function.results());
    types.map(|ty| carried(&ty)).max().unwrap_or(Handles::None)
}

fn carried(ty: &Type) -> Handles {
    let most = |types: &mut dyn Iterator<Item = Type>| types.map(|ty| carried(&ty)).max().unwrap_or(Handles::None);
    match ty {
        Type::Own(_) | Type::Borrow(_) => Handles::Resources,
        Type::Stream(stream) if matches!(stream.ty(), Some(Type::U8)) => Handles::Streams,
        Type::Stream(_) | Type::Future(_) | Type::ErrorContext => Handles::Others,
        Type::List(list) => carried(&list.ty()),
        Type::FixedLengthList(list) => carried(&list.ty()),
        Type::Map(map) => carried(&map.key()).max(carried(&map.value())),
        Type::Record(record) => most(&mut record.fields().map(|field| field.ty)),
        Type::Tuple(tuple) => most(&mut tuple.types()),
        Type::Variant(variant) => most(&mut variant.cases().filter_map(|case| case.ty)),
        Type::Option(option) => carried(&option.ty()),
        Type::Result(result) => most(&mut result.ok().into_iter().chain(result.err())),
        _ => Handles::None,
    }
}
