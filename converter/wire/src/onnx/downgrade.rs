//! What each operator looks like at an older opset: the inverse of `upgrade`, or the reason why there is none.

use super::opset::{self, Moved, Opset};
use halfproof_ir::ops::{Attr, CoordinateMode, NearestMode, PadMode, Resize, ResizeMode};
use halfproof_ir::{DType, Data, Dim, Graph, Node, Op, Tensor, ValueId};

/// One operand of a node in the file.
pub(super) enum Operand {
    /// A tensor of the graph, or an operand that is left out.
    Value(Option<ValueId>),
    /// A constant that only the file has, by the name of the operand.
    Made(&'static str, Tensor),
}

/// A node as the file has it.
pub(super) struct Lowered<'a> {
    pub(super) op: &'a str,
    pub(super) inputs: Vec<Operand>,
    pub(super) attributes: Vec<(&'static str, Attr)>,
}

/// Brings one node to the form of an opset.
///
/// # Errors
/// The reason, as a fragment, when that opset cannot say what the node says.
pub(super) fn node<'a>(graph: &Graph, node: &'a Node, opset: Opset) -> Result<Lowered<'a>, String> {
    let op = node.op.name();
    if let Op::Unknown { .. } = node.op {
        return Err("it is not in the operator table, its attributes are not kept".to_string());
    }
    let mut lowered = Lowered {
        op,
        inputs: node.inputs.iter().map(|&i| Operand::Value(i)).collect(),
        attributes: node.op.attributes(),
    };
    if let Some((attr, value)) = opset::required(&node.op)
        && lowered.attributes.iter().all(|(name, _)| *name != attr)
    {
        lowered.attributes.push((attr, value));
    }
    change_form(graph, node, opset, &mut lowered)?;
    let since = opset::first(lowered.op);
    if opset < since && !(op == "Resize" && lowered.op == "Upsample") {
        return Err(format!("it came with opset {since}"));
    }
    for (attr, _) in &lowered.attributes {
        let since = opset::attribute_first(op, attr);
        if opset < since {
            return Err(format!("attribute \"{attr}\" came with opset {since}"));
        }
    }
    if let Some(dtype) = node.inputs.iter().flatten().find_map(|&id| graph.value(id).dtype) {
        let since = opset::type_first(op, dtype);
        if opset < since {
            return Err(format!("its elements of type {dtype} came with opset {since}"));
        }
    }
    if opset < Opset(11) {
        axes_from_front(graph, node, &mut lowered)?;
    }
    inputs_to_attributes(graph, node, opset, &mut lowered)?;
    Ok(lowered)
}

