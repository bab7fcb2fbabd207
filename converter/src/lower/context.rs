//! Where each source tensor stands in the target while lowering goes on, and how operators are added.
//!
//! A source tensor may be held by several target tensors, each in its own axis order. Transposes and reshapes of the
//! source add none: they only say under which order a tensor that is already there can be read. A TRANSPOSE or RESHAPE
//! is put in when an operator asks for an order or a shape that nobody holds yet, once for all who ask.

use super::fuse::{Plan, Tail};
use super::perm::{self, Perm};
use crate::infer::Type;
use crate::layout::Demand;
use crate::target::{Constant, Origin, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{DType, Data, Graph, Node, Precision, Role, Tensor, ValueId};
use halfproof_wire::tflite::{Builtin, Options, options};
use std::sync::Arc;

/// A target tensor that holds a source tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    /// The tensor; its row-major elements are those of the source tensor in `perm` order, whatever its shape.
    pub(crate) tensor: TensorId,
    /// Axis order.
    pub(crate) perm: Perm,
}

/// The state of one lowering.
pub(crate) struct Context<'g> {
    /// The source.
    pub(crate) graph: &'g Graph,
    /// What has been lowered.
    pub(crate) target: Target,
    /// What is absorbed into what.
    pub(crate) plan: Plan,
    /// Which layouts the consumers of each value ask for.
    pub(crate) demand: Vec<Demand>,
    /// The float16 strategy that will follow.
    pub(crate) precision: Precision,
    /// Whether operators should be chosen that have float16 kernels.
    pub(crate) half: bool,
    types: Vec<Option<Type>>,
    carriers: Vec<Vec<Carrier>>,
    /// A reshape that no held order can be seen through, waiting for somebody who asks.
    deferred: Vec<Option<ValueId>>,
    nodes: Vec<String>,
    small: Vec<TensorId>,
}

