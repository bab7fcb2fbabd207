//! Decides which two operators are wrong together where each is right alone. Runtimes fuse operators and use memory twice;
//! asking for the tensors in between hides such a fault.

use super::cut::{Piece, target_piece};
use halfproof_ir::{Data, Tensor};
use halfproof_oracle::record::Status;
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Blame, Class, Verdict};
use halfproof_systems::runtimes::litert::taps;
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::tflite;

/// At most so many copies of a model are run.
const TRIES: usize = 256;

/// Two operators that are right apart and wrong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The operator whose result has to be kept, by index.
    pub maker: usize,
    /// The operator that reads it, by index.
    pub reader: usize,
}

/// Why an output is right when a tensor is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Two operators are wrong together, in a model of their own too.
    Pair(Kept),
    /// The memory of a tensor that is still needed is used again, which the whole model decides.
    Memory,
}

/// Says of a verdict that an output is wrong and changes when intermediate tensors are kept. The operator that writes it is
/// not to blame: whoever overwrites its operands is.
pub(crate) fn is_memory(verdict: &mut Verdict) {
    verdict.text = "an output is wrong and changes when intermediate tensors are kept".to_string();
    verdict.place.operator = None;
}

/// A run of a model that shows a fault with no tensor kept.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The file.
    pub model: &'a [u8],
    /// The same, read.
    pub program: &'a Program,
    /// Inputs in interface order.
    pub inputs: &'a [Tensor],
}

impl Run<'_> {
    /// Says of a verdict about an output that keeping a tensor puts it right, and which two operators are wrong together.
    /// `None` where no tensor does; the verdict is as before then.
    pub fn explain(&self, runtime: &mut dyn Runtime, verdict: &mut Verdict) -> Option<Fault> {
        let cures = self.find(runtime, verdict)?;
        // What a wrong pair reads may be memory that another tensor's being kept changes by chance.
        let model = tflite::read(self.model).ok()?;
        let mut values = runtime.run(self.model, self.inputs, Taps::All).taps;
        values.extend(self.program.inputs().iter().copied().zip(self.inputs.iter().cloned()));
        let is_alone = |kept: &Kept| {
            let piece = target_piece(&model, &[kept.maker, kept.reader], &values);
            piece.and_then(|piece| is_wrong(runtime, piece)) == Some(true)
        };
        let alone = cures.into_iter().find(is_alone);
        let Some(kept) = alone else {
            (verdict.class, verdict.blame) = (Class::Precision, Blame::Kernel);
            is_memory(verdict);
            return Some(Fault::Memory);
        };
        let operators: Vec<_> = self.program.operators().collect();
        let (maker, reader) = (operators[kept.maker].builtin, operators[kept.reader].builtin);
        verdict.class = Class::Kernel;
        verdict.blame = Blame::Kernel;
        verdict.text =
            format!("{maker} and {reader} are wrong together: right when the tensor in between is kept");
        verdict.place.operator = Some(reader.to_string());
        verdict.place.operator_index = u32::try_from(kept.reader).ok();
        Some(Fault::Pair(kept))
    }

    /// The pairs of operators whose tensor in between puts the verdict's element right when it is an output too, the one
    /// nearest to the outputs first. Where several have to be kept at once, the first of those.
    fn find(&self, runtime: &mut dyn Runtime, verdict: &Verdict) -> Option<Vec<Kept>> {
        let numbers = verdict.numbers?;
        let tensor = verdict.place.tensor_index?;
        let output = self.program.outputs().iter().position(|&t| t == tensor)?;
        let is_same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        let element = match verdict.place.element {
            Some(element) => usize::try_from(element).ok()?,
            None => {
                let plain = runtime.run(self.model, self.inputs, Taps::None);
                let values = plain.outputs.get(output)?.floats()?;
                values.iter().position(|&x| is_same(x, numbers.actual))?
            }
        };
        let candidates = self.candidates();
        let mut tries = 0..TRIES;
        let mut value_with = |kept: &[(u32, Kept)]| -> Option<f64> {
            tries.next()?;
            let tensors: Vec<u32> = kept.iter().map(|(t, _)| *t).collect();
            let execution = runtime.run(&taps::keep(self.model, &tensors)?, self.inputs, Taps::None);
            execution
                .outputs
                .get(output)
                .filter(|_| execution.status == Status::Ok)?
                .floats()?
                .get(element)
                .copied()
        };
        // With everything kept the result is right; whether it is the same with less kept is a matter of rounding.
        let goal = value_with(&candidates)?;
        if is_same(goal, numbers.actual) {
            return None;
        }
        let is_right = |x: f64| is_same(x, goal) || (numbers.low <= x && x <= numbers.high);
        let mut cures = vec![];
        for one in &candidates {
            if is_right(value_with(std::slice::from_ref(one))?) {
                cures.push(one.1);
            }
        }
        if !cures.is_empty() {
            return Some(cures);
        }
        let mut needed = candidates;
        for at in (0..needed.len()).rev() {
            let without = [&needed[..at], &needed[at + 1..]].concat();
            if is_right(value_with(&without)?) {
                needed = without;
            }
        }
        needed.last().map(|(_, kept)| vec![*kept])
    }

    /// Tensors between two operators that are no outputs, the last reader first.
    fn candidates(&self) -> Vec<(u32, Kept)> {
        let operators: Vec<_> = self.program.operators().collect();
        let mut found: Vec<(u32, Kept)> = vec![];
        for (reader, op) in operators.iter().enumerate().rev() {
            for &t in op.operands.iter().flatten() {
                let maker = operators.iter().position(|p| p.results.contains(&t));
                let is_new = !self.program.outputs().contains(&t) && !found.iter().any(|(f, _)| *f == t);
                if let Some(maker) = maker.filter(|_| is_new) {
                    found.push((t, Kept { maker, reader }));
                }
            }
        }
        found
    }
}

