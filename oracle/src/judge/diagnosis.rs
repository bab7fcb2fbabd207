//! One answer from many: what is wrong first, whose fault it is, where and why. For people, not for campaigns.

use super::trace::{Cause, Fault, Meaning, Row, Trace};
use crate::tflite::Program;
use crate::verdict::{Blame, Class, Numbers, Place, Strength, Verdict};
use halfproof_wire::tflite::{Model, TensorType};
use std::collections::BTreeSet;

/// Bits that an output must lose to be worth a word.
const LOSS: f64 = super::trace::LOSS;

/// The first thing that is wrong.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What, whose, where.
    pub verdict: Verdict,
    /// The system that shows it; `None` where the file alone does.
    pub system: Option<String>,
    /// Why, as far as values tell.
    pub cause: Option<Cause>,
}

/// True when a file holds quantized or 8-bit tensors, which nobody who asks for float16 wants: the verdict about it.
/// Looks at the file only, because a model with such tensors may not be one that can be evaluated.
pub fn quantized(model: &Model) -> Option<Verdict> {
    let graph = model.subgraphs.first()?;
    let narrow = |t: TensorType| matches!(t, TensorType::Int8 | TensorType::Uint8 | TensorType::Int4);
    let (index, tensor) = graph.tensors.iter().enumerate().find(|(_, t)| {
        let scaled = t.quantization.as_ref().is_some_and(|q| !q.scale.is_empty());
        scaled || narrow(t.dtype) && model.data(t).is_some()
    })?;
    let number = i32::try_from(index).ok()?;
    let user = graph
        .operators
        .iter()
        .position(|op| op.outputs.contains(&number))
        .or_else(|| graph.operators.iter().position(|op| op.inputs.contains(&number)));
    let text = if narrow(tensor.dtype) { "a tensor is an 8-bit integer" } else { "a tensor is quantized" };
    let mut verdict = Verdict::new(Class::Impure, Blame::Converter, Strength::Certified, text);
    verdict.place = Place {
        operator: user.map(|u| graph.operators[u].name().to_string()),
        operator_index: user.and_then(|u| u32::try_from(u).ok()),
        tensor: Some(tensor.name.clone()),
        tensor_index: u32::try_from(index).ok(),
        ..Place::default()
    };
    verdict.notes.push(format!("tensor \"{}\" is {}", tensor.name, tensor.dtype.name()));
    Some(verdict)
}

/// The same model with quantized constants widened, where only DEQUANTIZE reads them: what it computes, so that the place
/// can be named. `None` when something else is quantized.
pub fn widened(model: &Model) -> Option<Model> {
    let mut wide = model.clone();
    let mut dropped = vec![];
    for (at, op) in model.subgraphs.first()?.operators.iter().enumerate() {
        let (Some(&from), Some(&to)) = (op.inputs.first(), op.outputs.first()) else { continue };
        let narrow = model.subgraphs[0].tensors.get(usize::try_from(from).ok()?)?;
        let (true, Some(bytes), Some(q)) =
            (op.name() == "DEQUANTIZE", model.data(narrow), narrow.quantization.as_ref())
        else {
            continue;
        };
        let (TensorType::Int8, [scale], [zero]) = (narrow.dtype, q.scale.as_slice(), q.zero_point.as_slice())
        else {
            return None;
        };
        let value = |&b: &u8| f64::from(*scale) * (i64::from(b.cast_signed()) - zero) as f64;
        let target = &mut wide.subgraphs[0].tensors[usize::try_from(to).ok()?];
        let bytes: Vec<u8> = match target.dtype {
            TensorType::Float16 => {
                bytes.iter().flat_map(|b| crate::half::to_bits(value(b)).to_le_bytes()).collect()
            }
            TensorType::Float32 => bytes.iter().flat_map(|b| (value(b) as f32).to_le_bytes()).collect(),
            _ => return None,
        };
        target.buffer = u32::try_from(wide.buffers.len()).ok()?;
        wide.buffers.push(std::sync::Arc::new(bytes));
        dropped.push((at, from));
    }
    for (at, from) in dropped.into_iter().rev() {
        let graph = &mut wide.subgraphs[0];
        graph.operators.remove(at);
        let tensor = &mut graph.tensors[usize::try_from(from).ok()?];
        (tensor.dtype, tensor.quantization) = (TensorType::Float32, None);
        (tensor.buffer, tensor.shape) = (0, vec![1]);
    }
    quantized(&wide).is_none().then_some(wide)
}

