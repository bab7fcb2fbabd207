//! Recognizes two shapes of computation whose results are far smaller than their operands taken apart suggest:
//! normalization (a value over the root of the mean of squares) and shifting by a maximum.

use crate::target::{Constant, Target, TargetOperator, TensorId};
use halfproof_wire::tflite::Builtin;

/// Which operator makes each tensor.
#[derive(Debug)]
pub(super) struct Producers<'a> {
    target: &'a Target,
    /// Index of the operator, plus one; 0 for none.
    by_tensor: Vec<u32>,
}

impl<'a> Producers<'a> {
    pub(super) fn new(target: &'a Target) -> Producers<'a> {
        let mut by_tensor = vec![0; target.tensors.len()];
        for (i, op) in target.operators.iter().enumerate() {
            for id in &op.outputs {
                by_tensor[id.index()] = u32::try_from(i + 1).unwrap_or(0);
            }
        }
        Producers { target, by_tensor }
    }

    /// The operator that makes a tensor.
    pub(super) fn of(&self, id: TensorId) -> Option<&'a TargetOperator> {
        let i = self.by_tensor[id.index()].checked_sub(1)?;
        self.target.operators.get(i as usize)
    }

    /// The tensor behind operators that only change its shape.
    fn behind_reshapes(&self, mut id: TensorId) -> TensorId {
        use Builtin::{BroadcastTo, ExpandDims, Reshape, Squeeze, Transpose};
        while let Some(op) = self.of(id)
            && matches!(op.builtin, Reshape | Squeeze | ExpandDims | BroadcastTo | Transpose)
            && let Some(&Some(from)) = op.inputs.first()
        {
            id = from;
        }
        id
    }

    /// For `id` = sqrt or 1/sqrt of the mean (or sum) of squares of something: how many squares one mean has, the root
    /// of which bounds each of them after division; 1 for a sum.
    pub(super) fn root_of_squares(&self, id: TensorId, root: Builtin) -> Option<f64> {
        let op = self.of(self.behind_reshapes(id))?;
        if op.builtin != root {
            return None;
        }
        let mut at = self.behind_reshapes((*op.inputs.first()?)?);
        // An epsilon, added or as a lower bound.
        while let Some(op) = self.of(at)
            && matches!(op.builtin, Builtin::Add | Builtin::Maximum)
        {
            let mut variable =
                op.inputs.iter().flatten().filter(|&&i| self.target.tensor(i).constant.is_none());
            at = self.behind_reshapes(*variable.next()?);
            if variable.next().is_some() {
                return None;
            }
        }
        let reduction = self.of(at)?;
        let squares = (*reduction.inputs.first()?)?;
        let square = self.of(self.behind_reshapes(squares))?;
        let squared = match square.builtin {
            Builtin::Square | Builtin::SquaredDifference => true,
            Builtin::Mul => square.inputs.first() == square.inputs.get(1),
            Builtin::Pow => true,
            _ => false,
        };
        if !squared {
            return None;
        }
        match reduction.builtin {
            Builtin::Sum => Some(1.0),
            Builtin::Mean => Some(reduced(self.target, reduction)),
            _ => None,
        }
    }

    /// True for a result of SOFTMAX, reshaped or not.
    pub(super) fn is_softmax(&self, id: TensorId) -> bool {
        self.of(self.behind_reshapes(id)).is_some_and(|op| op.builtin == Builtin::Softmax)
    }

    /// True for `a - max(a)`, also where 0 stands for an infinite maximum.
    pub(super) fn is_shift_by_maximum(&self, a: TensorId, b: TensorId) -> bool {
        let mut shift = self.behind_reshapes(b);
        if let Some(op) = self.of(shift)
            && op.builtin == Builtin::SelectV2
            && let &[_, Some(left), Some(right)] = &op.inputs[..]
        {
            // Which of the two is the zero depends on who wrote the condition.
            let maximum = if is_zero(self.target, left) { right } else { left };
            shift = self.behind_reshapes(maximum);
        }
        self.of(shift)
            .is_some_and(|op| op.builtin == Builtin::ReduceMax && op.inputs.first() == Some(&Some(a)))
    }

    /// True for `a / sum(a)` where `a` is exp(b - max(b)), so that the sum is at least 1.
    pub(super) fn is_share_of_exponentials(&self, a: TensorId, sum: TensorId) -> bool {
        self.makes(sum, Builtin::Sum).is_some_and(|op| op.inputs.first() == Some(&Some(a)))
            && self.is_shifted_exponential(a)
    }

    /// True for exp(b - max(b)): every row that the maximum was taken of has a 1.
    pub(super) fn is_shifted_exponential(&self, a: TensorId) -> bool {
        let Some(exp) = self.makes(a, Builtin::Exp) else { return false };
        let Some(&Some(exponent)) = exp.inputs.first() else { return false };
        self.makes(exponent, Builtin::Sub).is_some_and(|sub| match sub.inputs[..] {
            [Some(b), Some(most)] => self.is_shift_by_maximum(b, most),
            _ => false,
        })
    }

    fn makes(&self, id: TensorId, builtin: Builtin) -> Option<&'a TargetOperator> {
        self.of(self.behind_reshapes(id)).filter(|op| op.builtin == builtin)
    }
}

/// True for a constant of zeros.
fn is_zero(target: &Target, id: TensorId) -> bool {
    matches!(&target.tensor(id).constant, Some(Constant::Exact(v)) if v.iter().all(|x| x == 0.0))
}

/// How many elements one result of a reduction has seen.
pub(super) fn reduced(target: &Target, op: &TargetOperator) -> f64 {
    let count = |id: Option<&TensorId>| {
        id.map_or(1.0, |&id| target.tensor(id).shape.iter().map(|&d| d as f64).product::<f64>())
    };
    (count(op.inputs.first().and_then(Option::as_ref)) / count(op.outputs.first()).max(1.0)).max(1.0)
}
