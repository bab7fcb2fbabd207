//! Operators that select, move or join elements, in TensorFlow's words.

use super::dtype;
use super::layer::{channels_first, channels_last};
use crate::emit::window::shown;
use crate::emit::writer::Writer;
use crate::emit::{flag, from_front, list};
use halfproof_ir::ops::{self, CoordinateMode, D2sMode, NearestMode, PadMode, ResizeMode};
use halfproof_ir::{DType, Node, Op};

pub(super) fn movement(w: &mut Writer<'_>, node: &Node) -> Result<Option<String>, String> {
    Ok(Some(match &node.op {
        Op::Concat(op) => format!("tf.concat([{}], axis={})", w.operands(node)?, op.axis),
        Op::Split(op) => format!("{}[0]", split(w, node, op)?),
        Op::TopK(op) => {
            let [values, indices] = top_k(w, node, op)?;
            if node.outputs.first().is_some_and(Option::is_some) { values } else { indices }
        }
        Op::ArgMax(ops::ArgMax { axis, keepdims, select_last_index }) => {
            extreme(w, node, "argmax", *axis, *keepdims, *select_last_index)?
        }
        Op::ArgMin(ops::ArgMin { axis, keepdims, select_last_index }) => {
            extreme(w, node, "argmin", *axis, *keepdims, *select_last_index)?
        }
        Op::CumSum(op) => {
            let axis = *w.needed(node, 1)?.first().ok_or("no axis")?;
            let (exclusive, reverse) = (flag(op.exclusive), flag(op.reverse));
            format!(
                "tf.cumsum({}, axis={axis}, exclusive={exclusive}, reverse={reverse})",
                w.operand(node, 0)?
            )
        }
        Op::Slice => slice(w, node)?,
        Op::Pad(op) => pad(w, node, op)?,
        Op::CenterCropPad(_) => center(w, node)?,
        Op::Gather(op) => {
            let extent = w.extent(node, op.axis)?;
            let indices = wrapped(w, node, 1, extent)?;
            format!("tf.gather({}, {indices}, axis={})", w.operand(node, 0)?, op.axis)
        }
        Op::GatherElements(op) => {
            let at = places(w, node, op.axis)?;
            format!("tf.gather_nd({}, {at})", w.operand(node, 0)?)
        }
        Op::GatherND(op) => {
            let at = corners(w, node, op.batch_dims)?;
            format!("tf.gather_nd({}, {at}, batch_dims={})", w.operand(node, 0)?, op.batch_dims)
        }
        Op::ScatterElements(op) => {
            let at = places(w, node, op.axis)?;
            format!("{}({}, {at}, {})", scattered(&op.reduction)?, w.operand(node, 0)?, w.operand(node, 2)?)
        }
        Op::ScatterND(op) => {
            let at = corners(w, node, 0)?;
            format!("{}({}, {at}, {})", scattered(&op.reduction)?, w.operand(node, 0)?, w.operand(node, 2)?)
        }
        Op::Compress(op) => {
            let chosen: Vec<i64> = w.needed(node, 1)?;
            let places = chosen.iter().enumerate().filter(|(_, c)| **c != 0).map(|(i, _)| i);
            let x = w.operand(node, 0)?;
            match op.axis {
                Some(axis) => format!("tf.gather({x}, {}, axis={axis})", list(places)),
                None => format!("tf.gather(tf.reshape({x}, [-1]), {})", list(places)),
            }
        }
        Op::ReverseSequence(op) => format!(
            "tf.reverse_sequence({}, {}, seq_axis={}, batch_axis={})",
            w.operand(node, 0)?,
            w.operand(node, 1)?,
            op.time_axis,
            op.batch_axis
        ),
        Op::OneHot(op) => {
            let depth = *w.needed(node, 1)?.first().ok_or("no depth")?;
            let indices = wrapped(w, node, 0, depth)?;
            let values = w.operand(node, 2)?;
            format!("tf.one_hot({indices}, {depth}, {values}[1], {values}[0], axis={})", op.axis)
        }
        Op::Trilu(op) => {
            let k = w.integers(node, 1)?.and_then(|v| v.first().copied()).unwrap_or(0);
            let shape = w.shape(node, 0)?;
            let [.., rows, columns] = shape.as_slice() else { return Err("no matrix".into()) };
            let x = w.operand(node, 0)?;
            let side = if op.upper { ">=" } else { "<=" };
            let mask = format!("tf.range({columns}) {side} tf.range({rows})[:, tf.newaxis] + {k}");
            format!("tf.where({mask}, {x}, tf.zeros_like({x}))")
        }
        Op::EyeLike(op) => {
            let shape = w.shape(node, 0)?;
            let [rows, columns] = shape.as_slice() else { return Err("no matrix".into()) };
            let to = op.dtype.or_else(|| node.inputs[0].and_then(|id| w.graph.value(id).dtype));
            let to = dtype(to.unwrap_or(DType::F32)).ok_or("TFLite has no such type")?;
            format!("tf.cast(tf.range({columns}) == tf.range({rows})[:, tf.newaxis] + {}, {to})", op.k)
        }
        Op::Shape(op) => {
            let end = op.end.map_or(String::new(), |e| e.to_string());
            format!("tf.shape({}, out_type=tf.int64)[{}:{end}]", w.operand(node, 0)?, op.start)
        }
        Op::Size => format!("tf.size({}, out_type=tf.int64)", w.operand(node, 0)?),
        Op::Range => format!("tf.range({})", w.operands(node)?),
        Op::Reshape(_) | Op::Flatten(_) => {
            let shape = list(w.result(node)?);
            format!("tf.reshape({}, {shape})", w.operand(node, 0)?)
        }
        Op::Squeeze => match w.integers(node, 1)? {
            Some(axes) => format!("tf.squeeze({}, {})", w.operand(node, 0)?, list(axes)),
            None => format!("tf.squeeze({})", w.operand(node, 0)?),
        },
        Op::Unsqueeze => {
            let axes = w.inserted(node)?;
            let mut text = w.operand(node, 0)?;
            axes.iter().for_each(|a| text = format!("tf.expand_dims({text}, {a})"));
            text
        }
        Op::Expand => {
            let shape = list(w.result(node)?);
            format!("tf.broadcast_to({}, {shape})", w.operand(node, 0)?)
        }
        Op::Tile => {
            let repeats = list(w.needed(node, 1)?);
            format!("tf.tile({}, {repeats})", w.operand(node, 0)?)
        }
        Op::Transpose(op) => {
            let rank = w.shape(node, 0)?.len() as i64;
            let order = if op.perm.is_empty() { (0..rank).rev().collect() } else { op.perm.clone() };
            format!("tf.transpose({}, {})", w.operand(node, 0)?, list(order))
        }
        Op::DepthToSpace(op) if op.mode == D2sMode::Dcr => {
            let x = channels_last(&w.operand(node, 0)?, 2);
            channels_first(&format!("tf.nn.depth_to_space({x}, {})", op.blocksize), 2)
        }
        Op::DepthToSpace(op) => {
            let (s, b) = (w.shape(node, 0)?, op.blocksize as usize);
            let apart = list([s[0], s[1] / (b * b), b, b, s[2], s[3]]);
            let x = format!("tf.reshape({}, {apart})", w.operand(node, 0)?);
            format!("tf.reshape(tf.transpose({x}, [0, 1, 4, 2, 5, 3]), {})", list(w.result(node)?))
        }
        Op::SpaceToDepth(op) => {
            let x = channels_last(&w.operand(node, 0)?, 2);
            channels_first(&format!("tf.nn.space_to_depth({x}, {})", op.blocksize), 2)
        }
        Op::Resize(op) => resize(w, node, op)?,
        _ => return Ok(None),
    }))
}

