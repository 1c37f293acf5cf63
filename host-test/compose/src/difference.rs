//! Where two functions of the same name differ in type.
//!
//! The component model compares types by structure: names of parameters, fields and cases and their order count, the
//! names of the types do not. So `tick` here and `tick` there may print the same and still differ inside; what is wanted
//! then is the place.

#![expect(
    clippy::indexing_slicing,
    reason = "an id of a Resolve is only used with the Resolve that made it"
)]

use std::fmt;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind};

use crate::signature::type_name;

/// The first difference between a wanted and a given type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// From the function inwards: `parameter tick`, `field scheduled`, ...; empty for the function itself.
    pub place: Vec<String>,
    /// What the importer has there.
    pub imported: String,
    /// What the exporter has there.
    pub exported: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "in {}: ", self.place.join(", "))?;
        }
        write!(f, "{} imported, {} exported", self.imported, self.exported)
    }
}

impl Difference {
    /// Whether one of the functions is async and the other is not.
    #[must_use]
    pub fn is_async(&self) -> bool {
        self.place.is_empty() && [&self.imported, &self.exported].iter().any(|kind| *kind == ASYNC)
    }

    fn inside(mut self, step: String) -> Self {
        self.place.insert(0, step);
        self
    }
}

const ASYNC: &str = "async func";
const SYNC: &str = "sync func";

/// The first difference, outermost first.
pub(crate) fn between(imported: (&Resolve, &Function), exported: (&Resolve, &Function)) -> Option<Difference> {
    let comparison = Comparison {
        imported: imported.0,
        exported: exported.0,
    };
    comparison.functions(imported.1, exported.1).err()
}

struct Comparison<'a> {
    imported: &'a Resolve,
    exported: &'a Resolve,
}

type Compared = Result<(), Difference>;

