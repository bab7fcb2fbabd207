//! ONNX to IR and back.

use halfproof_wire::onnx::{Opset, read, write};

/// What is read, and can be written, reads again as the same graph, and is then written as the same bytes.
pub fn run(data: &[u8]) {
    let Ok(graph) = read(data) else { return };
    let opset = Opset::of(&graph);
    let Ok(bytes) = write(&graph, opset) else { return };
    let again = read(&bytes).expect("a graph that was written reads");
    let bytes_again = write(&again, opset).expect("the same graph is written");
    assert!(bytes == bytes_again, "the graph changed when it was written:\n{graph:#?}\n{again:#?}");
}
