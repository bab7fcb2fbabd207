//! Writes the ten broken models of the tests into a folder, each with source, converted file and inputs, to be triaged:
//! `cargo run --release -p halfproof-fuzz --example broken_models -- FOLDER`.

#[path = "../tests/broken/mod.rs"]
mod broken;

use halfproof_wire::file::write_atomically;
use halfproof_wire::npz;
use halfproof_wire::onnx::{self, Opset};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: broken_models FOLDER")?;
    for b in broken::all() {
        let name: String = b.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let at = Path::new(&folder).join(name);
        std::fs::create_dir_all(&at)?;
        write_atomically(&at.join("model.onnx"), &onnx::write(&b.graph, Opset::of(&b.graph))?)?;
        write_atomically(&at.join("converted.tflite"), &b.conversion.model)?;
        if let Some(inputs) = &b.inputs {
            let names = b.graph.inputs.iter().map(|&id| b.graph.value(id).name.clone());
            let named: Vec<_> = names.zip(inputs.iter().cloned()).collect();
            write_atomically(&at.join("inputs.npz"), &npz::write(&named)?)?;
        }
    }
    Ok(())
}
