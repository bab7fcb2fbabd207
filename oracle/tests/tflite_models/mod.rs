//! Models for tests: small ones written down in a few lines, and recorded ones.
#![allow(dead_code, reason = "every test binary takes what it needs")]

pub(crate) mod golden;

use half::f16;
use halfproof_ir::{Data, Tensor};
use halfproof_oracle::half::to_bits;
use halfproof_wire::tflite::{self, Builtin, Model, Operator, Options, SubGraph, TensorType};
use std::sync::Arc;

/// A float16 tensor of the nearest numbers.
pub(crate) fn halves(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::new(shape, Data::F16(values.iter().map(|&x| f16::from_bits(to_bits(x))).collect()))
}

/// A model under construction: tensors get their indices in the order in which they are added.
pub(crate) struct Builder {
    graph: SubGraph,
    buffers: Vec<tflite::Buffer>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder { graph: SubGraph::default(), buffers: vec![Arc::new(vec![])] }
    }

    pub(crate) fn tensor(&mut self, dtype: TensorType, shape: &[usize]) -> i32 {
        let shape = shape.iter().map(|&e| i32::try_from(e).expect("small extents")).collect();
        let name = format!("t{}", self.graph.tensors.len());
        self.graph.tensors.push(tflite::Tensor { name, shape, dtype, has_rank: true, ..Default::default() });
        i32::try_from(self.graph.tensors.len()).expect("few tensors") - 1
    }

    pub(crate) fn input(&mut self, dtype: TensorType, shape: &[usize]) -> i32 {
        let t = self.tensor(dtype, shape);
        self.graph.inputs.push(t);
        t
    }

    pub(crate) fn constant(&mut self, tensor: &Tensor) -> i32 {
        let t = self.tensor(tensor.dtype().into(), &tensor.shape);
        self.buffers.push(Arc::new(tensor.data.to_le_bytes()));
        let buffer = u32::try_from(self.buffers.len()).expect("few buffers") - 1;
        if let Some(last) = self.graph.tensors.last_mut() {
            last.buffer = buffer;
        }
        t
    }

    pub(crate) fn floats(&mut self, shape: &[usize], data: &[f32]) -> i32 {
        self.constant(&Tensor::new(shape, Data::F32(data.to_vec())))
    }

    pub(crate) fn ints(&mut self, shape: &[usize], data: &[i32]) -> i32 {
        self.constant(&Tensor::new(shape, Data::I32(data.to_vec())))
    }

    /// Adds an operator with one new result.
    pub(crate) fn op(
        &mut self,
        builtin: Builtin,
        operands: &[i32],
        options: impl Into<Options>,
        dtype: TensorType,
        shape: &[usize],
    ) -> i32 {
        let result = self.tensor(dtype, shape);
        self.operator(builtin, operands, &[result], options);
        result
    }

    pub(crate) fn operator(
        &mut self,
        builtin: Builtin,
        operands: &[i32],
        results: &[i32],
        options: impl Into<Options>,
    ) {
        self.graph.operators.push(Operator::builtin(builtin, operands, results, options));
    }

    pub(crate) fn finish(mut self, outputs: &[i32]) -> Model {
        self.graph.outputs = outputs.to_vec();
        Model { version: 3, subgraphs: vec![self.graph], buffers: self.buffers, ..Default::default() }
    }
}