pub(super) fn split(w: &mut Writer<'_>, node: &Node, op: &ops::Split) -> Result<String, String> {
    let x = w.operand(node, 0)?;
    let sizes = match w.integers(node, 1)? {
        Some(sizes) => sizes,
        None => {
            let (extent, parts) = (w.extent(node, op.axis)?, node.outputs.len() as i64);
            let part = (extent + parts - 1) / parts;
            (0..parts).map(|i| part.min(extent - i * part)).collect()
        }
    };
    Ok(format!("tf.split({x}, {}, axis={})", list(sizes), op.axis))
}

/// Values and indices; TensorFlow knows the largest of the last axis.
pub(super) fn top_k(w: &mut Writer<'_>, node: &Node, op: &ops::TopK) -> Result<[String; 2], String> {
    let k = *w.needed(node, 1)?.first().ok_or("no k")?;
    let rank = w.shape(node, 0)?.len();
    let axis = from_front(op.axis, rank);
    let mut order: Vec<i64> = (0..rank as i64).collect();
    order.swap(usize::try_from(axis).map_err(|_| "no such axis")?, rank - 1);
    let moved = axis != rank as i64 - 1;
    let turn = |x: String| if moved { format!("tf.transpose({x}, {})", list(&order)) } else { x };
    let sign = |x: String| if op.largest { x } else { format!("-{x}") };
    let x = turn(w.operand(node, 0)?);
    let both = w.bind(&format!("tf.math.top_k({}, {k})", sign(x)));
    let values = sign(turn(format!("{both}.values")));
    Ok([values, format!("tf.cast({}, tf.int64)", turn(format!("{both}.indices")))])
}

