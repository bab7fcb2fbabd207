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
use halfproof_oracle::verdict::Class;
use halfproof_oracle::{function, half};
use halfproof_wire::tflite::{
    self, Buffer, Builtin, Model, Operator, Options, SubGraph, TensorType, options,
};
use serde::Serialize;

/// A unary operator as TFLite has it.
#[derive(Clone, Debug)]
pub struct Unary {
    /// The name in tables: the operator's, with its variant.
    pub name: &'static str,
    /// The operator.
    pub builtin: Builtin,
    /// Its options.
    pub options: Options,
    /// What it computes.
    pub law: Law,
}

/// The real function that a unary operator stands for.
#[derive(Clone, Copy, Debug)]
pub enum Law {
    /// One of the oracle's functions.
    Function(Function),
    /// A clamp to an interval.
    Clamp(f64, f64),
}

impl Law {
    /// The exact value.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Law::Function(f) => function::value(f, x),
            Law::Clamp(low, high) => x.clamp(low, high),
        }
    }

    /// The magnitude that a result's distance from the exact value is sensibly measured against. Next to a zero that the
    /// formula reaches by cancellation (reduced arguments, a logarithm near 1, a product with a gate) no kernel promises
    /// units of the result itself.
    pub fn scale(self, x: f64) -> f64 {
        let exact = self.value(x).abs();
        match self {
            Law::Function(Function::Sin | Function::Cos | Function::Log) => exact.max(1.0),
            Law::Function(Function::HardSwish) => exact.max(x.abs()),
            _ => exact,
        }
    }

    /// What no result may leave, whatever the argument.
    pub fn range(self) -> (f64, f64) {
        match self {
            Law::Function(f) => function::codomain(f),
            Law::Clamp(low, high) => (low, high),
        }
    }
}

/// The unary operators of TFLite on floats.
pub fn operators() -> Vec<Unary> {
    use Function::{
        Abs, Ceil, Cos, Elu, Exp, Floor, Gelu, GeluTanh, HardSwish, LeakyRelu, Log, Logistic, Neg, Relu,
        Round, Rsqrt, Sign, Sin, Sqrt, Square, Tanh,
    };
    let plain = |name, builtin, law| Unary { name, builtin, options: Options::None, law };
    let of = |name, builtin, f| plain(name, builtin, Law::Function(f));
    let gelu = |name, approximate, f| Unary {
        options: Options::Gelu(options::Gelu { approximate }),
        ..of(name, Builtin::Gelu, f)
    };
    // One slope is a float16 number, the other is not: LiteRT holds slopes as float32.
    let leaky = |name, alpha: f32| Unary {
        options: Options::LeakyRelu(options::LeakyRelu { alpha }),
        ..of(name, Builtin::LeakyRelu, LeakyRelu { alpha: f64::from(alpha) })
    };
    vec![
        of("ABS", Builtin::Abs, Abs),
        of("CEIL", Builtin::Ceil, Ceil),
        of("COS", Builtin::Cos, Cos),
        of("ELU", Builtin::Elu, Elu { alpha: 1.0 }),
        of("EXP", Builtin::Exp, Exp),
        of("FLOOR", Builtin::Floor, Floor),
        gelu("GELU", false, Gelu),
        gelu("GELU(approximate)", true, GeluTanh),
        of("HARD_SWISH", Builtin::HardSwish, HardSwish),
        leaky("LEAKY_RELU(0.5)", 0.5),
        leaky("LEAKY_RELU(0.01)", 0.01),
        of("LOG", Builtin::Log, Log),
        of("LOGISTIC", Builtin::Logistic, Logistic),
        of("NEG", Builtin::Neg, Neg),
        of("RELU", Builtin::Relu, Relu),
        plain("RELU6", Builtin::Relu6, Law::Clamp(0.0, 6.0)),
        plain("RELU_N1_TO_1", Builtin::ReluN1To1, Law::Clamp(-1.0, 1.0)),
        of("ROUND", Builtin::Round, Round),
        of("RSQRT", Builtin::Rsqrt, Rsqrt),
        of("SIGN", Builtin::Sign, Sign),
        of("SIN", Builtin::Sin, Sin),
        of("SQRT", Builtin::Sqrt, Sqrt),
        of("SQUARE", Builtin::Square, Square),
        of("TANH", Builtin::Tanh, Tanh),
    ]
}

