//! Lays out one subgraph: tensors in the types that were decided, and the casts between them.

use super::{Buffers, version::version};
use crate::constants;
use crate::precision::{ConstantPlan, Plan, SingleForm, is_narrowable};
use crate::target::{Constant, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{
    ConstantOrigin, DType, OperatorOrigin, Provenance, Refusal, RefusedNode, Rewrite, TensorOrigin,
};
use halfproof_wire::tflite::{
    Builtin, Operator, Options, SubGraph, Tensor, TensorType,
    options::{Cast, Dequantize},
};
use std::collections::HashSet;
use std::sync::Arc;

/// One subgraph with the map back to its source.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// The subgraph, called `main`.
    pub(crate) subgraph: SubGraph,
    /// Public names of its inputs.
    pub(crate) inputs: Vec<(String, u32)>,
    /// Public names of its outputs.
    pub(crate) outputs: Vec<(String, u32)>,
    /// Source tensors.
    pub(crate) origins: Vec<TensorOrigin>,
    /// Float constants.
    pub(crate) constants: Vec<ConstantOrigin>,
    /// Source nodes.
    pub(crate) sources: Vec<OperatorOrigin>,
    /// Deliberate changes of constants.
    pub(crate) rewrites: Vec<Rewrite>,
    /// By tensor of the target: its number in the file, in the type of its producer; -1 when nobody needs it.
    pub(crate) tensors: Vec<i32>,
    /// By operator of the target: its number in the file.
    pub(crate) operators: Vec<u32>,
    /// By tensor of the file: the tensor of the target that it holds, in whichever type.
    pub(crate) held: Vec<TensorId>,
}

impl Program {
    /// Takes out where everything comes from.
    pub(crate) fn take_provenance(&mut self) -> Provenance {
        Provenance {
            tensors: std::mem::take(&mut self.origins),
            constants: std::mem::take(&mut self.constants),
            operators: std::mem::take(&mut self.sources),
            rewrites: std::mem::take(&mut self.rewrites),
        }
    }
}

/// No tensor yet.
const NONE: i32 = -1;

struct Layout<'a> {
    target: &'a Target,
    plan: &'a Plan,
    buffers: &'a mut Buffers,
    /// By tensor: its number as FLOAT16; also used by tensors that have only one type.
    half: Vec<i32>,
    /// By tensor: its number as FLOAT32.
    single: Vec<i32>,
    out: Program,
}

/// Lays out a program.
///
/// # Errors
/// When an extent does not fit the format.
pub(crate) fn program(target: &Target, plan: &Plan, buffers: &mut Buffers) -> Result<Program, Refusal> {
    let n = target.tensors.len();
    let mut layout = Layout {
        target,
        plan,
        buffers,
        half: vec![NONE; n],
        single: vec![NONE; n],
        out: Program { tensors: vec![NONE; n], ..Program::default() },
    };
    layout.out.subgraph.name = "main".to_string();
    layout.out.subgraph.tensors.reserve(n);
    for (name, id) in &target.inputs {
        let index = match layout.slot(*id, plan.single_interface) {
            NONE => layout.produce(*id, plan.single_interface)?,
            index => index,
        };
        layout.out.subgraph.inputs.push(index);
        layout.out.inputs.push((name.clone(), index.unsigned_abs()));
    }
    for (i, op) in target.operators.iter().enumerate() {
        layout.operator(op, plan.single[i])?;
    }
    for (name, id) in &target.outputs {
        let index = layout.read(*id, plan.single_interface)?;
        layout.out.subgraph.outputs.push(index);
        layout.out.outputs.push((name.clone(), index.unsigned_abs()));
    }
    name_apart(&mut layout.out.subgraph);
    layout.out.rewrites = plan.rewrites.iter().map(|(id, rewrite)| layout.placed(*id, rewrite)).collect();
    Ok(layout.out)
}

