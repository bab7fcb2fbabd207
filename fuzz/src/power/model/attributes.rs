//! Faults in the option tables of operators.

use crate::power::draft::Draft;
use halfproof_wire::tflite::{
    Activation, Builtin, MirrorPadMode, OpCode, Options, Padding, options as table,
};

/// Changes the options of some operator.
fn options(d: &mut Draft<'_>, change: impl Fn(&mut Options, u64) -> Option<String>) -> Option<String> {
    let drawn = d.stream.next_u64();
    d.anywhere(|d, at| change(&mut d.operator(at).options, drawn))
}

/// Another number of 1, 2 and 3 than the present one.
fn other(now: i32, drawn: u64) -> i32 {
    let all: Vec<i32> = [1, 2, 3].into_iter().filter(|&x| x != now).collect();
    all[(drawn % all.len() as u64) as usize]
}

fn replace<T: Copy + std::fmt::Debug>(field: &mut T, name: &str, to: T) -> String {
    let words = format!("{name} {field:?} becomes {to:?}");
    *field = to;
    words
}

pub(in crate::power) fn stride(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let (h, w) = match o {
            Options::Conv2D(o) => (&mut o.stride_h, &mut o.stride_w),
            Options::DepthwiseConv2D(o) => (&mut o.stride_h, &mut o.stride_w),
            Options::Pool2D(o) => (&mut o.stride_h, &mut o.stride_w),
            Options::TransposeConv(o) => (&mut o.stride_h, &mut o.stride_w),
            _ => return None,
        };
        if h != w && drawn % 4 == 0 {
            std::mem::swap(h, w);
            return Some("strides of height and width swapped".into());
        }
        let (field, name) = if drawn % 2 == 0 { (h, "stride_h") } else { (w, "stride_w") };
        let to = other(*field, drawn >> 8);
        Some(replace(field, name, to))
    })
}

pub(in crate::power) fn dilation(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let (h, w) = match o {
            Options::Conv2D(o) => (&mut o.dilation_h_factor, &mut o.dilation_w_factor),
            Options::DepthwiseConv2D(o) => (&mut o.dilation_h_factor, &mut o.dilation_w_factor),
            _ => return None,
        };
        let (field, name) = if drawn % 2 == 0 { (h, "dilation_h") } else { (w, "dilation_w") };
        let to = other(*field, drawn >> 8);
        Some(replace(field, name, to))
    })
}

pub(in crate::power) fn scheme(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| {
        let padding = match o {
            Options::Conv2D(o) => &mut o.padding,
            Options::DepthwiseConv2D(o) => &mut o.padding,
            Options::Pool2D(o) => &mut o.padding,
            Options::TransposeConv(o) => &mut o.padding,
            _ => return None,
        };
        let to = if *padding == Padding::Same { Padding::Valid } else { Padding::Same };
        Some(replace(padding, "padding", to))
    })
}

pub(in crate::power) fn window(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let Options::Pool2D(o) = o else { return None };
        let (field, name) = if drawn % 2 == 0 {
            (&mut o.filter_height, "filter_height")
        } else {
            (&mut o.filter_width, "filter_width")
        };
        let to = other(*field, drawn >> 8);
        Some(replace(field, name, to))
    })
}

fn activation(o: &mut Options) -> Option<&mut Activation> {
    Some(match o {
        Options::Conv2D(o) => &mut o.fused_activation_function,
        Options::DepthwiseConv2D(o) => &mut o.fused_activation_function,
        Options::Pool2D(o) => &mut o.fused_activation_function,
        Options::FullyConnected(o) => &mut o.fused_activation_function,
        Options::TransposeConv(o) => &mut o.fused_activation_function,
        Options::Add(o) => &mut o.fused_activation_function,
        Options::Sub(o) => &mut o.fused_activation_function,
        Options::Mul(o) => &mut o.fused_activation_function,
        Options::Div(o) => &mut o.fused_activation_function,
        _ => return None,
    })
}

