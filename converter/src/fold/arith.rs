//! Folds elementwise operators: floats in f64, integers in i64 with a check for overflow.

use super::strided::View;
use crate::constants::settled;
use crate::infer::Type;
use halfproof_ir::ops::GeluMode;
use halfproof_ir::{DType, Data, Op, Tensor};

/// Evaluates an elementwise operator, a Cast or a Range on constants; `None` for every other one.
///
/// `from` is the declared element type of the first operand.
pub(super) fn evaluate(op: &Op, inputs: &[Option<&Tensor>], from: DType, result: &Type) -> Option<Data> {
    match op {
        Op::Cast(_) => return cast(inputs[0]?, from, result.dtype),
        Op::Range => return range(inputs, result),
        Op::Clip => return clip(inputs, result),
        Op::And | Op::Or | Op::Xor | Op::Not => return logic(op, inputs, result),
        _ => {}
    }
    let first = inputs.first().copied().flatten()?;
    if first.dtype().is_float() {
        let floats = |t: &Tensor| t.floats().map(|v| spread(&t.shape, v, &result.shape));
        if inputs.len() == 1
            && let Some(f) = unary(op)
        {
            let mut floats = first.floats()?;
            if matches!(op, Op::Floor | Op::Ceil | Op::Round) {
                floats.iter_mut().for_each(|x| *x = settled(*x, from));
            }
            return Some(Data::F64(floats.into_iter().map(f).collect()));
        }
        if let Some(compare) = comparison(op) {
            let (a, b) = (floats(first)?, floats(inputs[1]?)?);
            return Some(Data::Bool(a.iter().zip(&b).map(|(a, b)| compare(a.partial_cmp(b))).collect()));
        }
        let f = binary(op)?;
        let mut all = inputs.iter().map(|t| floats((*t)?));
        let mut sum = all.next()??;
        for next in all {
            for (a, b) in sum.iter_mut().zip(next?) {
                *a = f(*a, b);
            }
        }
        if matches!(op, Op::Mean) {
            sum.iter_mut().for_each(|x| *x /= inputs.len() as f64);
        }
        Some(Data::F64(sum))
    } else {
        let integers = |t: &Tensor| t.integers().map(|v| spread(&t.shape, v, &result.shape));
        if let Some(compare) = comparison(op) {
            let (a, b) = (integers(first)?, integers(inputs[1]?)?);
            return Some(Data::Bool(a.iter().zip(&b).map(|(a, b)| compare(Some(a.cmp(b)))).collect()));
        }
        let one: Option<fn(i64) -> Option<i64>> = match op {
            Op::Abs => Some(i64::checked_abs),
            Op::Neg => Some(i64::checked_neg),
            Op::Sign => Some(|x| Some(x.signum())),
            Op::Relu => Some(|x| Some(x.max(0))),
            _ => None,
        };
        if let Some(f) = one {
            return super::integers(
                result.dtype,
                integers(first)?.into_iter().map(f).collect::<Option<_>>()?,
            );
        }
        let f = integer_binary(op)?;
        let mut all = inputs.iter().map(|t| integers((*t)?));
        let mut sum = all.next()??;
        for next in all {
            for (a, b) in sum.iter_mut().zip(next?) {
                *a = f(*a, b)?;
            }
        }
        super::integers(result.dtype, sum)
    }
}

fn spread<T: Copy>(shape: &[usize], elements: Vec<T>, to: &[usize]) -> Vec<T> {
    if shape == to { elements } else { View::broadcast(shape, to).read(&elements) }
}

fn unary(op: &Op) -> Option<Box<dyn Fn(f64) -> f64>> {
    fn plain(f: fn(f64) -> f64) -> Option<Box<dyn Fn(f64) -> f64>> {
        Some(Box::new(f))
    }
    match op {
        Op::Abs => plain(f64::abs),
        Op::Neg => plain(|x| -x),
        Op::Exp => plain(libm::exp),
        Op::Log => plain(libm::log),
        Op::Sqrt => plain(f64::sqrt),
        Op::Reciprocal => plain(|x| 1.0 / x),
        Op::Sin => plain(libm::sin),
        Op::Cos => plain(libm::cos),
        Op::Tan => plain(libm::tan),
        Op::Asin => plain(libm::asin),
        Op::Acos => plain(libm::acos),
        Op::Atan => plain(libm::atan),
        Op::Sinh => plain(libm::sinh),
        Op::Cosh => plain(libm::cosh),
        Op::Asinh => plain(libm::asinh),
        Op::Floor => plain(f64::floor),
        Op::Ceil => plain(f64::ceil),
        Op::Round => plain(f64::round_ties_even),
        Op::Sign => plain(|x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
        Op::Erf => plain(libm::erf),
        Op::Sigmoid => plain(|x| 1.0 / (1.0 + libm::exp(-x))),
        Op::Tanh => plain(libm::tanh),
        Op::Relu => plain(|x| if x < 0.0 { 0.0 } else { x }),
        Op::Softplus => plain(|x| x.max(0.0) + libm::log1p(libm::exp(-x.abs()))),
        Op::Softsign => plain(|x| x / (1.0 + x.abs())),
        Op::Gelu(g) if g.approximate == GeluMode::None => {
            // 1 + erf(z) = erfc(-z), which does not cancel in the left tail.
            plain(|x| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2))
        }
        Op::LeakyRelu(o) => {
            let alpha = f64::from(o.alpha);
            Some(Box::new(move |x| if x < 0.0 { alpha * x } else { x }))
        }
        _ => None,
    }
}

