//! Computes the same function on smaller numbers, where the program as it stands would leave the range of float16.
//!
//! Every rule keeps the function: exponentials are shifted by the largest exponent ([`shift`]), sums and squares behind
//! means are scaled by powers of two ([`scale`]). What does change the function, epsilons raised and masks clamped, only
//! replaces constants and is recorded as such ([`super::epsilons`], [`super::masks`]).
//!
//! Only `mixed` rewrites, and only where its alternative would be a float32 island.

mod scale;
mod shift;

use super::islands::Uses;
use super::ranges::Ranges;
use crate::lint;
use crate::target::{Constant, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{DType, Data, Level, Note, Role};
use halfproof_wire::tflite::{Activation, Builtin, Options, options};
use std::sync::Arc;

/// A program after rewriting.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// The program.
    pub(crate) target: Target,
    /// By operator: which one of the original it is; `None` for those that rewriting brought in.
    pub(crate) from: Vec<Option<usize>>,
    /// What was done, where, and why.
    pub(crate) notes: Vec<Note>,
}

/// Rewrites what needs it; `None` when nothing does. `fixed` operators stay as they are.
pub(super) fn apply(target: &Target, ranges: &Ranges, fixed: &[bool]) -> Option<Rewritten> {
    let uses = Uses::new(target);
    let mut editor = Editor {
        view: View { target, uses: &uses, ranges, fixed },
        out: None,
        before: Vec::new(),
        after: Vec::new(),
        notes: Vec::new(),
    };
    for i in 0..target.operators.len() {
        match target.operators[i].builtin {
            Builtin::Exp => shift::exponential(&mut editor, i),
            Builtin::Mean => scale::mean(&mut editor, i),
            _ => {}
        }
    }
    editor.finish()
}

/// The program as it was, and what is known about it.
#[derive(Clone, Copy)]
struct View<'a> {
    target: &'a Target,
    uses: &'a Uses,
    ranges: &'a Ranges,
    fixed: &'a [bool],
}

impl<'a> View<'a> {
    fn op(&self, i: usize) -> &'a TargetOperator {
        &self.target.operators[i]
    }

    /// The only result of an operator.
    fn result(&self, i: usize) -> Option<TensorId> {
        match self.op(i).outputs[..] {
            [id] => Some(id),
            _ => None,
        }
    }

    fn operand(&self, i: usize, slot: usize) -> Option<TensorId> {
        self.op(i).inputs.get(slot).copied().flatten()
    }

    /// The readers of a tensor that is no result of the model and is float.
    fn inner(&self, id: TensorId) -> Option<&'a [usize]> {
        let free = !self.uses.is_output(id) && self.target.tensor(id).dtype == DType::F32;
        free.then(|| self.uses.readers(id))
    }

    /// The one operator that reads a tensor, when it is of this kind, free to change, and fuses no activation.
    fn sole_reader(&self, id: TensorId, kinds: &[Builtin]) -> Option<usize> {
        let &[reader] = self.inner(id)? else { return None };
        self.is_plain(reader, kinds).then_some(reader)
    }

    /// True for an operator of one of these kinds that may change and fuses no activation.
    fn is_plain(&self, i: usize, kinds: &[Builtin]) -> bool {
        let op = self.op(i);
        kinds.contains(&op.builtin)
            && !self.fixed[i]
            && super::kernels::fused(&op.options) == Activation::None
    }

    /// The elements of a small integer constant.
    fn integers(&self, id: TensorId) -> Option<&'a [i32]> {
        match self.target.tensor(id).constant.as_ref()? {
            Constant::Stored(data) => match &**data {
                Data::I32(v) => Some(v),
                _ => None,
            },
            Constant::Exact(_) => None,
        }
    }

    /// The shape of a tensor after a reduction that keeps its axes; `None` when the axes are not constant.
    fn reduced(&self, x: TensorId, axes: TensorId) -> Option<Vec<usize>> {
        let mut shape = self.target.tensor(x).shape.clone();
        let rank = i32::try_from(shape.len()).ok()?;
        for &axis in self.integers(axes)? {
            let axis = if axis < 0 { axis + rank } else { axis };
            *shape.get_mut(usize::try_from(axis).ok()?)? = 1;
        }
        Some(shape)
    }
}

