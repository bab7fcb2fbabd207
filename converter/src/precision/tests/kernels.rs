//! What LiteRT's float16 kernels ask of an operator.
//!
//! Source: the checks of `xnnpack_delegate.cc`, node by node.

use super::super::kernels::{fused, missing};
use crate::target::{Target, TensorId};
use halfproof_ir::Role;
use halfproof_wire::tflite::options::{
    Add, Concatenation, Conv2D, Conv3D, DepthwiseConv2D, Div, FullyConnected, L2Norm, LeakyRelu, Mul, Pool2D,
    Sub, TransposeConv,
};
use halfproof_wire::tflite::{Activation, Builtin, Options};

/// A tensor of a shape, constant or not.
type Operand<'a> = (&'a [usize], bool);

const VARIABLE: Operand<'static> = (&[2, 2], false);
const CONSTANT: Operand<'static> = (&[2, 2], true);

/// Whether LiteRT can run an operator with these operands and so many results.
fn runs(builtin: Builtin, options: impl Into<Options>, operands: &[Operand<'_>], results: usize) -> bool {
    let mut target = Target::default();
    let add = |target: &mut Target, (shape, is_constant): Operand<'_>| match is_constant {
        true => target.exact("c", shape, Role::Plain, vec![1.0; shape.iter().product()]),
        false => target.activation("x", shape),
    };
    let inputs: Vec<TensorId> = operands.iter().map(|&o| add(&mut target, o)).collect();
    target.op(builtin, &inputs, "y", operands[0].0, options);
    for _ in 1..results {
        let more = target.activation("more", operands[0].0);
        target.operators[0].outputs.push(more);
    }
    missing(&target, &target.operators[0]).is_none()
}

fn plain(builtin: Builtin, operands: &[Operand<'_>]) -> bool {
    runs(builtin, Options::None, operands, 1)
}

#[test]
fn kernels_of_its_own_take_any_number_of_axes() {
    let seven: Operand<'_> = (&[1; 7], false);
    for builtin in [Builtin::Add, Builtin::Softmax, Builtin::Pad, Builtin::Gelu, Builtin::Rank, Builtin::Cast]
    {
        assert!(plain(builtin, &[seven]), "{builtin}");
    }
    for builtin in [Builtin::TransposeConv, Builtin::Pow, Builtin::Cumsum, Builtin::Sign] {
        assert!(!plain(builtin, &[VARIABLE, CONSTANT, CONSTANT]), "{builtin}");
    }
}

#[test]
fn xnnpack_takes_six_axes_that_are_not_empty() {
    for builtin in [Builtin::Sub, Builtin::Exp, Builtin::Sqrt, Builtin::DepthToSpace, Builtin::BatchMatmul] {
        assert!(plain(builtin, &[(&[1; 6], false)]), "{builtin}");
        assert!(!plain(builtin, &[(&[1; 7], false)]), "{builtin}");
        assert!(!plain(builtin, &[(&[2, 0], false)]), "{builtin}");
        assert!(!plain(builtin, &[VARIABLE, (&[1; 7], false)]), "{builtin}: any operand");
    }
}

#[test]
fn some_operands_must_be_constant() {
    for builtin in [Builtin::Sum, Builtin::Mean, Builtin::ReduceMax, Builtin::ReduceMin, Builtin::Prelu] {
        assert!(plain(builtin, &[VARIABLE, CONSTANT]), "{builtin}");
        assert!(!plain(builtin, &[VARIABLE, VARIABLE]), "{builtin}");
    }
    assert!(plain(Builtin::BatchMatmul, &[VARIABLE, VARIABLE]));
    for builtin in [Builtin::Conv2d, Builtin::DepthwiseConv2d] {
        assert!(plain(builtin, &[VARIABLE, CONSTANT, CONSTANT]), "{builtin}");
        assert!(!plain(builtin, &[VARIABLE, VARIABLE, CONSTANT]), "{builtin}");
        assert!(!plain(builtin, &[VARIABLE, CONSTANT, VARIABLE]), "{builtin}");
        assert!(!plain(builtin, &[VARIABLE, CONSTANT]), "{builtin}");
    }
    assert!(plain(Builtin::FullyConnected, &[VARIABLE, CONSTANT, CONSTANT]));
    assert!(plain(Builtin::FullyConnected, &[VARIABLE, CONSTANT]));
    assert!(!plain(Builtin::FullyConnected, &[VARIABLE, VARIABLE, CONSTANT]));
    assert!(!plain(Builtin::FullyConnected, &[VARIABLE, CONSTANT, VARIABLE]));
}

#[test]
fn options_have_limits() {
    for (results, good) in [(1, false), (2, true), (3, true), (4, true), (5, false)] {
        assert_eq!(
            runs(Builtin::Split, Options::None, &[CONSTANT, VARIABLE], results),
            good,
            "{results} parts"
        );
    }
    for (alpha, good) in [(0.1, true), (-2.0, true), (0.0, false), (f32::INFINITY, false), (1e-40, false)] {
        assert_eq!(runs(Builtin::LeakyRelu, LeakyRelu { alpha }, &[VARIABLE], 1), good, "slope {alpha}");
    }
    let pool = |filter: (i32, i32), stride: (i32, i32)| {
        let options = Pool2D {
            filter_height: filter.0,
            filter_width: filter.1,
            stride_h: stride.0,
            stride_w: stride.1,
            ..Pool2D::default()
        };
        runs(Builtin::AveragePool2d, options, &[VARIABLE], 1)
    };
    assert!(pool((2, 3), (1, 1)) && pool((2, 3), (2, 3)) && pool((1, 1), (1, 1)) && pool((1, 2), (1, 1)));
    assert!(pool((2, 1), (1, 1)) && pool((1, 2), (1, 2)) && pool((2, 1), (2, 1)));
    assert!(!pool((2, 3), (3, 3)) && !pool((2, 3), (2, 4)) && !pool((1, 2), (2, 1)));
    assert!(!plain(Builtin::AveragePool2d, &[VARIABLE]), "without options");
}

#[test]
fn an_activation_is_fused_into_twelve_kinds_of_options() {
    let fused_activation_function = Activation::Tanh;
    let all: [Options; 12] = [
        Conv2D { fused_activation_function, ..Conv2D::default() }.into(),
        DepthwiseConv2D { fused_activation_function, ..DepthwiseConv2D::default() }.into(),
        Pool2D { fused_activation_function, ..Pool2D::default() }.into(),
        FullyConnected { fused_activation_function, ..FullyConnected::default() }.into(),
        Concatenation { fused_activation_function, ..Concatenation::default() }.into(),
        Add { fused_activation_function, ..Add::default() }.into(),
        L2Norm { fused_activation_function }.into(),
        Mul { fused_activation_function }.into(),
        Sub { fused_activation_function, ..Sub::default() }.into(),
        Div { fused_activation_function }.into(),
        TransposeConv { fused_activation_function, ..TransposeConv::default() }.into(),
        Conv3D { fused_activation_function, ..Conv3D::default() }.into(),
    ];
    for options in &all {
        assert_eq!(fused(options), Activation::Tanh, "{options:?}");
    }
    assert_eq!(fused(&Options::None), Activation::None);
    for (activation, good) in [
        (Activation::None, true),
        (Activation::Relu, true),
        (Activation::Relu6, true),
        (Activation::Tanh, false),
        (Activation::SignBit, false),
    ] {
        let options = Div { fused_activation_function: activation };
        assert_eq!(runs(Builtin::Div, options, &[VARIABLE, VARIABLE], 1), good, "{activation:?}");
    }
}
