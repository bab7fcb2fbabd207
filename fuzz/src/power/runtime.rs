//! Faults of executions: what a runtime's kernel can do wrong, done to the results of one operator.
//!
//! Everything that reads the wrong result is executed again, so a record is consistent, as that of a real runtime.

use super::model::constants::{significant, towards_zero};
use crate::generate::Stream;
use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::arith::{Accumulator, ExecutionModel, Half, Ideal, Order};
use halfproof_oracle::half;
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::{self as dialect, Constants, Operation, Program, RunError};
use halfproof_oracle::value::{Array, Value};
use halfproof_wire::tflite::{Activation, Builtin, Model, Options};

/// Every tensor of an execution, by index; `None` for constants.
pub(super) type Tensors = Vec<Option<Value<f32>>>;

/// One operator of a correct execution.
pub(super) struct Scene<'a> {
    pub(super) model: &'a Model,
    pub(super) program: &'a Program,
    pub(super) arith: &'a Half,
    pub(super) at: usize,
    /// What the execution computed.
    pub(super) tensors: &'a Tensors,
    /// What it computed for other inputs.
    pub(super) earlier: &'a Tensors,
}

/// Executes a program and keeps every tensor.
pub(super) fn execute(program: &Program, inputs: &[Tensor], arith: &Half) -> Result<Tensors, RunError> {
    Ok(program.run(inputs, Constants::Stored, arith)?.tensors)
}

/// The execution with other results of operator `at`: what follows from them is executed again.
pub(super) fn continued(
    program: &Program,
    right: &Tensors,
    at: usize,
    results: Vec<Value<f32>>,
    arith: &Half,
) -> Result<Tensors, RunError> {
    let mut tensors = right.clone();
    let mut changed = vec![false; tensors.len()];
    for (i, op) in program.operators().enumerate().skip(at) {
        let results = if i == at {
            results.clone()
        } else if op.operands.iter().flatten().any(|&t| changed[t as usize]) {
            let operands: Vec<_> =
                op.operands.iter().map(|t| t.and_then(|t| tensors[t as usize].as_ref())).collect();
            program.step(i, &operands, arith)?
        } else {
            continue;
        };
        for (&t, value) in op.results.iter().zip(results) {
            changed[t as usize] = true;
            tensors[t as usize] = Some(value);
        }
    }
    Ok(tensors)
}

/// The record of an execution.
pub(super) fn record(system: &str, program: &Program, tensors: &Tensors, arith: &Half) -> Execution {
    let tensor = |t: u32| Some(dialect::tensor(tensors[t as usize].as_ref()?, arith));
    let mut results: Vec<u32> = program.operators().flat_map(|o| o.results.iter().copied()).collect();
    results.sort_unstable();
    results.dedup();
    Execution {
        system: system.to_string(),
        status: Status::Ok,
        outputs: program.outputs().iter().filter_map(|&t| tensor(t)).collect(),
        taps: results.into_iter().filter_map(|t| Some((t, tensor(t)?))).collect(),
        accelerated: None,
    }
}

