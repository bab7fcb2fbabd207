//! Writes generated models for `valid_models.py`, which asks the checker of the `onnx` package whether they are valid:
//!
//!     cargo run --release -p halfproof-fuzz --example valid_models -- FOLDER [COUNT [SEED]]

use halfproof_fuzz::generate::{Dna, Options, generate};
use halfproof_wire::onnx;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: valid_models FOLDER [COUNT [SEED]]")?;
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (count, seed) = (number(1, 10_000)?, number(2, 1)?);
    std::fs::create_dir_all(folder)?;
    let options = Options { max_elements: 256, ..Options::default() };
    for index in 0..count {
        let graph = generate(Dna::from_seed(seed.wrapping_mul(1_000_003).wrapping_add(index)), &options);
        let bytes = onnx::write(&graph, onnx::Opset::of(&graph))?;
        std::fs::write(format!("{folder}/{index}.onnx"), bytes)?;
    }
    Ok(())
}