/// Collects the changes; the program is only copied when there is one.
struct Editor<'a> {
    view: View<'a>,
    out: Option<Target>,
    /// Operators to stand before the one of that number.
    before: Vec<(usize, TargetOperator)>,
    /// Operators to stand after the one of that number.
    after: Vec<(usize, TargetOperator)>,
    notes: Vec<Note>,
}

/// Where a new operator stands.
#[derive(Clone, Copy)]
enum Stand {
    Before(usize),
    After(usize),
}

impl<'a> Editor<'a> {
    fn out(&mut self) -> &mut Target {
        self.out.get_or_insert_with(|| self.view.target.clone())
    }

    fn op_mut(&mut self, i: usize) -> &mut TargetOperator {
        &mut self.out().operators[i]
    }

    /// A new tensor beside an existing one.
    fn tensor(&mut self, name: String, shape: Vec<usize>, dtype: DType) -> TensorId {
        self.out().add(TargetTensor { name, shape, dtype, constant: None, role: Role::Plain, origin: None })
    }

    /// A new float constant.
    fn constant(&mut self, name: String, shape: Vec<usize>, elements: Vec<f64>, role: Role) -> TensorId {
        let id = self.tensor(name, shape, DType::F32);
        let tensor = &mut self.out().tensors[id.index()];
        tensor.constant = Some(Constant::Exact(elements.into()));
        tensor.role = role;
        id
    }

    /// A new integer vector: the operand of RESHAPE.
    fn extents(&mut self, name: String, values: &[i32]) -> TensorId {
        let id = self.tensor(name, vec![values.len()], DType::I32);
        let data = Constant::Stored(Arc::new(Data::I32(values.to_vec())));
        self.out().tensors[id.index()].constant = Some(data);
        id
    }

    /// A new operator with its result; it belongs to the nodes of the operator next to it.
    fn emit(
        &mut self,
        stand: Stand,
        builtin: Builtin,
        inputs: &[TensorId],
        result: TensorId,
        options: Options,
    ) {
        let (Stand::Before(at) | Stand::After(at)) = stand;
        let op = TargetOperator {
            builtin,
            version: 1,
            inputs: inputs.iter().map(|&id| Some(id)).collect(),
            outputs: vec![result],
            options,
            nodes: self.view.op(at).nodes.clone(),
        };
        match stand {
            Stand::Before(at) => self.before.push((at, op)),
            Stand::After(at) => self.after.push((at, op)),
        }
    }

    /// A tensor whose values are no longer those of its source.
    fn detach(&mut self, id: TensorId) {
        self.out().tensors[id.index()].origin = None;
    }

    fn note(&mut self, i: usize, text: String) {
        let op = self.view.op(i);
        let at = op.nodes.first().cloned().unwrap_or_else(|| op.builtin.name().to_string());
        self.notes.push(Note { level: Level::Rewrite, at, text });
    }

    /// The name of a tensor with something after it.
    fn named(&self, id: TensorId, suffix: &str) -> String {
        let target = self.out.as_ref().unwrap_or(self.view.target);
        format!("{}/{suffix}", target.tensor(id).name)
    }

    fn finish(mut self) -> Option<Rewritten> {
        let mut target = self.out.take()?;
        let old = std::mem::take(&mut target.operators);
        let mut from = Vec::with_capacity(old.len());
        for (i, op) in old.into_iter().enumerate() {
            let stands_here = |list: &mut Vec<(usize, TargetOperator)>| -> Vec<TargetOperator> {
                list.extract_if(.., |(at, _)| *at == i).map(|(_, op)| op).collect()
            };
            let before = stands_here(&mut self.before);
            let after = stands_here(&mut self.after);
            from.extend(before.iter().map(|_| None));
            target.operators.extend(before);
            from.push(Some(i));
            target.operators.push(op);
            from.extend(after.iter().map(|_| None));
            target.operators.extend(after);
        }
        Some(Rewritten { target, from, notes: self.notes })
    }
}

fn mul() -> Options {
    options::Mul { fused_activation_function: Activation::None }.into()
}

/// A number as messages write it.
fn shown(x: f64) -> String {
    lint::decimal(x)
}
