//! Pooling: MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool.
//!
//! # Definition
//! Over X `[N, C, D1…]`, per channel (ONNX MaxPool-12, AveragePool-19 to 22, GlobalMaxPool-1, GlobalAveragePool-1): the largest
//! element of every window, or the sum divided by the number of cells, or `(sum |x|^p)^(1/p)` (LpPool-18, GlobalLpPool-2); the global ones have one window, the whole channel.
//! The second result of MaxPool is the flat index in X of the element chosen.
//! # Edge cases
//! Padding never wins MaxPool. AveragePool divides by the cells inside X, or with `count_include_pad` by those inside X and its
//! padding; cells that only `ceil_mode` reaches never count. A window without a cell of X has the maximum -inf (the
//! smallest integer) and an average of 0/0. On a tie the index is that of the first; `storage_order = 1` numbers the cells
//! of one channel with the first spatial axis fastest.
//! # Numerics
//! Average: the `sum` rule, then one division. Maximum: exact. An index is undecided where rounding could let another cell win.

use super::error::OpError;
use super::error::{attribute, shape};
use super::operands::Operands;
use super::strided::{elements, strides};
use super::whole::range;
use super::window::{Attributes, Window};
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{AveragePool, GlobalLpPool, LpPool, MaxPool};

/// The attributes that all pools with windows have.
macro_rules! attributes {
    ($op:expr) => {
        Attributes {
            auto_pad: $op.auto_pad,
            kernel: &[],
            strides: &$op.strides,
            dilations: &$op.dilations,
            pads: &$op.pads,
            ceil: $op.ceil_mode,
        }
    };
}

fn geometry(dims: &[usize], kernel: &[i64], a: Attributes) -> Result<Window, OpError> {
    if dims.len() < 3 {
        return Err(shape(format!("pooling of a tensor of shape {dims:?}")));
    }
    // A kernel extent that is not a natural number becomes 0, which no window accepts.
    let kernel: Vec<usize> = kernel.iter().map(|&k| usize::try_from(k).unwrap_or(0).min(1 << 28)).collect();
    Window::new(&dims[2..], &Attributes { kernel: &kernel, ..a })
}

/// Calls `f(place, cells)` for every window, with the flat indices within a channel of the cells it sees.
fn windows(window: &Window, input: &[usize], mut f: impl FnMut(&[usize], &[usize])) {
    let axes = input.len();
    let steps = strides(input);
    let taps: Vec<_> = (0..axes).map(|i| window.taps(i, input[i])).collect();
    let mut index = vec![0; axes];
    let mut cells = Vec::new();
    for _ in 0..window.output.iter().product::<usize>() {
        cells.clear();
        cells.push(0);
        for i in 0..axes {
            let here = &taps[i][index[i]];
            let step = steps[i].cast_unsigned();
            cells = cells.iter().flat_map(|&c| here.iter().map(move |&(_, at)| c + at * step)).collect();
        }
        f(&index, &cells);
        for i in (0..axes).rev() {
            index[i] += 1;
            if index[i] < window.output[i] {
                break;
            }
            index[i] = 0;
        }
    }
}

/// A number of every window of every channel: `f(elements, known)` of the elements that it sees and of what
/// `known(place, cells)` says of the window in all channels.
fn of_windows<A: Arith, K>(
    d: DType,
    a: &Array<A::E>,
    window: &Window,
    arith: &A,
    known: impl Fn(&[usize], &[usize]) -> K,
    f: impl Fn(&[A::E], &K) -> Result<A::E, OpError>,
) -> Result<Value<A::E>, OpError> {
    let (input, planes) = (&a.shape[2..], a.shape[0] * a.shape[1]);
    let dims: Vec<usize> = a.shape[..2].iter().chain(&window.output).copied().collect();
    let (size, places) = (input.iter().product::<usize>(), window.output.iter().product::<usize>());
    let mut data = vec![arith.exact(0.0); elements(&dims)?];
    let mut row = Vec::new();
    let mut place = 0;
    let mut failed = Ok(());
    windows(window, input, |index, cells| {
        let known = known(index, cells);
        for plane in 0..planes {
            let channel = &a.data[plane * size..][..size];
            row.clear();
            row.extend(cells.iter().map(|&c| channel[c]));
            match f(&row, &known) {
                Ok(e) => data[plane * places + place] = arith.store(e, d),
                Err(e) => failed = Err(e),
            }
        }
        place += 1;
    });
    failed.map(|()| Value::Float(d, Array { shape: dims, data }))
}

