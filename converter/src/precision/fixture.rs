//! Small lowered programs, built by hand for tests.

use crate::target::{Constant, Origin, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{DType, Data, Role};
use halfproof_wire::tflite::options::{Conv2D, FullyConnected, Reshape};
use halfproof_wire::tflite::{Activation, Builtin, Options, Padding};
use std::sync::Arc;

impl Target {
    pub(crate) fn activation(&mut self, name: &str, shape: &[usize]) -> TensorId {
        self.typed(name, shape, DType::F32)
    }

    pub(crate) fn typed(&mut self, name: &str, shape: &[usize], dtype: DType) -> TensorId {
        self.add(TargetTensor {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype,
            constant: None,
            role: Role::Plain,
            origin: Some(Origin { source: name.to_string(), permutation: None }),
        })
    }

    pub(crate) fn exact(&mut self, name: &str, shape: &[usize], role: Role, data: Vec<f64>) -> TensorId {
        let id = self.activation(name, shape);
        self.tensors[id.index()].constant = Some(Constant::Exact(data.into()));
        self.tensors[id.index()].role = role;
        id
    }

    pub(crate) fn scalar(&mut self, name: &str, role: Role, value: f64) -> TensorId {
        self.exact(name, &[], role, vec![value])
    }

    pub(crate) fn ints(&mut self, name: &str, data: Vec<i32>) -> TensorId {
        let id = self.typed(name, &[data.len()], DType::I32);
        self.tensors[id.index()].constant = Some(Constant::Stored(Arc::new(Data::I32(data))));
        id
    }

    /// An operator with one result of the given shape, called as its node.
    pub(crate) fn op(
        &mut self,
        builtin: Builtin,
        inputs: &[TensorId],
        name: &str,
        shape: &[usize],
        options: impl Into<Options>,
    ) -> TensorId {
        let result = self.activation(name, shape);
        self.operators.push(TargetOperator {
            builtin,
            version: 1,
            inputs: inputs.iter().map(|&i| Some(i)).collect(),
            outputs: vec![result],
            options: options.into(),
            nodes: vec![name.to_string()],
        });
        result
    }

    pub(crate) fn plain(
        &mut self,
        builtin: Builtin,
        inputs: &[TensorId],
        name: &str,
        shape: &[usize],
    ) -> TensorId {
        self.op(builtin, inputs, name, shape, Options::None)
    }

    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let id = self.activation(name, shape);
        self.inputs.push((name.to_string(), id));
        id
    }

    pub(crate) fn output(&mut self, name: &str, id: TensorId) {
        self.outputs.push((name.to_string(), id));
    }
}

fn ramp(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i % 17) as f64 / 10.0 - 0.8).collect()
}

/// `Conv2d(3, 1, kernel 8, stride 8, padding 2) -> ReLU -> Flatten -> Linear(81, 10)` on 64 x 64 (NHWC, activation fused).
pub(crate) fn patch_classifier() -> Target {
    let mut t = Target::default();
    let x = t.input("x", &[1, 64, 64, 3]);
    let pads = t.ints("pads", vec![0, 0, 2, 2, 2, 2, 0, 0]);
    let padded = t.op(Builtin::Pad, &[x, pads], "padded", &[1, 68, 68, 3], Options::None);
    let w = t.exact("conv.weight", &[1, 8, 8, 3], Role::Weight, ramp(192));
    let b = t.exact("conv.bias", &[1], Role::Bias, vec![0.1]);
    let conv = Conv2D {
        padding: Padding::Valid,
        stride_w: 8,
        stride_h: 8,
        fused_activation_function: Activation::Relu,
        ..Conv2D::default()
    };
    let y = t.op(Builtin::Conv2d, &[padded, w, b], "relu", &[1, 8, 8, 1], conv);
    let shape = t.ints("flat", vec![1, 64]);
    let flat = t.op(Builtin::Reshape, &[y, shape], "flatten", &[1, 64], Reshape { new_shape: vec![1, 64] });
    let w = t.exact("fc.weight", &[10, 64], Role::Weight, ramp(640));
    let b = t.exact("fc.bias", &[10], Role::Bias, ramp(10));
    let z = t.op(Builtin::FullyConnected, &[flat, w, b], "fc", &[1, 10], FullyConnected::default());
    t.output("logits", z);
    t
}
