//! Ten broken float16 models, built deterministically: what triage has to name, and whose fault it is. Files of converters
//! that are not ours come without a map of where tensors come from, as anybody's do.

#![allow(dead_code, reason = "the tests and the example that writes the files use different parts")]
#![allow(clippy::unwrap_used, reason = "the models are ours")]

mod build;

use build::Net;
use halfproof_ir::ops::{Conv, CoordinateMode, LayerNormalization, ReduceMax, Resize, ResizeMode};
use halfproof_ir::{Conversion, DType, Data, Graph, Op, Precision, Provenance, Request, Tensor};
use halfproof_oracle::verdict::{Blame, Class};
use halfproof_wire::tflite::{
    self, Builtin, Model, OpCode, Operator, Options, Quantization, TensorType, options,
};
use std::sync::Arc;

/// One broken model.
pub(crate) struct Broken {
    pub(crate) name: &'static str,
    pub(crate) graph: Graph,
    pub(crate) request: Request,
    /// What our converter makes of it, before anything is broken.
    pub(crate) right: Conversion,
    /// What is to be triaged.
    pub(crate) conversion: Conversion,
    /// The inputs that somebody complained about; `None` where triage has to find some.
    pub(crate) inputs: Option<Vec<Tensor>>,
    /// The runtime that shows it; our interpreter where none is named.
    pub(crate) runtime: Option<&'static str>,
    /// The source node to name.
    pub(crate) node: &'static str,
    pub(crate) class: Class,
    pub(crate) blame: Blame,
}

/// All ten.
pub(crate) fn all() -> Vec<Broken> {
    vec![
        deep_norm(),
        wrong_axis(),
        infinity_times_zero(),
        epsilon(),
        int8(),
        swapped_pads(),
        bad_kernel(),
        stale_weights(),
        resize_mode(),
        cancellation(),
    ]
}

fn converted(graph: &Graph, request: &Request) -> Conversion {
    halfproof_converter::convert(graph, request).unwrap()
}

/// A model whose fault is in the choice of float16, or in a runtime.
fn ours(
    name: &'static str,
    graph: Graph,
    precision: Precision,
    inputs: Option<Vec<Tensor>>,
    node: &'static str,
    class: Class,
    blame: Blame,
) -> Broken {
    let request = Request::new(precision);
    let right = converted(&graph, &request);
    let conversion = right.clone();
    Broken { name, graph, request, right, conversion, inputs, runtime: None, node, class, blame }
}

/// A model that somebody else converted, with a fault of that converter.
fn theirs(
    name: &'static str,
    graph: Graph,
    precision: Precision,
    node: &'static str,
    class: Class,
    damage: impl FnOnce(&mut Model),
) -> Broken {
    let request = Request::new(precision);
    let right = converted(&graph, &request);
    let mut model = tflite::read(&right.model).unwrap();
    damage(&mut model);
    // Names help: none of ours are left, but those of the interface.
    let g = &mut model.subgraphs[0];
    let edges: Vec<i32> = g.inputs.iter().chain(&g.outputs).copied().collect();
    for (i, t) in g.tensors.iter_mut().enumerate() {
        if !edges.contains(&(i as i32)) {
            t.name = format!("tensor_{i}");
        }
    }
    let conversion =
        Conversion { model: tflite::write(&model), provenance: Provenance::default(), notes: vec![] };
    let (inputs, runtime, blame) = (None, None, Blame::Converter);
    Broken { name, graph, request, right, conversion, inputs, runtime, node, class, blame }
}

