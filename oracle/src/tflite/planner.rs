//! The checks of a subgraph: operators are planned in order, and integers that shapes may depend on are evaluated on the way.

use super::dispatch;
use super::error::{Fault, Kind, ProgramError};
use super::operands::Exec;
use super::plan::{self, Call, Operand, Planned};
use super::program::{Step, form};
use super::{Constant, Slot, convert};
use crate::arith::Ideal;
use crate::value::{Array, Value, Whole};
use halfproof_ir::{DType, Data};
use halfproof_wire::tflite::{self, Model, OpCode, SubGraph};
use std::sync::Arc;

/// Integer results of at most this many elements are evaluated while planning, because shapes may depend on them.
const MAX_FOLDED: usize = 1 << 16;

/// A subgraph while its operators are planned in order.
pub(super) struct Planner<'a> {
    graph: &'a SubGraph,
    model: &'a Model,
    /// Tensors that have a value before the operator being planned.
    pub(super) slots: Vec<Option<Slot>>,
    /// Integer tensors that are no constants, but whose elements no input can change.
    known: Vec<Option<Vec<i64>>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(model: &'a Model, graph: &'a SubGraph) -> Result<Planner<'a>, ProgramError> {
        let count = graph.tensors.len();
        let mut planner = Planner { graph, model, slots: vec![None; count], known: vec![None; count] };
        for (position, &t) in graph.inputs.iter().enumerate() {
            let fault =
                |reason: &str| ProgramError::Interface { list: "inputs", position, reason: reason.into() };
            let at = index(t, count).ok_or_else(|| fault("names no tensor"))?;
            if planner.slots[at].is_some() {
                return Err(fault("is listed twice"));
            }
            let slot = planner.declared(at).map_err(|f| planner.tensor_error(at, f))?;
            planner.slots[at] = Some(slot);
        }
        Ok(planner)
    }

    pub(super) fn name(&self, tensor: Option<i32>) -> &'a str {
        let at = tensor.and_then(|t| index(t, self.graph.tensors.len()));
        at.map_or("", |at| &self.graph.tensors[at].name)
    }

    fn tensor_error(&self, tensor: usize, fault: Fault) -> ProgramError {
        let name = self.graph.tensors[tensor].name.clone();
        ProgramError::Tensor { tensor, name, kind: fault.kind, reason: fault.reason }
    }

    /// Type and shape as the file declares them.
    fn declared(&self, at: usize) -> Result<Slot, Fault> {
        let tensor = &self.graph.tensors[at];
        let dtype = dtype(tensor)?;
        let extents: Vec<i64> = tensor.shape.iter().map(|&e| e.into()).collect();
        Ok(Slot { shape: plan::shape(&extents)?, dtype, constant: None })
    }

    /// The slot of a tensor that an operator reads, decoding it if it is a constant.
    fn read(&mut self, at: usize) -> Result<(), Fault> {
        if self.slots[at].is_some() {
            return Ok(());
        }
        let tensor = &self.graph.tensors[at];
        let mut slot = self.declared(at)?;
        let elements: usize = slot.shape.iter().product();
        let bytes = match self.model.data(tensor) {
            Some(bytes) => bytes,
            None if elements == 0 => &[],
            None => {
                let reason = "is read before any operator has written it".into();
                return Err(Fault { kind: Kind::Unwritten, reason });
            }
        };
        let data = Data::from_le_bytes(slot.dtype, bytes).filter(|d| d.len() == elements);
        let Some(data) = data else {
            return Err(Fault::malformed(format!(
                "has {} bytes of data for {}",
                bytes.len(),
                form(slot.dtype, &slot.shape)
            )));
        };
        slot.constant = Some(if slot.dtype.is_float() {
            Constant::Floats(Arc::new(data))
        } else {
            Constant::Integers(Arc::new(convert::integers(&data)))
        });
        self.slots[at] = Some(slot);
        Ok(())
    }

    pub(super) fn operator(&mut self, operator: &tflite::Operator) -> Result<Step, Fault> {
        let OpCode::Builtin(builtin) = operator.code else {
            return Err(Fault::unsupported("custom operators are not known"));
        };
        let count = self.graph.tensors.len();
        let mut operands = Vec::with_capacity(operator.inputs.len());
        for (i, &t) in operator.inputs.iter().enumerate() {
            if t == -1 {
                operands.push(None);
                continue;
            }
            let at = index(t, count).ok_or_else(|| Fault::malformed(format!("operand {i} is tensor {t}")))?;
            self.read(at).map_err(|f| {
                let reason =
                    format!("operand {i}, tensor {at} {:?}: {}", self.graph.tensors[at].name, f.reason);
                Fault { kind: f.kind, reason }
            })?;
            operands.push(Some(t.unsigned_abs()));
        }
        let mut results = Vec::with_capacity(operator.outputs.len());
        let mut dtypes = Vec::with_capacity(operator.outputs.len());
        for (i, &t) in operator.outputs.iter().enumerate() {
            let at = index(t, count).ok_or_else(|| Fault::malformed(format!("result {i} is tensor {t}")))?;
            let tensor = &self.graph.tensors[at];
            if self.slots[at].is_some()
                || results.contains(&t.unsigned_abs())
                || self.model.data(tensor).is_some()
            {
                return Err(Fault::malformed(format!("result {i}, tensor {at}, has a value already")));
            }
            dtypes.push(dtype(tensor)?);
            results.push(t.unsigned_abs());
        }
        if results.is_empty() {
            return Err(Fault::malformed("has no result"));
        }
        let call = Call {
            builtin,
            options: &operator.options,
            operands: operands.iter().map(|t| t.and_then(|t| self.operand(t as usize))).collect(),
            results: dtypes,
        };
        let Planned { kernel, shapes } = dispatch::plan(&call)?;
        let dtypes = call.results;
        for (i, ((&t, shape), &dtype)) in results.iter().zip(shapes).zip(&dtypes).enumerate() {
            fits(&self.graph.tensors[t as usize], &shape).map_err(|declared| {
                Fault::malformed(format!("result {i} has shape {shape:?}, the file says {declared:?}"))
            })?;
            self.slots[t as usize] = Some(Slot { shape, dtype, constant: None });
        }
        let float_operand =
            || operands.iter().flatten().filter_map(|&t| self.slots[t as usize].as_ref().map(|s| s.dtype));
        let dtype =
            dtypes.iter().copied().chain(float_operand()).find(|d| d.is_float()).unwrap_or(DType::F32);
        let step = Step { builtin, dtype, kernel, operands, results };
        self.fold(&step);
        Ok(step)
    }

    fn operand(&self, at: usize) -> Option<Operand<'_>> {
        let slot = self.slots[at].as_ref()?;
        let (known, floats) = match &slot.constant {
            Some(Constant::Integers(data)) => (Some(data.as_slice()), None),
            Some(Constant::Floats(data)) => (None, Some(data.as_ref())),
            None => (self.known[at].as_deref(), None),
        };
        Some(Operand { shape: &slot.shape, dtype: slot.dtype, known, floats })
    }

    /// Evaluates an operator on integers that are all known, so that later shapes may depend on its results.
    fn fold(&mut self, step: &Step) {
        let small = |t: &u32| {
            self.slots[*t as usize]
                .as_ref()
                .is_some_and(|s| !s.dtype.is_float() && s.shape.iter().product::<usize>() <= MAX_FOLDED)
        };
        if !step.results.iter().all(small) {
            return;
        }
        let mut values: Vec<Option<Value<f64>>> = Vec::with_capacity(step.operands.len());
        for t in &step.operands {
            values.push(match t.and_then(|t| self.operand(t as usize)) {
                None => None,
                Some(Operand { shape, dtype, known: Some(known), .. }) => {
                    let data = known.iter().map(|&x| Whole::known(x)).collect();
                    Some(Value::Whole(dtype, Array { shape: shape.to_vec(), data }))
                }
                Some(_) if step.kernel.needs_only_shapes() => None,
                Some(_) => return,
            });
        }
        let slots: Vec<Slot> = step.results.iter().filter_map(|&t| self.slots[t as usize].clone()).collect();
        let numbers: Vec<u32> = (0..).take(slots.len()).collect();
        let operands: Vec<Option<&Value<f64>>> = values.iter().map(Option::as_ref).collect();
        let exec = Exec { arith: &Ideal, operands: &operands, slots: &slots, results: &numbers };
        let Ok(results) = step.kernel.run(&exec) else { return };
        for (&t, value) in step.results.iter().zip(results) {
            if let Value::Whole(_, a) = value {
                self.known[t as usize] = Some(a.data.iter().map(|x| x.value).collect());
            }
        }
    }

    pub(super) fn outputs(&mut self) -> Result<Vec<u32>, ProgramError> {
        let mut outputs = Vec::with_capacity(self.graph.outputs.len());
        for (position, &t) in self.graph.outputs.iter().enumerate() {
            let fault = |reason: String| ProgramError::Interface { list: "outputs", position, reason };
            let at = index(t, self.slots.len()).ok_or_else(|| fault("names no tensor".into()))?;
            self.read(at).map_err(|f| match f.kind {
                Kind::Malformed | Kind::Unwritten => fault(format!("tensor {at} {}", f.reason)),
                Kind::Unsupported => self.tensor_error(at, f),
            })?;
            outputs.push(t.unsigned_abs());
        }
        Ok(outputs)
    }
}

