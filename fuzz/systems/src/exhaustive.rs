//! Decides how far each unary operator of a runtime is from the truth: every finite float16 input is run, the result
//! compared with the f64 value of the function.
//!
//! A function of one argument has 63,488 finite float16 inputs, so nothing is sampled. Results are held to the grid
//! that they lie on: float16 for FLOAT16 tensors and where all results of a run are float16 numbers (a runtime that
//! forces float16), float32 otherwise. The inputs are run a second time in rows of 31, so that every one of them falls
//! on another lane of a vector kernel: an operator whose result depends on the position is reported.

use crate::{Job, Runtime, Taps};
use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::arith::Function;
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::{function, half};
use halfproof_wire::tflite::{
    self, Buffer, Builtin, Model, Operator, Options, SubGraph, TensorType, options,
};

/// A unary operator as TFLite has it.
#[derive(Clone, Debug)]
pub struct Unary {
    /// The name in tables: the operator's, with its variant.
    pub name: &'static str,
    /// The operator.
    pub builtin: Builtin,
    /// Its options.
    pub options: Options,
    /// What it is worth in f64.
    pub value: fn(f64) -> f64,
}

/// The unary operators of TFLite on floats.
pub fn operators() -> Vec<Unary> {
    let plain = |name, builtin, value| Unary { name, builtin, options: Options::None, value };
    let gelu = |name, approximate, value| Unary {
        name,
        builtin: Builtin::Gelu,
        options: Options::Gelu(options::Gelu { approximate }),
        value,
    };
    vec![
        plain("ABS", Builtin::Abs, |x| function::value(Function::Abs, x)),
        plain("CEIL", Builtin::Ceil, |x| function::value(Function::Ceil, x)),
        plain("COS", Builtin::Cos, |x| function::value(Function::Cos, x)),
        plain("ELU", Builtin::Elu, |x| function::value(Function::Elu { alpha: 1.0 }, x)),
        plain("EXP", Builtin::Exp, |x| function::value(Function::Exp, x)),
        plain("FLOOR", Builtin::Floor, |x| function::value(Function::Floor, x)),
        gelu("GELU", false, |x| function::value(Function::Gelu, x)),
        gelu("GELU(approximate)", true, |x| function::value(Function::GeluTanh, x)),
        plain("HARD_SWISH", Builtin::HardSwish, |x| function::value(Function::HardSwish, x)),
        Unary {
            name: "LEAKY_RELU(0.5)",
            builtin: Builtin::LeakyRelu,
            options: Options::LeakyRelu(options::LeakyRelu { alpha: 0.5 }),
            value: |x| function::value(Function::LeakyRelu { alpha: 0.5 }, x),
        },
        plain("LOG", Builtin::Log, |x| function::value(Function::Log, x)),
        plain("LOGISTIC", Builtin::Logistic, |x| function::value(Function::Logistic, x)),
        plain("NEG", Builtin::Neg, |x| function::value(Function::Neg, x)),
        plain("RELU", Builtin::Relu, |x| function::value(Function::Relu, x)),
        plain("RELU6", Builtin::Relu6, |x| x.clamp(0.0, 6.0)),
        plain("RELU_N1_TO_1", Builtin::ReluN1To1, |x| x.clamp(-1.0, 1.0)),
        plain("ROUND", Builtin::Round, |x| function::value(Function::Round, x)),
        plain("RSQRT", Builtin::Rsqrt, |x| function::value(Function::Rsqrt, x)),
        plain("SIGN", Builtin::Sign, |x| function::value(Function::Sign, x)),
        plain("SIN", Builtin::Sin, |x| function::value(Function::Sin, x)),
        plain("SQRT", Builtin::Sqrt, |x| function::value(Function::Sqrt, x)),
        plain("SQUARE", Builtin::Square, |x| function::value(Function::Square, x)),
        plain("TANH", Builtin::Tanh, |x| function::value(Function::Tanh, x)),
    ]
}

/// How one operator of one runtime did on every finite float16 input.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The runtime.
    pub runtime: String,
    /// The operator's name in tables.
    pub operator: &'static str,
    /// Element type of input and output.
    pub dtype: DType,
    /// The figures, or why there are none.
    pub outcome: Result<Figures, String>,
}

