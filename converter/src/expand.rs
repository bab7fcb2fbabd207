//! Writes operators that TFLite lacks as graphs of operators that `lower` knows, before lowering.
//!
//! One file per family of the operator table; each rewriting computes the same function exactly, by the operator's definition
//! in the ONNX specification. The new nodes have the name of the node that they stand for. Tensors between them have no name:
//! they carry no source tensor, and provenance does not list them.

mod attention;
pub(crate) mod einsum;
mod gather;
mod layout;
mod loss;
mod norm;
mod pad;
mod pool;
mod sample;
mod scatter;
mod select;
mod shape;
mod signal;
mod softmax;

use crate::infer::{self, Operand, Type};
use crate::refuse::{Refusals, first_dtype};
use halfproof_ir::{DType, Data, Dim, Graph, Node, Op, Refusal, Tensor, Value, ValueId};
use std::sync::Arc;

/// Rewrites a folded graph; `None` when there is nothing to rewrite.
///
/// # Errors
/// Every node that cannot be rewritten, at once.
pub(crate) fn expand(graph: &Graph) -> Result<Option<Graph>, Refusal> {
    if !graph.nodes.iter().any(|n| rewriting(&n.op).is_some()) {
        return Ok(None);
    }
    let mut refused = Refusals::default();
    let known = infer::partial(graph, &mut refused);
    let without_nodes = Graph {
        name: graph.name.clone(),
        values: graph.values.clone(),
        nodes: Vec::new(),
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
    };
    let mut builder = Builder { graph: without_nodes, types: known, node: String::new() };
    let mut stuck = Refusals::default();
    for node in &graph.nodes {
        let typed = node.inputs.iter().flatten().all(|id| builder.types[id.index()].is_some())
            && node.outputs.iter().flatten().all(|id| builder.types[id.index()].is_some());
        match rewriting(&node.op) {
            Some(rewrite) if typed => {
                let held = (builder.graph.values.len(), builder.graph.nodes.len());
                builder.node.clone_from(&node.name);
                if let Err(reason) =
                    rewrite(&mut builder, node).and_then(|made| builder.stand_for(node, &made, held.1))
                {
                    stuck.node(node, first_dtype(graph, &builder.types, node), reason);
                    builder.graph.values.truncate(held.0);
                    builder.types.truncate(held.0);
                    builder.graph.nodes.truncate(held.1);
                }
            }
            // Inference says why it has no type.
            _ => builder.graph.nodes.push(node.clone()),
        }
    }
    stuck.finish(Some(builder.graph))
}

type Rewrite = fn(&mut Builder, &Node) -> Result<Vec<ValueId>, String>;

/// The rewriting of an operator; `None` for those that are lowered as they are.
fn rewriting(op: &Op) -> Option<Rewrite> {
    Some(match op {
        Op::AffineGrid(_) => sample::affine_grid,
        Op::Attention(_) => attention::attention,
        Op::CastLike(_) => shape::cast_like,
        Op::CenterCropPad(_) => pad::center_crop,
        Op::Col2Im(_) => layout::col2im,
        Op::Compress(_) => scatter::compress,
        Op::DFT(_) => signal::dft,
        Op::Einsum(_) => einsum::einsum,
        Op::EyeLike(_) => shape::eye_like,
        Op::GatherElements(_) => scatter::gather_elements,
        Op::GatherND(_) => scatter::gather_nd,
        Op::GlobalLpPool(_) => pool::global_lp,
        Op::GridSample(_) => sample::grid_sample,
        Op::HannWindow(_) | Op::HammingWindow(_) | Op::BlackmanWindow(_) => signal::window,
        Op::Hardmax(_) => softmax::hardmax,
        Op::LpPool(_) => pool::lp,
        Op::MeanVarianceNormalization(_) => norm::mean_variance,
        Op::NegativeLogLikelihoodLoss(_) => loss::negative_log_likelihood,
        Op::NonZero => scatter::non_zero,
        Op::OneHot(_) => gather::one_hot,
        Op::ReverseSequence(_) => scatter::reverse_sequence,
        Op::RotaryEmbedding(_) => attention::rotary,
        Op::ScatterElements(_) => scatter::scatter_elements,
        Op::ScatterND(_) => scatter::scatter_nd,
        Op::SoftmaxCrossEntropyLoss(_) => loss::cross_entropy,
        Op::TensorScatter(_) => scatter::tensor_scatter,
        Op::Trilu(_) => select::trilu,
        _ => return None,
    })
}

