//! Prints what `tests/choices.rs` expects.

#[path = "../tests/choices/mod.rs"]
mod choice;

use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for graph in choice::graphs(include_str!("../tests/choices/graphs.txt")) {
        out.write_all(choice::choices(&graph).as_bytes())?;
    }
    Ok(())
}