impl<'a> Scene<'a> {
    fn operation(&self) -> Option<Operation<'a>> {
        self.program.operators().nth(self.at)
    }

    fn operands(&self) -> Option<Vec<Option<&'a Value<f32>>>> {
        let op = self.operation()?;
        Some(op.operands.iter().map(|t| t.and_then(|t| self.tensors[t as usize].as_ref())).collect())
    }

    /// The right results.
    pub(super) fn right(&self) -> Option<Vec<Value<f32>>> {
        self.operation()?.results.iter().map(|&t| self.tensors[t as usize].clone()).collect()
    }

    /// The results under another execution model.
    fn under(&self, model: ExecutionModel) -> Option<Vec<Value<f32>>> {
        self.program.step(self.at, &self.operands()?, &Half::new(model)).ok()
    }

    /// The results from changed float operands, constants included.
    fn with_operands(&self, change: impl Fn(usize, &mut Array<f32>)) -> Option<Vec<Value<f32>>> {
        let op = self.operation()?;
        let values: Vec<Option<Value<f32>>> = op
            .operands
            .iter()
            .enumerate()
            .map(|(i, t)| {
                let t = (*t)?;
                let mut value = self.tensors[t as usize].clone().or_else(|| self.constant(t))?;
                if let Value::Float(_, a) = &mut value {
                    change(i, a);
                }
                Some(value)
            })
            .collect();
        let operands: Vec<Option<&Value<f32>>> = values.iter().map(Option::as_ref).collect();
        self.program.step(self.at, &operands, self.arith).ok()
    }

    fn constant(&self, tensor: u32) -> Option<Value<f32>> {
        let t = self.model.main().tensors.get(tensor as usize)?;
        let (dtype, shape) = self.program.form(tensor)?;
        let data = Data::from_le_bytes(dtype, self.model.data(t)?)?;
        Some(dialect::value(&Tensor { shape: shape.to_vec(), data }, self.arith))
    }

    /// What other executions under the same contract give: other orders of summation, fused multiply-adds, wider
    /// intermediate results.
    pub(super) fn allowed(&self) -> Vec<Vec<Value<f32>>> {
        let mut orders = vec![Order::Sequential, Order::Reverse, Order::Pairwise];
        orders.extend([2, 4, 8, 16].map(Order::Lanes));
        orders.extend((1..=8).map(Order::Permuted));
        let mut all = vec![];
        for order in orders {
            for fma in [false, true] {
                for intermediates in [Accumulator::F16, Accumulator::F32] {
                    let model = ExecutionModel { order, fma, intermediates, ..self.arith.model };
                    all.extend(self.under(model));
                }
            }
        }
        all
    }
}

/// Changes the floats of the first result.
fn first(
    scene: &Scene<'_>,
    change: impl FnOnce(DType, &mut Array<f32>) -> Option<()>,
) -> Option<Vec<Value<f32>>> {
    let mut results = scene.right()?;
    let Value::Float(dtype, a) = results.first_mut()? else { return None };
    let dtype = *dtype;
    change(dtype, a)?;
    Some(results)
}

/// Changes every float of every result.
fn each(scene: &Scene<'_>, change: impl Fn(DType, f32) -> f32) -> Option<Vec<Value<f32>>> {
    let mut results = scene.right()?;
    let mut any = false;
    for value in &mut results {
        let Value::Float(dtype, a) = value else { continue };
        any = true;
        a.data.iter_mut().for_each(|x| *x = change(*dtype, *x));
    }
    any.then_some(results)
}

fn is_one_of(scene: &Scene<'_>, builtins: &[Builtin]) -> Option<()> {
    builtins.contains(&scene.operation()?.builtin).then_some(())
}

const SUMS: &[Builtin] = &[
    Builtin::Conv2d,
    Builtin::DepthwiseConv2d,
    Builtin::TransposeConv,
    Builtin::FullyConnected,
    Builtin::BatchMatmul,
    Builtin::Sum,
    Builtin::Mean,
    Builtin::AveragePool2d,
    Builtin::Cumsum,
    Builtin::Softmax,
    Builtin::LogSoftmax,
    Builtin::L2Normalization,
    Builtin::LocalResponseNormalization,
];

pub(super) fn narrow_sums(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    is_one_of(scene, SUMS)?;
    // A float32 operator under a float16 model sums in float32, so its results go through float16 by themselves.
    let model = ExecutionModel { accumulator: Accumulator::F16, force_f16: true, ..scene.arith.model };
    scene.under(model)
}

pub(super) fn flushed(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    each(scene, |_, x| if f64::from(x.abs()) < half::MIN_NORMAL { 0.0f32.copysign(x) } else { x })
}

pub(super) fn clamped(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    each(scene, |dtype, x| {
        let largest = if dtype == DType::F16 { half::MAX as f32 } else { f32::MAX };
        if x.is_infinite() { largest.copysign(x) } else { x }
    })
}

pub(super) fn nan_to_zero(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    each(scene, |_, x| if x.is_nan() { 0.0 } else { x })
}

