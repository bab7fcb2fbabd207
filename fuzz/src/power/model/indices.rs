//! Faults in axes, permutations, paddings, offsets: integers that operators get as attributes or constant operands.

use crate::power::draft::Draft;
use halfproof_wire::tflite::{Builtin, Options};

/// Changes the constant integers of an operand of some operator of the listed kinds.
fn integers(
    d: &mut Draft<'_>,
    places: &[(Builtin, usize)],
    change: impl Fn(&mut Draft<'_>, usize, &mut Vec<i64>) -> Option<String>,
) -> Option<String> {
    d.anywhere(|d, at| {
        let now = d.builtin(at)?;
        let (_, operand) = *places.iter().find(|(b, _)| *b == now)?;
        let mut values = d.ints(d.operand(at, operand)?)?;
        let before = values.clone();
        let words = change(d, at, &mut values)?;
        if values == before {
            return None;
        }
        d.set_ints(at, operand, &values)?;
        Some(format!("{words}: {before:?} becomes {values:?}"))
    })
}

pub(in crate::power) fn permutation(d: &mut Draft<'_>) -> Option<String> {
    integers(d, &[(Builtin::Transpose, 1)], |d, _, p| {
        if p.len() < 2 {
            return None;
        }
        let i = d.below(p.len());
        let j = (i + 1 + d.below(p.len() - 1)) % p.len();
        p.swap(i, j);
        Some("permutation".into())
    })
}

/// An axis other than the present one, below the rank.
fn another(d: &mut Draft<'_>, axis: i64, rank: usize) -> Option<i64> {
    let now = if axis < 0 { axis + rank as i64 } else { axis };
    let others: Vec<i64> = (0..rank as i64).filter(|&a| a != now).collect();
    d.pick(&others)
}

pub(in crate::power) fn axis(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let builtin = d.builtin(at)?;
        let operand = match builtin {
            Builtin::ArgMax | Builtin::ArgMin | Builtin::Cumsum | Builtin::ReverseV2 => Some(1),
            Builtin::Split => Some(0),
            Builtin::SplitV => Some(2),
            _ => None,
        };
        if let Some(operand) = operand {
            let data = usize::from(builtin == Builtin::Split);
            let rank = d.shape(d.operand(at, data)?).len();
            let mut values = d.ints(d.operand(at, operand)?)?;
            let before = *values.first()?;
            let to = another(d, before, rank)?;
            *values.first_mut()? = to;
            d.set_ints(at, operand, &values)?;
            return Some(format!("axis {before} becomes {to}"));
        }
        let rank = d.shape(d.operand(at, 0)?).len();
        let now = match &d.operators()[at].options {
            Options::Concatenation(o) => o.axis,
            Options::Gather(o) if o.batch_dims == 0 => o.axis,
            Options::Pack(o) => o.axis,
            _ => return None,
        };
        let rank = if builtin == Builtin::Pack { rank + 1 } else { rank };
        let to = another(d, now.into(), rank)?;
        let field = match &mut d.operator(at).options {
            Options::Concatenation(o) => &mut o.axis,
            Options::Gather(o) => &mut o.axis,
            Options::Pack(o) => &mut o.axis,
            _ => return None,
        };
        *field = i32::try_from(to).ok()?;
        Some(format!("axis {now} becomes {to}"))
    })
}

const REDUCTIONS: &[(Builtin, usize)] = &[
    (Builtin::Sum, 1),
    (Builtin::Mean, 1),
    (Builtin::ReduceMax, 1),
    (Builtin::ReduceMin, 1),
    (Builtin::ReduceProd, 1),
];

pub(in crate::power) fn reduced(d: &mut Draft<'_>) -> Option<String> {
    integers(d, REDUCTIONS, |d, at, axes| {
        let rank = d.shape(d.operand(at, 0)?).len();
        let norm = |a: i64| if a < 0 { a + rank as i64 } else { a };
        let free: Vec<i64> = (0..rank as i64).filter(|a| !axes.iter().any(|x| norm(*x) == *a)).collect();
        let to = d.pick(&free)?;
        let i = d.below(axes.len());
        *axes.get_mut(i)? = to;
        Some("reduced axes".into())
    })
}

const PADS: &[(Builtin, usize)] = &[(Builtin::Pad, 1), (Builtin::Padv2, 1), (Builtin::MirrorPad, 1)];

