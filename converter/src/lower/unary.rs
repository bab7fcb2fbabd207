//! Lowers element-wise functions of one operand.
//!
//! Most are one builtin. Erf has none: `erf(u) = 2 gelu(z) / z - 1` with `z = u sqrt 2`, by the definition
//! `gelu(z) = z (1 + erf(z / sqrt 2)) / 2`; where `z` is 0 a SELECT takes the value 0.

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