/// How one operator of one runtime did on every finite float16 input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The runtime.
    pub runtime: String,
    /// The operator's name in tables.
    pub operator: &'static str,
    /// The operator as TFLite prints it.
    pub builtin: &'static str,
    /// Element type of input and output.
    pub dtype: DType,
    /// The figures, or why there are none.
    pub outcome: Result<Figures, String>,
}

/// What was counted over the inputs of one sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Inputs run.
    pub inputs: usize,
    /// True when every result is a float16 number, so that errors are counted in units of float16.
    pub on_half_grid: bool,
    /// True when the runtime's accelerated kernels took the operator; `None` where that means nothing.
    pub accelerated: Option<bool>,
    /// Results that are not the exact value rounded to nearest, ties to even.
    pub not_nearest: usize,
    /// Largest distance from the exact value, in units in the last place of the exact value; flushed results left out.
    pub worst_ulp: f64,
    /// The same in units of what the distance is sensibly measured against (see [`Law::scale`]).
    pub scaled_ulp: f64,
    /// Where that is largest.
    pub worst_scaled: Option<Sample>,
    /// Largest distance in units of the exact value, over results whose exact value is a normal number of the grid.
    pub worst_ulp_normal: f64,
    /// Where the largest distance is.
    pub worst: Option<Sample>,
    /// Results that are inf or NaN where the rounded exact value is not, or the reverse, or another of them.
    pub nonfinite_mismatch: usize,
    /// The first of those.
    pub first_nonfinite: Option<Sample>,
    /// Zeros where the rounded exact value is a subnormal number.
    pub flushed: usize,
    /// Results that no argument may give: |tanh| above 1, a negative exponential.
    pub outside_range: usize,
    /// The first of those.
    pub first_outside: Option<Sample>,
    /// Results with the wrong sign, the sign of zero not counted.
    pub wrong_sign: usize,
    /// Neighboring inputs, in order, whose results step against the exact values' direction by more than rounding.
    pub not_monotone: usize,
    /// Results that change with the position of the input in the tensor.
    pub by_position: usize,
}

