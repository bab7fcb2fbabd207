//! Names faults of runtimes that come from a model's list of inputs and outputs and not from an operator: LiteRT's
//! CompiledModel gives every entry of the list a buffer of its own, and a tensor that has two entries uses only one of them.

use halfproof_oracle::judge::{Answer, Question};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::Class;
use std::collections::BTreeSet;

/// Tensors with two entries, and what is made of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shared {
    /// Inputs that are outputs.
    inputs: BTreeSet<u32>,
    /// Everything that depends on those.
    dependent: BTreeSet<u32>,
    /// Outputs that are listed twice.
    outputs: BTreeSet<u32>,
}

impl Shared {
    /// `operators`: what each reads and writes, in execution order.
    fn of<'a>(
        inputs: &[u32],
        outputs: &[u32],
        operators: impl Iterator<Item = (&'a [Option<u32>], &'a [u32])>,
    ) -> Shared {
        let shared: BTreeSet<u32> = inputs.iter().copied().filter(|t| outputs.contains(t)).collect();
        let twice = |t: &&u32| outputs.iter().filter(|o| o == t).count() > 1;
        let mut dependent = shared.clone();
        for (reads, writes) in operators {
            if reads.iter().flatten().any(|t| dependent.contains(t)) {
                dependent.extend(writes);
            }
        }
        Shared { inputs: shared, dependent, outputs: outputs.iter().filter(twice).copied().collect() }
    }
}

/// Says of what is wrong in an execution that it comes from a tensor with two entries, where it does: one cause, whatever
/// the operator.
pub(super) fn names_shared(program: &Program, answers: &mut [Answer]) {
    // Nearly every execution is right.
    if answers.iter().all(|a| a.verdict.class.is_fine()) {
        return;
    }
    let shared = Shared::of(
        program.inputs(),
        program.outputs(),
        program.operators().map(|op| (op.operands, op.results)),
    );
    for answer in answers.iter_mut().filter(|a| !a.verdict.class.is_fine()) {
        let place = &mut answer.verdict.place;
        let Some(tensor) = place.tensor_index else { continue };
        // A kernel is judged by its own operands: only one that reads such an input is excused.
        let reads = place
            .operator_index
            .and_then(|i| program.operators().nth(i as usize))
            .is_some_and(|op| op.operands.iter().flatten().any(|t| shared.inputs.contains(t)));
        let from_input = match answer.question {
            Question::Kernels => reads,
            Question::Precision => shared.dependent.contains(&tensor),
            _ => continue,
        };
        let text = if from_input {
            "an input that is also an output is read before it is written"
        } else if shared.outputs.contains(&tensor) {
            "an output that is listed twice is written once"
        } else {
            continue;
        };
        answer.verdict.class = Class::Kernel;
        answer.verdict.text = text.to_string();
        place.operator = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_an_output_reaches_what_depends_on_it_and_nothing_else() {
        let operators: [(&[Option<u32>], &[u32]); 3] =
            [(&[Some(0)], &[2]), (&[Some(1), None], &[3]), (&[Some(3)], &[4])];
        let shared = Shared::of(&[0, 1], &[2, 1, 4], operators.into_iter());
        assert_eq!(shared.inputs, [1].into());
        assert_eq!(shared.dependent, [1, 3, 4].into());
        assert!(shared.outputs.is_empty());
    }

    #[test]
    fn an_output_that_is_listed_twice_is_seen() {
        let operators: [(&[Option<u32>], &[u32]); 1] = [(&[Some(0)], &[1])];
        assert_eq!(Shared::of(&[0], &[1, 2, 1], operators.into_iter()).outputs, [1].into());
        assert_eq!(Shared::of(&[0], &[1], operators.into_iter()), Shared::default());
    }
}
