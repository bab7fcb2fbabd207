//! Lowers element-wise functions of one operand.
//!
//! Most are one builtin. Erf has none: `erf(u) = 2 gelu(z) / z - 1` with `z = u sqrt 2`, by the definition
//! `gelu(z) = z (1 + erf(z / sqrt 2)) / 2`; where `z` is 0 a SELECT takes the value 0. Inverse trigonometric functions are angles
//! of points (ATAN2); hyperbolic ones are written so that no step overflows long before the result does.

use super::activation::Formula;
use super::context::Context;
use super::perm::Perm;
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::{DType, Op, Role, ValueId};
use halfproof_wire::tflite::{Builtin, Options, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let dtype = cx.ty(x)?.dtype;
    let (builtin, options): (Builtin, Options) = match &node.op {
        Op::Abs => (Builtin::Abs, options::Abs {}.into()),
        Op::Neg => (Builtin::Neg, options::Neg {}.into()),
        Op::Exp => (Builtin::Exp, options::Exp {}.into()),
        Op::Log => (Builtin::Log, Options::None),
        Op::Sqrt => (Builtin::Sqrt, Options::None),
        Op::Sin => (Builtin::Sin, Options::None),
        Op::Cos => (Builtin::Cos, options::Cos {}.into()),
        Op::Floor => (Builtin::Floor, Options::None),
        Op::Ceil => (Builtin::Ceil, Options::None),
        Op::Round => (Builtin::Round, Options::None),
        Op::Sign => (Builtin::Sign, options::Sign {}.into()),
        Op::Sigmoid => (Builtin::Logistic, Options::None),
        Op::Tanh => (Builtin::Tanh, Options::None),
        Op::Reciprocal => {
            return map(cx, x, y, |cx, t| {
                let one = cx.float(1.0, Role::Plain);
                let shape = cx.extents(t);
                cx.emit(Builtin::Div, &[one, t], options::Div::default(), shape)
            });
        }
        Op::Erf => return map(cx, x, y, erf),
        Op::Tan
        | Op::Asin
        | Op::Acos
        | Op::Atan
        | Op::Sinh
        | Op::Cosh
        | Op::Asinh
        | Op::Acosh
        | Op::Atanh => {
            if !dtype.is_float() {
                return Err(format!("{} is defined for floats only", node.op.name()));
            }
            let op = node.op.clone();
            return map(cx, x, y, |cx, t| {
                let shape = cx.extents(t);
                trigonometric(&op, &mut Formula { cx, shape }, t)
            });
        }
        other => return Err(format!("{} is no unary operator", other.name())),
    };
    let integers = match builtin {
        Builtin::Abs | Builtin::Sign => dtype == DType::I32,
        Builtin::Neg => matches!(dtype, DType::I32 | DType::I64),
        _ => false,
    };
    if !dtype.is_float() && !integers {
        return Err(format!("TFLite {builtin} has no {dtype} kernel"));
    }
    map(cx, x, y, |cx, t| cx.map(builtin, t, options))
}

