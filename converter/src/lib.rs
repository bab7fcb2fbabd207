//! The converter: an ONNX graph in, a float16 .tflite out, by explicit strategies.

pub mod constants;
mod declared;
mod emit;
mod expand;
pub mod fold;
pub mod infer;
mod layout;
pub mod lint;
mod lower;
pub mod precision;
mod refuse;
pub mod retype;
pub mod size;
pub mod summary;
pub mod target;

pub use infer::bind_dims;
pub use lower::{Lowered, lower};
pub use precision::{Budget, Measure};

use halfproof_ir::{Conversion, Graph, Refusal, Request};

/// Converts a source graph to a float16 .tflite.
///
/// Constant sub-graphs are folded in f64, operators lowered to TFLite's in as few TRANSPOSEs as they need, and floats
/// rounded once, where the strategy puts float16. The same graph and request always give the same bytes.
///
/// # Errors
/// Everything that stands in the way, at once: nodes that TFLite cannot express, shapes that are not static.
pub fn convert(graph: &Graph, request: &Request) -> Result<Conversion, Refusal> {
    let lowered = lower(&prepared(graph)?, request)?;
    let mut conversion = precision::apply(&lowered.target, request)?;
    conversion.provenance.rewrites.extend(lowered.rewrites);
    Ok(conversion)
}

/// As [`convert`], for a graph that nobody needs afterwards: its weights leave memory as soon as they are lowered.
///
/// # Errors
/// As [`convert`].
pub fn convert_owned(graph: Graph, request: &Request) -> Result<Conversion, Refusal> {
    let prepared = prepared(&graph)?;
    drop(graph);
    let lowered = lower(&prepared, request)?;
    drop(prepared);
    let mut conversion = precision::apply(&lowered.target, request)?;
    conversion.provenance.rewrites.extend(lowered.rewrites);
    Ok(conversion)
}

/// As [`convert`], with as little float32 more as an error budget needs. The loss is measured by the caller.
///
/// # Errors
/// As [`convert`], and when the budget is not kept with every operator in float32.
pub fn convert_within(
    graph: &Graph,
    request: &Request,
    budget: &mut Budget<'_>,
) -> Result<Conversion, Refusal> {
    let lowered = lower(&prepared(graph)?, request)?;
    let mut conversion = precision::apply_within(&lowered.target, request, budget)?;
    conversion.provenance.rewrites.extend(lowered.rewrites);
    Ok(conversion)
}

/// The graph with its constant sub-graphs folded, in operators that lowering knows.
fn prepared(graph: &Graph) -> Result<Graph, Refusal> {
    let mut refused = refuse::Refusals::default();
    let folded = fold::fold(graph);
    declared::constants(graph, &folded, &mut refused);
    refused.finish(())?;
    let Some(expanded) = expand::expand(&folded)? else { return Ok(folded) };
    let mut refused = refuse::Refusals::default();
    let folded = fold::fold(&expanded);
    declared::constants(&expanded, &folded, &mut refused);
    refused.finish(folded)
}
