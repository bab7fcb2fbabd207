//! Lowers comparisons and logic.

use super::binary::{aligned, combine, supported};
use super::context::Context;
use super::unary::map;
use crate::layout::choose;
use halfproof_ir::{DType, Op, Role};
use halfproof_wire::tflite::{Builtin, Options, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let y = cx.output(node)?;
    let a = cx.input(node, 0)?;
    let (builtin, options): (Builtin, Options) = match &node.op {
        Op::Equal => (Builtin::Equal, options::Equal {}.into()),
        Op::Greater => (Builtin::Greater, options::Greater {}.into()),
        Op::GreaterOrEqual => (Builtin::GreaterEqual, options::GreaterEqual {}.into()),
        Op::Less => (Builtin::Less, options::Less {}.into()),
        Op::LessOrEqual => (Builtin::LessEqual, options::LessEqual {}.into()),
        Op::And => (Builtin::LogicalAnd, options::LogicalAnd {}.into()),
        Op::Or => (Builtin::LogicalOr, options::LogicalOr {}.into()),
        // Booleans differ exactly when their exclusive or holds.
        Op::Xor => (Builtin::NotEqual, options::NotEqual {}.into()),
        Op::Not if cx.ty(a)?.dtype != DType::Bool => return Err(format!("{} is not BOOL", cx.ty(a)?.dtype)),
        Op::Not => return map(cx, a, y, |cx, t| cx.map(Builtin::LogicalNot, t, options::LogicalNot {})),
        Op::IsNaN | Op::IsInf(_) if !cx.ty(a)?.dtype.is_float() => {
            return Err(format!("{} is defined for floats only", node.op.name()));
        }
        // A NaN is the only number that differs from itself.
        Op::IsNaN => {
            return map(cx, a, y, |cx, t| {
                let shape = cx.extents(t);
                cx.emit_as(Builtin::NotEqual, &[t, t], options::NotEqual {}, shape, DType::Bool)
            });
        }
        Op::IsInf(wanted) => {
            let (negative, positive) = (wanted.detect_negative, wanted.detect_positive);
            return map(cx, a, y, |cx, t| {
                let shape = cx.extents(t);
                let equal = |cx: &mut Context<'_>, t, limit: f64| {
                    let limit = cx.float(limit, Role::Bound);
                    cx.emit_as(Builtin::Equal, &[t, limit], options::Equal {}, shape.clone(), DType::Bool)
                };
                match (negative, positive) {
                    (true, true) => {
                        let size = cx.map(Builtin::Abs, t, options::Abs {});
                        equal(cx, size, f64::INFINITY)
                    }
                    (false, true) => equal(cx, t, f64::INFINITY),
                    (true, false) => equal(cx, t, f64::NEG_INFINITY),
                    (false, false) => {
                        // Nothing is asked for: no number is both below and above itself.
                        cx.emit_as(Builtin::Less, &[t, t], options::Less {}, shape.clone(), DType::Bool)
                    }
                }
            });
        }
        other => return Err(format!("{} is no comparison", other.name())),
    };
    let b = cx.input(node, 1)?;
    let dtype = cx.ty(a)?.dtype;
    match node.op {
        Op::And | Op::Or | Op::Xor if dtype != DType::Bool => return Err(format!("{dtype} is not BOOL")),
        Op::And | Op::Or => {}
        _ => supported(builtin, dtype)?,
    }
    let order = choose(cx, &[a, b], y, cx.ty(y)?.rank());
    let tensors = aligned(cx, &[a, b], &order, Role::Bound)?;
    let out = combine(cx, builtin, &tensors, options, Some(DType::Bool))?;
    cx.bind(y, out, order);
    Ok(())
}