/// The graph that is being rewritten.
pub(crate) struct Builder {
    graph: Graph,
    types: Vec<Option<Type>>,
    node: String,
}

impl Builder {
    /// The type of a value.
    fn ty(&self, id: ValueId) -> Result<Type, String> {
        self.types[id.index()].clone().ok_or_else(|| "an operand comes from a refused node".to_string())
    }

    fn shape(&self, id: ValueId) -> Result<Vec<usize>, String> {
        self.ty(id).map(|t| t.shape)
    }

    fn constant(&self, id: ValueId) -> Option<&Tensor> {
        self.graph.constant(id)
    }

    /// The operand at a position.
    fn need(&self, node: &Node, i: usize) -> Result<ValueId, String> {
        node.inputs.get(i).copied().flatten().ok_or_else(|| format!("operand {i} is missing"))
    }

    /// The first result of the node that is rewritten.
    fn need_output(&self, node: &Node) -> Result<ValueId, String> {
        node.outputs.iter().flatten().next().copied().ok_or_else(|| "it has no result".to_string())
    }

    /// The integers of a constant operand, `None` when it is absent.
    fn integers(&self, node: &Node, i: usize, what: &str) -> Result<Option<Vec<i64>>, String> {
        let Some(id) = node.inputs.get(i).copied().flatten() else { return Ok(None) };
        let tensor = self.constant(id).ok_or_else(|| format!("{what} is not constant"))?;
        tensor.integers().map(Some).ok_or_else(|| format!("{what} is not of an integer type"))
    }

    fn add(&mut self, ty: Type, constant: Option<Tensor>) -> ValueId {
        let id = ValueId(u32::try_from(self.graph.values.len()).expect("fewer than 2^32 values"));
        self.graph.values.push(Value {
            name: String::new(),
            dtype: Some(ty.dtype),
            shape: Some(ty.shape.iter().map(|&d| Dim::Fixed(d)).collect()),
            constant: constant.map(Arc::new),
        });
        self.types.push(Some(ty));
        id
    }

    /// A float constant of an element type, its elements exact.
    fn floats(&mut self, dtype: DType, shape: &[usize], data: Vec<f64>) -> ValueId {
        self.add(Type::new(dtype, shape), Some(Tensor::new(shape.to_vec(), Data::F64(data))))
    }

    /// A float scalar.
    fn float(&mut self, dtype: DType, value: f64) -> ValueId {
        self.floats(dtype, &[], vec![value])
    }

    /// An INT64 constant.
    fn wholes(&mut self, shape: &[usize], data: Vec<i64>) -> ValueId {
        self.add(Type::new(DType::I64, shape), Some(Tensor::i64(shape.to_vec(), data)))
    }

    /// An INT64 vector.
    fn ints(&mut self, data: &[usize]) -> ValueId {
        let extents: Vec<i64> = data.iter().map(|&d| d.cast_signed() as i64).collect();
        self.wholes(&[data.len()], extents)
    }

    /// A constant of numbers in any element type.
    fn numbers(&mut self, dtype: DType, shape: &[usize], data: Vec<i64>) -> Result<ValueId, String> {
        if dtype.is_float() {
            #[expect(clippy::cast_precision_loss, reason = "small integers")]
            let data = data.into_iter().map(|v| v as f64).collect();
            return Ok(self.floats(dtype, shape, data));
        }
        let data =
            crate::fold::integers(dtype, data).ok_or_else(|| format!("a number does not fit {dtype}"))?;
        Ok(self.add(Type::new(dtype, shape), Some(Tensor::new(shape.to_vec(), data))))
    }