pub(in crate::power) fn fused(d: &mut Draft<'_>) -> Option<String> {
    let drawn = d.stream.next_u64();
    d.anywhere(|d, at| {
        let floats = d.result(at, 0).is_some_and(|t| crate::power::draft::is_float(&d.tensors()[t]));
        let field = activation(&mut d.operator(at).options).filter(|_| floats)?;
        let all = [Activation::None, Activation::Relu, Activation::Relu6, Activation::ReluN1To1];
        let others: Vec<Activation> = all.into_iter().filter(|a| a != field).collect();
        let to = others[(drawn % others.len() as u64) as usize];
        Some(replace(field, "fused activation", to))
    })
}

pub(in crate::power) fn alpha(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let factor = [2.0, 0.5, 1.01, 0.0, 10.0][(drawn % 5) as usize];
        match o {
            Options::LeakyRelu(o) => {
                let to = if o.alpha == 0.0 { 0.01 } else { o.alpha * factor };
                Some(replace(&mut o.alpha, "alpha", to))
            }
            Options::LocalResponseNormalization(o) => {
                let fields = [(&mut o.alpha, "alpha"), (&mut o.beta, "beta"), (&mut o.bias, "bias")];
                let (field, name) = fields.into_iter().nth((drawn >> 8) as usize % 3)?;
                let to = if *field == 0.0 { 0.01 } else { *field * factor.max(0.1) };
                Some(replace(field, name, to))
            }
            _ => None,
        }
    })
}

pub(in crate::power) fn beta(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let Options::Softmax(o) = o else { return None };
        let to = o.beta * [0.5, 2.0, 0.99, 1.001][(drawn % 4) as usize];
        Some(replace(&mut o.beta, "beta", to))
    })
}

pub(in crate::power) fn align_corners(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| {
        let (align, centers) = resize(o)?;
        if !*align {
            *centers = false;
        }
        let to = !*align;
        Some(replace(align, "align_corners", to))
    })
}

pub(in crate::power) fn half_pixel(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| {
        let (align, centers) = resize(o)?;
        if !*centers {
            *align = false;
        }
        let to = !*centers;
        Some(replace(centers, "half_pixel_centers", to))
    })
}

fn resize(o: &mut Options) -> Option<(&mut bool, &mut bool)> {
    match o {
        Options::ResizeBilinear(o) => Some((&mut o.align_corners, &mut o.half_pixel_centers)),
        Options::ResizeNearestNeighbor(o) => Some((&mut o.align_corners, &mut o.half_pixel_centers)),
        _ => None,
    }
}

pub(in crate::power) fn keep_dims(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| match o {
        Options::Reducer(o) => {
            let to = !o.keep_dims;
            Some(replace(&mut o.keep_dims, "keep_dims", to))
        }
        _ => None,
    })
}

pub(in crate::power) fn adjoint(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, drawn| {
        let Options::BatchMatMul(o) = o else { return None };
        let (field, name) = if drawn % 2 == 0 { (&mut o.adj_x, "adj_x") } else { (&mut o.adj_y, "adj_y") };
        let to = !*field;
        Some(replace(field, name, to))
    })
}

pub(in crate::power) fn mirror(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| {
        let Options::MirrorPad(o) = o else { return None };
        let to = match o.mode {
            MirrorPadMode::Reflect => MirrorPadMode::Symmetric,
            MirrorPadMode::Symmetric => MirrorPadMode::Reflect,
        };
        Some(replace(&mut o.mode, "mode", to))
    })
}

pub(in crate::power) fn gelu(d: &mut Draft<'_>) -> Option<String> {
    options(d, |o, _| {
        let Options::Gelu(o) = o else { return None };
        let to = !o.approximate;
        Some(replace(&mut o.approximate, "approximate", to))
    })
}