/// Operators that round: those that move elements cannot truncate.
fn rounds(scene: &Scene<'_>) -> Option<Vec<Value<f64>>> {
    let operands: Vec<Option<Value<f64>>> = scene
        .operation()?
        .operands
        .iter()
        .map(|t| {
            Some(match scene.tensors[(*t)? as usize].as_ref()? {
                Value::Float(dtype, a) => Value::Float(
                    *dtype,
                    Array { shape: a.shape.clone(), data: a.data.iter().map(|&x| f64::from(x)).collect() },
                ),
                Value::Whole(dtype, a) => Value::Whole(*dtype, a.clone()),
            })
        })
        .collect();
    let operands: Vec<Option<&Value<f64>>> = operands.iter().map(Option::as_ref).collect();
    scene.program.step(scene.at, &operands, &Ideal).ok()
}

pub(super) fn truncated(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    let exact = rounds(scene)?;
    let mut results = scene.right()?;
    for (result, exact) in results.iter_mut().zip(&exact) {
        let (Value::Float(_, a), Value::Float(_, e)) = (result, exact) else { continue };
        for (x, &e) in a.data.iter_mut().zip(&e.data) {
            let nearest = half::round(e);
            if nearest.is_finite() && e.is_finite() {
                *x = (if nearest.abs() > e.abs() { towards_zero(nearest) } else { nearest }) as f32;
            }
        }
    }
    Some(results)
}

fn bfloat(x: f32) -> f32 {
    significant(f64::from(x), 8) as f32
}

pub(super) fn bfloat_results(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    each(scene, |dtype, x| {
        let rounded = bfloat(x);
        if dtype == DType::F16 { half::round_f32(rounded) } else { rounded }
    })
}

pub(super) fn bfloat_operands(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    is_one_of(
        scene,
        &[
            Builtin::Conv2d,
            Builtin::DepthwiseConv2d,
            Builtin::TransposeConv,
            Builtin::FullyConnected,
            Builtin::BatchMatmul,
        ],
    )?;
    scene.with_operands(|_, a| a.data.iter_mut().for_each(|x| *x = bfloat(*x)))
}

pub(super) fn dropped_term(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    let op = scene.operation()?;
    let operand = match op.builtin {
        Builtin::Conv2d | Builtin::FullyConnected => 0,
        Builtin::TransposeConv => 2,
        Builtin::BatchMatmul => match &scene.model.main().operators.get(scene.at)?.options {
            Options::BatchMatMul(o) if o.adj_x => return None,
            _ => 0,
        },
        _ => return None,
    };
    scene.with_operands(|i, a| {
        let width = a.shape.last().copied().unwrap_or(1);
        if i == operand {
            a.data.iter_mut().skip(width - 1).step_by(width).for_each(|x| *x = 0.0);
        }
    })
}

pub(super) fn dropped_activation(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    let mut model = scene.model.clone();
    let field = match &mut model.subgraphs.first_mut()?.operators.get_mut(scene.at)?.options {
        Options::Conv2D(o) => &mut o.fused_activation_function,
        Options::DepthwiseConv2D(o) => &mut o.fused_activation_function,
        Options::FullyConnected(o) => &mut o.fused_activation_function,
        Options::TransposeConv(o) => &mut o.fused_activation_function,
        Options::Add(o) => &mut o.fused_activation_function,
        Options::Sub(o) => &mut o.fused_activation_function,
        Options::Mul(o) => &mut o.fused_activation_function,
        Options::Div(o) => &mut o.fused_activation_function,
        _ => return None,
    };
    if std::mem::take(field) == Activation::None {
        return None;
    }
    Program::new(&model).ok()?.step(scene.at, &scene.operands()?, scene.arith).ok()
}

pub(super) fn poor_function(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    is_one_of(
        scene,
        &[
            Builtin::Exp,
            Builtin::Log,
            Builtin::Sin,
            Builtin::Cos,
            Builtin::Tanh,
            Builtin::Logistic,
            Builtin::Elu,
            Builtin::Gelu,
            Builtin::HardSwish,
            Builtin::Rsqrt,
            Builtin::Pow,
            Builtin::Softmax,
            Builtin::LogSoftmax,
        ],
    )?;
    let narrow = scene.right()?.first()?.dtype() == DType::F16;
    let noise = if narrow { 16.0 } else { 16.0 * 8192.0 };
    scene.under(ExecutionModel { kernel_noise_ulp: noise, ..scene.arith.model })
}

