//! Lowers Gather. A constant index or a constant run of them is a SLICE, which runs in float16 under XNNPACK; indices
//! known only at run time may be negative in ONNX and not in TFLite, so they are taken modulo the extent.

use super::binary::combine;
use super::concat::slice_axis;
use super::context::Context;
use super::conv::short;
use super::perm::Perm;
use crate::infer::axis;
use crate::layout::choose;
use crate::target::{Constant, TensorId};
use halfproof_ir::{DType, Data, Op, Role, ValueId};
use halfproof_wire::tflite::{Builtin, options};
use std::sync::Arc;

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let Op::Gather(g) = &node.op else { return Err("it is no Gather".into()) };
    let (x, indices, y) = (cx.input(node, 0)?, cx.input(node, 1)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    supported(ty.dtype)?;
    let at = axis(g.axis, ty.rank())?;
    let extent = ty.shape[at];
    let wanted = cx.ty(indices)?.clone();
    let known = cx.constant(indices).and_then(|t| t.integers());
    let known =
        known.map(|v| v.iter().map(|&i| resolve(i, extent)).collect::<Result<Vec<_>, _>>()).transpose()?;
    // An index of rank 0 drops the axis and one of rank 1 keeps it: the other axes stay in any order.
    let order = match wanted.rank() {
        1 => choose(cx, &[x], y, ty.rank()),
        0 => {
            cx.settle(x)?;
            super::reduce::held_order(cx, x).unwrap_or_else(|| Perm::identity(ty.rank()))
        }
        _ => Perm::identity(ty.rank()),
    };
    let result = match wanted.rank() {
        1 => order,
        0 => Perm::new(order.axes().filter(|&a| a != at).map(|a| if a > at { a - 1 } else { a })),
        _ => Perm::identity(cx.ty(y)?.rank()),
    };
    let place = order.position(at);
    let run = |v: &Vec<usize>| v.windows(2).all(|w| w[1] == w[0] + 1);
    if let (Some(v), 0 | 1) = (&known, wanted.rank())
        && run(v)
        && cx.constant(x).is_none()
    {
        let tensor = cx.ordered(x, &order)?;
        let out = slice_axis(cx, tensor, place, v[0], v.len());
        cx.bind(y, out, result);
        return Ok(());
    }
    let role = if cx.constant(x).is_some() { Role::Weight } else { Role::Plain };
    let tensor = match role {
        Role::Weight => cx.constant_as(x, &order, &order.apply(&ty.shape), role)?,
        _ => cx.ordered(x, &order)?,
    };
    let positions = match known {
        Some(v) => {
            let v: Vec<i32> = v.into_iter().map(short).collect();
            cx.literal(
                wanted.shape.clone(),
                DType::I32,
                Constant::Stored(Arc::new(Data::I32(v))),
                Role::Plain,
            )
        }
        None => wrapped(cx, indices, extent)?,
    };
    let shape = result.apply(&cx.shape(y)?);
    let options = options::Gather { axis: short(place), batch_dims: 0 };
    let out = cx.emit(Builtin::Gather, &[tensor, positions], options, shape);
    cx.bind(y, out, result);
    Ok(())
}

/// Refuses element types for which GATHER has no kernel.
pub(super) fn supported(dtype: DType) -> Result<(), String> {
    match dtype {
        DType::U16 | DType::U32 | DType::U64 => Err(format!("TFLite GATHER has no {dtype} kernel")),
        _ => Ok(()),
    }
}

fn resolve(index: i64, extent: usize) -> Result<usize, String> {
    let wrapped = if index < 0 { index + extent.cast_signed() as i64 } else { index };
    usize::try_from(wrapped)
        .ok()
        .filter(|&i| i < extent)
        .ok_or_else(|| format!("index {index} is outside 0..{extent}"))
}

/// Indices modulo the extent: what ONNX means by negative ones.
fn wrapped(cx: &mut Context<'_>, indices: ValueId, extent: usize) -> Result<TensorId, String> {
    let dtype = cx.ty(indices)?.dtype;
    let plain = cx.plain(indices)?;
    let data = match dtype {
        DType::I32 => Data::I32(vec![short(extent)]),
        DType::I64 => Data::I64(vec![extent.cast_signed() as i64]),
        other => return Err(format!("indices of {other} are neither INT32 nor INT64")),
    };
    let modulus = cx.literal(vec![], dtype, Constant::Stored(Arc::new(data)), Role::Plain);
    combine(cx, Builtin::FloorMod, &[plain, modulus], options::FloorMod {}, None)
}
