//! A WASI 0.2 program without any code of ours.
fn main() {
    println!("hello");
}