impl<'g> Context<'g> {
    pub(crate) fn new(
        graph: &'g Graph,
        types: Vec<Option<Type>>,
        plan: Plan,
        demand: Vec<Demand>,
        precision: Precision,
    ) -> Context<'g> {
        let n = graph.values.len();
        Context {
            graph,
            target: Target::default(),
            plan,
            demand,
            precision,
            half: precision != Precision::Weights,
            types,
            carriers: vec![Vec::new(); n],
            deferred: vec![None; n],
            nodes: Vec::new(),
            small: Vec::new(),
        }
    }

    /// Names the source nodes that the operators to come implement.
    pub(crate) fn enter(&mut self, index: usize) {
        let names = std::iter::once(index).chain(self.plan.tail(index).absorbed.iter().copied());
        self.nodes = names.map(|i| self.graph.nodes[i].name.clone()).collect();
        self.nodes.dedup();
    }

    /// Names the node that makes an output, for the operators that bring it into its interface order.
    pub(crate) fn enter_output(&mut self, value: ValueId) {
        let makes = |n: &&Node| n.outputs.contains(&Some(value));
        self.nodes = self.graph.nodes.iter().find(makes).map(|n| n.name.clone()).into_iter().collect();
    }

    /// What is absorbed into a node.
    pub(crate) fn tail(&self, index: usize) -> Tail {
        self.plan.tail(index).clone()
    }

    /// The inferred type of a value.
    pub(crate) fn ty(&self, value: ValueId) -> Result<&Type, String> {
        self.types[value.index()].as_ref().ok_or_else(|| "an operand comes from a refused node".to_string())
    }

    /// The inferred shape of a value.
    pub(crate) fn shape(&self, value: ValueId) -> Result<Vec<usize>, String> {
        self.ty(value).map(|t| t.shape.clone())
    }

    /// The elements of a constant value.
    pub(crate) fn constant(&self, value: ValueId) -> Option<&'g Tensor> {
        let graph: &'g Graph = self.graph;
        graph.constant(value)
    }

    /// The one element of a constant scalar, integers included.
    pub(crate) fn scalar(&self, value: ValueId) -> Option<f64> {
        scalar(self.constant(value)?)
    }

    /// The tensors that hold a value now.
    pub(crate) fn carriers(&self, value: ValueId) -> &[Carrier] {
        &self.carriers[value.index()]
    }

    /// Whether the value is held in that order, or could be read in it for nothing.
    pub(crate) fn holds(&self, value: ValueId, perm: &Perm) -> bool {
        let Some(Some(ty)) = self.types.get(value.index()) else { return false };
        self.constant(value).is_some()
            || self.carriers(value).iter().any(|c| c.perm.same_order(perm, &ty.shape))
    }

    /// Adds an intermediate tensor.
    pub(crate) fn tensor(&mut self, shape: impl Into<Vec<usize>>, dtype: DType) -> TensorId {
        self.target.add(TargetTensor {
            name: String::new(),
            shape: shape.into(),
            dtype: stored(dtype),
            constant: None,
            role: Role::Plain,
            origin: None,
        })
    }

    /// The shape of a target tensor.
    pub(crate) fn extents(&self, tensor: TensorId) -> Vec<usize> {
        self.target.tensor(tensor).shape.clone()
    }

    /// The element type of a target tensor.
    pub(crate) fn dtype(&self, tensor: TensorId) -> DType {
        self.target.tensor(tensor).dtype
    }

    /// Adds an operator with any operands and results.
    pub(crate) fn add(
        &mut self,
        builtin: Builtin,
        inputs: Vec<Option<TensorId>>,
        outputs: Vec<TensorId>,
        options: impl Into<Options>,
    ) {
        let options = options.into();
        let nodes = self.nodes.clone();
        self.target.operators.push(TargetOperator { builtin, version: 1, inputs, outputs, options, nodes });
    }

    /// Adds an operator with one result of that shape and the element type of its first operand.
    pub(crate) fn emit(
        &mut self,
        builtin: Builtin,
        inputs: &[TensorId],
        options: impl Into<Options>,
        shape: impl Into<Vec<usize>>,
    ) -> TensorId {
        let dtype = inputs.first().map_or(DType::F32, |&t| self.dtype(t));
        self.emit_as(builtin, inputs, options, shape, dtype)
    }

    /// Adds an operator with one result of that shape and type.
    pub(crate) fn emit_as(
        &mut self,
        builtin: Builtin,
        inputs: &[TensorId],
        options: impl Into<Options>,
        shape: impl Into<Vec<usize>>,
        dtype: DType,
    ) -> TensorId {
        let out = self.tensor(shape, dtype);
        self.add(builtin, inputs.iter().map(|&t| Some(t)).collect(), vec![out], options);
        out
    }

    /// Adds an element-wise operator of one operand.
    pub(crate) fn map(&mut self, builtin: Builtin, x: TensorId, options: impl Into<Options>) -> TensorId {
        let shape = self.extents(x);
        self.emit(builtin, &[x], options, shape)
    }

    /// Says that a tensor holds a value in that order.
    pub(crate) fn bind(&mut self, value: ValueId, tensor: TensorId, perm: Perm) {
        let source = &self.graph.value(value).name;
        // A tensor inside a rewriting carries no source tensor.
        let unnamed = source.is_empty();
        let first = self.carriers[value.index()].is_empty();
        let held = &mut self.target.tensors[tensor.index()];
        if held.origin.is_none() && !unnamed {
            // Axes of extent 1 may stand elsewhere: what has the source's shape and order is not permuted.
            let plain = perm.is_identity()
                || self.types[value.index()].as_ref().is_some_and(|ty| {
                    held.shape == ty.shape && perm.same_order(&Perm::identity(perm.rank()), &ty.shape)
                });
            let permutation = (!plain).then(|| perm.axes().collect());
            held.origin = Some(Origin { source: source.clone(), permutation });
            if held.name.is_empty() && first {
                held.name = source.clone();
            }
        }
        self.carriers[value.index()].push(Carrier { tensor, perm });
    }

    /// Says that a tensor holds a value in the source's own order.
    pub(crate) fn bind_plain(&mut self, value: ValueId, tensor: TensorId) -> Result<(), String> {
        let rank = self.ty(value)?.rank();
        self.bind(value, tensor, Perm::identity(rank));
        Ok(())
    }

    /// Says that `value` is `of` transposed: axis `i` of `value` is axis `perm[i]` of `of`.
    pub(crate) fn alias_transposed(
        &mut self,
        value: ValueId,
        of: ValueId,
        perm: &Perm,
    ) -> Result<(), String> {
        self.settle(of)?;
        let inverse = perm.inverse();
        for carrier in self.carriers[of.index()].clone() {
            let order = inverse.then(&carrier.perm);
            self.carriers[value.index()].push(Carrier { tensor: carrier.tensor, perm: order });
        }
        Ok(())
    }

    /// Says that `value` is `of` in another shape with the same row-major elements.
    pub(crate) fn alias_reshaped(&mut self, value: ValueId, of: ValueId) -> Result<(), String> {
        self.settle(of)?;
        let (from, to) = (self.shape(of)?, self.shape(value)?);
        for carrier in self.carriers[of.index()].clone() {
            if let Some(perm) = perm::through_reshape(&from, &to, &carrier.perm) {
                self.carriers[value.index()].push(Carrier { tensor: carrier.tensor, perm });
            }
        }
        if self.carriers[value.index()].is_empty() {
            self.deferred[value.index()] = Some(of);
        }
        Ok(())
    }

    /// The value of which `value` is a reshape that had to wait.
    pub(crate) fn deferred(&self, value: ValueId) -> Option<ValueId> {
        self.deferred[value.index()].filter(|_| self.carriers[value.index()].is_empty())
    }

    /// Makes sure that some tensor holds the value.
    pub(crate) fn settle(&mut self, value: ValueId) -> Result<(), String> {
        if !self.carriers[value.index()].is_empty() {
            return Ok(());
        }
        let ty = self.ty(value)?;
        let (rank, shape) = (ty.rank(), ty.shape.clone());
        if self.constant(value).is_some() {
            self.constant_as(value, &Perm::identity(rank), &shape, Role::Plain)?;
        } else if let Some(of) = self.deferred[value.index()] {
            let tensor = self.plain(of)?;
            self.carriers[value.index()].push(Carrier { tensor, perm: Perm::identity(rank) });
        } else {
            return Err("an operand comes from a refused node".to_string());
        }
        Ok(())
    }

    /// The value in the source's order and shape.
    pub(crate) fn plain(&mut self, value: ValueId) -> Result<TensorId, String> {
        let rank = self.ty(value)?.rank();
        self.ordered(value, &Perm::identity(rank))
    }

    /// The value in an axis order, with the shape that goes with it.
    pub(crate) fn ordered(&mut self, value: ValueId, order: &Perm) -> Result<TensorId, String> {
        let shape = order.apply(&self.ty(value)?.shape);
        self.shaped(value, order, &shape)
    }

    /// The value in an axis order, in whatever shape it is held; the order it is really held in, too.
    pub(crate) fn held(&mut self, value: ValueId, order: &Perm) -> Result<(TensorId, Perm), String> {
        self.settle(value)?;
        let extents = self.shape(value)?;
        if let Some(c) = self.carriers(value).iter().find(|c| c.perm.same_order(order, &extents)) {
            return Ok((c.tensor, c.perm));
        }
        Ok((self.ordered(value, order)?, *order))
    }

    /// The value in an axis order and in any shape with the same elements.
    pub(crate) fn shaped(
        &mut self,
        value: ValueId,
        order: &Perm,
        shape: &[usize],
    ) -> Result<TensorId, String> {
        if self.constant(value).is_some() {
            return self.constant_as(value, order, shape, Role::Plain);
        }
        self.settle(value)?;
        let extents = self.shape(value)?;
        let carriers = &self.carriers[value.index()];
        let same: Vec<Carrier> =
            carriers.iter().copied().filter(|c| c.perm.same_order(order, &extents)).collect();
        if let Some(c) = same.iter().find(|c| self.target.tensor(c.tensor).shape == shape) {
            return Ok(c.tensor);
        }
        if let Some(c) = same.first() {
            let out = self.reshape(c.tensor, shape);
            self.bind(value, out, *order);
            return Ok(out);
        }
        let base = carriers[0];
        let tensor = self.shaped(value, &base.perm, &base.perm.apply(&extents))?;
        let out = self.transpose(tensor, &base.perm.to(order));
        self.bind(value, out, *order);
        self.shaped(value, order, shape)
    }

    /// A tensor in another shape.
    pub(crate) fn reshape(&mut self, tensor: TensorId, shape: &[usize]) -> TensorId {
        let held = self.target.tensor(tensor);
        if held.shape == shape {
            return tensor;
        }
        if held.constant.is_some() {
            let viewed = TargetTensor { name: String::new(), shape: shape.to_vec(), ..held.clone() };
            return self.target.add(viewed);
        }
        let short = |d: usize| i32::try_from(d).unwrap_or(i32::MAX);
        if shape.is_empty() {
            // An empty shape constant could not be told from an absent one; dropping axes of extent 1 needs none.
            let rank = self.target.tensor(tensor).shape.len();
            let squeeze_dims = (0..rank).map(short).collect();
            return self.emit(Builtin::Squeeze, &[tensor], options::Squeeze { squeeze_dims }, []);
        }
        let new_shape: Vec<i32> = shape.iter().map(|&d| short(d)).collect();
        let extents = self.ints(&new_shape);
        self.emit(Builtin::Reshape, &[tensor, extents], options::Reshape { new_shape }, shape)
    }

    /// A tensor with its axes permuted; axes that stay together are moved as one when there are many.
    pub(crate) fn transpose(&mut self, tensor: TensorId, order: &Perm) -> TensorId {
        let extents = self.extents(tensor);
        let out = order.apply(&extents);
        if order.same_order(&Perm::identity(order.rank()), &extents) {
            return self.reshape(tensor, &out);
        }
        if order.rank() > 4 {
            let (merged, groups) = merge_axes(&extents, order);
            if merged.rank() < order.rank() {
                let tensor = self.reshape(tensor, &groups);
                let moved = self.transpose(tensor, &merged);
                return self.reshape(moved, &out);
            }
        }
        let axes: Vec<i32> = order.axes().map(|a| i32::try_from(a).unwrap_or(0)).collect();
        let perm = self.ints(&axes);
        self.emit(Builtin::Transpose, &[tensor, perm], options::Transpose {}, out)
    }

    /// A value broadcast against a result of rank `order.rank()` in that order: axes are aligned at the end. Constants
    /// lose their leading axes of extent 1 when `short` says so.
    pub(crate) fn broadcast(
        &mut self,
        value: ValueId,
        order: &Perm,
        role: Role,
        short: bool,
    ) -> Result<TensorId, String> {
        let shape = self.shape(value)?;
        let missing = order.rank().saturating_sub(shape.len());
        let shorten = |shape: Vec<usize>| match short {
            true => shape.into_iter().skip_while(|&d| d == 1).collect(),
            false => shape,
        };
        if order.is_identity() {
            return if self.constant(value).is_some() {
                self.constant_as(value, &Perm::identity(shape.len()), &shorten(shape), role)
            } else {
                self.plain(value)
            };
        }
        // The value's own axes in the order in which they stand in the result.
        let own = Perm::new(order.axes().filter(|&a| a >= missing).map(|a| a - missing));
        let padded: Vec<usize> = vec![1; missing].into_iter().chain(shape.iter().copied()).collect();
        let wanted = order.apply(&padded);
        if self.constant(value).is_some() {
            return self.constant_as(value, &own, &shorten(wanted), role);
        }
        self.shaped(value, &own, &wanted)
    }

    /// A constant value in an axis order and a shape.
    pub(crate) fn constant_as(
        &mut self,
        value: ValueId,
        order: &Perm,
        shape: &[usize],
        role: Role,
    ) -> Result<TensorId, String> {
        let tensor = self.constant(value).ok_or("an operand is not constant")?;
        let held = self.carriers[value.index()].iter().find(|c| {
            let t = self.target.tensor(c.tensor);
            t.shape == shape && t.role == role && c.perm.same_order(order, &tensor.shape)
        });
        if let Some(c) = held {
            return Ok(c.tensor);
        }
        let constant = match tensor.floats() {
            Some(v) => Constant::Exact(perm::transpose(&v, &tensor.shape, order).into()),
            None => Constant::Stored(Arc::new(permuted(&tensor.data, &tensor.shape, order))),
        };
        let id = self.target.add(TargetTensor {
            name: String::new(),
            shape: shape.to_vec(),
            dtype: stored(tensor.dtype()),
            constant: Some(constant),
            role,
            origin: None,
        });
        self.bind(value, id, *order);
        Ok(id)
    }

    /// A float constant that lowering brings in, exact in f64.
    pub(crate) fn floats(&mut self, shape: impl Into<Vec<usize>>, values: Vec<f64>, role: Role) -> TensorId {
        self.literal(shape.into(), DType::F32, Constant::Exact(values.into()), role)
    }

    /// A float literal.
    pub(crate) fn float(&mut self, value: f64, role: Role) -> TensorId {
        self.floats([], vec![value], role)
    }

    /// An INT32 vector: shapes, axes, permutations.
    pub(crate) fn ints(&mut self, values: &[i32]) -> TensorId {
        let data = Constant::Stored(Arc::new(Data::I32(values.to_vec())));
        self.literal(vec![values.len()], DType::I32, data, Role::Plain)
    }

    /// An INT32 literal of rank 0.
    pub(crate) fn int(&mut self, value: i32) -> TensorId {
        self.literal(vec![], DType::I32, Constant::Stored(Arc::new(Data::I32(vec![value]))), Role::Plain)
    }

    /// Any constant that lowering brings in; small equal ones are shared.
    pub(crate) fn literal(
        &mut self,
        shape: Vec<usize>,
        dtype: DType,
        constant: Constant,
        role: Role,
    ) -> TensorId {
        const SMALL: usize = 16;
        let len: usize = shape.iter().product();
        if len <= SMALL {
            let same = |&&id: &&TensorId| {
                let t = self.target.tensor(id);
                t.shape == shape
                    && t.dtype == dtype
                    && t.role == role
                    && t.constant.as_ref().is_some_and(|c| same_bits(c, &constant))
            };
            if let Some(&id) = self.small.iter().find(same) {
                return id;
            }
        }
        let id = self.target.add(TargetTensor {
            name: String::new(),
            shape,
            dtype,
            constant: Some(constant),
            role,
            origin: None,
        });
        if len <= SMALL {
            self.small.push(id);
        }
        id
    }

    /// The operand at a position of a node.
    pub(crate) fn input(&self, node: &Node, i: usize) -> Result<ValueId, String> {
        self.optional(node, i).ok_or_else(|| format!("operand {i} is missing"))
    }

    /// The operand at a position of a node, if it is there.
    pub(crate) fn optional(&self, node: &Node, i: usize) -> Option<ValueId> {
        node.inputs.get(i).copied().flatten().map(|v| self.plan.resolve(v))
    }

    /// The first result of a node.
    pub(crate) fn output(&self, node: &Node) -> Result<ValueId, String> {
        node.outputs.first().copied().flatten().ok_or_else(|| "it has no result".to_string())
    }
}

