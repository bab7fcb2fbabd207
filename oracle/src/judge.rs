//! Is this float16 model right, and if not, whose fault is it? Separate questions, each with its own sharp answer.
//!
//! | question | compares | may be excused by rounding |
//! | --- | --- | --- |
//! | [legality](Question::Legality) | the file with what was asked | no |
//! | [constants](Question::Constants) | stored constants with their exact elements, bit for bit | no |
//! | [semantics](Question::Semantics) | source and converted graph in f64, both with unrounded constants | no: about 1e-9 |
//! | [kernels](Question::Kernels) | each operator of an execution, from its own operands, with a one-operator bound | only that operator's |
//! | [precision](Question::Precision) | an execution's outputs with the bound around the exact result | yes |
//!
//! The judge is a pure function of records: graph, request, conversion, inputs, executions. [`judge`] answers everything
//! at once; a campaign that judges one conversion on many inputs holds a [`Subject`] and a [`Point`] per input set.

mod agreement;
mod compare;
mod constants;
pub mod controls;
pub mod diagnosis;
mod kernels;
mod layout;
mod legality;
mod overflow;
mod plain;
mod precision;
pub mod recognise;
mod region;
mod semantics;
mod source;
mod subject;
pub mod trace;

#[cfg(test)]
mod tests;

pub use overflow::OUT_OF_DOMAIN;
pub use precision::second_opinion;
pub use source::is_regular;
pub use subject::{Depth, Point, Reference, Subject};

use crate::contract::Runtime;
use crate::record::{Execution, REJECTION, Status};
use crate::verdict::{Blame, Class, Strength, Verdict};
use halfproof_ir::{Conversion, Graph, Refusal, Request, Tensor};

/// What a verdict is an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Did it convert, and is the file what was asked for?
    Legality,
    /// Is every constant the nearest float16 of its exact value?
    Constants,
    /// Do source and converted graph mean the same?
    Semantics,
    /// Did the runtime answer?
    Execution,
    /// Is every operator of the runtime within its own bound?
    Kernels,
    /// Are the outputs within the bound of the whole program?
    Precision,
}

/// One question answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// The system that it is about; `None` for questions about the file.
    pub system: Option<String>,
    /// The answer.
    pub verdict: Verdict,
}

/// Everything that is known about one conversion on one set of inputs.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The source graph.
    pub graph: &'a Graph,
    /// What was asked of the converter.
    pub request: &'a Request,
    /// What it answered.
    pub conversion: Result<&'a Conversion, &'a Refusal>,
    /// Inputs of the source graph, in interface order and in the source's types and layouts.
    pub inputs: &'a [Tensor],
    /// What systems did with the converted model on those inputs (see [`Subject::model_inputs`]).
    pub executions: &'a [Execution],
}

/// Answers every question that the evidence allows, in the order of [`Question`]. A file that cannot be evaluated is not
/// asked further.
pub fn judge(evidence: &Evidence<'_>) -> Vec<Answer> {
    let about_file = |question, verdict| Answer { question, system: None, verdict };
    let conversion = match evidence.conversion {
        Ok(conversion) => conversion,
        Err(refusal) => return vec![about_file(Question::Legality, legality::refused(refusal))],
    };
    let subject = match Subject::new(evidence.graph, evidence.request, conversion) {
        Ok(subject) => subject,
        Err(verdict) => return vec![about_file(Question::Legality, *verdict)],
    };
    let mut answers = vec![
        about_file(Question::Legality, subject.legality()),
        about_file(Question::Constants, subject.constants()),
    ];
    let mut point = match subject.at(evidence.inputs, None) {
        Ok(point) => point,
        Err(verdict) => {
            answers.push(about_file(Question::Semantics, *verdict));
            return answers;
        }
    };
    answers.push(about_file(Question::Semantics, point.semantics()));
    for execution in evidence.executions {
        answers.extend(point.execution(execution));
    }
    answers
}

/// The answer that matters most: faults before open questions before clean ones, and among faults the earliest cause.
/// `None` when there is no answer.
pub fn worst(answers: &[Answer]) -> Option<&Answer> {
    // The first of equals, so that the earlier question and the earlier system win.
    answers.iter().min_by_key(|a| severity(a.verdict.class))
}