/// True when two operators that were cut out give something else than with the tensor in between kept, and not by
/// roundings. Otherwise memory is to blame, which the whole model uses.
fn is_wrong(runtime: &mut dyn Runtime, piece: Piece) -> Option<bool> {
    let [.., first, second] = piece.model.main().operators.as_slice() else { return None };
    let middle = *first.outputs.iter().find(|t| second.inputs.contains(t))?;
    let model = tflite::write(&piece.model);
    let apart = taps::keep(&model, &[u32::try_from(middle).ok()?])?;
    let read: Vec<Tensor> = piece.inputs.into_iter().map(|(_, t)| t).collect();
    // What was read may hide the fault, as zeros hide a wrong factor.
    let other: Vec<Tensor> = read.iter().map(ramp).collect();
    for inputs in [read, other] {
        let mut result = |model: &[u8]| runtime.run(model, &inputs, Taps::None).outputs.first()?.floats();
        if result(&model)?.iter().zip(&result(&apart)?).any(|(&x, &y)| is_other(x, y)) {
            return Some(true);
        }
    }
    Some(false)
}

/// Beyond what a different rounding of what is in between explains, even after some cancellation.
fn is_other(x: f64, y: f64) -> bool {
    if x == y || x.is_nan() && y.is_nan() {
        return false;
    }
    !x.is_finite() || !y.is_finite() || (x - y).abs() > 0.03 * x.abs().max(y.abs())
}

/// Small numbers of that type and shape, none of them 0; what is no float stays.
fn ramp(like: &Tensor) -> Tensor {
    let small = || (0..like.len()).map(|i| 0.25 * (1 + i % 7) as f32);
    let data = match &like.data {
        Data::F16(_) => Data::F16(small().map(half::f16::from_f32).collect()),
        Data::F32(_) => Data::F32(small().collect()),
        other => other.clone(),
    };
    Tensor::new(like.shape.clone(), data)
}