fn binary(op: &Op) -> Option<fn(f64, f64) -> f64> {
    // Either operand's NaN is the result's.
    fn min(a: f64, b: f64) -> f64 {
        if a.is_nan() || a < b { a } else { b }
    }
    fn max(a: f64, b: f64) -> f64 {
        if a.is_nan() || a > b { a } else { b }
    }
    Some(match op {
        Op::Add | Op::Sum | Op::Mean => |a, b| a + b,
        Op::Sub => |a, b| a - b,
        Op::Mul => |a, b| a * b,
        Op::Div => |a, b| a / b,
        Op::Pow => libm::pow,
        Op::Min => min,
        Op::Max => max,
        _ => return None,
    })
}

fn integer_binary(op: &Op) -> Option<fn(i64, i64) -> Option<i64>> {
    Some(match op {
        Op::Add | Op::Sum => i64::checked_add,
        Op::Sub => i64::checked_sub,
        Op::Mul => i64::checked_mul,
        // Toward zero, as integer division in the languages that runtimes are written in.
        Op::Div => i64::checked_div,
        Op::Mod(m) if m.fmod => i64::checked_rem,
        Op::Mod(_) => |a, b| {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        },
        Op::Pow => |a, b| a.checked_pow(u32::try_from(b).ok()?),
        Op::Min => |a, b| Some(a.min(b)),
        Op::Max => |a, b| Some(a.max(b)),
        _ => return None,
    })
}

fn comparison(op: &Op) -> Option<fn(Option<std::cmp::Ordering>) -> bool> {
    use std::cmp::Ordering;
    Some(match op {
        Op::Equal => |o| o == Some(Ordering::Equal),
        Op::Greater => |o| o == Some(Ordering::Greater),
        Op::Less => |o| o == Some(Ordering::Less),
        Op::GreaterOrEqual => |o| o.is_some_and(Ordering::is_ge),
        Op::LessOrEqual => |o| o.is_some_and(Ordering::is_le),
        _ => return None,
    })
}

fn logic(op: &Op, inputs: &[Option<&Tensor>], result: &Type) -> Option<Data> {
    let read = |t: &Tensor| match &t.data {
        Data::Bool(v) => Some(spread(&t.shape, v.clone(), &result.shape)),
        _ => None,
    };
    let a = read(inputs[0]?)?;
    if matches!(op, Op::Not) {
        return Some(Data::Bool(a.into_iter().map(|x| !x).collect()));
    }
    let f: fn((bool, bool)) -> bool = match op {
        Op::And => |(a, b)| a && b,
        Op::Or => |(a, b)| a || b,
        Op::Xor => |(a, b)| a != b,
        _ => return None,
    };
    Some(Data::Bool(a.into_iter().zip(read(inputs[1]?)?).map(f).collect()))
}

fn clip(inputs: &[Option<&Tensor>], result: &Type) -> Option<Data> {
    let bound = |i: usize| inputs.get(i).copied().flatten();
    let x = inputs[0]?;
    if x.dtype().is_float() {
        let read = |i: usize, default: f64| match bound(i) {
            Some(t) => t.floats()?.first().copied(),
            None => Some(default),
        };
        let (low, high) = (read(1, f64::NEG_INFINITY)?, read(2, f64::INFINITY)?);
        let f = |x: f64| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        };
        return Some(Data::F64(x.floats()?.into_iter().map(f).collect()));
    }
    let read = |i: usize, default: i64| match bound(i) {
        Some(t) => t.integers()?.first().copied(),
        None => Some(default),
    };
    let (low, high) = (read(1, i64::MIN)?, read(2, i64::MAX)?);
    super::integers(result.dtype, x.integers()?.into_iter().map(|x| x.max(low).min(high)).collect())
}

/// Floats keep their f64 elements whatever float type they are cast to: constants are rounded once, at the end.
fn cast(x: &Tensor, from: DType, to: DType) -> Option<Data> {
    if let Some(floats) = x.floats() {
        if to.is_float() {
            return Some(x.data.clone());
        }
        if to == DType::Bool {
            return Some(Data::Bool(floats.iter().map(|&x| x != 0.0).collect()));
        }
        let whole = |x: f64| {
            let x = settled(x, from).trunc();
            // Outside of this the result is not defined, and runtimes differ.
            #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
            (x.abs() < 9e18).then_some(x as i64)
        };
        return super::integers(to, floats.into_iter().map(whole).collect::<Option<_>>()?);
    }
    let integers = x.integers()?;
    if to.is_float() {
        return Some(Data::F64(integers.into_iter().map(|x| x as f64).collect()));
    }
    super::integers(to, integers)
}

fn range(inputs: &[Option<&Tensor>], result: &Type) -> Option<Data> {
    let (start, delta) = (inputs[0]?, inputs[2]?);
    let steps = 0..result.len();
    if let (Some(start), Some(delta)) = (start.floats(), delta.floats()) {
        let (start, delta) = (*start.first()?, *delta.first()?);
        return Some(Data::F64(steps.map(|i| start + i as f64 * delta).collect()));
    }
    let (start, delta) = (*start.integers()?.first()?, *delta.integers()?.first()?);
    let at = |i: usize| delta.checked_mul(i64::try_from(i).ok()?)?.checked_add(start);
    super::integers(result.dtype, steps.map(at).collect::<Option<_>>()?)
}