/// What was counted over the inputs of one sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Inputs run.
    pub inputs: usize,
    /// True when every result is a float16 number, so that errors are counted in units of float16.
    pub on_half_grid: bool,
    /// True when the runtime's accelerated kernels took the operator; `None` where that means nothing.
    pub accelerated: Option<bool>,
    /// Results that are not the exact value rounded to nearest, ties to even.
    pub not_nearest: usize,
    /// Largest distance from the exact value, in units in the last place of the exact value.
    pub worst_ulp: f64,
    /// The same over results whose exact value is a normal number of the grid.
    pub worst_ulp_normal: f64,
    /// Where the largest distance is.
    pub worst: Option<Sample>,
    /// Results that are inf or NaN where the rounded exact value is not, or the reverse, or another of them.
    pub nonfinite_mismatch: usize,
    /// The first of those.
    pub first_nonfinite: Option<Sample>,
    /// Zeros where the rounded exact value is not zero.
    pub flushed: usize,
    /// Results with the wrong sign, the sign of zero not counted.
    pub wrong_sign: usize,
    /// Neighboring inputs, in order, whose results step against the exact values' direction by more than rounding.
    pub not_monotone: usize,
    /// Results that change with the position of the input in the tensor.
    pub by_position: usize,
}

/// One input with its result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The input.
    pub input: f64,
    /// The exact value.
    pub exact: f64,
    /// The result.
    pub actual: f64,
}

/// Length of the rows of the second run: odd, and 31 times 2,048 is the number of inputs.
const ROW: usize = 31;

/// Every finite float16 number, from the most negative to the largest; both zeros are there.
pub fn inputs() -> Vec<f64> {
    let positive = (0_u16..0x7c00).map(half::from_bits);
    let negative = (0x8000_u16..0xfc00).rev().map(half::from_bits);
    negative.chain(positive).collect()
}

/// Sweeps every operator of [`operators`] over one runtime, on FLOAT16 and on FLOAT32 tensors.
pub fn sweep(runtime: &mut dyn Runtime) -> Vec<Row> {
    let mut rows = vec![];
    for dtype in [DType::F16, DType::F32] {
        for unary in operators() {
            let outcome = sweep_one(runtime, &unary, dtype);
            rows.push(Row { runtime: runtime.name().to_string(), operator: unary.name, dtype, outcome });
        }
    }
    rows
}

fn sweep_one(runtime: &mut dyn Runtime, unary: &Unary, dtype: DType) -> Result<Figures, String> {
    let inputs = inputs();
    let whole = run(runtime, unary, dtype, &inputs, inputs.len())?;
    let rows = run(runtime, unary, dtype, &inputs, ROW)?;
    let results = concatenated(&whole)?;
    let again = concatenated(&rows)?;
    let mut figures = judge(unary.value, &inputs, &results, dtype);
    figures.accelerated = whole.first().and_then(|e| e.accelerated);
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    figures.by_position = results.iter().zip(&again).filter(|&(&a, &b)| !same(a, b)).count();
    Ok(figures)
}

/// Runs the operator on the inputs, `len` at a time.
fn run(
    runtime: &mut dyn Runtime,
    unary: &Unary,
    dtype: DType,
    inputs: &[f64],
    len: usize,
) -> Result<Vec<Execution>, String> {
    let model = tflite::write(&model(unary, dtype, len));
    let sets: Vec<Vec<Tensor>> = inputs.chunks_exact(len).map(|row| vec![tensor(row, dtype)]).collect();
    let job = Job { model: &model, sets: &sets, taps: Taps::None };
    let executions = runtime.run_all(&[job]).pop().unwrap_or_default();
    match executions.iter().map(|e| &e.status).find(|s| **s != Status::Ok) {
        None => Ok(executions),
        Some(Status::Refused { stage, text }) => Err(format!("refused at {stage}: {text}")),
        Some(Status::Crashed { how }) => Err(format!("crashed: {how}")),
        Some(Status::Cannot { why }) => Err(format!("cannot: {why}")),
        Some(Status::TimedOut | Status::Ok) => Err("timed out".to_string()),
    }
}

fn concatenated(executions: &[Execution]) -> Result<Vec<f64>, String> {
    let mut all = vec![];
    for execution in executions {
        let floats = execution.outputs.first().and_then(Tensor::floats);
        all.extend(floats.ok_or("the output is no float tensor")?);
    }
    Ok(all)
}

/// The operator alone on a tensor `[1, n]`.
fn model(unary: &Unary, dtype: DType, n: usize) -> Model {
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    let tensor = |name: &str| tflite::Tensor {
        name: name.to_string(),
        shape: vec![1, n],
        dtype: TensorType::from(dtype),
        has_rank: true,
        ..tflite::Tensor::default()
    };
    let graph = SubGraph {
        name: "main".to_string(),
        tensors: vec![tensor("x"), tensor("y")],
        inputs: vec![0],
        outputs: vec![1],
        operators: vec![Operator::builtin(unary.builtin, [0], [1], unary.options.clone())],
    };
    Model { version: 3, subgraphs: vec![graph], buffers: vec![Buffer::default()], ..Model::default() }
}