pub(super) fn one_unit(scene: &Scene<'_>, stream: &mut Stream) -> Option<Vec<Value<f32>>> {
    let (at, up) = (stream.unit(), stream.below(2) == 0);
    first(scene, |dtype, a| {
        let i = (at * a.data.len() as f64) as usize;
        let x = f64::from(*a.data.get(i)?);
        if !x.is_finite() {
            return None;
        }
        let moved = if up { half::next_up(half::round(x)) } else { half::next_down(half::round(x)) };
        // A FLOAT32 element moves by the same step.
        let step = moved - half::round(x);
        a.data[i] = if dtype == DType::F16 { moved as f32 } else { (x + step) as f32 };
        Some(())
    })
}

pub(super) fn one_element(scene: &Scene<'_>, stream: &mut Stream) -> Option<Vec<Value<f32>>> {
    let at = stream.unit();
    first(scene, |_, a| {
        let n = a.data.len();
        if n < 2 {
            return None;
        }
        let i = (at * n as f64) as usize;
        a.data[i] = a.data[(i + 1) % n];
        Some(())
    })
}

pub(super) fn transposed(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    first(scene, |_, a| {
        let [.., rows, columns] = a.shape[..] else { return None };
        if rows < 2 || columns < 2 {
            return None;
        }
        let block = rows * columns;
        let old = a.data.clone();
        for (i, x) in a.data.iter_mut().enumerate() {
            *x = old[i / block * block + (i % block % rows) * columns + i % block / rows];
        }
        Some(())
    })
}

pub(super) fn swapped_channels(scene: &Scene<'_>, stream: &mut Stream) -> Option<Vec<Value<f32>>> {
    let drawn = (stream.next_u64(), stream.next_u64());
    first(scene, |_, a| {
        let channels = a.shape.last().copied().unwrap_or(1) as u64;
        if channels < 2 {
            return None;
        }
        let one = drawn.0 % channels;
        let other = (one + 1 + drawn.1 % (channels - 1)) % channels;
        a.data.chunks_mut(channels as usize).for_each(|row| row.swap(one as usize, other as usize));
        Some(())
    })
}

pub(super) fn shifted(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    first(scene, |_, a| {
        if a.data.len() < 2 {
            return None;
        }
        a.data.rotate_left(1);
        Some(())
    })
}

pub(super) fn repeated_batch(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    first(scene, |_, a| {
        let batches = a.shape.first().copied().filter(|&n| n > 1 && a.shape.len() > 1)?;
        let size = a.data.len() / batches;
        (1..batches).for_each(|b| a.data.copy_within(..size, b * size));
        Some(())
    })
}

pub(super) fn tail(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    first(scene, |_, a| {
        let n = a.data.len();
        if n % 8 == 0 {
            return None;
        }
        a.data[n - n % 8..].fill(0.0);
        Some(())
    })
}

pub(super) fn zeros(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    first(scene, |_, a| {
        a.data.fill(0.0);
        Some(())
    })
}

pub(super) fn stale_run(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    scene.operation()?.results.iter().map(|&t| scene.earlier[t as usize].clone()).collect()
}

pub(super) fn stale_buffer(scene: &Scene<'_>, _: &mut Stream) -> Option<Vec<Value<f32>>> {
    let result = *scene.operation()?.results.first()?;
    let right = scene.tensors[result as usize].as_ref()?;
    // The nearest earlier tensor of the same size, as a planner of memory would reuse it.
    let other = scene.program.operators().take(scene.at).flat_map(|o| o.results.iter().copied());
    let other: Vec<&Value<f32>> = other
        .filter_map(|t| scene.tensors[t as usize].as_ref())
        .filter(|v| v.dtype() == right.dtype() && v.len() == right.len())
        .collect();
    let Value::Float(_, old) = other.last()? else { return None };
    first(scene, |_, a| {
        a.data.clone_from(&old.data);
        Some(())
    })
}
