//! What can be told from the type of a linked function.

use wasmtime::component::types::{ComponentFunc, Type};

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
    imported.async_() == exported.async_() && (has_handles(imported) || same())
}

/// Whether parameters or results carry a resource, a stream or a future, which belong to the store they are in.
pub(super) fn has_handles(function: &ComponentFunc) -> bool {
    function.params().any(|(_, ty)| carries_handle(&ty)) || function.results().any(|ty| carries_handle(&ty))
}

fn carries_handle(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => true,
        Type::List(list) => carries_handle(&list.ty()),
        Type::FixedLengthList(list) => carries_handle(&list.ty()),
        Type::Map(map) => carries_handle(&map.key()) || carries_handle(&map.value()),
        Type::Record(record) => record.fields().any(|field| carries_handle(&field.ty)),
        Type::Tuple(tuple) => tuple.types().any(|ty| carries_handle(&ty)),
        Type::Variant(variant) => variant
            .cases()
            .any(|case| case.ty.is_some_and(|ty| carries_handle(&ty))),
        Type::Option(option) => carries_handle(&option.ty()),
        Type::Result(result) => {
            result.ok().is_some_and(|ty| carries_handle(&ty)) || result.err().is_some_and(|ty| carries_handle(&ty))
        }
        _ => false,
    }
}