/// MaxPool.
pub(super) fn max<A: Arith>(
    op: &MaxPool,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Vec<Value<A::E>>, OpError> {
    let value = x.need(0)?;
    let window = geometry(value.shape(), &op.kernel_shape, attributes!(op))?;
    let (result, indices) = match value {
        Value::Float(d, a) => {
            let none = arith.exact(f64::NEG_INFINITY);
            let fold = |best, e| arith.max(best, e);
            let beats = |e, best| {
                let (order, decided) = arith.compare(e, best);
                (order == Comparison::Greater, decided)
            };
            let (mut y, i) = maxima(a, &window, op.storage_order, none, fold, beats)?;
            y.data.iter_mut().for_each(|e| *e = arith.extremum(*e));
            (Value::Float(*d, y), i)
        }
        Value::Whole(d, a) => {
            let none = Whole::known(range(*d).0);
            let fold = |p, q| super::whole::combine(p, q, i64::max);
            let beats = |e: Whole, best: Whole| (e.value > best.value, e.decided && best.decided);
            let (y, i) = maxima(a, &window, op.storage_order, none, fold, beats)?;
            (Value::Whole(*d, y), i)
        }
    };
    Ok(vec![result, Value::Whole(DType::I64, indices)])
}

fn maxima<T: Copy>(
    a: &Array<T>,
    window: &Window,
    storage_order: i64,
    none: T,
    fold: impl Fn(T, T) -> T,
    beats: impl Fn(T, T) -> (bool, bool),
) -> Result<(Array<T>, Array<Whole>), OpError> {
    let (input, planes) = (&a.shape[2..], a.shape[0] * a.shape[1]);
    let dims: Vec<usize> = a.shape[..2].iter().chain(&window.output).copied().collect();
    let total = elements(&dims)?;
    let (size, places) = (input.iter().product::<usize>(), window.output.iter().product::<usize>());
    let mut values = vec![none; total];
    let mut indices = vec![Whole::known(0); total];
    let mut place = 0;
    windows(window, input, |_, cells| {
        for plane in 0..planes {
            let channel = &a.data[plane * size..][..size];
            let Some((&first, rest)) = cells.split_first() else { continue };
            let (mut largest, mut winner) = (channel[first], first);
            for &c in rest {
                if beats(channel[c], channel[winner]).0 {
                    winner = c;
                }
                largest = fold(largest, channel[c]);
            }
            let decided = cells.iter().all(|&c| c == winner || beats(channel[c], channel[winner]).1);
            let number = plane * size + if storage_order == 0 { winner } else { column_major(winner, input) };
            values[plane * places + place] = largest;
            indices[plane * places + place] = Whole { value: number.cast_signed() as i64, decided };
        }
        place += 1;
    });
    Ok((Array { shape: dims.clone(), data: values }, Array { shape: dims, data: indices }))
}

/// The number of a cell when the first axis runs fastest.
fn column_major(mut cell: usize, input: &[usize]) -> usize {
    let mut coordinates = vec![0; input.len()];
    for i in (0..input.len()).rev() {
        coordinates[i] = cell % input[i];
        cell /= input[i];
    }
    coordinates.iter().zip(input).rev().fold(0, |number, (&c, &n)| number * n + c)
}

/// AveragePool.
pub(super) fn average<A: Arith>(
    op: &AveragePool,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let window = geometry(&a.shape, &op.kernel_shape, attributes!(op))?;
    let count = |index: &[usize], cells: &[usize]| {
        if op.count_include_pad { padded_cells(&window, &a.shape[2..], index) } else { cells.len() }
    };
    of_windows(d, a, &window, arith, count, |row, &count| {
        Ok(arith.div(arith.sum(row), arith.exact(as_float(count))))
    })
}

/// Cells of one window that lie in the input or its padding.
fn padded_cells(window: &Window, input: &[usize], index: &[usize]) -> usize {
    (0..input.len())
        .map(|i| {
            let end = window.before[i] + input[i] + window.after[i];
            (0..window.kernel[i])
                .filter(|k| index[i] * window.strides[i] + k * window.dilations[i] < end)
                .count()
        })
        .product()
}

#[expect(clippy::cast_precision_loss, reason = "a count of cells, below the limit on elements")]
fn as_float(n: usize) -> f64 {
    n as f64
}

/// LpPool.
pub(super) fn lp<A: Arith>(op: &LpPool, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let window = geometry(&a.shape, &op.kernel_shape, attributes!(op))?;
    of_windows(d, a, &window, arith, |_, _| (), |row, ()| p_norm(row, op.p, arith))
}

/// `(sum |x|^p)^(1/p)`.
fn p_norm<A: Arith>(row: &[A::E], p: i64, arith: &A) -> Result<A::E, OpError> {
    if p < 1 {
        return Err(attribute(format!("p is {p}")));
    }
    if p == 2 {
        return Ok(arith.apply(Function::Sqrt, arith.intermediate(arith.dot(row, row, None))));
    }
    let magnitudes: Vec<A::E> = row.iter().map(|&e| arith.apply(Function::Abs, e)).collect();
    if p == 1 {
        return Ok(arith.sum(&magnitudes));
    }
    #[expect(clippy::cast_precision_loss, reason = "an exponent")]
    let exponent = p as f64;
    let power = |e| arith.intermediate(arith.pow(e, arith.exact(exponent)));
    let powers: Vec<A::E> = magnitudes.into_iter().map(power).collect();
    let root = arith.intermediate(arith.div(arith.exact(1.0), arith.exact(exponent)));
    Ok(arith.pow(arith.intermediate(arith.sum(&powers)), root))
}

/// GlobalLpPool.
pub(super) fn global_lp<A: Arith>(
    op: &GlobalLpPool,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let (dims, size) = global(&a.shape)?;
    let data = channels(&a.data, size, dims[0] * dims[1])
        .map(|channel| p_norm(channel, op.p, arith).map(|e| arith.store(e, d)))
        .collect::<Result<_, _>>()?;
    Ok(Value::Float(d, Array { shape: dims, data }))
}

/// GlobalAveragePool.
pub(super) fn global_average<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let (dims, size) = global(&a.shape)?;
    let count = arith.exact(as_float(size));
    let data = channels(&a.data, size, dims[0] * dims[1])
        .map(|channel| arith.store(arith.div(arith.sum(channel), count), d))
        .collect();
    Ok(Value::Float(d, Array { shape: dims, data }))
}

/// GlobalMaxPool.
pub(super) fn global_max<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let (dims, size) = global(&a.shape)?;
    let none = arith.exact(f64::NEG_INFINITY);
    let data = channels(&a.data, size, dims[0] * dims[1])
        .map(|channel| {
            channel.iter().copied().reduce(|p, q| arith.max(p, q)).map_or(none, |x| arith.extremum(x))
        })
        .collect();
    Ok(Value::Float(d, Array { shape: dims, data }))
}

fn global(from: &[usize]) -> Result<(Vec<usize>, usize), OpError> {
    if from.len() < 2 {
        return Err(shape(format!("global pooling of a tensor of shape {from:?}")));
    }
    let mut dims = vec![1; from.len()];
    dims[..2].copy_from_slice(&from[..2]);
    Ok((dims, from[2..].iter().product()))
}

fn channels<T>(data: &[T], size: usize, count: usize) -> impl Iterator<Item = &[T]> {
    (0..count).map(move |i| &data[i * size..][..size])
}
