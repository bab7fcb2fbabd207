//! Faults in float constants: wrong rounding, wrong elements, wrong order, wrong type.

use crate::power::draft::Draft;
use halfproof_ir::{Data, Precision, Role};
use halfproof_oracle::half;
use halfproof_wire::tflite::{
    Builtin, OpCode, Operator, Options, Quantization, TensorType, options as table,
};

/// Changes the stored elements of a constant whose exact elements the converter claims. `change` gets both.
fn elements(
    d: &mut Draft<'_>,
    fits: impl Fn(&Draft<'_>, usize, usize) -> bool,
    change: impl Fn(&mut Draft<'_>, &[f64], &[f64]) -> Option<(Vec<f64>, String)>,
) -> Option<String> {
    let claimed = d.claimed();
    let n = claimed.len();
    let start = d.below(n);
    for i in 0..n {
        let (tensor, origin) = claimed[(start + i) % n];
        if !fits(d, tensor, origin) {
            continue;
        }
        let stored = d.data(tensor).and_then(|data| floats(&data))?;
        let exact = d.claim.constants[origin].exact.to_vec();
        let Some((new, words)) = change(d, &exact, &stored) else { continue };
        let before = d.data(tensor)?;
        let buffer = d.tensors()[tensor].buffer;
        d.set_floats(tensor, &new)?;
        if d.data(tensor)?.to_le_bytes() == before.to_le_bytes() {
            d.tensor(tensor).buffer = buffer;
            continue;
        }
        return Some(format!("constant {tensor} {:?}: {words}", d.tensors()[tensor].name));
    }
    None
}

fn floats(data: &Data) -> Option<Vec<f64>> {
    Some(match data {
        Data::F16(v) => v.iter().map(|x| x.to_f64()).collect(),
        Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
        _ => return None,
    })
}

fn any(_: &Draft<'_>, _: usize, _: usize) -> bool {
    true
}

fn narrow(d: &Draft<'_>, tensor: usize, _: usize) -> bool {
    d.tensors()[tensor].dtype == TensorType::Float16
}

/// Every element from its exact value.
fn rounded(d: &mut Draft<'_>, words: &str, round: impl Fn(f64) -> f64) -> Option<String> {
    elements(d, narrow, |_, exact, _| Some((exact.iter().map(|&x| round(x)).collect(), words.into())))
}

pub(in crate::power) fn truncated(d: &mut Draft<'_>) -> Option<String> {
    rounded(d, "rounded towards zero", |x| {
        let nearest = half::round(x);
        if nearest.abs() > x.abs() { towards_zero(nearest) } else { nearest }
    })
}

/// The next binary16 number of smaller magnitude.
pub(in crate::power) fn towards_zero(x: f64) -> f64 {
    if x > 0.0 { half::next_down(x) } else { half::next_up(x) }
}

pub(in crate::power) fn twice(d: &mut Draft<'_>) -> Option<String> {
    rounded(d, "rounded to 13 bits first", |x| half::round(significant(x, 13)))
}

pub(in crate::power) fn bfloat(d: &mut Draft<'_>) -> Option<String> {
    rounded(d, "rounded to bfloat16 first", |x| half::round(significant(x, 8)))
}

/// Rounded to so many bits, ties to even.
pub(in crate::power) fn significant(x: f64, bits: u32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let dropped = 53 - bits;
    let b = x.to_bits();
    let odd = (b >> dropped) & 1;
    f64::from_bits((b + ((1 << (dropped - 1)) - 1) + odd) & !((1 << dropped) - 1))
}

pub(in crate::power) fn eight_bits(d: &mut Draft<'_>) -> Option<String> {
    elements(d, any, |_, exact, _| {
        let largest = exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        let scale = largest / 127.0;
        Some((
            exact.iter().map(|x| (x / scale).round_ties_even() * scale).collect(),
            "rounded to int8".into(),
        ))
    })
}

pub(in crate::power) fn mantissa_bit(d: &mut Draft<'_>) -> Option<String> {
    elements(d, narrow, |d, _, stored| {
        let (i, bit) = (d.below(stored.len()), d.below(10));
        let mut new = stored.to_vec();
        new[i] = half::from_bits(half::to_bits(stored[i]) ^ (1 << bit));
        Some((new, format!("bit {bit} of element {i} flipped")))
    })
}

pub(in crate::power) fn sign_bit(d: &mut Draft<'_>) -> Option<String> {
    elements(d, any, |d, _, stored| {
        let i = d.below(stored.len());
        let mut new = stored.to_vec();
        new[i] = -new[i];
        Some((new, format!("sign of element {i} flipped")))
    })
}

pub(in crate::power) fn thousandth(d: &mut Draft<'_>) -> Option<String> {
    let large = |d: &Draft<'_>, t: usize, _: usize| d.shape(t).iter().product::<usize>() >= 16;
    elements(d, large, |d, _, stored| {
        let mut new = stored.to_vec();
        for _ in 0..stored.len().div_ceil(1000) {
            let i = d.below(stored.len());
            new[i] = if new[i] == 0.0 { 0.125 } else { new[i] * 1.03 };
        }
        Some((new, "one element in a thousand 3 % off".into()))
    })
}

pub(in crate::power) fn scaled(d: &mut Draft<'_>) -> Option<String> {
    elements(d, any, |d, exact, _| {
        let factor = d.pick(&[2.0, 0.5, 1.01, 0.999])?;
        Some((exact.iter().map(|x| x * factor).collect(), format!("multiplied by {factor}")))
    })
}

pub(in crate::power) fn flushed(d: &mut Draft<'_>) -> Option<String> {
    elements(d, any, |_, _, stored| {
        let least = stored.iter().map(|x| x.abs()).filter(|x| *x > 0.0).fold(f64::INFINITY, f64::min);
        let new = stored.iter().map(|&x| if x.abs() <= least { 0.0 } else { x }).collect();
        Some((new, "the smallest elements became zero".into()))
    })
}

pub(in crate::power) fn epsilon(d: &mut Draft<'_>) -> Option<String> {
    let small = |d: &Draft<'_>, _: usize, origin: usize| {
        let c = &d.claim.constants[origin];
        c.role == Role::Epsilon || c.exact.iter().all(|x| x > 0.0 && x < 2e-3)
    };
    elements(d, small, |d, exact, _| {
        let factor = d.pick(&[10.0, 0.1, 0.0, 1.5])?;
        Some((exact.iter().map(|x| x * factor).collect(), format!("epsilon multiplied by {factor}")))
    })
}

/// Elements in another order: rows and columns exchanged, channels reversed, two channels exchanged.
fn reordered(
    d: &mut Draft<'_>,
    words: &str,
    order: impl Fn(&mut Draft<'_>, &[usize]) -> Option<Vec<usize>>,
) -> Option<String> {
    let claimed = d.claimed();
    let n = claimed.len();
    let start = d.below(n);
    for i in 0..n {
        let (tensor, _) = claimed[(start + i) % n];
        let shape = d.shape(tensor);
        let Some(order) = order(d, &shape) else { continue };
        let stored = d.data(tensor).and_then(|data| floats(&data))?;
        if order.len() != stored.len() {
            continue;
        }
        let new: Vec<f64> = order.iter().map(|&i| stored[i]).collect();
        if new.iter().zip(&stored).all(|(a, b)| a.to_bits() == b.to_bits()) {
            continue;
        }
        d.set_floats(tensor, &new)?;
        return Some(format!("constant {tensor} {:?}: {words}", d.tensors()[tensor].name));
    }
    None
}

pub(in crate::power) fn transposed(d: &mut Draft<'_>) -> Option<String> {
    reordered(d, "the last two axes exchanged", |_, shape| {
        let [.., rows, columns] = shape else { return None };
        if *rows < 2 || *columns < 2 {
            return None;
        }
        let (block, n) = (rows * columns, shape.iter().product::<usize>());
        Some((0..n).map(|i| i / block * block + (i % block % rows) * columns + i % block / rows).collect())
    })
}

pub(in crate::power) fn channels(d: &mut Draft<'_>) -> Option<String> {
    reordered(d, "two channels exchanged", |d, shape| {
        let channels = *shape.last()?;
        if channels < 2 {
            return None;
        }
        let a = d.below(channels);
        let b = (a + 1 + d.below(channels - 1)) % channels;
        let swap = |i: usize| match i % channels {
            c if c == a => i - a + b,
            c if c == b => i - b + a,
            _ => i,
        };
        Some((0..shape.iter().product()).map(swap).collect())
    })
}

/// The buffer of another constant of the same size.
pub(in crate::power) fn stale(d: &mut Draft<'_>) -> Option<String> {
    let claimed = d.claimed();
    let n = claimed.len();
    let start = d.below(n);
    for i in 0..n {
        let tensor = claimed[(start + i) % n].0;
        let own = d.model.data(&d.tensors()[tensor])?.to_vec();
        let others: Vec<u32> = claimed
            .iter()
            .map(|&(t, _)| &d.tensors()[t])
            .filter(|t| d.model.data(t).is_some_and(|b| b.len() == own.len() && b != own))
            .map(|t| t.buffer)
            .collect();
        if let Some(buffer) = d.pick(&others) {
            d.tensor(tensor).buffer = buffer;
            return Some(format!("constant {tensor}: the buffer of another one"));
        }
    }
    None
}

/// A constant that stays FLOAT32: exact elements, read as such under `weights`, through a CAST elsewhere.
pub(in crate::power) fn left_single(d: &mut Draft<'_>) -> Option<String> {
    left(d, "stays FLOAT32", |d, tensor, exact| {
        let dequantized = dequantized(d, tensor);
        // Inside an island of `mixed` a FLOAT32 constant is the strategy's choice.
        if !dequantized.is_empty() && d.precision == Precision::Mixed {
            return None;
        }
        let data = Data::F32(exact.iter().map(|&x| x as f32).collect());
        let mut new = d.tensors()[tensor].clone();
        new.name = format!("{}_float32", new.name);
        new.dtype = TensorType::Float32;
        new.buffer = d.add_buffer(data.to_le_bytes());
        let new = d.add_tensor(new);
        if !dequantized.is_empty() {
            dequantized.iter().for_each(|&t| d.reroute(t, new, false));
            return Some(());
        }
        let mut cast = d.tensors()[tensor].clone();
        cast.name = format!("{}_cast", cast.name);
        cast.buffer = 0;
        let cast = d.add_tensor(cast);
        d.reroute(tensor, cast, true);
        let options = table::Cast { in_data_type: TensorType::Float32, out_data_type: TensorType::Float16 };
        insert(d, Operator::builtin(Builtin::Cast, [new], [cast], options));
        Some(())
    })
}

/// A constant left in 8 bits, behind a DEQUANTIZE.
pub(in crate::power) fn left_quantized(d: &mut Draft<'_>) -> Option<String> {
    left(d, "stays INT8", |d, tensor, exact| {
        let largest = exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        let scale = (largest / 127.0) as f32;
        let data = Data::I8(
            exact
                .iter()
                .map(|x| (x / f64::from(scale)).round_ties_even().clamp(-127.0, 127.0) as i8)
                .collect(),
        );
        let mut new = d.tensors()[tensor].clone();
        new.name = format!("{}_int8", new.name);
        new.dtype = TensorType::Int8;
        new.buffer = d.add_buffer(data.to_le_bytes());
        new.quantization =
            Some(Quantization { scale: vec![scale], zero_point: vec![0], ..Quantization::default() });
        let new = d.add_tensor(new);
        let dequantized = dequantized(d, tensor);
        let mut float = d.tensors()[dequantized.first().copied().unwrap_or(tensor)].clone();
        float.name = format!("{}_dequantized", float.name);
        float.buffer = 0;
        let float = d.add_tensor(float);
        if dequantized.is_empty() {
            d.reroute(tensor, float, true);
        }
        dequantized.iter().for_each(|&t| d.reroute(t, float, false));
        insert(d, Operator::builtin(Builtin::Dequantize, [new], [float], Options::None));
        Some(())
    })
}

/// Replaces a claimed FLOAT16 constant that is read.
fn left(
    d: &mut Draft<'_>,
    words: &str,
    replace: impl Fn(&mut Draft<'_>, usize, &[f64]) -> Option<()>,
) -> Option<String> {
    let claimed = d.claimed();
    let n = claimed.len();
    let start = d.below(n);
    for i in 0..n {
        let (tensor, origin) = claimed[(start + i) % n];
        let exact = d.claim.constants[origin].exact.to_vec();
        if d.tensors()[tensor].dtype == TensorType::Float16 && replace(d, tensor, &exact).is_some() {
            return Some(format!("constant {tensor} {:?}: {words}", d.tensors()[tensor].name));
        }
    }
    None
}

/// The results of the DEQUANTIZE operators that read a tensor.
fn dequantized(d: &Draft<'_>, tensor: usize) -> Vec<usize> {
    let reads = |o: &&Operator| {
        o.code == OpCode::Builtin(Builtin::Dequantize)
            && o.inputs.first() == i32::try_from(tensor).ok().as_ref()
    };
    d.operators().iter().filter(reads).filter_map(|o| usize::try_from(*o.outputs.first()?).ok()).collect()
}

/// Puts an operator before all others. Indices of operators in the claim are then one behind, which only moves names.
fn insert(d: &mut Draft<'_>, operator: Operator) {
    d.model.subgraphs[0].operators.insert(0, operator);
}
