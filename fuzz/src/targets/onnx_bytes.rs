//! Any bytes as an .onnx file.

use halfproof_ir::{Graph, Precision, Request};

/// Reads, and converts by every strategy what is not large: nothing may panic, whatever the file says.
pub fn run(data: &[u8]) {
    let Ok(graph) = halfproof_wire::onnx::read(data) else { return };
    if !is_small(&graph) {
        return;
    }
    for precision in Precision::ALL {
        // A refusal is an answer.
        let _ = halfproof_converter::convert(&graph, &Request::new(precision));
    }
}

/// True when nothing that the file declares is large: the target looks for panics, not for slow conversions.
fn is_small(graph: &Graph) -> bool {
    graph.nodes.len() <= 64
        && graph.values.iter().all(|v| {
            v.static_shape().is_none_or(|shape| {
                shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_some_and(|n| n <= 1 << 14)
            })
        })
}
