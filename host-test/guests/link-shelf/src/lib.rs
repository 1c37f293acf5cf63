//! A component that defines a resource.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../link-callee/wit", world: "shelves" });
    use super::Shelf;
    export!(Shelf);
}

use std::cell::Cell;

use bindings::exports::test::link::shelf::{self, BoxBorrow, Guest, GuestBox};

struct Shelf;

thread_local! {
    static THERE: Cell<u32> = const { Cell::new(0) };
}

struct Labelled {
    label: String,
    asked: Cell<u32>,
}

impl Labelled {
    fn put(label: String) -> Self {
        THERE.set(THERE.get() + 1);
        Self {
            label,
            asked: Cell::new(0),
        }
    }
}

impl Drop for Labelled {
    fn drop(&mut self) {
        THERE.set(THERE.get() - 1);
    }
}

impl GuestBox for Labelled {
    fn new(label: String) -> Self {
        Self::put(label)
    }

    fn label(&self) -> String {
        self.asked.set(self.asked.get() + 1);
        format!("{} {}", self.label, self.asked.get())
    }

    fn join(first: shelf::Box, second: BoxBorrow<'_>) -> shelf::Box {
        let label = format!("{}+{}", first.get::<Self>().label, second.get::<Self>().label);
        shelf::Box::new(Self::put(label))
    }
}

impl Guest for Shelf {
    type Box = Labelled;

    fn labelled(labels: Vec<String>) -> Result<Vec<shelf::Box>, String> {
        if labels.is_empty() {
            return Err("no labels".to_owned());
        }
        Ok(labels
            .into_iter()
            .map(|label| shelf::Box::new(Labelled::put(label)))
            .collect())
    }

    fn count() -> u32 {
        THERE.get()
    }
}
