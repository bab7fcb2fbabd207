//! A checked and planned subgraph, and its evaluation.

use super::dispatch::Kernel;
use super::error::{ProgramError, RunError};
use super::operands::Exec;
use super::planner::Planner;
use super::{Constant, Slot, convert};
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::{DType, Data, Elements, Tensor};
use halfproof_wire::tflite::{Builtin, Model};
use std::collections::BTreeMap;

/// Subgraph 0 of a model, checked and planned. Shapes are those of the file.
#[derive(Clone, Debug)]
pub struct Program {
    slots: Vec<Slot>,
    steps: Vec<Step>,
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    /// For every tensor, the index of the last operator that reads it; `usize::MAX` for outputs of the interface.
    last_use: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) builtin: Builtin,
    /// The float type that it computes with.
    pub(super) dtype: DType,
    pub(super) kernel: Kernel,
    pub(super) operands: Vec<Option<u32>>,
    pub(super) results: Vec<u32>,
}

/// The float constants that a run uses.
#[derive(Clone, Copy, Debug)]
pub enum Constants<'a> {
    /// Those of the file.
    Stored,
    /// Unrounded ones by tensor index, in the tensor's own order (see `halfproof_ir::ConstantOrigin`); the file's for
    /// tensors that are not listed.
    Exact(&'a BTreeMap<u32, Elements>),
}

/// What a program computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<E> {
    /// Every tensor by its index in subgraph 0: inputs and results of operators. `None` for constants, unless they are
    /// outputs of the interface, and for tensors that nothing uses.
    pub tensors: Vec<Option<Value<E>>>,
    outputs: Vec<u32>,
}

impl<E> Run<E> {
    /// Of tensors by their index, and the indices of the outputs.
    pub(crate) fn new(tensors: Vec<Option<Value<E>>>, outputs: &[u32]) -> Run<E> {
        Run { tensors, outputs: outputs.to_vec() }
    }

    /// The outputs, in interface order.
    pub fn outputs(&self) -> impl Iterator<Item = &Value<E>> {
        self.outputs.iter().filter_map(|&t| self.tensors[t as usize].as_ref())
    }
}

/// One operator of a program.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Which operator.
    pub builtin: Builtin,
    /// Its operands by tensor index; `None` for an absent optional one.
    pub operands: &'a [Option<u32>],
    /// Its results by tensor index.
    pub results: &'a [u32],
}

impl Program {
    /// Checks and plans subgraph 0.
    ///
    /// # Errors
    /// [`ProgramError`] when the subgraph contradicts itself or an operator's definition (`Kind::Malformed`,
    /// `Kind::Unwritten`), or needs something that this interpreter does not know (`Kind::Unsupported`).
    pub fn new(model: &Model) -> Result<Program, ProgramError> {
        let graph = model.subgraphs.first().ok_or(ProgramError::NoSubgraph)?;
        let mut planner = Planner::new(model, graph)?;
        let mut steps = Vec::with_capacity(graph.operators.len());
        for (index, operator) in graph.operators.iter().enumerate() {
            steps.push(planner.operator(operator).map_err(|fault| ProgramError::Operator {
                operator: index,
                name: operator.name().to_owned(),
                result: planner.name(operator.outputs.first().copied()).to_owned(),
                kind: fault.kind,
                reason: fault.reason,
            })?);
        }
        let outputs = planner.outputs()?;
        let Planner { slots, .. } = planner;
        let slots: Vec<Slot> = slots.into_iter().map(|s| s.unwrap_or(UNUSED)).collect();
        let mut last_use = vec![0; slots.len()];
        for (at, step) in steps.iter().enumerate() {
            for t in step.operands.iter().flatten().chain(&step.results) {
                last_use[*t as usize] = at;
            }
        }
        for &t in &outputs {
            last_use[t as usize] = usize::MAX;
        }
        let inputs = graph.inputs.iter().map(|&t| t.unsigned_abs()).collect();
        Ok(Program { slots, steps, inputs, outputs, last_use })
    }

    /// Input tensors by index, in interface order.
    pub fn inputs(&self) -> &[u32] {
        &self.inputs
    }

    /// Output tensors by index, in interface order.
    pub fn outputs(&self) -> &[u32] {
        &self.outputs
    }

