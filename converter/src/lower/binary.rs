//! Lowers element-wise arithmetic with numpy broadcasting.
//!
//! Ranks beyond 4 are folded: neighbouring axes that broadcast alike become one, because few TFLite kernels broadcast
//! more than four. Powers with the exponents 2, 3, 1/2, -1/2, -1 and 1 become the operators of those names, which run
//! in float16 where POW does not.

use super::context::{Context, scalar};
use super::perm::Perm;
use super::unary::map;
use crate::infer::broadcast;
use crate::layout::choose;
use crate::target::{Constant, TensorId};
use halfproof_ir::{DType, Node, Op, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, Options, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let fused = tail.activation;
    let (builtin, options): (Builtin, Options) = match &node.op {
        Op::Add | Op::Sum | Op::Mean => (Builtin::Add, add(Activation::None)),
        Op::Sub => (Builtin::Sub, sub(Activation::None)),
        Op::Mul => (Builtin::Mul, mul(Activation::None)),
        Op::Div => (Builtin::Div, div(Activation::None)),
        Op::Max => (Builtin::Maximum, options::MaximumMinimum {}.into()),
        Op::Min => (Builtin::Minimum, options::MaximumMinimum {}.into()),
        Op::Pow => return pow(cx, node, y),
        Op::Mod(m) => return modulo(cx, node, y, m.fmod),
        other => return Err(format!("{} is no binary operator", other.name())),
    };
    let operands: Vec<ValueId> =
        (0..node.inputs.len()).map(|i| cx.input(node, i)).collect::<Result<_, _>>()?;
    let dtype = cx.ty(operands[0])?.dtype;
    supported(builtin, dtype)?;
    let role = match builtin {
        Builtin::Add | Builtin::Sub => Role::Bias,
        Builtin::Mul | Builtin::Div => Role::Scale,
        _ => Role::Bound,
    };
    let order = choose(cx, &operands, y, cx.ty(y)?.rank());
    let tensors = aligned(cx, &operands, &order, role)?;
    let count = tensors.len();
    let mean = matches!(node.op, Op::Mean) && count > 1;
    let mut acc = tensors[0];
    for (i, &t) in tensors.iter().enumerate().skip(1) {
        let last = i + 1 == count && !mean;
        let options = if last { activated(options.clone(), fused) } else { options.clone() };
        acc = combine(cx, builtin, &[acc, t], options, None)?;
    }
    if mean {
        if !dtype.is_float() {
            return Err(format!("the mean of {dtype} elements is not defined"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a node has few operands")]
        let n = cx.float(count as f64, Role::Scale);
        acc = combine(cx, Builtin::Div, &[acc, n], div(Activation::None), None)?;
    }
    if count == 1 {
        return cx.alias_transposed(y, operands[0], &Perm::identity(order.rank()));
    }
    cx.bind(y, acc, order);
    Ok(())
}

/// The options of ADD.
pub(super) fn add(fused_activation_function: Activation) -> Options {
    options::Add { fused_activation_function, ..options::Add::default() }.into()
}

/// The options of SUB.
pub(super) fn sub(fused_activation_function: Activation) -> Options {
    options::Sub { fused_activation_function, ..options::Sub::default() }.into()
}

/// The options of MUL.
pub(super) fn mul(fused_activation_function: Activation) -> Options {
    options::Mul { fused_activation_function }.into()
}

/// The options of DIV.
pub(super) fn div(fused_activation_function: Activation) -> Options {
    options::Div { fused_activation_function }.into()
}

fn activated(options: Options, fused: Activation) -> Options {
    match options {
        Options::Add(_) => add(fused),
        Options::Sub(_) => sub(fused),
        Options::Mul(_) => mul(fused),
        Options::Div(_) => div(fused),
        other => other,
    }
}

/// Refuses element types for which LiteRT has no kernel.
pub(super) fn supported(builtin: Builtin, dtype: DType) -> Result<(), String> {
    use DType::{I8, I16, I32, I64, U8, U32};
    let integers: &[DType] = match builtin {
        Builtin::Add => &[I16, I32, I64],
        Builtin::Sub => &[I32, I64],
        Builtin::Mul => &[I16, I32, I64, U32],
        Builtin::Div | Builtin::Pow => &[I32],
        Builtin::Equal | Builtin::NotEqual => &[DType::Bool, U8, I8, I16, I32, I64],
        _ => &[U8, I8, I16, I32, I64],
    };
    if dtype.is_float() || integers.contains(&dtype) {
        return Ok(());
    }
    Err(format!("TFLite {builtin} has no {dtype} kernel"))
}

/// Operands aligned for broadcasting in an order. Constants are short when another operand has the full rank.
pub(super) fn aligned(
    cx: &mut Context<'_>,
    operands: &[ValueId],
    order: &Perm,
    role: Role,
) -> Result<Vec<TensorId>, String> {
    let mut full = false;
    for &v in operands {
        full |= cx.constant(v).is_none() && cx.ty(v)?.rank() == order.rank();
    }
    operands
        .iter()
        .map(|&v| {
            let role = if role == Role::Bias && masks(cx, v) { Role::Mask } else { role };
            cx.broadcast(v, order, role, full)
        })
        .collect()
}

/// Whether an added constant excludes positions: it is 0 or very negative everywhere, and somewhere the latter.
fn masks(cx: &Context<'_>, value: ValueId) -> bool {
    const VERY: f64 = -1e3;
    let Some(elements) = cx.constant(value).and_then(|t| t.floats()) else { return false };
    elements.iter().all(|&x| x == 0.0 || x <= VERY) && elements.iter().any(|&x| x <= VERY)
}

/// Emits an element-wise operator over tensors already aligned, folding axes when there are more than four.
pub(super) fn combine(
    cx: &mut Context<'_>,
    builtin: Builtin,
    tensors: &[TensorId],
    options: impl Into<Options>,
    dtype: Option<DType>,
) -> Result<TensorId, String> {
    const FOLD_BEYOND: usize = 4;
    let shapes: Vec<Vec<usize>> = tensors.iter().map(|&t| cx.extents(t)).collect();
    let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let out = broadcast(&views)?;
    let dtype = dtype.unwrap_or_else(|| tensors.last().map_or(DType::F32, |&t| cx.dtype(t)));
    if out.len() <= FOLD_BEYOND || shapes.windows(2).all(|w| w[0] == w[1]) && out.len() <= 6 {
        return Ok(cx.emit_as(builtin, tensors, options, out, dtype));
    }
    let folded = fold_axes(&views, &out);
    let tensors: Vec<TensorId> =
        tensors.iter().zip(&folded).map(|(&t, shape)| cx.reshape(t, shape)).collect();
    let small = broadcast(&folded.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let result = cx.emit_as(builtin, &tensors, options, small, dtype);
    Ok(cx.reshape(result, &out))
}

/// Shapes with neighbouring axes merged where every operand either spans or repeats both.
fn fold_axes(shapes: &[&[usize]], out: &[usize]) -> Vec<Vec<usize>> {
    let at = |shape: &[usize], axis: usize| {
        let missing = out.len() - shape.len();
        if axis < missing { 1 } else { shape[axis - missing] }
    };
    let mut folded: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
    let mut before: Option<Vec<bool>> = None;
    for axis in (0..out.len()).filter(|&a| out[a] != 1) {
        let spans: Vec<bool> = shapes.iter().map(|s| at(s, axis) != 1).collect();
        let merge = before.as_ref() == Some(&spans);
        for (f, shape) in folded.iter_mut().zip(shapes) {
            match f.last_mut() {
                Some(last) if merge => *last *= at(shape, axis),
                _ => f.push(at(shape, axis)),
            }
        }
        before = Some(spans);
    }
    folded
}

/// FLOOR_MOD has the sign of the divisor, as Mod has without `fmod`. With it, the rest of the magnitudes gets the sign of the
/// dividend.
fn modulo(cx: &mut Context<'_>, node: &Node, y: ValueId, fmod: bool) -> Result<(), String> {
    let (a, b) = (cx.input(node, 0)?, cx.input(node, 1)?);
    let dtype = cx.ty(a)?.dtype;
    let kernels = if fmod { &[DType::I32][..] } else { &[DType::I8, DType::I16, DType::I32, DType::I64] };
    if !(dtype.is_float() || kernels.contains(&dtype)) {
        return Err(format!("TFLite has no kernels for this rest of {dtype} elements"));
    }
    let order = choose(cx, &[a, b], y, cx.ty(y)?.rank());
    let tensors = aligned(cx, &[a, b], &order, Role::Plain)?;
    if !fmod {
        let out = combine(cx, Builtin::FloorMod, &tensors, options::FloorMod {}, None)?;
        cx.bind(y, out, order);
        return Ok(());
    }
    let sizes: Vec<TensorId> = tensors.iter().map(|&t| cx.map(Builtin::Abs, t, options::Abs {})).collect();
    let rest = combine(cx, Builtin::FloorMod, &sizes, options::FloorMod {}, None)?;
    let sign = cx.map(Builtin::Sign, tensors[0], options::Sign {});
    let out = combine(cx, Builtin::Mul, &[sign, rest], mul(Activation::None), None)?;
    cx.bind(y, out, order);
    Ok(())
}

fn pow(cx: &mut Context<'_>, node: &Node, y: ValueId) -> Result<(), String> {
    let (x, e) = (cx.input(node, 0)?, cx.input(node, 1)?);
    let dtype = cx.ty(x)?.dtype;
    let uniform = cx.constant(e).and_then(|t| {
        let all = t.floats().or_else(|| {
            #[expect(clippy::cast_precision_loss, reason = "exponents are small")]
            t.integers().map(|v| v.into_iter().map(|i| i as f64).collect())
        })?;
        all.iter().all(|v| v == &all[0]).then(|| all[0])
    });
    let same_shape = cx.ty(x)?.shape == cx.ty(y)?.shape;
    if let (Some(e), true) = (uniform, same_shape && (dtype.is_float() || dtype == DType::I32)) {
        let float = dtype.is_float();
        let times = |cx: &mut Context<'_>, a: TensorId, b: TensorId| {
            let shape = cx.extents(a);
            cx.emit(Builtin::Mul, &[a, b], mul(Activation::None), shape)
        };
        let square = move |cx: &mut Context<'_>, t: TensorId| {
            if float { cx.map(Builtin::Square, t, options::Square {}) } else { times(cx, t, t) }
        };
        let inverse = |cx: &mut Context<'_>, t: TensorId| {
            let one = cx.float(1.0, Role::Plain);
            let shape = cx.extents(t);
            cx.emit(Builtin::Div, &[one, t], div(Activation::None), shape)
        };
        match e {
            1.0 => return cx.alias_transposed(y, x, &Perm::identity(cx.ty(x)?.rank())),
            2.0 => return map(cx, x, y, square),
            3.0 => {
                return map(cx, x, y, |cx, t| {
                    let s = square(cx, t);
                    times(cx, s, t)
                });
            }
            0.5 if float => return map(cx, x, y, |cx, t| cx.map(Builtin::Sqrt, t, Options::None)),
            -0.5 if float => return map(cx, x, y, |cx, t| cx.map(Builtin::Rsqrt, t, Options::None)),
            -1.0 if float => return map(cx, x, y, inverse),
            -2.0 if float => {
                return map(cx, x, y, |cx, t| {
                    let s = square(cx, t);
                    inverse(cx, s)
                });
            }
            _ => {}
        }
    }
    supported(Builtin::Pow, dtype)?;
    let order = choose(cx, &[x, e], y, cx.ty(y)?.rank());
    let tensors = aligned(cx, &[x, e], &order, Role::Plain)?;
    let exponent = same_type(cx, e, tensors[1], dtype)?;
    let out = combine(cx, Builtin::Pow, &[tensors[0], exponent], options::Pow {}, None)?;
    cx.bind(y, out, order);
    Ok(())
}

/// The exponent in the type of the base: TFLite wants both alike.
fn same_type(cx: &mut Context<'_>, e: ValueId, tensor: TensorId, dtype: DType) -> Result<TensorId, String> {
    let found = cx.ty(e)?.dtype;
    if found == dtype || found.is_float() && dtype.is_float() {
        return Ok(tensor);
    }
    if dtype.is_float() {
        if let Some(Constant::Stored(data)) = &cx.target.tensor(tensor).constant {
            let integers = halfproof_ir::Tensor::new(vec![data.len()], data.as_ref().clone()).integers();
            #[expect(clippy::cast_precision_loss, reason = "exponents are small")]
            let values =
                integers.ok_or("the exponent is out of range")?.into_iter().map(|i| i as f64).collect();
            let shape = cx.extents(tensor);
            return Ok(cx.floats(shape, values, Role::Plain));
        }
        return super::cast::cast(cx, tensor, DType::F32);
    }
    let whole = cx.constant(e).and_then(scalar).filter(|v| v.fract() == 0.0 && v.abs() < 2f64.powi(31));
    match whole {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be a 32-bit integer")]
        Some(v) => Ok(cx.int(v as i32)),
        None => Err(format!("an exponent of type {found} does not fit a base of type {dtype}")),
    }
}
