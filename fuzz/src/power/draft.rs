//! A converted model that is being spoilt: the flatbuffer's structs, and small steps that change them.
//!
//! The converter's claim (its provenance map) is only read: it stays what the converter said about the right model.

use crate::generate::Stream;
use half::f16;
use halfproof_ir::{DType, Data, Graph, Precision, Provenance};
use halfproof_oracle::tflite::Program;
use halfproof_wire::tflite::{self, Builtin, Model, OpCode, Operator, Tensor, TensorType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A model to spoil, the claim about it, and where choices come from.
pub(super) struct Draft<'c> {
    pub(super) model: Model,
    pub(super) claim: &'c Provenance,
    pub(super) precision: Precision,
    pub(super) stream: Stream,
    /// What may be changed; everything for `None`.
    pub(super) reach: Option<Reach>,
}

/// A part of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Indices of operators.
    operators: BTreeSet<usize>,
    /// Indices of the tensors that they read.
    operands: BTreeSet<usize>,
}

/// What the claim says is the lowering of one ONNX operator, with the operators that widen its constants.
pub(super) fn reach(model: &Model, claim: &Provenance, source: &Graph, operator: &str) -> Reach {
    let is_it = |name: &String| source.nodes.iter().any(|n| n.name == *name && n.op.name() == operator);
    let of_it = claim.operators.iter().filter(|o| o.nodes.iter().any(is_it));
    let mut reach = Reach { operators: of_it.map(|o| o.operator as usize).collect(), ..Reach::default() };
    let all = &model.main().operators;
    let operands = |reach: &Reach| -> BTreeSet<usize> {
        let of_it = reach.operators.iter().filter_map(|&at| all.get(at));
        of_it.flat_map(|o| o.inputs.iter()).filter_map(|&t| usize::try_from(t).ok()).collect()
    };
    reach.operands = operands(&reach);
    let widens = |o: &Operator| {
        let makes = |t: &i32| usize::try_from(*t).is_ok_and(|t| reach.operands.contains(&t));
        o.code == OpCode::Builtin(Builtin::Dequantize) && o.outputs.iter().any(makes)
    };
    let widening: Vec<usize> = (0..all.len()).filter(|&at| widens(&all[at])).collect();
    reach.operators.extend(widening);
    reach.operands = operands(&reach);
    reach
}