fn extreme(
    w: &mut Writer<'_>,
    node: &Node,
    function: &str,
    axis: i64,
    keep: bool,
    last: bool,
) -> Result<String, String> {
    let x = w.operand(node, 0)?;
    let index = if last {
        let end = w.extent(node, axis)? - 1;
        format!("{end} - tf.{function}(tf.reverse({x}, [{axis}]), axis={axis})")
    } else {
        format!("tf.{function}({x}, axis={axis})")
    };
    Ok(if keep { format!("tf.expand_dims({index}, {axis})") } else { index })
}

/// Indices of an operand that may count from the end, from the front.
fn wrapped(w: &mut Writer<'_>, node: &Node, slot: usize, extent: i64) -> Result<String, String> {
    let i = w.operand(node, slot)?;
    let constant = w.integers(node, slot).ok().flatten();
    Ok(match constant {
        Some(given) if given.iter().all(|&g| g >= 0) => i,
        _ => format!("tf.where({i} < 0, {i} + {extent}, {i})"),
    })
}

/// The places that GatherElements and ScatterElements mean, whole indices of them.
fn places(w: &mut Writer<'_>, node: &Node, axis: i64) -> Result<String, String> {
    let shape = w.shape(node, 1)?;
    let axis = from_front(axis, shape.len());
    let extent = w.extent(node, axis)?;
    let index = wrapped(w, node, 1, extent)?;
    let index = w.bind(&index);
    let ranges = shape.iter().map(|n| format!("tf.range({n}, dtype={index}.dtype)"));
    let grid = w.bind(&format!("tf.meshgrid({}, indexing='ij')", ranges.collect::<Vec<_>>().join(", ")));
    let parts =
        (0..shape.len() as i64).map(|i| if i == axis { index.clone() } else { format!("{grid}[{i}]") });
    Ok(format!("tf.stack({}, axis=-1)", list(parts)))
}

/// Indices of GatherND and ScatterND, from the front.
fn corners(w: &mut Writer<'_>, node: &Node, batch: i64) -> Result<String, String> {
    let i = w.operand(node, 1)?;
    let given = w.integers(node, 1).ok().flatten();
    if given.is_some_and(|given| given.iter().all(|&g| g >= 0)) {
        return Ok(i);
    }
    let (shape, depth) = (w.shape(node, 0)?, w.shape(node, 1)?.last().copied().unwrap_or(0));
    let from = usize::try_from(batch).unwrap_or(0);
    let extents = shape.get(from..from + depth).ok_or("indices longer than the shape")?;
    Ok(format!("tf.where({i} < 0, {i} + tf.constant({}, {i}.dtype), {i})", list(extents)))
}

fn scattered(reduction: &str) -> Result<&'static str, String> {
    match reduction {
        "none" => Ok("tf.tensor_scatter_nd_update"),
        "add" => Ok("tf.tensor_scatter_nd_add"),
        "max" => Ok("tf.tensor_scatter_nd_max"),
        "min" => Ok("tf.tensor_scatter_nd_min"),
        _ => Err("a product".into()),
    }
}