/// Computes a value element by element in whatever order and shape its operand is held.
pub(super) fn map(
    cx: &mut Context<'_>,
    x: ValueId,
    y: ValueId,
    f: impl FnOnce(&mut Context<'_>, TensorId) -> TensorId,
) -> Result<(), String> {
    cx.settle(x)?;
    let order = choose(cx, &[x], y, cx.ty(x)?.rank());
    let (tensor, order): (TensorId, Perm) = cx.held(x, &order)?;
    let out = f(cx, tensor);
    cx.bind(y, out, order);
    Ok(())
}

fn trigonometric(op: &Op, f: &mut Formula<'_, '_>, x: TensorId) -> TensorId {
    let angle = |f: &mut Formula<'_, '_>, y, x| f.two(Builtin::Atan2, y, x, Options::None);
    let one = f.plain(1.0);
    // ATAN2 does not broadcast.
    let ones = |f: &mut Formula<'_, '_>| {
        if f.shape.is_empty() {
            return one;
        }
        let extents: Vec<i32> = f.shape.iter().map(|&d| i32::try_from(d).unwrap_or(i32::MAX)).collect();
        let extents = f.cx.ints(&extents);
        let shape = f.shape.clone();
        f.cx.emit(Builtin::BroadcastTo, &[one, extents], options::BroadcastTo {}, shape)
    };
    // The cathetus beside x in a circle of radius 1: the root of (1 - x) (1 + x).
    let cathetus = |f: &mut Formula<'_, '_>| {
        let (a, b) = (f.sub(one, x), f.add(one, x));
        let square = f.mul(a, b);
        f.one(Builtin::Sqrt, square)
    };
    match op {
        Op::Tan => {
            let (s, c) = (f.one(Builtin::Sin, x), f.one(Builtin::Cos, x));
            f.div(s, c)
        }
        Op::Atan => {
            let one = ones(f);
            angle(f, x, one)
        }
        Op::Asin => {
            let c = cathetus(f);
            angle(f, x, c)
        }
        Op::Acos => {
            let c = cathetus(f);
            angle(f, c, x)
        }
        Op::Cosh => {
            // exp(x / 2)^2 / 2 + exp(-x / 2)^2 / 2
            let half = f.scaled(x, 0.5);
            let minus = f.one(Builtin::Neg, half);
            let mut side = |z| {
                let e = f.one(Builtin::Exp, z);
                let small = f.scaled(e, 0.5);
                f.mul(small, e)
            };
            let (a, b) = (side(half), side(minus));
            f.add(a, b)
        }
        Op::Sinh => {
            // With a = |x|: (1 - exp(-a)) (exp(a / 2)^2 / 2 + 1 / 2), with the sign of x. ELU keeps 1 - exp(-a) accurate near 0.
            let size = f.one(Builtin::Abs, x);
            let minus = f.one(Builtin::Neg, size);
            let falling = f.one(Builtin::Elu, minus);
            let rising = f.one(Builtin::Neg, falling);
            let half = f.scaled(size, 0.5);
            let e = f.one(Builtin::Exp, half);
            let small = f.scaled(e, 0.5);
            let e = f.mul(small, e);
            let offset = f.plain(0.5);
            let e = f.add(e, offset);
            let sign = f.one(Builtin::Sign, x);
            let y = f.mul(rising, e);
            f.mul(sign, y)
        }
        Op::Asinh => {
            // With a = |x|: log(a + sqrt(a^2 + 1)), with the sign of x. The root is m sqrt(1 + (s / m)^2) with m the larger and
            // s the smaller of a and 1, so that nothing is squared that is larger than 1. Below 1 the sum is
            // 1 + a + a (a / (1 + r)), r the root.
            let size = f.one(Builtin::Abs, x);
            let bound = f.bound(1.0);
            let (large, small) = (f.max(size, bound), f.min(size, bound));
            let root = |f: &mut Formula<'_, '_>, x| {
                let square = f.one(Builtin::Square, x);
                let square = f.add(square, one);
                f.one(Builtin::Sqrt, square)
            };
            let ratio = f.div(small, large);
            let hypotenuse = root(f, ratio);
            let hypotenuse = f.mul(large, hypotenuse);
            let sum = f.add(size, hypotenuse);
            let above = f.one(Builtin::Log, sum);
            let hypotenuse = root(f, small);
            let divisor = f.add(hypotenuse, one);
            let ratio = f.div(small, divisor);
            let extra = f.mul(small, ratio);
            let excess = f.add(small, extra);
            let below = log_of_one_plus(f, excess);
            let log = choose_below(f, size, 1.0, below, above);
            let sign = f.one(Builtin::Sign, x);
            f.mul(sign, log)
        }
        Op::Acosh => {
            // log(x + sqrt(x - 1) sqrt(x + 1)); the roots are taken apart because the product of their operands overflows early.
            // Below 2, with t = x - 1, the sum is 1 + t + sqrt(t) sqrt(t + 2).
            let t = f.sub(x, one);
            let product = |f: &mut Formula<'_, '_>, t, s| {
                let (a, b) = (f.one(Builtin::Sqrt, t), f.one(Builtin::Sqrt, s));
                f.mul(a, b)
            };
            let above = f.add(x, one);
            let root = product(f, t, above);
            let sum = f.add(x, root);
            let above = f.one(Builtin::Log, sum);
            let bound = f.bound(1.0);
            let t = f.min(t, bound);
            let two = f.plain(2.0);
            let raised = f.add(t, two);
            let root = product(f, t, raised);
            let excess = f.add(t, root);
            let below = log_of_one_plus(f, excess);
            choose_below(f, x, 2.0, below, above)
        }
        Op::Atanh => {
            // With a = |x|: (log(1 + a) - log(1 - a)) / 2, so that 1 gives infinity and not the logarithm of a quotient by 0; below 1/2
            // log(1 + 2 a / (1 - a)) / 2. With the sign of x.
            let size = f.one(Builtin::Abs, x);
            let (a, b) = (f.add(one, size), f.sub(one, size));
            let (a, b) = (f.one(Builtin::Log, a), f.one(Builtin::Log, b));
            let above = f.sub(a, b);
            let bound = f.bound(0.5);
            let small = f.min(size, bound);
            let twice = f.add(small, small);
            let divisor = f.sub(one, small);
            let excess = f.div(twice, divisor);
            let below = log_of_one_plus(f, excess);
            let log = choose_below(f, size, 0.5, below, above);
            let half = f.scaled(log, 0.5);
            let sign = f.one(Builtin::Sign, x);
            f.mul(sign, half)
        }
        // Not a function of this list: leave the tensor; `lower` has refused it.
        _ => x,
    }
}

/// log(1 + y), accurate next to 0: with u = 1 + y as it was rounded, log(u) y / (u - 1), and y itself where u is 1.
fn log_of_one_plus(f: &mut Formula<'_, '_>, y: TensorId) -> TensorId {
    let (zero, one) = (f.plain(0.0), f.plain(1.0));
    let sum = f.add(y, one);
    let held = f.sub(sum, one);
    let lost = f.cx.emit_as(Builtin::Equal, &[held, zero], options::Equal {}, f.shape.clone(), DType::Bool);
    let safe = select(f, lost, one, held);
    let log = f.one(Builtin::Log, sum);
    let ratio = f.div(y, safe);
    let scaled = f.mul(log, ratio);
    select(f, lost, y, scaled)
}

fn select(f: &mut Formula<'_, '_>, mask: TensorId, yes: TensorId, no: TensorId) -> TensorId {
    f.cx.emit_as(Builtin::SelectV2, &[mask, yes, no], options::SelectV2 {}, f.shape.clone(), DType::F32)
}

/// `below` where x is below the limit, else `above`.
fn choose_below(
    f: &mut Formula<'_, '_>,
    x: TensorId,
    limit: f64,
    below: TensorId,
    above: TensorId,
) -> TensorId {
    let limit = f.bound(limit);
    let mask = f.cx.emit_as(Builtin::Less, &[x, limit], options::Less {}, f.shape.clone(), DType::Bool);
    select(f, mask, below, above)
}

fn erf(cx: &mut Context<'_>, u: TensorId) -> TensorId {
    let shape = cx.extents(u);
    // Beyond 6 erf is 1 to the last bit of binary64; without the limits infinity would divide infinity.
    let (low, high) = (cx.float(-6.0, Role::Bound), cx.float(6.0, Role::Bound));
    let u = cx.emit(Builtin::Maximum, &[u, low], options::MaximumMinimum {}, shape.clone());
    let u = cx.emit(Builtin::Minimum, &[u, high], options::MaximumMinimum {}, shape.clone());
    let root = cx.float(std::f64::consts::SQRT_2, Role::Scale);
    let z = cx.emit(Builtin::Mul, &[u, root], options::Mul::default(), shape.clone());
    let (zero, one, two) =
        (cx.float(0.0, Role::Plain), cx.float(1.0, Role::Plain), cx.float(2.0, Role::Scale));
    let at_zero = cx.emit_as(Builtin::Equal, &[z, zero], options::Equal {}, shape.clone(), DType::Bool);
    let safe =
        cx.emit_as(Builtin::SelectV2, &[at_zero, one, z], options::SelectV2 {}, shape.clone(), DType::F32);
    let gelu = cx.map(Builtin::Gelu, safe, options::Gelu { approximate: false });
    let phi = cx.emit(Builtin::Div, &[gelu, safe], options::Div::default(), shape.clone());
    let twice = cx.emit(Builtin::Mul, &[phi, two], options::Mul::default(), shape.clone());
    let erf = cx.emit(Builtin::Sub, &[twice, one], options::Sub::default(), shape.clone());
    cx.emit_as(Builtin::SelectV2, &[at_zero, zero, erf], options::SelectV2 {}, shape, DType::F32)
}