/// An operator and one that is taken for it.
const CONFUSED: &[(Builtin, Builtin)] = &[
    (Builtin::Floor, Builtin::Ceil),
    (Builtin::Ceil, Builtin::Round),
    (Builtin::Round, Builtin::Floor),
    (Builtin::Maximum, Builtin::Minimum),
    (Builtin::Minimum, Builtin::Maximum),
    (Builtin::ReduceMax, Builtin::ReduceMin),
    (Builtin::ReduceMin, Builtin::ReduceMax),
    (Builtin::Sum, Builtin::Mean),
    (Builtin::Mean, Builtin::Sum),
    (Builtin::ReduceProd, Builtin::Sum),
    (Builtin::MaxPool2d, Builtin::AveragePool2d),
    (Builtin::AveragePool2d, Builtin::MaxPool2d),
    (Builtin::Less, Builtin::LessEqual),
    (Builtin::LessEqual, Builtin::Less),
    (Builtin::Greater, Builtin::GreaterEqual),
    (Builtin::GreaterEqual, Builtin::Greater),
    (Builtin::Equal, Builtin::NotEqual),
    (Builtin::NotEqual, Builtin::Equal),
    (Builtin::LogicalAnd, Builtin::LogicalOr),
    (Builtin::LogicalOr, Builtin::LogicalAnd),
    (Builtin::Relu, Builtin::Relu6),
    (Builtin::Relu6, Builtin::Relu),
    (Builtin::Sin, Builtin::Cos),
    (Builtin::Cos, Builtin::Sin),
    (Builtin::Tanh, Builtin::Logistic),
    (Builtin::Logistic, Builtin::Tanh),
    (Builtin::Sqrt, Builtin::Rsqrt),
    (Builtin::Rsqrt, Builtin::Sqrt),
    (Builtin::Abs, Builtin::Neg),
    (Builtin::Neg, Builtin::Abs),
    (Builtin::Sign, Builtin::Neg),
    (Builtin::Exp, Builtin::Elu),
    (Builtin::Elu, Builtin::Exp),
    (Builtin::Add, Builtin::Sub),
    (Builtin::Sub, Builtin::Add),
    (Builtin::Mul, Builtin::Div),
    (Builtin::Div, Builtin::Mul),
    (Builtin::FloorDiv, Builtin::Div),
    (Builtin::ArgMax, Builtin::ArgMin),
    (Builtin::ArgMin, Builtin::ArgMax),
    (Builtin::Softmax, Builtin::LogSoftmax),
    (Builtin::LogSoftmax, Builtin::Softmax),
];

pub(in crate::power) fn confused(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let now = d.builtin(at)?;
        let (_, to) = *CONFUSED.iter().find(|(from, _)| *from == now)?;
        let op = d.operator(at);
        let fused = activation(&mut op.options).copied().unwrap_or_default();
        op.options = match (to, std::mem::take(&mut op.options)) {
            (Builtin::Add, _) => table::Add { fused_activation_function: fused, ..Default::default() }.into(),
            (Builtin::Sub, _) => table::Sub { fused_activation_function: fused, ..Default::default() }.into(),
            (Builtin::Mul, _) => table::Mul { fused_activation_function: fused }.into(),
            (Builtin::Div, _) => table::Div { fused_activation_function: fused }.into(),
            (Builtin::ArgMax, Options::ArgMin(o)) => table::ArgMax { output_type: o.output_type }.into(),
            (Builtin::ArgMin, Options::ArgMax(o)) => table::ArgMin { output_type: o.output_type }.into(),
            (Builtin::Softmax, _) => table::Softmax { beta: 1.0 }.into(),
            (_, same @ (Options::Reducer(_) | Options::Pool2D(_) | Options::MaximumMinimum(_))) => same,
            _ => Options::None,
        };
        op.code = OpCode::Builtin(to);
        Some(format!("{} instead of {}", to.name(), now.name()))
    })
}
