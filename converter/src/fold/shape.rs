//! Folds the operators that only move elements: no arithmetic, any element type.

use super::strided::{Pick, View, each, row_major};
use crate::infer::{self, Operand, Type};
use halfproof_ir::{Data, Op, Tensor};

/// Evaluates a moving operator on constants; `None` for every other one.
pub(super) fn evaluate(op: &Op, operands: &[Option<Operand<'_>>], types: &[Type]) -> Option<Vec<Data>> {
    let operand = |i: usize| operands.get(i).copied().flatten();
    let x = operand(0)?.constant?;
    let to = &types.first()?.shape;
    let one = match op {
        Op::Identity | Op::Reshape(_) | Op::Flatten(_) | Op::Squeeze | Op::Unsqueeze => x.data.clone(),
        Op::Expand => View::broadcast(&x.shape, to).read_data(&x.data),
        Op::Transpose(t) => {
            View::transpose(&x.shape, &infer::permutation(&t.perm, x.shape.len()).ok()?).read_data(&x.data)
        }
        Op::Tile => tile(x, to).read_data(&x.data),
        Op::Slice => {
            let ranges =
                infer::slice_ranges(&x.shape, operand(1)?, operand(2)?, operand(3), operand(4)).ok()?;
            slice(&x.shape, &ranges)?.read_data(&x.data)
        }
        Op::Split(s) => {
            let axis = infer::axis(s.axis, x.shape.len()).ok()?;
            return Some(split(x, axis, types));
        }
        Op::Concat(c) => {
            let axis = infer::axis(c.axis, x.shape.len()).ok()?;
            let parts: Vec<&Tensor> =
                operands.iter().map(|o| o.and_then(|o| o.constant)).collect::<Option<_>>()?;
            concat(&parts, axis)?
        }
        Op::Gather(g) => gather(x, operand(1)?.constant?, infer::axis(g.axis, x.shape.len()).ok()?)?,
        Op::ConstantOfShape(c) => match &c.value {
            Some(value) if value.len() == 1 => View::broadcast(&[1], to).read_data(&value.data),
            Some(_) => return None,
            None => Data::F64(vec![0.0; types[0].len()]),
        },
        Op::Where => choose(operands, to)?,
        _ => return None,
    };
    Some(vec![one])
}

/// Repeats a tensor along every axis; `to` has the extents times the repeats.
fn tile(x: &Tensor, to: &[usize]) -> View {
    let own = row_major(&x.shape);
    let mut shape = Vec::with_capacity(2 * to.len());
    let mut strides = Vec::with_capacity(2 * to.len());
    for (a, &d) in x.shape.iter().enumerate() {
        shape.extend([to[a].checked_div(d).unwrap_or(0), d]);
        strides.extend([0, own[a]]);
    }
    View { offset: 0, shape, strides }
}

fn slice(shape: &[usize], ranges: &[infer::Range]) -> Option<View> {
    let own = row_major(shape);
    let mut view = View { offset: 0, shape: Vec::new(), strides: Vec::new() };
    for (r, &stride) in ranges.iter().zip(&own) {
        view.offset += r.start * stride.cast_unsigned();
        view.shape.push(r.len);
        view.strides.push(if r.len > 1 { stride.checked_mul(isize::try_from(r.step).ok()?)? } else { 0 });
    }
    Some(view)
}

fn split(x: &Tensor, axis: usize, parts: &[Type]) -> Vec<Data> {
    let own = row_major(&x.shape);
    let mut start = 0;
    let part = |ty: &Type| {
        let offset = start * own[axis].cast_unsigned();
        start += ty.shape[axis];
        View { offset, shape: ty.shape.clone(), strides: own.clone() }.read_data(&x.data)
    };
    parts.iter().map(part).collect()
}

/// The row-major blocks of several tensors, interleaved: each has `outer` blocks of its own size.
struct Interleave<'a> {
    parts: &'a [&'a Tensor],
    outer: usize,
}

