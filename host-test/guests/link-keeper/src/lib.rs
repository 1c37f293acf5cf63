//! A service that holds resources of another component, and prints what it does with them.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../link-callee/wit", world: "keeper" });
}

use bindings::test::link::shelf::{self, Box};

struct Keeper;

wasip3::cli::command::export!(Keeper);

impl wasip3::exports::cli::run::Guest for Keeper {
    async fn run() -> Result<(), ()> {
        let one = Box::new("one");
        println!("{}, {}", one.label(), one.label());
        let labels = ["two".to_owned(), "three".to_owned()];
        let mut several = shelf::labelled(&labels).unwrap_or_default();
        println!("{} are there", shelf::count());
        if let (Some(three), Some(two)) = (several.pop(), several.pop()) {
            let joined = Box::join(two, &three);
            println!("{}, {}, {} are there", joined.label(), three.label(), shelf::count());
        }
        println!(
            "{}, {} is left, {:?}",
            one.label(),
            shelf::count(),
            shelf::labelled(&[]).err()
        );
        drop(one);
        println!("{} are left", shelf::count());
        Ok(())
    }
}