fn slice(w: &mut Writer<'_>, node: &Node) -> Result<String, String> {
    let (starts, shape, result) = (w.needed(node, 1)?, w.shape(node, 0)?, w.result(node)?);
    w.needed(node, 2)?;
    let axes = w.integers(node, 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = w.integers(node, 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    let mut parts = vec![":".to_string(); shape.len()];
    for (i, &axis) in axes.iter().enumerate() {
        let at = usize::try_from(from_front(axis, shape.len())).map_err(|_| "no such axis")?;
        let (extent, count, step) = (shape[at] as i64, result[at] as i64, steps[i]);
        let start = if starts[i] < 0 { starts[i] + extent } else { starts[i] };
        let start = if step > 0 { start.clamp(0, extent) } else { start.clamp(0, extent - 1) };
        let end = start + count * step;
        let end = if end < 0 { String::new() } else { end.to_string() };
        parts[at] = if step == 1 { format!("{start}:{end}") } else { format!("{start}:{end}:{step}") };
    }
    Ok(format!("{}[{}]", w.operand(node, 0)?, parts.join(", ")))
}

fn pad(w: &mut Writer<'_>, node: &Node, op: &ops::Pad) -> Result<String, String> {
    let pads = w.needed(node, 1)?;
    let shape = w.shape(node, 0)?;
    let axes = w.integers(node, 3)?.unwrap_or_else(|| (0..shape.len() as i64).collect());
    let mut both = vec![(0, 0); shape.len()];
    for (i, &axis) in axes.iter().enumerate() {
        let at = usize::try_from(from_front(axis, shape.len())).map_err(|_| "no such axis")?;
        both[at] = (pads[i], pads[i + axes.len()]);
    }
    let x = w.operand(node, 0)?;
    let shrinks = both.iter().any(|&(a, b)| a < 0 || b < 0);
    let given = list(both.iter().map(|(a, b)| format!("[{a}, {b}]")));
    match op.mode {
        PadMode::Constant if shrinks => Err("negative padding".into()),
        PadMode::Constant => {
            let value = match w.id(node, 2) {
                Some(_) => format!(", constant_values={}", w.operand(node, 2)?),
                None => String::new(),
            };
            Ok(format!("tf.pad({x}, {given}{value})"))
        }
        PadMode::Reflect if !shrinks => Ok(format!("tf.pad({x}, {given}, 'REFLECT')")),
        mode => {
            let mut text = x;
            for (axis, &(begin, end)) in both.iter().enumerate().filter(|(_, b)| **b != (0, 0)) {
                let at = list(shown(mode, shape[axis] as i64, begin, end));
                text = format!("tf.gather({text}, {at}, axis={axis})");
            }
            Ok(if both.iter().all(|b| *b == (0, 0)) { format!("tf.identity({text})") } else { text })
        }
    }
}

fn center(w: &mut Writer<'_>, node: &Node) -> Result<String, String> {
    let (shape, result) = (w.shape(node, 0)?, w.result(node)?);
    let mut text = w.operand(node, 0)?;
    let cut: Vec<String> = shape
        .iter()
        .zip(&result)
        .map(|(&a, &b)| if a > b { format!("{}:{}", (a - b) / 2, (a - b) / 2 + b) } else { ":".into() })
        .collect();
    text = format!("{text}[{}]", cut.join(", "));
    let more = |(&a, &b): (&usize, &usize)| {
        let total = b.saturating_sub(a);
        format!("[{}, {}]", total / 2, total - total / 2)
    };
    let more = list(shape.iter().zip(&result).map(more));
    Ok(format!("tf.pad({text}, {more})"))
}

fn resize(w: &mut Writer<'_>, node: &Node, op: &ops::Resize) -> Result<String, String> {
    let (shape, result) = (w.shape(node, 0)?, w.result(node)?);
    if shape.len() != 4 || shape[..2] != result[..2] || op.antialias || op.exclude_outside {
        return Err("other than two spatial axes, or antialias".into());
    }
    // TensorFlow takes the scale from the sizes, as ONNX does where it divides evenly.
    if shape.iter().zip(&result).any(|(&a, &b)| !b.is_multiple_of(a)) {
        return Err("a scale that is no whole number".into());
    }
    let how =
        |corners, centers| format!("align_corners={}, half_pixel_centers={}", flag(corners), flag(centers));
    let (function, how) = match (op.mode, op.coordinate_transformation_mode, op.nearest_mode) {
        (ResizeMode::Nearest, CoordinateMode::Asymmetric, NearestMode::Floor) => {
            ("resize_nearest_neighbor", how(false, false))
        }
        (ResizeMode::Nearest, CoordinateMode::HalfPixel, NearestMode::RoundPreferCeil) => {
            ("resize_nearest_neighbor", how(false, true))
        }
        (ResizeMode::Linear, CoordinateMode::HalfPixel | CoordinateMode::PytorchHalfPixel, _) => {
            ("resize_bilinear", how(false, true))
        }
        (ResizeMode::Linear, CoordinateMode::AlignCorners, _) => ("resize_bilinear", how(true, false)),
        (ResizeMode::Linear, CoordinateMode::Asymmetric, _) => ("resize_bilinear", how(false, false)),
        _ => return Err("a way of rounding coordinates that TensorFlow has not".into()),
    };
    let x = channels_last(&w.operand(node, 0)?, 2);
    let size = list(&result[2..]);
    let y = format!("tf.compat.v1.image.{function}({x}, {size}, {how})");
    Ok(channels_first(&y, 2))
}