/// The type in which a target tensor of that source type is held: every float is FLOAT32 until `precision` decides.
pub(crate) fn stored(dtype: DType) -> DType {
    if dtype.is_float() { DType::F32 } else { dtype }
}

/// The one element of a tensor, integers included.
pub(crate) fn scalar(tensor: &Tensor) -> Option<f64> {
    if tensor.len() != 1 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "integer scalars beyond 2^53 do not occur beside floats")]
    match tensor.floats() {
        Some(v) => v.first().copied(),
        None => tensor.integers()?.first().map(|&i| i as f64),
    }
}

fn same_bits(a: &Constant, b: &Constant) -> bool {
    match (a, b) {
        (Constant::Exact(a), Constant::Exact(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.to_bits() == y.to_bits())
        }
        (Constant::Stored(a), Constant::Stored(b)) => a == b,
        _ => false,
    }
}

fn permuted(data: &Data, extents: &[usize], order: &Perm) -> Data {
    macro_rules! each {
        ($($kind:ident)*) => { match data { $( Data::$kind(v) => Data::$kind(perm::transpose(v, extents, order)), )* } };
    }
    each!(F16 F32 F64 I8 I16 I32 I64 U8 U16 U32 U64 Bool)
}

/// Merges axes that stay neighbours under a permutation, and drops axes of extent 1.
fn merge_axes(extents: &[usize], order: &Perm) -> (Perm, Vec<usize>) {
    let long: Vec<usize> = order.axes().filter(|&a| extents[a] != 1).collect();
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for &axis in &long {
        let follows = |run: &Vec<usize>| {
            run.last().is_some_and(|&l| l < axis && (l + 1..axis).all(|between| extents[between] == 1))
        };
        match runs.last_mut() {
            Some(run) if follows(run) => run.push(axis),
            _ => runs.push(vec![axis]),
        }
    }
    let mut sorted: Vec<usize> = runs.iter().map(|r| r[0]).collect();
    sorted.sort_unstable();
    let order = Perm::new(runs.iter().map(|r| sorted.iter().position(|&s| s == r[0]).unwrap_or(0)));
    let size = |first: &usize| {
        runs.iter().find(|r| r[0] == *first).map_or(1, |r| r.iter().map(|&a| extents[a]).product())
    };
    (order, sorted.iter().map(size).collect())
}
