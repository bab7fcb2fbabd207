//! Holds the ideal evaluation to what LiteRT's builtin float32 kernels computed (`golden/tflite/record.py`).
//!
//! Results of copies, selections, comparisons and of arithmetic on small integers must be equal; every other result
//! must be as close as float32 arithmetic brings it. All must lie inside the enclosure that the bound arithmetic gives for
//! these kernels.

mod tflite_models;

use halfproof_ir::{DType, Tensor};
use halfproof_oracle::arith::{Bound, Ideal};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_wire::tflite::{Builtin, read};
use tflite_models::golden::{Case, OWN, cases, tensors};

/// Units of float32 (2^-24) that a kernel may be off, relative to the largest result: rounding of sums of up to a
/// hundred terms, and the polynomials of its transcendental functions.
const UNITS: f64 = 8.0;

/// Where LiteRT does not compute the definition: operator, part of the case's name, and what it does instead.
const DISAGREEMENTS: &[(Builtin, &str, &str)] = &[(
    Builtin::StridedSlice,
    "(1, 0, 1) (2, 0, 3) (1, 1, 1) {'ellipsisMask': 2, 'shrinkAxisMask': 1} of (2, 5)",
    "x[1, ..., 1:3] of a matrix: the ellipsis stands for no axis, LiteRT lets it swallow one",
)];

/// Operators whose results are exact for small integers and quarters.
fn is_exact(builtin: Builtin) -> bool {
    use Builtin as B;
    !matches!(
        builtin,
        B::Exp
            | B::Log
            | B::Sqrt
            | B::Rsqrt
            | B::Sin
            | B::Cos
            | B::Tanh
            | B::Logistic
            | B::Elu
            | B::HardSwish
            | B::Gelu
            | B::Div
            | B::Pow
            | B::Mean
            | B::AveragePool2d
            | B::L2Pool2d
            | B::Softmax
            | B::LogSoftmax
            | B::L2Normalization
            | B::LocalResponseNormalization
            | B::ResizeBilinear
    )
}

/// A planned case with the tensors that went in and came out.
struct Recorded {
    program: Program,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

fn plan(case: &Case) -> Result<Recorded, String> {
    let program = Program::new(&read(&case.model).expect(OWN)).map_err(|e| e.to_string())?;
    let form = |&t: &u32| program.form(t).expect(OWN);
    let inputs = tensors(&case.inputs, program.inputs().iter().map(form));
    let outputs = tensors(&case.outputs, program.outputs().iter().map(form));
    Ok(Recorded { program, inputs, outputs })
}

/// What is wrong with the ideal evaluation of a case, if anything.
fn fault(builtin: Builtin, case: &Case) -> Result<(), String> {
    let Recorded { program, inputs, outputs } = plan(case)?;
    let results = program.results(&inputs, Constants::Stored, &Ideal).map_err(|e| e.to_string())?;
    assert_eq!(results.len(), outputs.len());
    for (value, recorded) in results.iter().zip(&outputs) {
        assert_eq!((value.dtype(), value.shape()), (recorded.dtype(), recorded.shape.as_slice()));
        let ours = match value {
            Value::Whole(_, a) => {
                let theirs = recorded.integers().expect(OWN);
                if !a.data.iter().map(|x| x.value).eq(theirs.iter().copied()) {
                    return Err(format!("{:?}, LiteRT has {theirs:?}", a.data));
                }
                continue;
            }
            Value::Float(_, a) => &a.data,
        };
        let theirs = recorded.floats().expect(OWN);
        let largest = ours.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let exact = case.name.ends_with("lattice") && is_exact(builtin);
        let unit = if recorded.dtype() == DType::F16 { 2f64.powi(-11) / UNITS } else { 2f64.powi(-24) };
        let allowed = if exact { 0.0 } else { UNITS * unit * largest };
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= allowed;
            if !same {
                let units = (a - b).abs() / (unit * largest);
                return Err(format!("element {i} is {a}, LiteRT has {b}: {units:.1} units"));
            }
        }
    }
    Ok(())
}

/// What lies outside the enclosure of a case, if anything.
fn escape(case: &Case) -> Result<(), String> {
    let Recorded { program, inputs, outputs } = plan(case)?;
    let arith = Bound::new(Runtime::LiteRtBuiltin);
    let results = program.results(&inputs, Constants::Stored, &arith).map_err(|e| e.to_string())?;
    for (value, recorded) in results.iter().zip(&outputs) {
        match value {
            Value::Float(_, a) => {
                for (i, (e, x)) in a.data.iter().zip(recorded.floats().expect(OWN)).enumerate() {
                    if !e.contains(x) {
                        return Err(format!("element {i}: {x} is outside {e:?}"));
                    }
                }
            }
            Value::Whole(_, a) => {
                for (i, (e, x)) in a.data.iter().zip(recorded.integers().expect(OWN)).enumerate() {
                    if e.decided && e.value != x {
                        return Err(format!("element {i}: {x} is not the decided {}", e.value));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Runs a check on every case; known disagreements must fail it.
fn check_all(check: impl Fn(Builtin, &Case) -> Result<(), String>) {
    let all = cases();
    let mut faults = vec![];
    for (builtin, case) in &all {
        let known = DISAGREEMENTS.iter().find(|(b, part, _)| b == builtin && case.name.contains(part));
        match (check(*builtin, case), known) {
            (Err(text), None) => faults.push(format!("{builtin} {}: {text}", case.name)),
            (Ok(()), Some((_, _, reason))) => {
                faults.push(format!("{builtin} {} agrees, though it should not: {reason}", case.name));
            }
            _ => {}
        }
    }
    assert!(all.len() > 900, "{} cases", all.len());
    assert!(faults.is_empty(), "{} of {} cases\n{}", faults.len(), all.len(), faults.join("\n"));
}

#[test]
fn the_ideal_evaluation_agrees_with_litert_on_every_recorded_case() {
    check_all(fault);
}

#[test]
fn every_recorded_result_of_litert_lies_inside_its_enclosure() {
    check_all(|_, case| escape(case));
}