impl Interleave<'_> {
    fn join<T: Copy>(&self, read: impl Fn(&Data) -> Option<&[T]>) -> Option<Vec<T>> {
        let slices: Vec<&[T]> = self.parts.iter().map(|p| read(&p.data)).collect::<Option<_>>()?;
        let mut out = Vec::with_capacity(slices.iter().map(|s| s.len()).sum());
        for i in 0..self.outer {
            for slice in &slices {
                let block = slice.len() / self.outer;
                out.extend_from_slice(&slice[i * block..(i + 1) * block]);
            }
        }
        Some(out)
    }
}

fn concat(parts: &[&Tensor], axis: usize) -> Option<Data> {
    let outer: usize = parts.first()?.shape[..axis].iter().product();
    let join = Interleave { parts, outer };
    macro_rules! of_type {
        ($variant:ident) => {
            join.join(|d| if let Data::$variant(v) = d { Some(v.as_slice()) } else { None })
                .map(Data::$variant)
        };
    }
    match &parts.first()?.data {
        Data::I64(_) => of_type!(I64),
        Data::I32(_) => of_type!(I32),
        Data::I16(_) => of_type!(I16),
        Data::I8(_) => of_type!(I8),
        Data::U64(_) => of_type!(U64),
        Data::U32(_) => of_type!(U32),
        Data::U16(_) => of_type!(U16),
        Data::U8(_) => of_type!(U8),
        Data::Bool(_) => of_type!(Bool),
        // Some floats may have been folded to f64 and others not.
        Data::F16(_) | Data::F32(_) | Data::F64(_) => {
            let wide: Vec<Tensor> = parts
                .iter()
                .map(|p| Some(Tensor::new(p.shape.clone(), Data::F64(p.floats()?))))
                .collect::<Option<_>>()?;
            let wide: Vec<&Tensor> = wide.iter().collect();
            let join = Interleave { parts: &wide, outer };
            join.join(|d| if let Data::F64(v) = d { Some(v.as_slice()) } else { None }).map(Data::F64)
        }
    }
}

/// Blocks of `inner` elements, taken by position.
struct Blocks<'a> {
    positions: &'a [usize],
    outer: usize,
    extent: usize,
    inner: usize,
}

impl Pick for Blocks<'_> {
    fn pick<T: Copy>(&self, from: &[T]) -> Vec<T> {
        let mut out = Vec::with_capacity(self.outer * self.positions.len() * self.inner);
        for o in 0..self.outer {
            for p in self.positions {
                let start = (o * self.extent + p) * self.inner;
                out.extend_from_slice(&from[start..start + self.inner]);
            }
        }
        out
    }
}

fn gather(x: &Tensor, indices: &Tensor, axis: usize) -> Option<Data> {
    let extent = x.shape[axis];
    let resolve = |i: i64| {
        let i = if i < 0 { i + extent.cast_signed() as i64 } else { i };
        usize::try_from(i).ok().filter(|&i| i < extent)
    };
    let positions: Vec<usize> = indices.integers()?.into_iter().map(resolve).collect::<Option<_>>()?;
    let outer = x.shape[..axis].iter().product();
    let inner = x.shape[axis + 1..].iter().product();
    Some(each(&x.data, Blocks { positions: &positions, outer, extent, inner }))
}

fn choose(operands: &[Option<Operand<'_>>], to: &[usize]) -> Option<Data> {
    let operand = |i: usize| operands.get(i).copied().flatten()?.constant;
    let (condition, x, y) = (operand(0)?, operand(1)?, operand(2)?);
    let Data::Bool(c) = &condition.data else { return None };
    let c = View::broadcast(&condition.shape, to).read(c);
    let (of_x, of_y) = (View::broadcast(&x.shape, to), View::broadcast(&y.shape, to));
    fn merge<T: Copy>(c: &[bool], x: Vec<T>, y: &[T]) -> Vec<T> {
        c.iter().zip(x).zip(y).map(|((&c, x), &y)| if c { x } else { y }).collect()
    }
    if let (Some(x), Some(y)) = (x.floats(), y.floats()) {
        return Some(Data::F64(merge(&c, of_x.read(&x), &of_y.read(&y))));
    }
    let dtype = x.dtype();
    super::integers(dtype, merge(&c, of_x.read(&x.integers()?), &of_y.read(&y.integers()?)))
}