impl<'c> Draft<'c> {
    /// A number below n.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.stream.below(n as u64) as usize
    }

    /// One of the items, if there is one.
    pub(super) fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() {
            return None;
        }
        Some(items[self.below(items.len())].clone())
    }

    /// Tries a change at every operator, from a random one on, until one takes it. The words that come back say what
    /// was changed.
    pub(super) fn anywhere(
        &mut self,
        change: impl Fn(&mut Draft<'c>, usize) -> Option<String>,
    ) -> Option<String> {
        let n = self.operators().len();
        let start = self.below(n);
        for i in 0..n {
            let at = (start + i) % n;
            if self.reach.as_ref().is_some_and(|r| !r.operators.contains(&at)) {
                continue;
            }
            if let Some(words) = change(self, at) {
                return Some(format!("operator {at} {}: {words}", self.operators()[at].name()));
            }
        }
        None
    }

    pub(super) fn operators(&self) -> &[Operator] {
        &self.model.subgraphs[0].operators
    }

    pub(super) fn operator(&mut self, at: usize) -> &mut Operator {
        &mut self.model.subgraphs[0].operators[at]
    }

    pub(super) fn builtin(&self, at: usize) -> Option<Builtin> {
        match self.operators()[at].code {
            OpCode::Builtin(b) => Some(b),
            OpCode::Custom(_) => None,
        }
    }

    /// The tensor of an operand; `None` when it is absent.
    pub(super) fn operand(&self, at: usize, operand: usize) -> Option<usize> {
        usize::try_from(*self.operators()[at].inputs.get(operand)?).ok()
    }

    /// The tensor of a result.
    pub(super) fn result(&self, at: usize, result: usize) -> Option<usize> {
        usize::try_from(*self.operators()[at].outputs.get(result)?).ok()
    }

    pub(super) fn tensors(&self) -> &[Tensor] {
        &self.model.subgraphs[0].tensors
    }

    pub(super) fn tensor(&mut self, tensor: usize) -> &mut Tensor {
        &mut self.model.subgraphs[0].tensors[tensor]
    }

    pub(super) fn shape(&self, tensor: usize) -> Vec<usize> {
        self.tensors()[tensor].shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect()
    }

    pub(super) fn is_constant(&self, tensor: usize) -> bool {
        self.model.data(&self.tensors()[tensor]).is_some()
    }

    /// True when two tensors could stand for each other.
    pub(super) fn same_form(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.tensors()[a], &self.tensors()[b]);
        a.dtype == b.dtype && a.shape == b.shape
    }

    /// The elements of a constant.
    pub(super) fn data(&self, tensor: usize) -> Option<Data> {
        let t = &self.tensors()[tensor];
        Data::from_le_bytes(t.dtype.dtype()?, self.model.data(t)?)
    }

    /// The elements of an integer constant.
    pub(super) fn ints(&self, tensor: usize) -> Option<Vec<i64>> {
        match self.data(tensor)? {
            Data::I32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I64(v) => Some(v),
            _ => None,
        }
    }

    /// Gives one operand a new integer constant of the same type and shape; other readers keep the old one.
    pub(super) fn set_ints(&mut self, at: usize, operand: usize, values: &[i64]) -> Option<()> {
        let old = self.operand(at, operand)?;
        let data = match self.tensors()[old].dtype {
            TensorType::Int32 => Data::I32(values.iter().map(|&x| i32::try_from(x).unwrap_or(0)).collect()),
            TensorType::Int64 => Data::I64(values.to_vec()),
            _ => return None,
        };
        let mut tensor = self.tensors()[old].clone();
        tensor.name = format!("{}_spoilt", tensor.name);
        tensor.buffer = self.add_buffer(data.to_le_bytes());
        let new = self.add_tensor(tensor);
        self.operator(at).inputs[operand] = new;
        Some(())
    }

    pub(super) fn add_buffer(&mut self, bytes: Vec<u8>) -> u32 {
        self.model.buffers.push(Arc::new(bytes));
        u32::try_from(self.model.buffers.len() - 1).unwrap_or(0)
    }

    pub(super) fn add_tensor(&mut self, tensor: Tensor) -> i32 {
        let tensors = &mut self.model.subgraphs[0].tensors;
        tensors.push(tensor);
        i32::try_from(tensors.len() - 1).unwrap_or(-1)
    }

    /// Gives a float constant other elements; they are stored in its own type.
    pub(super) fn set_floats(&mut self, tensor: usize, values: &[f64]) -> Option<()> {
        let data = match self.tensors()[tensor].dtype {
            TensorType::Float16 => Data::F16(
                values.iter().map(|&x| f16::from_bits(halfproof_oracle::half::to_bits(x))).collect(),
            ),
            TensorType::Float32 => Data::F32(values.iter().map(|&x| x as f32).collect()),
            _ => return None,
        };
        self.tensor(tensor).buffer = self.add_buffer(data.to_le_bytes());
        Some(())
    }

    /// The float constants that the claim lists with their exact elements, as (tensor, index into the claim).
    pub(super) fn claimed(&self) -> Vec<(usize, usize)> {
        (0..self.claim.constants.len())
            .map(|i| (self.claim.constants[i].tensor as usize, i))
            .filter(|(t, _)| self.reach.as_ref().is_none_or(|r| r.operands.contains(t)))
            .filter(|&(t, i)| {
                let elements = self.data(t).filter(|d| d.dtype().is_float()).map(|d| d.len());
                elements.is_some_and(|n| n > 0 && n == self.claim.constants[i].exact.len())
            })
            .collect()
    }

    /// Lets everything that reads a tensor read another one; results of the model included.
    pub(super) fn reroute(&mut self, from: usize, to: i32, interface: bool) {
        let from = i32::try_from(from).unwrap_or(-1);
        let graph = &mut self.model.subgraphs[0];
        let operands = graph.operators.iter_mut().flat_map(|o| o.inputs.iter_mut());
        operands.filter(|t| **t == from).for_each(|t| *t = to);
        if interface {
            graph.outputs.iter_mut().filter(|t| **t == from).for_each(|t| *t = to);
        }
    }

    /// The spoilt file, when it still hangs together. Shapes that follow from the change are worked out again, as a
    /// converter with that fault would have done; `Err` when the operators contradict each other, which any loader
    /// notices.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ()> {
        let bytes = tflite::write(&self.model);
        let unsupported = |e: &halfproof_oracle::tflite::ProgramError| {
            e.kind() == halfproof_oracle::tflite::Kind::Unsupported
        };
        match tflite::read(&bytes).map(|m| Program::new(&m)) {
            Ok(Ok(_)) => return Ok(bytes),
            // Not for us to say; the judge is shown it.
            Ok(Err(e)) if unsupported(&e) => return Ok(bytes),
            _ => {}
        }
        let results: Vec<usize> = self
            .operators()
            .iter()
            .flat_map(|o| o.outputs.iter())
            .filter_map(|&t| usize::try_from(t).ok())
            .collect();
        let had_rank: Vec<bool> = results.iter().map(|&t| self.tensors()[t].has_rank).collect();
        for &t in &results {
            let tensor = self.tensor(t);
            (tensor.shape, tensor.shape_signature, tensor.has_rank) = (vec![], vec![], false);
        }
        let program = Program::new(&self.model).map_err(|_| ())?;
        for (&t, rank) in results.iter().zip(had_rank) {
            let (_, shape) = program.form(t as u32).ok_or(())?;
            let shape = shape.iter().map(|&d| i32::try_from(d).unwrap_or(0)).collect();
            let tensor = self.tensor(t);
            (tensor.shape, tensor.has_rank) = (shape, rank);
        }
        let bytes = tflite::write(&self.model);
        let model = tflite::read(&bytes).map_err(|_| ())?;
        Program::new(&model).map_err(|_| ())?;
        Ok(bytes)
    }
}

/// A float type of a tensor of the file.
pub(super) fn is_float(tensor: &Tensor) -> bool {
    tensor.dtype.dtype().is_some_and(DType::is_float)
}
