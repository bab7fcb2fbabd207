//! Turns a lowered program and the decisions about its floats into a TFLite model.
//!
//! Tensors are numbered as they are first needed, operators keep their order, and a CAST or DEQUANTIZE stands
//! directly before its first reader. Equal constants share one buffer. The same program always gives the same bytes.

mod buffers;
mod program;
mod version;

pub(crate) use buffers::Buffers;
pub(crate) use program::{Program, program};

use halfproof_ir::Provenance;
use halfproof_wire::tflite::{Model, Signature};

/// Wraps one program as a whole file with the signature `serving_default`, and says where everything comes from.
pub(crate) fn model(mut program: Program, buffers: Buffers) -> (Model, Provenance) {
    let provenance = program.take_provenance();
    let signature = Signature {
        key: "serving_default".to_string(),
        subgraph: 0,
        inputs: program.inputs,
        outputs: program.outputs,
    };
    let model = Model {
        version: 3,
        description: "halfproof".to_string(),
        subgraphs: vec![program.subgraph],
        buffers: buffers.into_vec(),
        metadata: vec![],
        signatures: vec![signature],
    };
    (model, provenance)
}
