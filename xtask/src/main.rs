//! The commands of halfproof.
fn main() {}
