//! Decides which TFLite operators a source graph becomes. Element types of floats stay open: `precision` decides them.
//!
//! One file per family of the operator table; `context` keeps track of where each source tensor stands, `fuse` of what is
//! absorbed into what, `crate::layout` of the axis order.

mod activation;
mod binary;
mod cast;
mod compare;
mod concat;
pub(crate) mod context;
mod conv;
mod fuse;
mod gather;
mod layout;
mod matmul;
mod norm;
mod pad;
pub(crate) mod perm;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod shape;
mod slice;
mod softmax;
#[cfg(test)]
mod tests;
mod unary;

use crate::declared;
use crate::infer::{self, Type};
use crate::layout::demand;
use crate::refuse::{Refusals, first_dtype};
use crate::target::{Target, TensorId};
use context::Context;
use fuse::Fused;
use halfproof_ir::ops::Family;
use halfproof_ir::{Graph, IoLayout, Op, Refusal, Request, Rewrite, ValueId};
use halfproof_wire::tflite::{Builtin, options};
use perm::{MOST_AXES, Perm};

/// A lowered program, and what was deliberately changed on the way.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program.
    pub target: Target,
    /// Source constants that were taken as another number: the root of 2 in a GELU spelt out with erf.
    pub rewrites: Vec<Rewrite>,
}

/// Lowers a source graph whose constant sub-graphs are folded.
///
/// Tensors of the result that carry a source tensor say so in their `origin`, every operator names its source nodes.
///
/// # Errors
/// Every node that TFLite operators cannot express, at once.
pub fn lower(graph: &Graph, request: &Request) -> Result<Lowered, Refusal> {
    let mut refused = Refusals::default();
    if graph.outputs.is_empty() {
        refused.interface(&graph.name, None, "the graph has no output");
    }
    let types = infer::partial(graph, &mut refused);
    declared::results(graph, &types, &mut refused);
    let plan = fuse::plan(graph, &types);
    let demand = demand(graph, &types, request.io_layout);
    let mut cx = Context::new(graph, types.clone(), plan, demand, request.precision);
    for &id in &graph.inputs {
        let Some(ty) = &types[id.index()] else { continue };
        if ty.is_empty() || ty.rank() > MOST_AXES {
            refused.interface(
                &graph.value(id).name,
                Some(ty.dtype),
                format!("shape {:?} is not supported", ty.shape),
            );
            continue;
        }
        let order = interface_order(ty, request.io_layout);
        let tensor = cx.tensor(order.apply(&ty.shape), ty.dtype);
        cx.bind(id, tensor, order);
        cx.target.inputs.push((graph.value(id).name.clone(), tensor));
    }
    for index in 0..graph.nodes.len() {
        if cx.plan.skips(index) {
            continue;
        }
        let node = &graph.nodes[index];
        let known = node.inputs.iter().flatten().all(|id| types[id.index()].is_some());
        if !known || node.outputs.iter().flatten().any(|id| types[id.index()].is_none()) {
            continue;
        }
        cx.enter(index);
        if let Err(reason) = bounds(&types, node).and_then(|()| dispatch(&mut cx, index)) {
            refused.node(node, first_dtype(graph, &types, node), reason);
            stand_in(&mut cx, index, &types);
        }
    }
    if refused.is_empty() {
        outputs(&mut cx, request.io_layout, &types, &mut refused);
    }
    name_the_rest(&mut cx.target);
    let rewrites = std::mem::take(&mut cx.plan.rewrites);
    refused.finish(Lowered { target: cx.target, rewrites })
}

/// Shapes that no kernel takes.
fn bounds(types: &[Option<Type>], node: &halfproof_ir::Node) -> Result<(), String> {
    for id in node.outputs.iter().chain(&node.inputs).flatten() {
        let Some(ty) = &types[id.index()] else { continue };
        if ty.rank() > MOST_AXES {
            return Err(format!("rank {} is beyond {MOST_AXES}", ty.rank()));
        }
    }
    let empty = |id: &ValueId| types[id.index()].as_ref().is_some_and(Type::is_empty);
    // A part without elements is not made, and what joins parts leaves it out.
    if !matches!(node.op, Op::Split(_)) && node.outputs.iter().flatten().any(empty) {
        return Err("its result has no elements".into());
    }
    Ok(())
}