fn index(tensor: i32, count: usize) -> Option<usize> {
    usize::try_from(tensor).ok().filter(|&t| t < count)
}

/// The element type, if the interpreter can compute with it.
fn dtype(tensor: &tflite::Tensor) -> Result<DType, Fault> {
    if tensor.is_variable {
        return Err(Fault::unsupported("variable tensors are not known"));
    }
    let dtype = tensor.dtype.dtype();
    let dtype = dtype.ok_or_else(|| Fault::unsupported(format!("type {} is not known", tensor.dtype)))?;
    if tensor.quantization.as_ref().is_some_and(|q| !q.scale.is_empty()) {
        return Err(Fault::unsupported(format!("quantized {dtype} tensors are not known")));
    }
    Ok(dtype)
}

/// Holds a computed shape to the declared one; axes that the signature leaves open fit anything, and so does an empty
/// shape that is not said to be a scalar's. The error is the declared shape.
fn fits(tensor: &tflite::Tensor, shape: &[usize]) -> Result<(), Vec<i32>> {
    if tensor.shape.is_empty() && !tensor.has_rank {
        return Ok(());
    }
    let same = tensor.shape.len() == shape.len()
        && tensor.shape.iter().zip(shape).enumerate().all(|(i, (&declared, &actual))| {
            tensor.shape_signature.get(i) == Some(&-1) || i64::from(declared) == plan::whole(actual)
        });
    if same { Ok(()) } else { Err(tensor.shape.clone()) }
}