/// Twelve blocks whose residual grows by three each; the squares of the ninth no longer fit.
fn deep_norm() -> Broken {
    let mut n = Net::new("deep_norm", &[1, 4, 16]);
    for block in 0..12 {
        let scale = n.weight(&format!("scale{block}"), &[16], 1.0, 0.1);
        let bias = n.weight(&format!("bias{block}"), &[16], 0.0, 0.1);
        let w = n.weight(&format!("w{block}"), &[16, 16], 0.0, 0.2);
        let three = n.scalar(&format!("grow{block}"), 3.0);
        let x = n.at;
        let norm = n.node(LayerNormalization::default(), &[x, scale, bias], format!("norm{block}"));
        let y = n.node(Op::MatMul, &[norm, w], format!("proj{block}"));
        let big = n.node(Op::Mul, &[x, three], format!("residual{block}"));
        n.at = n.node(Op::Add, &[big, y], format!("add{block}"));
    }
    let scale = n.weight("scale", &[16], 1.0, 0.0);
    let x = n.at;
    n.at = n.node(LayerNormalization::default(), &[x, scale], "norm_out".into());
    let inputs = Some(vec![n.input(1.0)]);
    ours(
        "overflow in a deep layer norm",
        n.finish(),
        Precision::Full,
        inputs,
        "norm5",
        Class::Nonfinite,
        Blame::Policy,
    )
}

/// Sixty blocks of five nodes, a small step beside a residual, so that neither numbers nor differences fade; the axis
/// of one maximum is another.
fn wrong_axis() -> Broken {
    let mut n = Net::new("wrong_axis", &[1, 8, 8]);
    for block in 0..60 {
        let w = n.weight(&format!("w{block}"), &[8, 8], 0.0, 0.02);
        let axis = n.axes(&format!("axis{block}"), &[2]);
        let back = n.axes(&format!("back{block}"), &[2]);
        let x = n.at;
        let y = n.node(Op::MatMul, &[x, w], format!("proj{block}"));
        let op = ReduceMax { keepdims: false, ..ReduceMax::default() };
        let max = n.node(op, &[y, axis], format!("max{block}"));
        let max = n.node(Op::Unsqueeze, &[max, back], format!("unsqueeze{block}"));
        let below = n.node(Op::Sub, &[y, max], format!("below{block}"));
        n.at = n.node(Op::Add, &[x, below], format!("add{block}"));
    }
    theirs(
        "wrong axis in one of 300 nodes",
        n.finish(),
        Precision::Full,
        "max37",
        Class::Semantics,
        |model| {
            let nth = operators(model, Builtin::ReduceMax)[37];
            let axes = model.subgraphs[0].operators[nth].inputs[1];
            own_constant(model, nth, 1, axes, 1i32.to_le_bytes().to_vec());
        },
    )
}

/// A mask of -3.4e38 becomes -inf, and 0 · -inf is NaN.
fn infinity_times_zero() -> Broken {
    let mut n = Net::new("mask", &[1, 6, 8]);
    let w = n.weight("w", &[8, 6], 0.0, 0.3);
    let x = n.at;
    let scores = n.node(Op::MatMul, &[x, w], "scores".into());
    let allowed =
        n.constant("allowed", &[1, 6, 6], (0..36).map(|i| f32::from(u8::from(i % 6 > i / 6))).collect());
    let lowest = n.scalar("lowest", f32::MIN);
    let mask = n.graph.add_input("mask", DType::F32, &[1, 6, 6]);
    let mask = n.node(Op::Mul, &[mask, allowed], "masked".into());
    let bias = n.node(Op::Mul, &[mask, lowest], "mask_bias".into());
    let sum = n.node(Op::Add, &[scores, bias], "biased".into());
    n.at = n.node(halfproof_ir::ops::Softmax::default(), &[sum], "attention".into());
    let ones = Tensor::f32(vec![1, 6, 6], vec![1.0; 36]);
    let inputs = Some(vec![n.input(1.0), ones]);
    ours(
        "NaN from inf · 0",
        n.finish(),
        Precision::Full,
        inputs,
        "mask_bias",
        Class::Nonfinite,
        Blame::Policy,
    )
}