fn dispatch(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    if let Some(Fused::Gelu(x)) = cx.plan.fused(index).cloned() {
        let y = cx.output(&cx.graph.nodes[index])?;
        return unary::map(cx, x, y, |cx, t| cx.map(Builtin::Gelu, t, options::Gelu { approximate: false }));
    }
    let node = &cx.graph.nodes[index];
    let Some(info) = node.op.info() else {
        return Err(
            "no operator of that name is converted; converter/ir/src/ops.rs lists those that are".into()
        );
    };
    match info.family {
        Family::Conv => conv::lower(cx, index),
        Family::Pool => pool::lower(cx, index),
        Family::Matmul => matmul::lower(cx, index),
        Family::Unary => unary::lower(cx, index),
        Family::Binary => binary::lower(cx, index),
        Family::Compare => compare::lower(cx, index),
        Family::Select => select::lower(cx, index),
        Family::Activation => activation::lower(cx, index),
        Family::Softmax => softmax::lower(cx, index),
        Family::Norm => norm::lower(cx, index),
        Family::Reduce => reduce::lower(cx, index),
        Family::Concat => concat::lower(cx, index),
        Family::Slice => slice::lower(cx, index),
        Family::Pad => pad::lower(cx, index),
        Family::Gather => gather::lower(cx, index),
        Family::Shape => shape::lower(cx, index),
        Family::Layout => layout::lower(cx, index),
        Family::Resize => resize::lower(cx, index),
        Family::Cast => cast::lower(cx, index),
        Family::Recurrent => recurrent::lower(cx, index),
        // `expand` writes these in other operators, or refuses them, before lowering.
        Family::Scatter
        | Family::Einsum
        | Family::Attention
        | Family::Sample
        | Family::Signal
        | Family::Loss => Err("it has no rewriting for these operands".into()),
    }
}

/// Gives a refused node's results tensors of their own, so that the nodes behind it are looked at too.
fn stand_in(cx: &mut Context<'_>, index: usize, types: &[Option<Type>]) {
    let node = &cx.graph.nodes[index];
    let last = cx.plan.tail(index).output;
    for id in node.outputs.iter().flatten().copied().chain(last) {
        if let Some(ty) = &types[id.index()]
            && cx.carriers(id).is_empty()
            && ty.rank() <= MOST_AXES
        {
            let tensor = cx.tensor(ty.shape.clone(), ty.dtype);
            cx.bind(id, tensor, Perm::identity(ty.rank()));
        }
    }
}

/// The order of an interface tensor.
fn interface_order(ty: &Type, layout: IoLayout) -> Perm {
    match layout {
        IoLayout::Nhwc if ty.rank() == 4 => Perm::channels_last(4),
        _ => Perm::identity(ty.rank()),
    }
}

/// Brings every output into its interface order, as a tensor of its own.
fn outputs(cx: &mut Context<'_>, layout: IoLayout, types: &[Option<Type>], refused: &mut Refusals) {
    let graph = cx.graph;
    for &id in &graph.outputs {
        let name = graph.value(id).name.clone();
        let held = || -> Option<(Perm, ValueId)> {
            Some((interface_order(types[id.index()].as_ref()?, layout), cx.plan.resolve(id)))
        };
        let Some((order, value)) = held() else { continue };
        if let Some(ty) = types[id.index()].as_ref().filter(|t| t.is_empty()) {
            refused.interface(&name, Some(ty.dtype), format!("shape {:?} is not supported", ty.shape));
            continue;
        }
        cx.enter_output(id);
        match cx.ordered(value, &order) {
            Ok(tensor) => {
                let tensor = own(cx, id, tensor, &order);
                cx.target.outputs.push((name, tensor));
            }
            Err(reason) => refused.interface(&name, types[id.index()].as_ref().map(|t| t.dtype), reason),
        }
    }
}

/// A copy when the tensor is an input, a constant or another output: interface tensors are written by an operator.
fn own(cx: &mut Context<'_>, id: ValueId, tensor: TensorId, order: &Perm) -> TensorId {
    let public = |list: &[(String, TensorId)]| list.iter().any(|(_, t)| *t == tensor);
    let taken = public(&cx.target.inputs) || public(&cx.target.outputs);
    if !taken && cx.target.tensor(tensor).constant.is_none() {
        return tensor;
    }
    let shape = cx.extents(tensor);
    let copy = if shape.is_empty() {
        cx.emit(Builtin::Squeeze, &[tensor], options::Squeeze { squeeze_dims: vec![] }, shape)
    } else {
        let new_shape: Vec<i32> = shape.iter().map(|&d| i32::try_from(d).unwrap_or(i32::MAX)).collect();
        let extents = cx.ints(&new_shape);
        cx.emit(Builtin::Reshape, &[tensor, extents], options::Reshape { new_shape }, shape)
    };
    cx.bind(id, copy, *order);
    copy
}

/// Names tensors that carry no source tensor by their place.
fn name_the_rest(target: &mut Target) {
    for (i, tensor) in target.tensors.iter_mut().enumerate() {
        if tensor.name.is_empty() {
            tensor.name = match &tensor.origin {
                Some(origin) => format!("{}/{i}", origin.source),
                None => format!("t{i}"),
            };
        }
    }
}