impl Layout<'_> {
    fn slot(&self, id: TensorId, single: bool) -> i32 {
        let single = single && is_narrowable(self.target.tensor(id));
        if single { self.single[id.index()] } else { self.half[id.index()] }
    }

    /// A rewrite of a constant with the name that the file gives it, where no source has named it.
    fn placed(&self, id: TensorId, rewrite: &Rewrite) -> Rewrite {
        let mut rewrite = rewrite.clone();
        let stored = usize::try_from(self.slot(id, false)).ok();
        if let Some(index) = stored.filter(|_| self.target.tensor(id).origin.is_none()) {
            rewrite.at.clone_from(&self.out.subgraph.tensors[index].name);
        }
        rewrite
    }

    fn set_slot(&mut self, id: TensorId, single: bool, index: i32) {
        let single = single && is_narrowable(self.target.tensor(id));
        let slots = if single { &mut self.single } else { &mut self.half };
        slots[id.index()] = index;
    }

    fn operator(&mut self, op: &TargetOperator, single: bool) -> Result<(), Refusal> {
        let mut inputs = Vec::with_capacity(op.inputs.len());
        for id in &op.inputs {
            inputs.push(match id {
                Some(id) => self.read(*id, single)?,
                None => NONE,
            });
        }
        let mut outputs = Vec::with_capacity(op.outputs.len());
        for id in &op.outputs {
            outputs.push(self.produce(*id, single)?);
        }
        let mut options = op.options.clone();
        if let (Options::Cast(o), [from, ..], [to, ..]) = (&mut options, &inputs[..], &outputs[..]) {
            o.in_data_type = self.dtype(*from);
            o.out_data_type = self.dtype(*to);
        }
        let number = self.push_operator(op.builtin, inputs, outputs, options, op.version);
        self.out.operators.push(number);
        if !op.nodes.is_empty() {
            self.out.sources.push(OperatorOrigin { operator: number, nodes: op.nodes.clone() });
        }
        Ok(())
    }

    fn dtype(&self, index: i32) -> TensorType {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.out.subgraph.tensors.get(i))
            .map_or(TensorType::Float32, |t| t.dtype)
    }

    fn push_operator(
        &mut self,
        builtin: Builtin,
        inputs: Vec<i32>,
        outputs: Vec<i32>,
        options: Options,
        at_least: i32,
    ) -> u32 {
        let mut op = Operator::builtin(builtin, inputs, outputs, options);
        op.version = version(builtin, &op, &self.out.subgraph.tensors).max(at_least);
        self.out.subgraph.operators.push(op);
        u32::try_from(self.out.subgraph.operators.len() - 1).expect("fewer than 2^32 operators")
    }

    /// The number of a tensor in the type that its reader needs; makes the constant or the cast when there is none yet.
    fn read(&mut self, id: TensorId, single: bool) -> Result<i32, Refusal> {
        let index = self.slot(id, single);
        if index != NONE {
            return Ok(index);
        }
        let (target, plan) = (self.target, self.plan);
        let tensor = target.tensor(id);
        if let Some(constant) = &plan.constants[id.index()] {
            return self.float_constant(id, constant, single);
        }
        if let Some(constant) = &tensor.constant {
            return self.other_constant(id, constant);
        }
        // Produced in the other type, or by nobody: an operand that the runtime must fill (a variable).
        if self.slot(id, !single) != NONE {
            return self.cast(id, single);
        }
        self.produce(id, single)
    }

    /// Adds the tensor that an operator or the caller of the model writes.
    fn produce(&mut self, id: TensorId, single: bool) -> Result<i32, Refusal> {
        let tensor = self.target.tensor(id);
        let (dtype, suffix) = if is_narrowable(tensor) {
            let moved = single != self.plan.single_interface && self.is_output(id);
            match (single, moved) {
                (true, false) => (DType::F32, ""),
                (true, true) => (DType::F32, "/float32"),
                (false, false) => (DType::F16, ""),
                (false, true) => (DType::F16, "/float16"),
            }
        } else {
            (tensor.dtype, "")
        };
        let index = self.push_tensor(id, suffix, dtype.into(), 0)?;
        self.set_slot(id, single, index);
        self.originate(id, tensor, index);
        Ok(index)
    }

    fn originate(&mut self, id: TensorId, tensor: &TargetTensor, index: i32) {
        self.out.tensors[id.index()] = index;
        if let Some(origin) = &tensor.origin {
            self.out.origins.push(TensorOrigin {
                source: origin.source.clone(),
                tensor: index.unsigned_abs(),
                permutation: origin.permutation.clone(),
            });
        }
    }

    fn is_output(&self, id: TensorId) -> bool {
        self.target.outputs.iter().any(|&(_, output)| output == id)
    }

    fn cast(&mut self, id: TensorId, single: bool) -> Result<i32, Refusal> {
        let from = self.slot(id, !single);
        // The interface keeps the plain name: see `produce`.
        let public = single == self.plan.single_interface && self.is_output(id);
        let (dtype, suffix) =
            if single { (TensorType::Float32, "/float32") } else { (TensorType::Float16, "/float16") };
        let to = self.push_tensor(id, if public { "" } else { suffix }, dtype, 0)?;
        let options = Cast { in_data_type: self.dtype(from), out_data_type: dtype };
        self.push_operator(Builtin::Cast, vec![from], vec![to], options.into(), 1);
        self.set_slot(id, single, to);
        Ok(to)
    }

    fn float_constant(
        &mut self,
        id: TensorId,
        constant: &ConstantPlan,
        single: bool,
    ) -> Result<i32, Refusal> {
        let tensor = self.target.tensor(id);
        if single && constant.single == SingleForm::Dequantized {
            let from = self.read(id, false)?;
            let to = self.push_tensor(id, "/float32", TensorType::Float32, 0)?;
            self.push_operator(Builtin::Dequantize, vec![from], vec![to], Dequantize {}.into(), 1);
            self.set_slot(id, true, to);
            return Ok(to);
        }
        let (dtype, bytes) = if single {
            (TensorType::Float32, Arc::new(constants::single(&constant.rounded.exact)))
        } else {
            (TensorType::Float16, Arc::clone(&constant.rounded.narrowed.bytes))
        };
        let suffix = match (self.slot(id, !single) == NONE, single) {
            (true, _) => "",
            (false, true) => "/float32",
            (false, false) => "/float16",
        };
        let buffer = self.buffers.add(bytes);
        let index = self.push_tensor(id, suffix, dtype, buffer)?;
        self.set_slot(id, single, index);
        self.originate(id, tensor, index);
        self.out.constants.push(ConstantOrigin {
            tensor: index.unsigned_abs(),
            role: tensor.role,
            exact: constant.rounded.exact.clone(),
        });
        Ok(index)
    }

    fn other_constant(&mut self, id: TensorId, constant: &Constant) -> Result<i32, Refusal> {
        let tensor = self.target.tensor(id);
        let bytes = match constant {
            Constant::Stored(data) => data.to_le_bytes(),
            // Not met: floats that are exact may be narrowed, and those have a plan.
            Constant::Exact(exact) => constants::single(exact),
        };
        let buffer = self.buffers.add(Arc::new(bytes));
        let index = self.push_tensor(id, "", tensor.dtype.into(), buffer)?;
        self.set_slot(id, false, index);
        self.originate(id, tensor, index);
        Ok(index)
    }

    fn push_tensor(
        &mut self,
        id: TensorId,
        suffix: &str,
        dtype: TensorType,
        buffer: u32,
    ) -> Result<i32, Refusal> {
        let tensor = self.target.tensor(id);
        self.out.held.push(id);
        let mut shape = Vec::with_capacity(tensor.shape.len());
        for &extent in &tensor.shape {
            shape.push(i32::try_from(extent).map_err(|_| too_large(tensor, extent))?);
        }
        let mut name = String::with_capacity(tensor.name.len() + suffix.len());
        name.push_str(&tensor.name);
        name.push_str(suffix);
        self.out.subgraph.tensors.push(Tensor {
            name,
            has_rank: shape.is_empty(),
            shape,
            dtype,
            buffer,
            ..Tensor::default()
        });
        Ok(i32::try_from(self.out.subgraph.tensors.len() - 1).expect("fewer than 2^31 tensors"))
    }
}