/// Differences of meaning and form that are not a matter of tables.
fn change_form(graph: &Graph, node: &Node, opset: Opset, lowered: &mut Lowered<'_>) -> Result<(), String> {
    let operand = |i: usize| node.inputs.get(i).copied().flatten();
    match &node.op {
        Op::Softmax(halfproof_ir::ops::Softmax { axis, coerce_2d })
        | Op::LogSoftmax(halfproof_ir::ops::LogSoftmax { axis, coerce_2d })
        | Op::Hardmax(halfproof_ir::ops::Hardmax { axis, coerce_2d }) => {
            lowered.attributes.retain(|(name, _)| *name != "coerce_2d");
            if opset >= Opset(13) {
                if *coerce_2d {
                    return Err("it means what opsets before 13 meant".to_string());
                }
            } else {
                let last = *axis == -1 || rank(graph, operand(0)).is_some_and(|r| *axis == r - 1);
                if !*coerce_2d && !last {
                    return Err("before opset 13 it can only work along the last axis".to_string());
                }
                lowered.attributes.retain(|(name, _)| *name != "axis");
                lowered.attributes.push(("axis", Attr::Int(*axis)));
            }
        }
        Op::GroupNormalization(g) => {
            lowered.attributes.retain(|(name, _)| *name != "per_group_scale");
            if g.per_group_scale != (opset < Opset(21)) {
                let (has, wants) = if g.per_group_scale { ("group", "21") } else { ("channel", "20") };
                let side = if g.per_group_scale { "from" } else { "up to" };
                return Err(format!("it has one scale per {has}, which opsets {side} {wants} do not"));
            }
        }
        Op::Split(split) if opset < Opset(18) && operand(1).is_none() => {
            lowered.attributes.retain(|(name, _)| *name != "num_outputs");
            let n = node.outputs.len() as i64;
            let even = extent(graph, operand(0), split.axis).map(|e| n > 0 && e % n == 0);
            if split.num_outputs.is_some_and(|asked| asked != n) || even == Some(false) {
                return Err("before opset 18 parts without given sizes are equal".to_string());
            }
            if even.is_none() {
                return Err("before opset 18 it needs sizes or a declared shape that its parts divide".into());
            }
        }
        Op::Pad(pad) => {
            if pad.mode == PadMode::Wrap && opset < Opset(19) {
                return Err("mode \"wrap\" came with opset 19".to_string());
            }
            if operand(3).is_some() && opset < Opset(18) {
                return Err("axes came with opset 18".to_string());
            }
        }
        Op::Slice if opset < Opset(10) => {
            let steps = operand(4).map(|id| graph.constant(id).and_then(Tensor::integers));
            if steps.is_some_and(|s| s.is_none_or(|s| s.iter().any(|&s| s != 1))) {
                return Err("steps came with opset 10".to_string());
            }
            lowered.inputs.truncate(4);
        }
        Op::Gemm(_) if opset < Opset(11) && operand(2).is_none() => {
            return Err("before opset 11 the third operand is not optional".to_string());
        }
        Op::Resize(resize) => resize_form(node, resize, opset, lowered)?,
        Op::Cast(_) if opset < Opset(19) => lowered.attributes.retain(|(name, _)| *name != "saturate"),
        _ => {}
    }
    Ok(())
}

fn resize_form(node: &Node, resize: &Resize, opset: Opset, lowered: &mut Lowered<'_>) -> Result<(), String> {
    let operand = |i: usize| node.inputs.get(i).copied().flatten();
    if opset < Opset(11) {
        let nearest = resize.mode == ResizeMode::Nearest;
        let said = Resize {
            coordinate_transformation_mode: CoordinateMode::Asymmetric,
            mode: resize.mode,
            nearest_mode: if nearest { NearestMode::Floor } else { resize.nearest_mode },
            ..Resize::default()
        };
        if *resize != said || resize.mode == ResizeMode::Cubic {
            return Err("before opset 11 coordinates are asymmetric, and cut in nearest mode".to_string());
        }
        let (Some(scales), None, None) = (operand(2), operand(1), operand(3)) else {
            return Err("before opset 11 only scales can be given".to_string());
        };
        lowered.inputs.truncate(1);
        lowered.inputs.push(Operand::Value(Some(scales)));
        lowered.attributes = vec![("mode", Attr::Str(resize.mode.name().to_string()))];
        if opset < Opset(10) {
            lowered.op = "Upsample";
        }
    } else if opset < Opset(13) {
        let empty = |name| Operand::Made(name, Tensor::new(vec![0], Data::F32(vec![])));
        while lowered.inputs.len() < 3 {
            lowered.inputs.push(Operand::Value(None));
        }
        for (i, name) in [(1, "roi"), (2, "scales")] {
            if operand(i).is_none() {
                lowered.inputs[i] = empty(name);
            }
        }
    }
    if resize.coordinate_transformation_mode == CoordinateMode::HalfPixelSymmetric && opset < Opset(19) {
        return Err("mode \"half_pixel_symmetric\" came with opset 19".to_string());
    }
    Ok(())
}