/// Causes come before their consequences: a wrong constant also ruins the outputs.
fn severity(class: Class) -> u8 {
    match class {
        Class::InvalidModel => 0,
        Class::Legalization => 1,
        Class::Impure => 2,
        Class::Constant => 3,
        Class::Semantics => 4,
        Class::Crash => 5,
        Class::Timeout => 6,
        Class::Nondeterminism => 7,
        Class::Kernel => 8,
        Class::Precision => 9,
        Class::Nonfinite => 10,
        Class::Undecidable => 11,
        Class::Explained => 12,
        Class::Pass => 13,
    }
}

impl Point<'_> {
    /// Everything about one execution: how it ended, its operators where they are visible, its outputs.
    pub fn execution(&mut self, execution: &Execution) -> Vec<Answer> {
        let answer = |question, verdict| Answer { question, system: Some(execution.system.clone()), verdict };
        if let Some(verdict) = ended(execution) {
            return vec![answer(Question::Execution, verdict)];
        }
        let mut answers = Vec::new();
        let mut proof = None;
        // A shader holds a chain of operators, and a tensor between them may never be written: while the outputs are right,
        // such a tensor is no evidence.
        let merges = matches!(Runtime::of_system(&execution.system), Some(Runtime::Gpu { .. }));
        let whole = merges.then(|| self.precision(execution));
        let is_right = whole.as_ref().is_some_and(|verdict| verdict.class.is_fine());
        if !execution.taps.is_empty() && !is_right {
            let verdict;
            (verdict, proof) = self.operators(execution);
            answers.push(answer(Question::Kernels, verdict));
        }
        // Where every operator does what it may with what it got, so does the program.
        let settled = proof.and_then(|proof| self.measured(execution, proof));
        let precision = settled.or(whole).unwrap_or_else(|| self.precision(execution));
        answers.push(answer(Question::Precision, precision));
        answers
    }
}

/// The verdict about an execution that gave no outputs; `None` when it did.
pub fn ended(execution: &Execution) -> Option<Verdict> {
    let verdict = |class, blame, text: &str, note: &str| {
        let mut verdict = Verdict::new(class, blame, Strength::Certified, text);
        verdict.notes.push(note.to_string());
        Some(verdict)
    };
    match &execution.status {
        Status::Ok => None,
        Status::Refused { stage, text } => {
            let line = format!("the runtime refuses the model ({stage})");
            verdict(Class::InvalidModel, Blame::Converter, &line, text)
        }
        Status::Undone { text } => {
            let line = format!("a run is said to have succeeded and was not carried out ({text})");
            verdict(Class::Kernel, Blame::Kernel, &line, "the outputs were not compared")
        }
        Status::Crashed { how } => {
            // A panic says where it is, a failed check what it is; a signal says nothing that tells two causes apart.
            let panic = how.lines().next().filter(|line| line.starts_with("panic: "));
            let check = || how.split("; ").find_map(|part| Some(&part[part.find("Check failed: ")?..]));
            // A driver that is given what WebGPU has rejected may divide by zero later on.
            let rejected = || how.split("; ").find_map(|part| Some(part.split_once(REJECTION)?.1));
            let cause = panic.or_else(check).or_else(rejected);
            let cause = cause.map_or(String::new(), |cause| format!(" ({cause})"));
            let text = format!("the runtime's process died{cause}");
            verdict(Class::Crash, Blame::Kernel, &text, how)
        }
        Status::TimedOut => verdict(Class::Timeout, Blame::Kernel, "the runtime gave no answer in time", ""),
        Status::Cannot { why } => {
            verdict(Class::Undecidable, Blame::Nobody, "the runtime is known not to support this", why)
        }
    }
}

/// Two executions of one system on the same model and inputs have to agree bit for bit; `None` when they do, or when
/// one of them has no outputs.
pub fn nondeterminism(first: &Execution, second: &Execution) -> Option<Verdict> {
    if first.status != Status::Ok || second.status != Status::Ok {
        return None;
    }
    let same = first.outputs.len() == second.outputs.len()
        && first
            .outputs
            .iter()
            .zip(&second.outputs)
            .all(|(a, b)| a.shape == b.shape && a.data.to_le_bytes() == b.data.to_le_bytes());
    (!same).then(|| {
        let text = "two runs on the same inputs differ";
        Verdict::new(Class::Nondeterminism, Blame::Kernel, Strength::Certified, text)
    })
}