    /// A boolean constant.
    fn mask(&mut self, shape: &[usize], data: Vec<bool>) -> ValueId {
        self.add(Type::new(DType::Bool, shape), Some(Tensor::new(shape.to_vec(), Data::Bool(data))))
    }

    /// Adds a node with one result.
    fn emit(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, String> {
        self.emit_optional(op, inputs.iter().map(|&i| Some(i)).collect())
    }

    /// Adds a node with one result, some of whose operands are absent.
    fn emit_optional(&mut self, op: impl Into<Op>, inputs: Vec<Option<ValueId>>) -> Result<ValueId, String> {
        Ok(self.emit_many(op, inputs, 1)?[0])
    }

    /// Adds a node with several results.
    fn emit_many(
        &mut self,
        op: impl Into<Op>,
        inputs: Vec<Option<ValueId>>,
        results: usize,
    ) -> Result<Vec<ValueId>, String> {
        let op = op.into();
        let mut types = Vec::with_capacity(inputs.len());
        for id in &inputs {
            types.push(id.map(|id| Ok::<_, String>((self.ty(id)?, id))).transpose()?);
        }
        let operands: Vec<Option<Operand<'_>>> = types
            .iter()
            .map(|t| t.as_ref().map(|(ty, id)| Operand { ty, constant: self.graph.constant(*id) }))
            .collect();
        let found = infer::results(&op, &operands, results)?;
        let outputs: Vec<ValueId> = found.into_iter().take(results).map(|ty| self.add(ty, None)).collect();
        let listed = outputs.iter().map(|&id| Some(id)).collect();
        self.graph.nodes.push(Node { name: self.node.clone(), op, inputs, outputs: listed });
        Ok(outputs)
    }

    fn reshape(&mut self, x: ValueId, shape: &[usize]) -> Result<ValueId, String> {
        if self.shape(x)? == shape {
            return Ok(x);
        }
        let extents = self.ints(shape);
        self.emit(halfproof_ir::ops::Reshape { allowzero: true }, &[x, extents])
    }

    fn transpose(&mut self, x: ValueId, perm: &[usize]) -> Result<ValueId, String> {
        if perm.is_sorted() {
            return Ok(x);
        }
        let perm = perm.iter().map(|&p| p.cast_signed() as i64).collect();
        self.emit(halfproof_ir::ops::Transpose { perm }, &[x])
    }

    /// Makes the values found the results of the node that they stand for.
    fn stand_for(&mut self, node: &Node, made: &[ValueId], first: usize) -> Result<(), String> {
        for (output, &value) in node.outputs.iter().zip(made) {
            let Some(output) = *output else { continue };
            let (wanted, found) = (self.ty(output)?, self.ty(value)?);
            if wanted.shape != found.shape {
                return Err(format!("the rewriting makes {:?} instead of {:?}", found.shape, wanted.shape));
            }
            if let Some(constant) = self.graph.value(value).constant.clone() {
                let slot = &mut self.graph.values[output.index()];
                slot.dtype = Some(wanted.dtype);
                slot.shape = Some(wanted.shape.iter().map(|&d| Dim::Fixed(d)).collect());
                slot.constant = Some(constant);
                continue;
            }
            // Another result may need it as well, and an operand of the node keeps its name.
            let renames = made.iter().filter(|&&v| v == value).count() == 1;
            let producer = self.graph.nodes[first..]
                .iter_mut()
                .flat_map(|n| n.outputs.iter_mut())
                .find(|slot| **slot == Some(value));
            match producer {
                Some(slot) if renames => {
                    *slot = Some(output);
                    let users = self.graph.nodes[first..].iter_mut().flat_map(|n| n.inputs.iter_mut());
                    users.filter(|slot| **slot == Some(value)).for_each(|slot| *slot = Some(output));
                }
                _ => {
                    let inputs = vec![Some(value)];
                    let (name, outputs) = (self.node.clone(), vec![Some(output)]);
                    self.graph.nodes.push(Node { name, op: Op::Identity, inputs, outputs });
                }
            }
        }
        Ok(())
    }
}