/// Before opset 11 axes count from the front.
fn axes_from_front(graph: &Graph, node: &Node, lowered: &mut Lowered<'_>) -> Result<(), String> {
    let needs = "before opset 11 axes are not negative, and the operand has no declared shape";
    let x = node.inputs.first().copied().flatten();
    if !matches!(node.op, Op::LpNormalization(_)) {
        for (name, value) in &mut lowered.attributes {
            if let ("axis", Attr::Int(axis)) = (*name, value)
                && *axis < 0
            {
                // OneHot's axis is one of its result, which has one more.
                let grown = i64::from(matches!(node.op, Op::OneHot(_)));
                *axis += rank(graph, x).ok_or(needs)? + grown;
            }
        }
    }
    let with_axes = match lowered.op {
        "Slice" => 3,
        "Squeeze" | "Unsqueeze" => 1,
        op if op.starts_with("Reduce") => 1,
        _ => return Ok(()),
    };
    let axes = match lowered.inputs.get(with_axes) {
        Some(Operand::Value(Some(id))) => graph.constant(*id).and_then(Tensor::integers),
        _ => None,
    };
    if let Some(mut axes) = axes
        && axes.iter().any(|&a| a < 0)
    {
        let grown = if lowered.op == "Unsqueeze" { axes.len() as i64 } else { 0 };
        let rank = rank(graph, x).ok_or(needs)? + grown;
        axes.iter_mut().filter(|a| **a < 0).for_each(|a| *a += rank);
        lowered.inputs[with_axes] = Operand::Made("axes", Tensor::ints(axes));
    }
    Ok(())
}

/// Turns operands into the attributes that they were.
fn inputs_to_attributes(
    graph: &Graph,
    node: &Node,
    opset: Opset,
    lowered: &mut Lowered<'_>,
) -> Result<(), String> {
    let mut keep = lowered.inputs.len();
    for (attr, operand, contents) in opset::moved(lowered.op, opset) {
        let Some(operand) = lowered.inputs.get(operand).inspect(|_| keep = keep.min(operand)) else {
            continue;
        };
        let tensor = match operand {
            Operand::Value(None) => continue,
            Operand::Value(Some(id)) => graph.constant(*id),
            Operand::Made(_, tensor) => Some(tensor),
        };
        let Some(tensor) = tensor else {
            return Err(format!("{attr} of \"{}\" must be constant at this opset", node.name));
        };
        let value = match contents {
            Moved::Ints => tensor.integers().map(Attr::Ints),
            Moved::Int => match tensor.integers().as_deref() {
                Some(&[v]) => Some(Attr::Int(v)),
                _ => None,
            },
            Moved::Floats => tensor.floats().map(|v| Attr::Floats(v.iter().map(|&x| x as f32).collect())),
            Moved::Scalar => match tensor.floats().as_deref() {
                Some(&[x]) if tensor.dtype() != DType::F64 || f64::from(x as f32) == x => {
                    Some(Attr::Float(x as f32))
                }
                _ => None,
            },
        };
        let value = value.ok_or_else(|| format!("{attr} does not fit an attribute"))?;
        // For these an empty list of axes means all of them, as no list does.
        let all = lowered.op == "Squeeze" || lowered.op.starts_with("Reduce");
        if !(all && value == Attr::Ints(vec![])) {
            lowered.attributes.push((attr, value));
        }
    }
    lowered.inputs.truncate(keep);
    Ok(())
}

fn rank(graph: &Graph, x: Option<ValueId>) -> Option<i64> {
    graph.value(x?).shape.as_ref().map(|s| s.len() as i64)
}

fn extent(graph: &Graph, x: Option<ValueId>, axis: i64) -> Option<i64> {
    let shape = graph.value(x?).shape.as_ref()?;
    let axis = if axis < 0 { axis + shape.len() as i64 } else { axis };
    match shape.get(usize::try_from(axis).ok()?)? {
        Dim::Fixed(n) => i64::try_from(*n).ok(),
        Dim::Named(_) => None,
    }
}