    /// Type and shape of a tensor. A tensor that nothing uses has no elements.
    pub fn form(&self, tensor: u32) -> Option<(DType, &[usize])> {
        self.slots.get(tensor as usize).map(|s| (s.dtype, s.shape.as_slice()))
    }

    /// True when a tensor has its elements from the file.
    pub fn is_constant(&self, tensor: u32) -> bool {
        self.slots.get(tensor as usize).is_some_and(|s| s.constant.is_some())
    }

    /// The elements of a float constant, as the file has them.
    pub fn float_constant(&self, tensor: u32) -> Option<&Data> {
        match self.slots.get(tensor as usize)?.constant.as_ref()? {
            Constant::Floats(data) => Some(data),
            Constant::Integers(_) => None,
        }
    }

    /// The operators, in execution order.
    pub fn operators(&self) -> impl ExactSizeIterator<Item = Operation<'_>> {
        self.steps.iter().map(|s| Operation {
            builtin: s.builtin,
            operands: &s.operands,
            results: &s.results,
        })
    }

    /// Evaluates the program and keeps every tensor.
    ///
    /// # Errors
    /// [`RunError`] when inputs or constants do not fit, or when elements make no sense to an operator.
    pub fn run<A: Arith>(
        &self,
        inputs: &[Tensor],
        constants: Constants<'_>,
        arith: &A,
    ) -> Result<Run<A::E>, RunError> {
        self.evaluate(inputs, constants, arith, &Keep::All)
    }

    /// Evaluates some tensors from others, `given` by index; what is not between them has no value.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn run_from<A: Arith>(
        &self,
        given: Vec<Option<Value<A::E>>>,
        constants: Constants<'_>,
        arith: &A,
        chosen: impl IntoIterator<Item = u32>,
    ) -> Result<Run<A::E>, RunError> {
        let settled: Vec<bool> = given.iter().map(Option::is_some).collect();
        self.walk(given, constants, arith, &Keep::Behind(self.behind(chosen, &settled)))
    }

    /// By tensor: it is one of the chosen, or one of them is computed from it. What a `settled` tensor is computed from is not
    /// looked at; there may be fewer of these than of tensors.
    pub fn behind(&self, chosen: impl IntoIterator<Item = u32>, settled: &[bool]) -> Vec<bool> {
        let mut behind = vec![false; self.slots.len()];
        chosen.into_iter().for_each(|t| behind[t as usize] = true);
        let is_settled = |t: u32| settled.get(t as usize) == Some(&true);
        for step in self.steps.iter().rev() {
            if step.results.iter().any(|&t| behind[t as usize] && !is_settled(t)) {
                step.operands.iter().flatten().for_each(|&t| behind[t as usize] = true);
            }
        }
        behind
    }

    /// Evaluates the program and keeps only its outputs, in interface order; memory holds no more than what later
    /// operators read.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn results<A: Arith>(
        &self,
        inputs: &[Tensor],
        constants: Constants<'_>,
        arith: &A,
    ) -> Result<Vec<Value<A::E>>, RunError> {
        let Run { mut tensors, outputs } = self.evaluate(inputs, constants, arith, &Keep::Outputs)?;
        let take = |(i, &t): (usize, &u32)| {
            let again = outputs[i + 1..].contains(&t);
            let slot = &mut tensors[t as usize];
            if again { slot.clone() } else { slot.take() }
        };
        Ok(outputs.iter().enumerate().filter_map(take).collect())
    }

    fn evaluate<A: Arith>(
        &self,
        inputs: &[Tensor],
        constants: Constants<'_>,
        arith: &A,
        keep: &Keep,
    ) -> Result<Run<A::E>, RunError> {
        self.check_inputs(inputs)?;
        let mut tensors: Vec<Option<Value<A::E>>> = (0..self.slots.len()).map(|_| None).collect();
        for (&t, input) in self.inputs.iter().zip(inputs) {
            tensors[t as usize] = Some(convert::value(input, arith));
        }
        self.walk(tensors, constants, arith, keep)
    }

    fn walk<A: Arith>(
        &self,
        mut tensors: Vec<Option<Value<A::E>>>,
        constants: Constants<'_>,
        arith: &A,
        keep: &Keep,
    ) -> Result<Run<A::E>, RunError> {
        self.check_constants(constants)?;
        for (at, step) in self.steps.iter().enumerate() {
            if let Keep::Behind(wanted) = keep
                && !step.results.iter().any(|&t| wanted[t as usize] && tensors[t as usize].is_none())
            {
                continue;
            }
            let own: Vec<Option<Value<A::E>>> =
                step.operands.iter().map(|t| t.and_then(|t| self.constant(t, constants, arith))).collect();
            let operands: Vec<Option<&Value<A::E>>> = step
                .operands
                .iter()
                .zip(&own)
                .map(|(t, own)| own.as_ref().or_else(|| t.and_then(|t| tensors[t as usize].as_ref())))
                .collect();
            let results = self.execute(at, step, &operands, arith)?;
            for (&t, value) in step.results.iter().zip(results) {
                tensors[t as usize] = Some(value);
            }
            if let Keep::Outputs = keep {
                for &t in step.operands.iter().flatten().chain(&step.results) {
                    if self.last_use[t as usize] == at {
                        tensors[t as usize] = None;
                    }
                }
            }
        }
        for &t in &self.outputs {
            if tensors[t as usize].is_none() {
                tensors[t as usize] = self.constant(t, constants, arith);
            }
        }
        Ok(Run { tensors, outputs: self.outputs.clone() })
    }

    /// Evaluates one operator from given operands; `None` stands for a constant's stored elements or an absent
    /// operand. The results come in the operator's order.
    ///
    /// # Errors
    /// [`RunError`] when an operand is missing or has another type or shape than the file says, or when elements make
    /// no sense to the operator.
    pub fn step<A: Arith>(
        &self,
        operator: usize,
        operands: &[Option<&Value<A::E>>],
        arith: &A,
    ) -> Result<Vec<Value<A::E>>, RunError> {
        let step = self.steps.get(operator).ok_or(RunError::NoOperator { operator })?;
        let fault = |operand: usize, reason: String| RunError::Operand {
            operator,
            builtin: step.builtin,
            operand,
            reason,
        };
        if operands.len() != step.operands.len() {
            let count = step.operands.len();
            return Err(fault(operands.len(), format!("is beyond the {count} operands of the file")));
        }
        let mut own: Vec<Option<Value<A::E>>> = Vec::with_capacity(operands.len());
        for (at, (given, tensor)) in operands.iter().zip(&step.operands).enumerate() {
            own.push(match (given, tensor) {
                (Some(_), None) => return Err(fault(at, "is absent in the file".into())),
                (None, None) => None,
                (None, Some(t)) => match self.constant(*t, Constants::Stored, arith) {
                    Some(value) => Some(value),
                    None => return Err(fault(at, "is missing".into())),
                },
                (Some(value), Some(t)) => {
                    let slot = &self.slots[*t as usize];
                    if value.dtype() != slot.dtype || value.shape() != slot.shape {
                        let actual = form(value.dtype(), value.shape());
                        return Err(fault(at, format!("is {}, got {actual}", form(slot.dtype, &slot.shape))));
                    }
                    None
                }
            });
        }
        let all: Vec<_> = operands.iter().zip(&own).map(|(given, own)| given.or(own.as_ref())).collect();
        self.execute(operator, step, &all, arith)
    }

    /// [`Program::step`] of operands that this program has computed or that were held to its forms: nothing is checked again.
    pub(crate) fn trusted<A: Arith>(
        &self,
        operator: usize,
        operands: &[Option<&Value<A::E>>],
        arith: &A,
    ) -> Result<Vec<Value<A::E>>, RunError> {
        let step = self.steps.get(operator).ok_or(RunError::NoOperator { operator })?;
        if operands.iter().zip(&step.operands).all(|(given, tensor)| given.is_some() || tensor.is_none()) {
            return self.execute(operator, step, operands, arith);
        }
        let stored = |(given, tensor): (&Option<&Value<A::E>>, &Option<u32>)| match (given, tensor) {
            (None, Some(t)) => self.constant(*t, Constants::Stored, arith),
            _ => None,
        };
        let own: Vec<Option<Value<A::E>>> = operands.iter().zip(&step.operands).map(stored).collect();
        let all: Vec<_> = operands.iter().zip(&own).map(|(given, own)| given.or(own.as_ref())).collect();
        self.execute(operator, step, &all, arith)
    }

    fn execute<A: Arith>(
        &self,
        at: usize,
        step: &Step,
        operands: &[Option<&Value<A::E>>],
        arith: &A,
    ) -> Result<Vec<Value<A::E>>, RunError> {
        // A convolution of one input channel is a depthwise one, and runtimes run it as such.
        let single_channel = operands.get(1).is_some_and(|w| w.is_some_and(|w| w.shape().get(3) == Some(&1)));
        let same_as = match step.builtin {
            Builtin::Conv2d if single_channel => Builtin::DepthwiseConv2d,
            builtin => builtin,
        };
        let arith = &arith.kernel(same_as, step.dtype);
        let exec = Exec { arith, operands, slots: &self.slots, results: &step.results };
        step.kernel.run(&exec).map_err(|reason| RunError::Operator {
            operator: at,
            builtin: step.builtin,
            reason,
        })
    }

    /// The stored elements of a constant; `None` where it is none, or has elements that are no numbers.
    pub(crate) fn stored<A: Arith>(&self, tensor: u32, arith: &A) -> Option<Value<A::E>> {
        self.constant(tensor, Constants::Stored, arith)
    }

    /// The value of a constant; `None` for every other tensor.
    fn constant<A: Arith>(&self, tensor: u32, constants: Constants<'_>, arith: &A) -> Option<Value<A::E>> {
        let slot = &self.slots[tensor as usize];
        let held = slot.constant.as_ref()?;
        let shape = slot.shape.clone();
        match (held, constants) {
            (Constant::Integers(data), _) => {
                let data = data.iter().map(|&x| Whole::known(x)).collect();
                Some(Value::Whole(slot.dtype, Array { shape, data }))
            }
            (Constant::Floats(stored), constants) => {
                let exact = match constants {
                    Constants::Exact(map) => map.get(&tensor),
                    Constants::Stored => None,
                };
                let data = match exact {
                    Some(exact) => exact.map(|x| arith.exact(x)),
                    None => convert::floats(stored, arith)?,
                };
                Some(Value::Float(slot.dtype, Array { shape, data }))
            }
        }
    }

    fn check_inputs(&self, inputs: &[Tensor]) -> Result<(), RunError> {
        if inputs.len() != self.inputs.len() {
            return Err(RunError::InputCount { expected: self.inputs.len(), actual: inputs.len() });
        }
        for (position, (&t, input)) in self.inputs.iter().zip(inputs).enumerate() {
            let slot = &self.slots[t as usize];
            let fits = input.dtype() == slot.dtype
                && input.shape == slot.shape
                && input.len() == slot.shape.iter().product::<usize>();
            if !fits {
                let expected = form(slot.dtype, &slot.shape);
                let actual = form(input.dtype(), &input.shape);
                return Err(RunError::Input { position, expected, actual });
            }
        }
        Ok(())
    }

    fn check_constants(&self, constants: Constants<'_>) -> Result<(), RunError> {
        let Constants::Exact(map) = constants else { return Ok(()) };
        for (&tensor, exact) in map {
            let stored = match self.slots.get(tensor as usize).and_then(|s| s.constant.as_ref()) {
                Some(Constant::Floats(data)) => data.len(),
                _ => {
                    let reason = "unrounded elements for a tensor that is no float constant".into();
                    return Err(RunError::Constant { tensor, reason });
                }
            };
            if exact.len() != stored {
                let reason = format!("{} unrounded elements for a constant of {stored}", exact.len());
                return Err(RunError::Constant { tensor, reason });
            }
        }
        Ok(())
    }
}

/// Which tensors an evaluation keeps.
enum Keep {
    All,
    /// Those of the interface.
    Outputs,
    /// Those that are marked, by tensor; it computes no others.
    Behind(Vec<bool>),
}

const UNUSED: Slot = Slot { shape: vec![], dtype: DType::F32, constant: None };

/// Type and shape for messages.
pub(super) fn form(dtype: DType, shape: &[usize]) -> String {
    format!("{dtype}{shape:?}")
}
