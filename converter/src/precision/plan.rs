//! What the strategies decide, as data: the type of each operator, of the interface, and the form of each constant.

use crate::constants::{self, Narrowed};
use crate::lint;
use crate::target::{Constant, Target, TargetOperator, TargetTensor};
use halfproof_ir::{DType, Io, Level, Note, Precision, Refusal, RefusedNode, Request, Rewrite, Role};
use regex::Regex;
use std::sync::Arc;

/// Constants with at most this many elements are not worth a DEQUANTIZE inside a float32 island.
const SMALL_CONSTANT: usize = 256;

/// How a float32 reader gets a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SingleForm {
    /// As a FLOAT32 tensor.
    Float32,
    /// As FLOAT16 behind a DEQUANTIZE.
    Dequantized,
}

/// A float constant with its rounded form.
#[derive(Clone, Debug)]
pub(crate) struct ConstantPlan {
    /// Elements before rounding.
    pub(crate) exact: Arc<Vec<f64>>,
    /// Elements in binary16.
    pub(crate) narrowed: Narrowed,
    /// What float32 readers get.
    pub(crate) single: SingleForm,
}

/// All decisions about one program.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By operator: computes in float32.
    pub(crate) single: Vec<bool>,
    /// The interface's floats are FLOAT32.
    pub(crate) single_interface: bool,
    /// By tensor: its form, when it is a float constant that somebody reads.
    pub(crate) constants: Vec<Option<ConstantPlan>>,
    /// Deliberate changes.
    pub(crate) rewrites: Vec<Rewrite>,
    /// Explanations and warnings.
    pub(crate) notes: Vec<Note>,
}

/// True for the tensors whose type is ours to choose.
pub(crate) fn is_narrowable(tensor: &TargetTensor) -> bool {
    tensor.dtype == DType::F32
}

/// Who reads a constant.
#[derive(Clone, Copy, Debug, Default)]
struct Readers {
    half: bool,
    single: bool,
    /// A float32 operator that the user asked to keep.
    kept: bool,
    /// It is itself a result of the model.
    output: bool,
    /// It divides, or guards a division.
    divisor: bool,
}

/// Decides everything about a program.
pub(crate) fn decide(target: &Target, request: &Request) -> Result<Plan, Refusal> {
    let kept = kept_operators(target, request)?;
    let weights = request.precision == Precision::Weights;
    let single: Vec<bool> = if weights { vec![true; target.operators.len()] } else { kept.clone() };
    let single_interface = weights || request.io == Io::Float32;
    let mut plan =
        Plan { single, single_interface, constants: Vec::new(), rewrites: Vec::new(), notes: Vec::new() };
    let readers = readers(target, &plan, &kept);
    plan.constants = target
        .tensors
        .iter()
        .zip(&readers)
        .map(|(tensor, readers)| constant_plan(tensor, *readers, weights))
        .collect();
    for ((tensor, constant), readers) in target.tensors.iter().zip(&plan.constants).zip(&readers) {
        let Some(constant) = constant else { continue };
        if readers.half || constant.single == SingleForm::Dequantized {
            plan.notes.extend(lint::constant(tensor, &constant.exact, constant.narrowed.survey));
        } else if !readers.kept && constant.narrowed.survey.is_ruined() {
            plan.notes.push(Note {
                level: Level::Info,
                at: lint::source(tensor).to_string(),
                text: "stays FLOAT32: float16 does not hold its values".to_string(),
            });
        }
    }
    Ok(plan)
}

fn kept_operators(target: &Target, request: &Request) -> Result<Vec<bool>, Refusal> {
    let Some(pattern) = &request.keep_fp32 else { return Ok(vec![false; target.operators.len()]) };
    let regex = Regex::new(pattern).map_err(|e| Refusal {
        nodes: vec![RefusedNode {
            op: "keep-fp32".to_string(),
            node: pattern.clone(),
            dtype: None,
            reason: format!("not a regular expression over node names: {}", one_line(&e.to_string())),
        }],
    })?;
    Ok(target.operators.iter().map(|op| op.nodes.iter().any(|n| regex.is_match(n))).collect())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn readers(target: &Target, plan: &Plan, kept: &[bool]) -> Vec<Readers> {
    let mut readers = vec![Readers::default(); target.tensors.len()];
    for (i, op) in target.operators.iter().enumerate() {
        for (slot, id) in op.inputs.iter().enumerate() {
            let Some(id) = id else { continue };
            let r = &mut readers[id.index()];
            r.half |= !plan.single[i];
            r.single |= plan.single[i];
            r.kept |= kept[i];
            r.divisor |= divides(op, slot);
        }
    }
    for &(_, id) in &target.outputs {
        let r = &mut readers[id.index()];
        r.half |= !plan.single_interface;
        r.single |= plan.single_interface;
        r.output = true;
    }
    readers
}

/// True when a zero in this operand makes an infinity or a NaN.
fn divides(op: &TargetOperator, slot: usize) -> bool {
    use halfproof_wire::tflite::Builtin::{Div, FloorDiv, FloorMod, Log, Rsqrt};
    match op.builtin {
        Div | FloorDiv | FloorMod => slot == 1,
        Log | Rsqrt => slot == 0,
        _ => false,
    }
}

fn constant_plan(tensor: &TargetTensor, readers: Readers, weights: bool) -> Option<ConstantPlan> {
    if !is_narrowable(tensor) || !(readers.half || readers.single) {
        return None;
    }
    let exact = match tensor.constant.as_ref()? {
        Constant::Exact(exact) => Arc::clone(exact),
        Constant::Stored(data) => Arc::new(floats(data)?),
    };
    let narrowed = constants::narrow(&exact);
    let survey = narrowed.survey;
    let guards = tensor.role == Role::Epsilon || readers.divisor;
    // Infinite bounds and masks mean the same in both types; other constants that lose everything stay FLOAT32.
    let lost = survey.is_ruined() || (guards && survey.flushed > 0);
    let small = !weights && survey.elements <= SMALL_CONSTANT;
    // A DEQUANTIZE result as model output is never written by some runtimes, so such a constant stays as it is.
    let single = if readers.kept || readers.output || lost || small {
        SingleForm::Float32
    } else {
        SingleForm::Dequantized
    };
    Some(ConstantPlan { exact, narrowed, single })
}

fn floats(data: &halfproof_ir::Data) -> Option<Vec<f64>> {
    match data {
        halfproof_ir::Data::F16(v) => Some(v.iter().map(|x| x.to_f64()).collect()),
        halfproof_ir::Data::F32(v) => Some(v.iter().map(|&x| f64::from(x)).collect()),
        halfproof_ir::Data::F64(v) => Some(v.clone()),
        _ => None,
    }
}