impl Comparison<'_> {
    fn functions(&self, imported: &Function, exported: &Function) -> Compared {
        let kind = |function: &Function| {
            if function.kind.is_async() { ASYNC } else { SYNC }
        };
        if kind(imported) != kind(exported) {
            return differ(kind(imported), kind(exported));
        }
        let parameters = |function: &Function| -> Vec<Part> {
            function
                .params
                .iter()
                .map(|parameter| (parameter.name.clone(), Some(parameter.ty)))
                .collect()
        };
        self.parts("parameter", &parameters(imported), &parameters(exported))?;
        self.optional_types(imported.result, exported.result)
            .map_err(|difference| difference.inside("result".to_owned()))
    }

    fn types(&self, imported: Type, exported: Type) -> Compared {
        let (imported, exported) = (
            behind_names(self.imported, imported),
            behind_names(self.exported, exported),
        );
        let (Type::Id(left), Type::Id(right)) = (imported, exported) else {
            return if imported == exported {
                Ok(())
            } else {
                self.differing_types(imported, exported)
            };
        };
        let (left, right) = (&self.imported.types[left], &self.exported.types[right]);
        match (&left.kind, &right.kind) {
            (TypeDefKind::Record(a), TypeDefKind::Record(b)) => {
                let parts = |fields: &[wit_parser::Field]| -> Vec<Part> {
                    fields
                        .iter()
                        .map(|field| (field.name.clone(), Some(field.ty)))
                        .collect()
                };
                self.parts("field", &parts(&a.fields), &parts(&b.fields))
            }
            (TypeDefKind::Variant(a), TypeDefKind::Variant(b)) => {
                let parts = |cases: &[wit_parser::Case]| -> Vec<Part> {
                    cases.iter().map(|case| (case.name.clone(), case.ty)).collect()
                };
                self.parts("case", &parts(&a.cases), &parts(&b.cases))
            }
            (TypeDefKind::Enum(a), TypeDefKind::Enum(b)) => {
                let parts = |of: &wit_parser::Enum| names(of.cases.iter().map(|case| &case.name));
                self.parts("case", &parts(a), &parts(b))
            }
            (TypeDefKind::Flags(a), TypeDefKind::Flags(b)) => {
                let parts = |of: &wit_parser::Flags| names(of.flags.iter().map(|flag| &flag.name));
                self.parts("flag", &parts(a), &parts(b))
            }
            (TypeDefKind::Tuple(a), TypeDefKind::Tuple(b)) => {
                let parts = |of: &wit_parser::Tuple| -> Vec<Part> {
                    of.types
                        .iter()
                        .enumerate()
                        .map(|(index, ty)| (index.to_string(), Some(*ty)))
                        .collect()
                };
                self.parts("element", &parts(a), &parts(b))
            }
            (TypeDefKind::Option(a), TypeDefKind::Option(b)) | (TypeDefKind::List(a), TypeDefKind::List(b)) => {
                self.types(*a, *b)
            }
            (TypeDefKind::FixedLengthList(a, n), TypeDefKind::FixedLengthList(b, m)) if n == m => self.types(*a, *b),
            (TypeDefKind::Map(a, x), TypeDefKind::Map(b, y)) => self.types(*a, *b).and_then(|()| self.types(*x, *y)),
            (TypeDefKind::Result(a), TypeDefKind::Result(b)) => {
                self.optional_types(a.ok, b.ok)
                    .map_err(|difference| difference.inside("ok".to_owned()))?;
                self.optional_types(a.err, b.err)
                    .map_err(|difference| difference.inside("err".to_owned()))
            }
            (TypeDefKind::Future(a), TypeDefKind::Future(b)) | (TypeDefKind::Stream(a), TypeDefKind::Stream(b)) => {
                self.optional_types(*a, *b)
            }
            // Which resource of that name it is, is settled when the interface that defines it is linked.
            (TypeDefKind::Resource, TypeDefKind::Resource) if left.name == right.name => Ok(()),
            (TypeDefKind::Handle(a), TypeDefKind::Handle(b)) => match (a, b) {
                (Handle::Own(a), Handle::Own(b)) | (Handle::Borrow(a), Handle::Borrow(b)) => {
                    self.types(Type::Id(*a), Type::Id(*b))
                }
                _ => self.differing_types(imported, exported),
            },
            _ => self.differing_types(imported, exported),
        }
    }

    fn optional_types(&self, imported: Option<Type>, exported: Option<Type>) -> Compared {
        let name = |resolve, ty: Option<Type>| ty.map_or_else(|| "nothing".to_owned(), |ty| described(resolve, ty));
        match (imported, exported) {
            (None, None) => Ok(()),
            (Some(imported), Some(exported)) => self.types(imported, exported),
            _ => differ(name(self.imported, imported), name(self.exported, exported)),
        }
    }

    /// Parameters, fields, cases: the same names in the same order, with the same types.
    fn parts(&self, kind: &str, imported: &[Part], exported: &[Part]) -> Compared {
        let describe = |resolve, part: Option<&Part>| match part {
            Some((name, Some(ty))) => format!("{kind} {name}: {}", type_name(resolve, ty)),
            Some((name, None)) => format!("{kind} {name}"),
            None => format!("no further {kind}"),
        };
        for index in 0..imported.len().max(exported.len()) {
            match (imported.get(index), exported.get(index)) {
                (Some((name, left)), Some((same, right))) if name == same => self
                    .optional_types(*left, *right)
                    .map_err(|difference| difference.inside(format!("{kind} {name}")))?,
                (left, right) => return differ(describe(self.imported, left), describe(self.exported, right)),
            }
        }
        Ok(())
    }

    fn differing_types(&self, imported: Type, exported: Type) -> Compared {
        differ(described(self.imported, imported), described(self.exported, exported))
    }
}

/// A named part of a type, and its type if it has one.
type Part = (String, Option<Type>);

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Part> {
    names.map(|name| (name.clone(), None)).collect()
}

/// The type that an alias or a `use` stands for.
fn behind_names(resolve: &Resolve, mut ty: Type) -> Type {
    while let Type::Id(id) = ty
        && let TypeDefKind::Type(behind) = resolve.types[id].kind
    {
        ty = behind;
    }
    ty
}

/// A name alone does not say what it names: `record tick`, `own<lease>`, but `option<u32>`.
fn described(resolve: &Resolve, ty: Type) -> String {
    let name = type_name(resolve, &ty);
    match behind_names(resolve, ty) {
        Type::Id(id) if matches!(resolve.types[id].kind, TypeDefKind::Handle(Handle::Own(_))) => format!("own<{name}>"),
        Type::Id(id) if resolve.types[id].name.is_some() => format!("{} {name}", resolve.types[id].kind.as_str()),
        _ => name,
    }
}

fn differ(imported: impl Into<String>, exported: impl Into<String>) -> Compared {
    Err(Difference {
        place: Vec::new(),
        imported: imported.into(),
        exported: exported.into(),
    })
}
