//! Faults in who reads what: operands, results, operators that are missing.

use crate::power::draft::{Draft, is_float};
use halfproof_wire::tflite::{Builtin, Operator, TensorType, options as table};

/// Operators whose two operands are not interchangeable.
const ORDERED: &[Builtin] = &[
    Builtin::Sub,
    Builtin::Div,
    Builtin::Pow,
    Builtin::FloorDiv,
    Builtin::FloorMod,
    Builtin::Less,
    Builtin::LessEqual,
    Builtin::Greater,
    Builtin::GreaterEqual,
    Builtin::BatchMatmul,
    Builtin::Concatenation,
    Builtin::Pack,
    Builtin::Prelu,
];

pub(in crate::power) fn operands(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let builtin = d.builtin(at)?;
        let select = matches!(builtin, Builtin::Select | Builtin::SelectV2);
        let first = usize::from(select);
        let inputs = &d.operators()[at].inputs;
        if !(select || ORDERED.contains(&builtin)) || inputs.len() < first + 2 {
            return None;
        }
        let last = inputs.len() - 1;
        if inputs[first] == inputs[last] {
            return None;
        }
        d.operator(at).inputs.swap(first, last);
        Some(format!("operands {first} and {last} swapped"))
    })
}

pub(in crate::power) fn bias(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let operand = match d.builtin(at)? {
            Builtin::Conv2d | Builtin::DepthwiseConv2d | Builtin::FullyConnected => 2,
            Builtin::TransposeConv => 3,
            _ => return None,
        };
        let old = d.operand(at, operand)?;
        if d.builtin(at)? == Builtin::Conv2d {
            // CONV_2D needs a bias: zeros, of the type that the strategy gave the old one, behind the same DEQUANTIZE.
            let (reader, place) = match widening(d, old) {
                Some(_) if readers(d, old) > 1 => return None,
                Some(widening) => (widening, 0),
                None => (at, operand),
            };
            let old = d.operand(reader, place)?;
            let mut zeros = d.tensors()[old].clone();
            zeros.name = format!("{}_zeros", zeros.name);
            let width = if zeros.dtype == TensorType::Float16 { 2 } else { 4 };
            let bytes = vec![0; width * d.shape(old).iter().product::<usize>()];
            zeros.buffer = d.add_buffer(bytes);
            let zeros = d.add_tensor(zeros);
            d.operator(reader).inputs[place] = zeros;
        } else {
            d.operator(at).inputs.truncate(operand);
        }
        Some("bias dropped".into())
    })
}

/// The DEQUANTIZE that makes a tensor, if one does.
fn widening(d: &Draft<'_>, tensor: usize) -> Option<usize> {
    let makes = |at: &usize| d.builtin(*at) == Some(Builtin::Dequantize) && d.result(*at, 0) == Some(tensor);
    (0..d.operators().len()).find(makes)
}

fn readers(d: &Draft<'_>, tensor: usize) -> usize {
    let operands = d.operators().iter().flat_map(|o| &o.inputs);
    operands.filter(|&&t| usize::try_from(t) == Ok(tensor)).count()
}

pub(in crate::power) fn outputs(d: &mut Draft<'_>) -> Option<String> {
    // The order of outputs is no part of an operator's lowering.
    if d.reach.is_some() {
        return None;
    }
    let outputs = d.model.subgraphs[0].outputs.clone();
    let mut pairs = vec![];
    for (i, &a) in outputs.iter().enumerate() {
        for (j, &b) in outputs.iter().enumerate().skip(i + 1) {
            if a != b && d.same_form(usize::try_from(a).ok()?, usize::try_from(b).ok()?) {
                pairs.push((i, j));
            }
        }
    }
    let (i, j) = d.pick(&pairs)?;
    d.model.subgraphs[0].outputs.swap(i, j);
    Some(format!("outputs {i} and {j} swapped"))
}