fn tensor(row: &[f64], dtype: DType) -> Tensor {
    let shape = vec![1, row.len()];
    match dtype {
        DType::F16 => Tensor::new(shape, Data::F16(row.iter().map(|&x| ::half::f16::from_f64(x)).collect())),
        #[expect(clippy::cast_possible_truncation, reason = "float16 numbers are float32 numbers")]
        _ => Tensor::f32(shape, row.iter().map(|&x| x as f32).collect()),
    }
}

/// Holds results to the exact values.
fn judge(value: fn(f64) -> f64, inputs: &[f64], results: &[f64], dtype: DType) -> Figures {
    let on_half_grid = dtype == DType::F16
        || results.iter().all(|&y| !y.is_finite() || half::is_representable(y))
            && !trivially_half(value, inputs);
    let grid = if on_half_grid { HALF } else { SINGLE };
    let mut figures = Figures { inputs: results.len(), on_half_grid, ..Figures::default() };
    let mut before: Option<(f64, f64)> = None;
    for (&input, &actual) in inputs.iter().zip(results) {
        let exact = value(input);
        let nearest = (grid.round)(exact);
        let sample = Sample { input, exact, actual };
        if !nearest.is_finite() || !actual.is_finite() {
            let same = nearest == actual || nearest.is_nan() && actual.is_nan();
            if !same {
                figures.nonfinite_mismatch += 1;
                figures.first_nonfinite.get_or_insert(sample);
            }
            before = None;
            continue;
        }
        figures.not_nearest += usize::from(actual != nearest);
        figures.flushed += usize::from(actual == 0.0 && nearest != 0.0);
        figures.wrong_sign += usize::from(actual * exact < 0.0);
        let error = (actual - exact).abs() / (grid.ulp)(exact);
        if exact.abs() >= grid.min_normal {
            figures.worst_ulp_normal = figures.worst_ulp_normal.max(error);
        }
        if error > figures.worst_ulp {
            figures.worst_ulp = error;
            figures.worst = Some(sample);
        }
        if let Some((exact_before, actual_before)) = before {
            let (rises, rose) = (exact - exact_before, actual - actual_before);
            figures.not_monotone += usize::from(rises * rose < 0.0);
        }
        before = Some((exact, actual));
    }
    figures
}

/// True when even the exact values are all float16 numbers, so that the results say nothing about the grid.
fn trivially_half(value: fn(f64) -> f64, inputs: &[f64]) -> bool {
    inputs.iter().all(|&x| half::is_representable(value(x)))
}

/// A format that results lie on.
struct Grid {
    round: fn(f64) -> f64,
    ulp: fn(f64) -> f64,
    min_normal: f64,
}

const HALF: Grid = Grid { round: half::round, ulp: half::ulp, min_normal: half::MIN_NORMAL };
const SINGLE: Grid =
    Grid { round: half::round_single, ulp: half::ulp_single, min_normal: half::MIN_NORMAL_SINGLE };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::interp::Interpreter;

    #[test]
    fn every_finite_float16_is_an_input_once() {
        let inputs = inputs();
        assert_eq!(inputs.len(), 63_488);
        assert_eq!(inputs.len() % ROW, 0);
        assert!(inputs.windows(2).all(|w| w[0] < w[1] || w[0] == 0.0 && w[1] == 0.0));
        assert_eq!((inputs[0], inputs[63_487]), (-65_504.0, 65_504.0));
    }

    #[test]
    fn a_result_one_unit_off_is_counted_where_it_is() {
        let inputs = [1.0, 2.0, 3.0];
        let figures = judge(|x| x, &inputs, &[1.0, half::next_up(2.0), 3.0], DType::F16);
        assert_eq!((figures.not_nearest, figures.worst_ulp), (1, 1.0));
        assert_eq!(figures.worst.unwrap().input, 2.0);
        let figures = judge(|x| x, &inputs, &[1.0, f64::INFINITY, 0.0], DType::F16);
        assert_eq!((figures.nonfinite_mismatch, figures.flushed), (1, 1));
    }

    #[test]
    fn unary_operators_of_our_interpreter_are_exhaustively_within_half_a_unit() {
        for row in sweep(&mut Interpreter::f16()).into_iter().filter(|r| r.dtype == DType::F16) {
            let figures = row.outcome.unwrap_or_else(|e| panic!("{}: {e}", row.operator));
            assert_eq!(figures.nonfinite_mismatch, 0, "{}: {figures:?}", row.operator);
            // Functions pass through a float32 register, so the rounding to float16 may be the second one.
            assert!(figures.worst_ulp <= 0.5 + 1.0 / 8192.0, "{}: {figures:?}", row.operator);
            assert_eq!((figures.by_position, figures.not_monotone), (0, 0), "{}", row.operator);
        }
    }
}