/// 1e-9 is 0 in float16, and a constant row has no variance.
fn epsilon() -> Broken {
    let mut n = Net::new("epsilon", &[1, 4, 8]);
    let axis = n.axes("axis", &[2]);
    let eps = n.scalar("eps", 1e-9);
    let x = n.at;
    let mean = n.node(halfproof_ir::ops::ReduceMean::default(), &[x, axis], "mean".into());
    let centred = n.node(Op::Sub, &[x, mean], "centred".into());
    let square = n.node(Op::Mul, &[centred, centred], "square".into());
    let var = n.node(halfproof_ir::ops::ReduceMean::default(), &[square, axis], "variance".into());
    let guarded = n.node(Op::Add, &[var, eps], "guard".into());
    let root = n.node(Op::Sqrt, &[guarded], "root".into());
    n.at = n.node(Op::Div, &[centred, root], "normalised".into());
    let mut row: Vec<f32> = (0..32).map(|i| (i % 7) as f32 - 3.0).collect();
    row[8..16].fill(0.25);
    let inputs = Some(vec![Tensor::f32(vec![1, 4, 8], row)]);
    ours("epsilon underflow", n.finish(), Precision::Full, inputs, "guard", Class::Nonfinite, Blame::Policy)
}

fn convolutions(name: &str, count: usize, pads: &[i64]) -> Net {
    let mut n = Net::new(name, &[1, 4, 8, 8]);
    for i in 0..count {
        let w = n.weight(&format!("w{i}"), &[4, 4, 3, 3], 0.0, 0.25);
        let b = n.weight(&format!("b{i}"), &[4], 0.0, 0.1);
        let x = n.at;
        let conv = Conv { pads: pads.to_vec(), ..Conv::default() };
        let y = n.node(conv, &[x, w, b], format!("conv{i}"));
        n.at = n.node(Op::Relu, &[y], format!("relu{i}"));
    }
    n
}

/// The weights of one convolution are int8 behind a DEQUANTIZE.
fn int8() -> Broken {
    let n = convolutions("int8", 6, &[1, 1, 1, 1]);
    theirs("int8 slipped in", n.finish(), Precision::Full, "conv3", Class::Impure, |model| {
        let at = operators(model, Builtin::Conv2d)[3];
        let g = &mut model.subgraphs[0];
        let weights = g.operators[at].inputs[1] as usize;
        let mut narrow = g.tensors[weights].clone();
        let elements: i32 = narrow.shape.iter().product();
        narrow.dtype = TensorType::Int8;
        narrow.quantization =
            Some(Quantization { scale: vec![0.004], zero_point: vec![0], ..Quantization::default() });
        narrow.buffer = model.buffers.len() as u32;
        model.buffers.push(Arc::new((0..elements).map(|i| (i % 251) as u8).collect()));
        g.tensors[weights].buffer = 0;
        let new = g.tensors.len() as i32;
        g.tensors.push(narrow);
        let widen = Operator::builtin(Builtin::Dequantize, [new], [weights as i32], Options::None);
        g.operators.insert(at, widen);
    })
}

/// One pixel above and none below, instead of none above and one below.
fn swapped_pads() -> Broken {
    let n = convolutions("swapped_pads", 8, &[0, 0, 2, 2]);
    theirs("swapped pads", n.finish(), Precision::Full, "conv4", Class::Semantics, |model| {
        let at = operators(model, Builtin::Pad)[4];
        let pads = model.subgraphs[0].operators[at].inputs[1];
        let tensor = &model.subgraphs[0].tensors[pads as usize];
        let bytes = model.data(tensor).unwrap();
        let mut pairs: Vec<i32> =
            bytes.chunks_exact(4).map(|c| i32::from_le_bytes(c.try_into().unwrap())).collect();
        for pair in pairs.chunks_exact_mut(2) {
            pair.swap(0, 1);
        }
        let bytes = pairs.iter().flat_map(|p| p.to_le_bytes()).collect();
        own_constant(model, at, 1, pads, bytes);
    })
}