/// The results of an operator in another order.
pub(in crate::power) fn results(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let (a, b) = (d.result(at, 0)?, d.result(at, 1)?);
        if !d.same_form(a, b) {
            return None;
        }
        d.operator(at).outputs.swap(0, 1);
        Some("results 0 and 1 swapped".into())
    })
}

pub(in crate::power) fn operand(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let count = d.operators()[at].inputs.len();
        let operand = d.below(count);
        let now = d.operand(at, operand)?;
        if d.is_constant(now) {
            return None;
        }
        let inputs = d.model.subgraphs[0].inputs.iter().copied();
        let earlier = d.operators()[..at].iter().flat_map(|o| o.outputs.iter().copied());
        let others: Vec<usize> = inputs
            .chain(earlier)
            .filter_map(|t| usize::try_from(t).ok())
            .filter(|&t| t != now && d.same_form(t, now))
            .collect();
        let other = d.pick(&others)?;
        d.operator(at).inputs[operand] = i32::try_from(other).ok()?;
        Some(format!("operand {operand} is tensor {other} instead of {now}"))
    })
}

pub(in crate::power) fn missing(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let result = d.result(at, 0)?;
        if d.operators()[at].outputs.len() != 1 || !is_float(&d.tensors()[result]) {
            return None;
        }
        let count = d.operators()[at].inputs.len();
        let same: Vec<usize> = (0..count)
            .filter_map(|i| d.operand(at, i))
            .filter(|&t| !d.is_constant(t) && d.same_form(t, result))
            .collect();
        let operand = d.pick(&same)?;
        d.reroute(result, i32::try_from(operand).ok()?, true);
        Some("left out".into())
    })
}

/// An operand of rank at least two with one axis that is not 1 gets it at another place.
pub(in crate::power) fn broadcast(d: &mut Draft<'_>) -> Option<String> {
    const BINARY: &[Builtin] = &[
        Builtin::Add,
        Builtin::Sub,
        Builtin::Mul,
        Builtin::Div,
        Builtin::Maximum,
        Builtin::Minimum,
        Builtin::Less,
        Builtin::LessEqual,
        Builtin::Greater,
        Builtin::GreaterEqual,
        Builtin::SquaredDifference,
        Builtin::SelectV2,
    ];
    d.anywhere(|d, at| {
        if !BINARY.contains(&d.builtin(at)?) {
            return None;
        }
        let out = d.shape(d.result(at, 0)?);
        let count = d.operators()[at].inputs.len();
        let operand = d.below(count);
        let tensor = d.operand(at, operand)?;
        let shape = d.shape(tensor);
        let extent: usize = shape.iter().product();
        if extent < 2 || shape.iter().filter(|&&n| n != 1).count() != 1 || out.len() < 2 {
            return None;
        }
        let now = out.len() - shape.len() + shape.iter().position(|&n| n != 1)?;
        let free: Vec<usize> = (0..out.len()).filter(|&a| a != now && out[a] == extent).collect();
        let axis = d.pick(&free)?;
        let to: Vec<i32> = (0..out.len()).map(|a| if a == axis { extent as i32 } else { 1 }).collect();
        let extents: Vec<u8> = to.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut list = d.tensors()[tensor].clone();
        list.name = "spoilt_shape".into();
        (list.dtype, list.shape) = (TensorType::Int32, vec![to.len() as i32]);
        list.buffer = d.add_buffer(extents);
        let list = d.add_tensor(list);
        let mut moved = d.tensors()[tensor].clone();
        moved.name = format!("{}_moved", moved.name);
        (moved.shape, moved.buffer, moved.shape_signature) = (to.clone(), 0, vec![]);
        let moved = d.add_tensor(moved);
        let from = d.operators()[at].inputs[operand];
        d.operator(at).inputs[operand] = moved;
        let options = table::Reshape { new_shape: to };
        let reshape = Operator::builtin(Builtin::Reshape, [from, list], [moved], options);
        d.model.subgraphs[0].operators.insert(at, reshape);
        Some(format!("operand {operand} broadcast along axis {axis} instead of {now}"))
    })
}