/// The earliest cause: the file before its meaning, the meaning before kernels, kernels before the choice of float16.
pub fn diagnose(program: &Program, file: &[Verdict], traces: &[Trace]) -> Diagnosis {
    if let Some(verdict) = file.iter().find(|v| !v.class.is_fine()) {
        let mut verdict = verdict.clone();
        name_reader(program, &mut verdict, traces);
        return Diagnosis { verdict, system: None, cause: None };
    }
    for trace in traces {
        if let Some(row) = trace.rows.iter().find(|r| r.is_meant_otherwise()) {
            let mut verdict = meaning(row, trace.meaning);
            verdict.notes.extend(trace.doubt.map(str::to_string));
            return Diagnosis { verdict, system: None, cause: None };
        }
    }
    for trace in traces {
        if let Some(row) = trace.rows.iter().find(|r| r.outside.is_some()) {
            let text = format!("{} is outside its one-operator bound", row.builtin);
            let mut verdict = at(row, Class::Kernel, Blame::Kernel, row.strength, &text);
            verdict.numbers = row.outside.map(|(_, n)| n);
            verdict.place.element = row.outside.map(|(e, _)| e);
            return Diagnosis { verdict, system: Some(trace.system.clone()), cause: None };
        }
    }
    for trace in traces {
        if let Some(diagnosis) = ruined(program, trace) {
            return diagnosis;
        }
    }
    for trace in traces {
        let outside = |r: &&Row| is_output(program, r) && r.whole_bound_used.is_some_and(|u| u > 1.0);
        if let Some(row) = trace.rows.iter().find(outside) {
            let text = "an output is outside the bound of every allowed execution, though every operator that is \
                        visible is right";
            let mut verdict = at(row, Class::Precision, Blame::Kernel, trace.strength, text);
            verdict.numbers = row.worst.map(|(_, n)| n);
            return Diagnosis { verdict, system: Some(trace.system.clone()), cause: None };
        }
    }
    let losing = traces.iter().filter_map(|t| lossy(program, t)).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, diagnosis)) = losing {
        return diagnosis;
    }
    clean(traces)
}

/// Nothing is wrong, or nothing can be said.
fn clean(traces: &[Trace]) -> Diagnosis {
    let judged = traces.iter().flat_map(|t| &t.rows).filter(|r| r.bound_used.is_some()).count();
    let unsure: Vec<String> = traces.iter().flat_map(|t| t.unsure.clone()).collect();
    let mut verdict = if judged == 0 {
        Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, "no operator could be judged")
    } else {
        Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, "nothing is wrong on these inputs")
    };
    verdict.notes = unsure;
    Diagnosis { verdict, system: None, cause: None }
}

fn is_output(program: &Program, row: &Row) -> bool {
    program.outputs().contains(&row.tensor)
}

fn at(row: &Row, class: Class, blame: Blame, strength: Strength, text: &str) -> Verdict {
    let mut verdict = Verdict::new(class, blame, strength, text);
    verdict.place = Place {
        source: row.source.clone(),
        operator: Some(row.builtin.to_string()),
        operator_index: u32::try_from(row.operator).ok(),
        tensor: Some(row.name.clone()),
        tensor_index: Some(row.tensor),
        element: None,
    };
    verdict
}

/// The operator that reads a constant, where a verdict about the file names only the constant.
fn name_reader(program: &Program, verdict: &mut Verdict, traces: &[Trace]) {
    let Some(tensor) = verdict.place.tensor_index.filter(|_| verdict.place.operator.is_none()) else {
        return;
    };
    let reads = |op: &crate::tflite::Operation<'_>| {
        op.operands.contains(&Some(tensor)) || op.results.contains(&tensor)
    };
    let Some((index, op)) = program.operators().enumerate().find(|(_, op)| reads(op)) else { return };
    verdict.place.operator = Some(op.builtin.name().to_string());
    verdict.place.operator_index = u32::try_from(index).ok();
    let row = traces.iter().flat_map(|t| &t.rows).find(|r| r.operator == index);
    if let Some(source) = row.and_then(|r| r.source.clone()) {
        verdict.notes.push(format!("read by {source}"));
        verdict.place.source = Some(source);
    }
}

