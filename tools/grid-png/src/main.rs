mod grid;
mod pattern;
mod terminal;
fn main() {}