/// Gives tensors of one name each its own, those of the interface first: LiteRT takes tensors for each other by their names, and
/// its process dies over some such files.
fn name_apart(graph: &mut SubGraph) {
    if has_distinct_names(graph) {
        return;
    }
    let is_interface: HashSet<i32> = graph.inputs.iter().chain(&graph.outputs).copied().collect();
    let (interface, inner): (Vec<usize>, Vec<usize>) =
        (0..graph.tensors.len()).partition(|&i| i32::try_from(i).is_ok_and(|i| is_interface.contains(&i)));
    let mut taken = HashSet::with_capacity(graph.tensors.len());
    for index in interface.into_iter().chain(inner) {
        let name = &mut graph.tensors[index].name;
        if !taken.insert(name.clone()) {
            let free = (2..).map(|n| format!("{name}/{n}")).find(|name| !taken.contains(name));
            *name = free.expect("endless numbers");
            taken.insert(name.clone());
        }
    }
}

/// True of nearly every file.
fn has_distinct_names(graph: &SubGraph) -> bool {
    let mut names: Vec<&str> = graph.tensors.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}

fn too_large(tensor: &TargetTensor, extent: usize) -> Refusal {
    Refusal {
        nodes: vec![RefusedNode {
            op: "tensor".to_string(),
            node: tensor.name.clone(),
            dtype: Some(tensor.dtype),
            reason: format!("an axis of {extent} elements does not fit TFLite's 32-bit extents"),
        }],
    }
}