/// XNNPACK's RSQRT of 0 is NaN instead of infinite; a clip after it makes the exact result an ordinary number.
fn bad_kernel() -> Broken {
    let mut n = Net::new("bad_kernel", &[1, 8]);
    for i in 0..4 {
        let w = n.weight(&format!("w{i}"), &[8, 8], 0.0, 0.6);
        let x = n.at;
        let y = n.node(Op::MatMul, &[x, w], format!("proj{i}"));
        n.at = n.node(Op::Relu, &[y], format!("relu{i}"));
        if i == 1 {
            let exponent = n.scalar("exponent", -0.5);
            let most = n.scalar("most", 8.0);
            let x = n.at;
            let y = n.node(Op::Pow, &[x, exponent], "inverse_root".into());
            n.at = n.node(Op::Min, &[y, most], "limited".into());
        }
    }
    let inputs = Some(vec![n.input(1.5)]);
    let mut broken = ours(
        "a bad kernel in LiteRT",
        n.finish(),
        Precision::Weights,
        inputs,
        "inverse_root",
        Class::Kernel,
        Blame::Kernel,
    );
    broken.runtime = Some("litert-xnnpack");
    broken
}

/// The weights of an earlier training step.
fn stale_weights() -> Broken {
    let n = convolutions("stale_weights", 8, &[1, 1, 1, 1]);
    theirs("stale weights", n.finish(), Precision::Full, "conv5", Class::Semantics, |model| {
        let at = operators(model, Builtin::Conv2d)[5];
        let weights = model.subgraphs[0].operators[at].inputs[1];
        let tensor = &model.subgraphs[0].tensors[weights as usize];
        let data = Data::from_le_bytes(DType::F16, model.data(tensor).unwrap()).unwrap();
        let Data::F16(v) = data else { panic!("not FLOAT16") };
        let old =
            |(i, x): (usize, &half::f16)| half::f16::from_f64(x.to_f64() * 0.97 + 0.004 * (i % 5) as f64);
        let bytes = v.iter().enumerate().map(old).flat_map(|x| x.to_le_bytes()).collect();
        own_constant(model, at, 1, weights, bytes);
    })
}

/// Half-pixel centers are forgotten in one of two.
fn resize_mode() -> Broken {
    let mut n = Net::new("resize_mode", &[1, 4, 6, 6]);
    for i in 0..2 {
        let scales = n.constant(&format!("scales{i}"), &[4], vec![1.0, 1.0, 2.0, 2.0]);
        let w = n.weight(&format!("w{i}"), &[4, 4, 1, 1], 0.0, 0.5);
        let x = n.at;
        let op = Resize {
            mode: ResizeMode::Linear,
            coordinate_transformation_mode: CoordinateMode::HalfPixel,
            ..Resize::default()
        };
        let y = n.result(format!("resize{i}"));
        n.raw(op, vec![Some(x), None, Some(scales)], y, format!("resize{i}"));
        n.at = n.node(Conv::default(), &[y, w], format!("conv{i}"));
    }
    // FLOAT16 has no resize kernel; our converter keeps the operator where activations are float32.
    theirs("wrong resize mode", n.finish(), Precision::Weights, "resize1", Class::Semantics, |model| {
        let at = operators(model, Builtin::ResizeBilinear)[1];
        model.subgraphs[0].operators[at].options =
            options::ResizeBilinear { half_pixel_centers: false, align_corners: false }.into();
    })
}

fn cancellation() -> Broken {
    let (graph, inputs) = build::cancellation();
    ours(
        "plain cancellation",
        graph,
        Precision::Full,
        Some(inputs),
        "back",
        Class::Explained,
        Blame::Explained,
    )
}

/// The operators of a kind.
fn operators(model: &Model, builtin: Builtin) -> Vec<usize> {
    let is = |op: &Operator| op.code == OpCode::Builtin(builtin);
    let all = model.subgraphs[0].operators.iter().enumerate();
    all.filter(|(_, op)| is(op)).map(|(i, _)| i).collect()
}

/// Gives an operator a constant of its own, so that nobody else sees the change.
fn own_constant(model: &mut Model, operator: usize, operand: usize, tensor: i32, bytes: Vec<u8>) {
    let buffer = model.buffers.len() as u32;
    model.buffers.push(Arc::new(bytes));
    let g = &mut model.subgraphs[0];
    let mut own = g.tensors[tensor as usize].clone();
    own.buffer = buffer;
    g.operators[operator].inputs[operand] = g.tensors.len() as i32;
    g.tensors.push(own);
}