pub(in crate::power) fn pad_side(d: &mut Draft<'_>) -> Option<String> {
    integers(d, PADS, |d, _, pads| {
        let uneven: Vec<usize> = (0..pads.len() / 2).filter(|&i| pads[2 * i] != pads[2 * i + 1]).collect();
        let axis = d.pick(&uneven)?;
        pads.swap(2 * axis, 2 * axis + 1);
        Some("padding on the other side".into())
    })
}

pub(in crate::power) fn pad_off_by_one(d: &mut Draft<'_>) -> Option<String> {
    integers(d, PADS, |d, _, pads| {
        let padded: Vec<usize> = (0..pads.len()).filter(|&i| pads[i] > 0).collect();
        let from = d.pick(&padded)?;
        pads[from] -= 1;
        // Mostly moved to the other side, so that the shape does not tell.
        if d.below(4) > 0 {
            pads[from ^ 1] += 1;
        }
        Some("padding off by one".into())
    })
}

pub(in crate::power) fn slice_start(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let builtin = d.builtin(at)?;
        let shape = d.shape(d.operand(at, 0)?);
        let mut begin =
            d.ints(d.operand(at, 1).filter(|_| matches!(builtin, Builtin::Slice | Builtin::StridedSlice))?)?;
        let mut last = d.ints(d.operand(at, 2)?)?;
        let axes: Vec<usize> = (0..begin.len().min(shape.len())).collect();
        let axis = d.pick(&axes)?;
        let step = if begin[axis] > 0 && d.below(2) == 0 { -1 } else { 1 };
        begin[axis] += step;
        if builtin == Builtin::StridedSlice {
            last[axis] += step;
            d.set_ints(at, 2, &last)?;
        } else if last[axis] >= 0 && begin[axis] + last[axis] > shape[axis] as i64 {
            return None;
        }
        d.set_ints(at, 1, &begin)?;
        Some(format!("begins at {} of axis {axis} instead of {}", begin[axis], begin[axis] - step))
    })
}

pub(in crate::power) fn gathered(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let builtin = d.builtin(at)?;
        let operand = match builtin {
            Builtin::Gather | Builtin::GatherNd => 1,
            Builtin::EmbeddingLookup => 0,
            _ => return None,
        };
        let mut values = d.ints(d.operand(at, operand)?)?;
        if values.is_empty() {
            return None;
        }
        let i = d.below(values.len());
        let before = values[i];
        values[i] = if before > 0 { before - 1 } else { before + 1 };
        d.set_ints(at, operand, &values)?;
        Some(format!("index {before} becomes {}", values[i]))
    })
}

pub(in crate::power) fn reshaped(d: &mut Draft<'_>) -> Option<String> {
    integers(d, &[(Builtin::Reshape, 1)], |d, at, to| {
        let uneven: Vec<usize> = (1..to.len()).filter(|&i| to[i] != to[i - 1]).collect();
        let i = d.pick(&uneven)?;
        to.swap(i, i - 1);
        let shape: Vec<i32> = to.iter().map(|&x| i32::try_from(x).unwrap_or(0)).collect();
        if let Options::Reshape(o) = &mut d.operator(at).options
            && !o.new_shape.is_empty()
        {
            o.new_shape = shape;
        }
        Some("two extents swapped".into())
    })
}

/// Two numbers of repetitions swapped, or a size of a resize.
pub(in crate::power) fn repeated(d: &mut Draft<'_>) -> Option<String> {
    let places = [(Builtin::Tile, 1), (Builtin::ResizeBilinear, 1), (Builtin::ResizeNearestNeighbor, 1)];
    integers(d, &places, |d, _, n| {
        let uneven: Vec<usize> = (1..n.len()).filter(|&i| n[i] != n[i - 1]).collect();
        let i = d.pick(&uneven)?;
        n.swap(i, i - 1);
        Some("two axes swapped".into())
    })
}

pub(in crate::power) fn block(d: &mut Draft<'_>) -> Option<String> {
    d.anywhere(|d, at| {
        let shape = d.shape(d.operand(at, 0)?);
        let field = match &mut d.operator(at).options {
            Options::SpaceToDepth(o) => &mut o.block_size,
            Options::DepthToSpace(o) => &mut o.block_size,
            _ => return None,
        };
        let before = *field;
        *field = if before == 2 { 4 } else { 2 };
        if *field as usize > shape.get(3).copied().unwrap_or(1).max(shape.get(1).copied().unwrap_or(1)) {
            *field = 1;
        }
        Some(format!("block size {before} becomes {field}"))
    })
}
