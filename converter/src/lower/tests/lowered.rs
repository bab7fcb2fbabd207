//! A lowered graph, as the tests of single families look at it.

use super::super::lower;
use crate::target::{Constant, Target, TargetOperator};
use halfproof_ir::{Data, Precision, Request, Role, text};
use halfproof_wire::tflite::Builtin;

/// What a graph becomes; it must not be refused.
pub(super) fn lowered(text: &str) -> Target {
    attempt(text).unwrap_or_else(|reason| panic!("{reason}\n{text}"))
}

/// What a graph becomes, or why it becomes nothing.
pub(super) fn attempt(text: &str) -> Result<Target, String> {
    under(Precision::Full, text)
}

/// The same, by a strategy: `full` avoids some operators that have no float16 kernel.
pub(super) fn under(precision: Precision, text: &str) -> Result<Target, String> {
    let graph = text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    lower(&graph, &Request::new(precision)).map(|l| l.target).map_err(|r| r.nodes[0].reason.clone())
}

/// Its operators, each with the shape of its first result.
pub(super) fn operators(text: &str) -> Vec<String> {
    let target = lowered(text);
    let one = |op: &TargetOperator| format!("{} {:?}", op.builtin, target.tensor(op.outputs[0]).shape);
    target.operators.iter().map(one).collect()
}

/// The names of its operators.
pub(super) fn names(text: &str) -> String {
    listed(&lowered(text))
}

/// The names of the operators of a program.
pub(super) fn listed(target: &Target) -> String {
    target.operators.iter().map(|op| op.builtin.name()).collect::<Vec<_>>().join(" ")
}

/// The only operator of a kind.
pub(super) fn only(target: &Target, builtin: Builtin) -> &TargetOperator {
    let mut all = target.operators.iter().filter(|op| op.builtin == builtin);
    let one = all.next().unwrap_or_else(|| panic!("no {builtin}"));
    assert!(all.next().is_none(), "more than one {builtin}");
    one
}

/// A constant operand of the only operator of a kind: shape, role and elements.
pub(super) fn constant(target: &Target, builtin: Builtin, slot: usize) -> (Vec<usize>, Role, Vec<f64>) {
    let id = only(target, builtin).inputs[slot].expect("an operand");
    let tensor = target.tensor(id);
    let elements = match tensor.constant.as_ref().expect("a constant") {
        Constant::Exact(exact) => exact.to_vec(),
        Constant::Stored(data) => match data.as_ref() {
            Data::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            other => panic!("a constant of {:?}", other.dtype()),
        },
    };
    (tensor.shape.clone(), tensor.role, elements)
}