/// One input with its result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
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
            rows.push(Row {
                runtime: runtime.name().to_string(),
                operator: unary.name,
                builtin: unary.builtin.name(),
                dtype,
                outcome,
            });
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
    let mut figures = judge(unary.law, &inputs, &results, dtype);
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
        Some(Status::Undone { text }) => Err(format!("not carried out: {text}")),
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
fn judge(law: Law, inputs: &[f64], results: &[f64], dtype: DType) -> Figures {
    let on_half_grid = dtype == DType::F16
        || results.iter().all(|&y| !y.is_finite() || half::is_representable(y))
            && !trivially_half(law, inputs);
    let grid = if on_half_grid { HALF } else { SINGLE };
    let mut figures = Figures { inputs: results.len(), on_half_grid, ..Figures::default() };
    let mut before: Option<(f64, f64)> = None;
    for (&input, &actual) in inputs.iter().zip(results) {
        let exact = law.value(input);
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
        let (least, greatest) = law.range();
        if actual < least || actual > greatest {
            figures.outside_range += 1;
            figures.first_outside.get_or_insert(sample);
        }
        let flushed = actual == 0.0 && nearest != 0.0 && exact.abs() < grid.min_normal;
        figures.flushed += usize::from(flushed);
        figures.wrong_sign += usize::from(actual * exact < 0.0);
        let error = (actual - exact).abs() / (grid.ulp)(exact);
        if exact.abs() >= grid.min_normal {
            figures.worst_ulp_normal = figures.worst_ulp_normal.max(error);
        }
        if error > figures.worst_ulp && !flushed {
            figures.worst_ulp = error;
            figures.worst = Some(sample);
        }
        let scaled = (actual - exact).abs() / (grid.ulp)(law.scale(input));
        if scaled > figures.scaled_ulp && !flushed {
            figures.scaled_ulp = scaled;
            figures.worst_scaled = Some(sample);
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
fn trivially_half(law: Law, inputs: &[f64]) -> bool {
    inputs.iter().all(|&x| half::is_representable(law.value(x)))
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

/// Units in the last place (see [`Law::scale`]) that a kernel may be off and still be called sane: two of float16, and
/// eight of float32, whose kernels are polynomials.
pub const SANE_ULP_HALF: f64 = 2.0;
/// See [`SANE_ULP_HALF`].
pub const SANE_ULP_SINGLE: f64 = 8.0;

/// Something about a row that no sane kernel does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The runtime.
    pub runtime: String,
    /// The operator as TFLite prints it.
    pub operator: &'static str,
    /// Element type of input and output.
    pub dtype: DType,
    /// The class of the verdict.
    pub class: Class,
    /// One line without numbers.
    pub text: String,
    /// Where.
    pub sample: Option<Sample>,
    /// How many inputs, or how many units.
    pub extent: f64,
}

impl Row {
    /// What is wrong with the row: distance, infinities, range, sign. Flushed subnormals, steps back within the allowance
    /// and results that depend on the lane are figures of the table, not faults.
    pub fn findings(&self) -> Vec<Finding> {
        let Ok(figures) = &self.outcome else { return vec![] };
        let sane = if figures.on_half_grid { SANE_ULP_HALF } else { SANE_ULP_SINGLE };
        let finding = |class, text: &str, sample, extent| Finding {
            runtime: self.runtime.clone(),
            operator: self.builtin,
            dtype: self.dtype,
            class,
            text: format!("{} {text}", self.builtin),
            sample,
            extent,
        };
        let mut found = vec![];
        if figures.scaled_ulp > sane {
            let grid = if figures.on_half_grid { "float16" } else { "float32" };
            let text = format!("is more than {sane} units of {grid} off for some float16 inputs");
            found.push(finding(Class::Kernel, &text, figures.worst_scaled, figures.scaled_ulp));
        }
        let count = |n: usize| n as f64;
        if figures.nonfinite_mismatch > 0 {
            let text = "gives an infinity or NaN where there is none, or none where there is";
            let n = count(figures.nonfinite_mismatch);
            found.push(finding(Class::Nonfinite, text, figures.first_nonfinite, n));
        }
        if figures.outside_range > 0 {
            let n = count(figures.outside_range);
            found.push(finding(Class::Kernel, "leaves its range", figures.first_outside, n));
        }
        if figures.wrong_sign > 0 {
            found.push(finding(Class::Kernel, "has the wrong sign", None, count(figures.wrong_sign)));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::interp::Interpreter;

    const SAME: Law = Law::Clamp(f64::NEG_INFINITY, f64::INFINITY);

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
        let figures = judge(SAME, &inputs, &[1.0, half::next_up(2.0), 3.0], DType::F16);
        assert_eq!((figures.not_nearest, figures.worst_ulp), (1, 1.0));
        assert_eq!(figures.worst.unwrap().input, 2.0);
        let figures = judge(SAME, &inputs, &[1.0, f64::INFINITY, 0.0], DType::F16);
        assert_eq!((figures.nonfinite_mismatch, figures.worst_ulp_normal), (1, 1024.0 * 1.5));
    }

    #[test]
    fn an_insane_kernel_is_a_finding_and_a_flushed_subnormal_is_none() {
        let row = |outcome: Figures| Row {
            runtime: "some".into(),
            operator: "TANH",
            builtin: "TANH",
            dtype: DType::F16,
            outcome: Ok(outcome),
        };
        let tanh = Law::Function(Function::Tanh);
        let texts = |results: &[f64]| -> Vec<Class> {
            row(judge(tanh, &[1e-6, 2.0], results, DType::F16)).findings().iter().map(|f| f.class).collect()
        };
        assert_eq!(texts(&[0.0, half::round(tanh.value(2.0))]), []);
        assert_eq!(texts(&[1e-6, 0.95]), [Class::Kernel]);
        assert_eq!(texts(&[1e-6, 1.044]), [Class::Kernel, Class::Kernel]);
        assert_eq!(texts(&[1e-6, f64::NAN]), [Class::Nonfinite]);
    }

    #[test]
    fn unary_operators_of_our_interpreter_are_exhaustively_within_half_a_unit() {
        for row in sweep(&mut Interpreter::f16()).into_iter().filter(|r| r.dtype == DType::F16) {
            let figures = row.outcome.unwrap_or_else(|e| panic!("{}: {e}", row.operator));
            assert_eq!(figures.nonfinite_mismatch, 0, "{}: {figures:?}", row.operator);
            // Functions pass through a float32 register, so the rounding to float16 may be the second one.
            // A slope that is no float16 number is rounded like the tensor: half a unit more.
            let rounded_slope = if row.operator == "LEAKY_RELU(0.01)" { 0.5 } else { 0.0 };
            assert!(figures.worst_ulp <= 0.5 + rounded_slope + 1.0 / 8192.0, "{}: {figures:?}", row.operator);
            assert_eq!((figures.by_position, figures.not_monotone), (0, 0), "{}", row.operator);
        }
    }
}
