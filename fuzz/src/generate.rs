//! Random valid source graphs. Five promises, each tested in `tests`:
//!
//! 1. *Valid*: every graph is well-formed ONNX that a runtime accepts; nothing is generated and thrown away.
//! 2. *Whole*: every operator of the table, ranks 0 to 6, size-1 axes, broadcasting, sharing, several inputs and outputs.
//! 3. *Deterministic*: the same bytes or seed give the same graph on every machine.
//! 4. *Steerable*: decisions are read from a byte string one by one; a small change of it is a small change of the graph.
//! 5. *Alive*: values stay finite in exact arithmetic for ordinary inputs (domains are kept by construction).
//!
//! Shapes are computed here from the operators' definitions a third time, independent of converter and oracle.

pub mod dna;
mod graph;
pub mod inputs;
mod ops;
mod shapes;
mod weights;

pub use dna::{Dna, Stream};
pub use graph::{Options, alone, extend, generate};
pub use inputs::{InputKind, inputs};
pub use ops::DRAWS;
pub use weights::ElementKind;

#[cfg(test)]
mod tests;
