//! Reads a .tflite file and writes it again: `rewrite IN OUT`. Prints what it saw.

use std::error::Error;

#[expect(clippy::print_stdout, reason = "an example program")]
fn main() -> Result<(), Box<dyn Error>> {
    let [_, from, to] = <[String; 3]>::try_from(std::env::args().collect::<Vec<_>>())
        .map_err(|_| "two arguments, please: the file to read and the file to write")?;
    let model = halfproof_wire::tflite::read(&std::fs::read(from)?)?;
    std::fs::write(to, halfproof_wire::tflite::write(&model))?;
    print!("{}", halfproof_wire::tflite::dump(&model));
    Ok(())
}
