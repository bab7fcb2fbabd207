//! Legality and purity: is the file what was asked for? Nothing here is excused by rounding.

use super::subject::Subject;
use crate::half;
use crate::verdict::{Blame, Class, Place, Strength, Verdict};
use halfproof_ir::{DType, Io, Precision, Refusal};
use halfproof_wire::tflite::{Builtin, Model, Tensor, TensorType};

/// The verdict about a conversion that was refused.
pub(super) fn refused(refusal: &Refusal) -> Verdict {
    let ops: Vec<&str> = refusal.nodes.iter().map(|n| n.op.as_str()).collect();
    let text = match refusal.nodes.first() {
        Some(first) => format!("{} is refused: {}", first.op, first.reason),
        None => "the conversion is refused without a reason".to_string(),
    };
    let mut verdict = Verdict::new(Class::Legalization, Blame::Converter, Strength::Certified, text);
    verdict.place.source = refusal.nodes.first().map(|n| n.node.clone());
    verdict.place.operator = ops.first().map(ToString::to_string);
    verdict.notes = refusal.to_string().lines().map(str::to_string).collect();
    verdict
}

/// The verdict about a model with quantized tensors, which nobody asked for and the interpreter does not evaluate.
pub(super) fn quantized(model: &Model) -> Option<Verdict> {
    let graph = model.subgraphs.first()?;
    let (index, tensor) = (0u32..).zip(&graph.tensors).find(|(_, t)| is_quantized(t))?;
    let place = Place { tensor: Some(tensor.name.clone()), tensor_index: Some(index), ..Place::default() };
    Some(impure("a tensor is quantized", place))
}

fn is_quantized(tensor: &Tensor) -> bool {
    tensor.quantization.as_ref().is_some_and(|q| !q.scale.is_empty())
}

impl Subject<'_> {
    /// Is the file pure: float16 where the strategy says so, nothing narrower, the interface that was asked for?
    pub fn legality(&self) -> Verdict {
        let Some(graph) = self.model.subgraphs.first() else {
            return impure("the model has no subgraph", Place::default());
        };
        for (index, tensor) in (0u32..).zip(&graph.tensors) {
            if let Some(text) = self.impurity(index, tensor) {
                let place = Place {
                    source: self.source_name(index),
                    tensor: Some(tensor.name.clone()),
                    tensor_index: Some(index),
                    ..Place::default()
                };
                return impure(text, place);
            }
        }
        if let Some(verdict) = self.interface() {
            return verdict;
        }
        let mut verdict =
            Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, "the file is what was asked for");
        verdict.judged = graph.tensors.len() as u64;
        verdict.notes.push(format!("{} bytes", self.bytes));
        verdict
    }

    /// Why a tensor has a type that the strategy does not allow.
    fn impurity(&self, index: u32, tensor: &Tensor) -> Option<&'static str> {
        let narrowed = matches!(tensor.dtype, TensorType::Int8 | TensorType::Uint8 | TensorType::Int4);
        let from_source = || {
            self.origins.iter().any(|(v, o)| {
                o.tensor == index
                    && self.graph.value(*v).dtype.is_some_and(|d| matches!(d, DType::I8 | DType::U8))
            })
        };
        if is_quantized(tensor) {
            return Some("a tensor is quantized");
        }
        if narrowed && !from_source() {
            return Some("a tensor is an 8-bit integer");
        }
        if tensor.dtype == TensorType::Float64 {
            return Some("a tensor is FLOAT64");
        }
        if tensor.dtype != TensorType::Float32 {
            return None;
        }
        match self.request.precision {
            Precision::Full => {
                let kept = self.request.keep_fp32.is_some();
                let edge = self.request.io == Io::Float32 && self.is_interface(index);
                let used = self.program.form(index).is_some_and(|(_, shape)| !shape.contains(&0));
                (!kept && !edge && used).then_some("a tensor stayed FLOAT32")
            }
            Precision::Weights => {
                (self.program.is_constant(index) && self.request.keep_fp32.is_none() && !self.may_stay(index))
                    .then_some("a constant was not narrowed")
            }
            // float32 islands are the point of `mixed`, constants on the way into float16 are not.
            Precision::Mixed => {
                (self.request.keep_fp32.is_none() && self.is_only_cast(index) && !self.may_stay(index))
                    .then_some("a FLOAT32 constant is read as FLOAT16 only")
            }
        }
    }

    /// True for a constant that nothing reads but CASTs to FLOAT16.
    fn is_only_cast(&self, index: u32) -> bool {
        let is_narrow = |t: &u32| self.program.form(*t).is_some_and(|(dtype, _)| dtype == DType::F16);
        let mut readers = self.program.operators().filter(|o| o.operands.contains(&Some(index))).peekable();
        self.program.is_constant(index)
            && !self.is_interface(index)
            && readers.peek().is_some()
            && readers.all(|o| o.builtin == Builtin::Cast && o.results.iter().all(is_narrow))
    }

    fn is_interface(&self, index: u32) -> bool {
        self.program.inputs().contains(&index) || self.program.outputs().contains(&index)
    }

    /// A constant that float16 would ruin, or that is itself an output, stays FLOAT32 under `weights`.
    fn may_stay(&self, index: u32) -> bool {
        if self.program.outputs().contains(&index) {
            return true;
        }
        // What is too small for float32 as well is 0 there, and is judged by its exact value.
        if self.exact.get(&index).is_some_and(|v| v.iter().any(|x| x != 0.0 && half::round(x) == 0.0)) {
            return true;
        }
        let stored = self.constant_elements(index);
        stored
            .iter()
            .any(|&x| x.is_finite() && !half::round(x).is_finite() || x != 0.0 && half::round(x) == 0.0)
    }

    /// Number and types of inputs and outputs. Shapes belong to semantics.
    fn interface(&self) -> Option<Verdict> {
        let lists = [
            ("input", self.program.inputs(), &self.graph.inputs),
            ("output", self.program.outputs(), &self.graph.outputs),
        ];
        for (what, tensors, values) in lists {
            if tensors.len() != values.len() {
                let mut verdict = impure("the interface is not that of the source", Place::default());
                verdict.notes.push(format!("{} {what}s, the source has {}", tensors.len(), values.len()));
                return Some(verdict);
            }
            for (&tensor, &value) in tensors.iter().zip(values) {
                let Some((dtype, _)) = self.program.form(tensor) else { continue };
                let single = self.request.precision == Precision::Weights || self.request.io == Io::Float32;
                let wanted = if single { DType::F32 } else { DType::F16 };
                if dtype.is_float() && dtype != wanted && self.request.keep_fp32.is_none() {
                    let place = Place {
                        source: Some(self.graph.value(value).name.clone()),
                        tensor: self.tensor_name(tensor),
                        tensor_index: Some(tensor),
                        ..Place::default()
                    };
                    return Some(impure("an interface tensor has another type than was asked for", place));
                }
            }
        }
        None
    }
}

fn impure(text: &str, place: Place) -> Verdict {
    Verdict { place, ..Verdict::new(Class::Impure, Blame::Converter, Strength::Certified, text) }
}
