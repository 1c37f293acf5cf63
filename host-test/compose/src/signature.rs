//! Functions and types in WIT syntax, on one line.

use wit_component::WitPrinter;
use wit_parser::{Function, Resolve, Type};

/// `run: async func(tick: tick) -> result<_, job-error>`
pub(crate) fn of(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, type_name(resolve, &parameter.ty)))
        .collect();
    let asynchronous = if function.kind.is_async() { "async " } else { "" };
    let result = function
        .result
        .map_or_else(String::new, |ty| format!(" -> {}", type_name(resolve, &ty)));
    format!(
        "{}: {asynchronous}func({}){result}",
        function.name,
        parameters.join(", ")
    )
}

/// `option<u32>`, or the name of a type that has one.
pub(crate) fn type_name(resolve: &Resolve, ty: &Type) -> String {
    let mut printer = WitPrinter::default();
    match printer.print_type_name(resolve, ty) {
        Ok(()) => printer.output.to_string(),
        // Only a type that no component can have: a resource or record without a name.
        Err(_) => "(a type without a name)".to_owned(),
    }
}