fn meaning(row: &Row, strength: Strength) -> Verdict {
    let text = format!("{} does not compute what its source says", row.builtin);
    let mut verdict = at(row, Class::Semantics, Blame::Converter, strength, &text);
    match &row.meaning {
        Meaning::Differs { element, numbers, outside, judged } => {
            verdict.numbers = Some(*numbers);
            verdict.place.element = Some(*element);
            verdict.notes.push(format!("{outside} of {judged} elements differ without any rounding"));
        }
        Meaning::Shape(source, target) if !source.is_empty() => {
            verdict.notes.push(format!("the source has shape {source:?}, the converted model {target:?}"));
        }
        _ => verdict.notes.push("no value of the source looks like its result".to_string()),
    }
    verdict
}

/// The tensors that outputs depend on.
fn ancestors(program: &Program, outputs: impl Iterator<Item = u32>) -> BTreeSet<u32> {
    let mut wanted: BTreeSet<u32> = outputs.collect();
    let operators: Vec<_> = program.operators().collect();
    for op in operators.iter().rev() {
        if op.results.iter().any(|t| wanted.contains(t)) {
            wanted.extend(op.operands.iter().flatten());
        }
    }
    wanted
}

/// An infinity or NaN that reaches an output, where every kernel did what it may.
fn ruined(program: &Program, trace: &Trace) -> Option<Diagnosis> {
    let bad = trace.rows.iter().filter(|r| is_output(program, r) && (r.ruined > 0 || r.lost >= LOSS));
    let wanted = ancestors(program, bad.map(|r| r.tensor));
    let first = trace.rows.iter().find(|r| r.ruined > 0 && wanted.contains(&r.tensor))?;
    let mut row = first;
    let cause = first.cause.clone();
    if let Some(Cause { fault: Fault::Constant(flushed), .. }) = &cause {
        // What reads the constant is where the number was lost; what becomes infinite only shows it.
        row = trace.rows.iter().find(|r| r.operator == flushed.operator).unwrap_or(first);
    }
    let inherent =
        is_output(program, first) && matches!(cause.as_ref().map(|c| &c.fault), Some(Fault::Overflow { .. }));
    let text = if inherent {
        "a result is not representable in float16"
    } else {
        "an intermediate result is not representable in float16"
    };
    let mut verdict = at(row, Class::Nonfinite, Blame::Policy, row.strength, text);
    verdict.numbers = first.first_ruined.map(|(_, n)| n);
    verdict.place.element = first.first_ruined.map(|(e, _)| e);
    verdict.notes.push(format!("{} of {} elements of \"{}\"", first.ruined, first.elements, first.name));
    Some(Diagnosis { verdict, system: Some(trace.system.clone()), cause })
}

/// Where an output loses its bits, if it loses many.
fn lossy(program: &Program, trace: &Trace) -> Option<(f64, Diagnosis)> {
    let bad = trace.rows.iter().filter(|r| is_output(program, r) && r.lost >= LOSS);
    let most = bad.clone().map(|r| r.lost).fold(0.0, f64::max);
    let wanted = ancestors(program, bad.map(|r| r.tensor));
    let row = trace
        .rows
        .iter()
        .filter(|r| wanted.contains(&r.tensor) && r.lost.is_finite())
        .max_by(|a, b| a.jump().total_cmp(&b.jump()).then(b.operator.cmp(&a.operator)))?;
    let text = "the outputs differ from the exact ones by what rounding explains";
    let mut verdict = at(row, Class::Explained, Blame::Explained, row.strength, text);
    verdict.numbers = row.worst.map(|(_, n)| n);
    verdict.place.element = row.worst.map(|(e, _)| e);
    verdict.notes.push(format!("the outputs lose {most:.1} bits, {:.1} of them here", row.jump()));
    let diagnosis = Diagnosis { verdict, system: Some(trace.system.clone()), cause: row.cause.clone() };
    Some((most, diagnosis))
}

/// The numbers of a diagnosis in one line.
pub fn line(n: &Numbers) -> String {
    format!("expected {:e}, actual {:e}, allowed [{:e}, {:e}]", n.expected, n.actual, n.low, n.high)
}
