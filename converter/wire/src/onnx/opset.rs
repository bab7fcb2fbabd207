//! Which operator set has what: the differences between opsets 7 and 28 for the operators of the table, as data.
//!
//! Source: the version histories of the ONNX operator documentation (Operators.md, Changelog.md). Of the differences
//! that only widen the element types of an operator, those are listed that concern float32, int32 and int64.

use halfproof_ir::ops::Attr;
use halfproof_ir::{DType, Graph, Op};
use std::fmt;

/// A version of the default ONNX operator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opset(pub u16);

impl Opset {
    /// The oldest that is read. Before it, broadcasting had attributes.
    pub const OLDEST_READ: Opset = Opset(7);
    /// The newest that is read.
    pub const NEWEST_READ: Opset = Opset(28);
    /// The oldest that is written: before it, constants had to be inputs as well.
    pub const OLDEST_WRITTEN: Opset = Opset(9);
    /// The one written where nothing else is asked for.
    pub const CANONICAL: Opset = Opset(21);
    /// The newest that is written.
    pub const NEWEST_WRITTEN: Opset = Opset(25);

    /// The operator set that fits this graph best: the canonical one unless an operator needs a newer one or has a
    /// meaning that only an older one can say. Graphs that mix the two have none; writing them names the node.
    pub fn of(graph: &Graph) -> Opset {
        let mut opset = Opset::CANONICAL;
        for node in &graph.nodes {
            match &node.op {
                Op::RMSNormalization(_) => opset = opset.max(Opset(23)),
                Op::Attention(a) if a.left_window_size >= 0 || a.right_window_size >= 0 => {
                    opset = opset.max(Opset(25));
                }
                Op::Attention(_) | Op::RotaryEmbedding(_) => opset = opset.max(Opset(23)),
                Op::TensorScatter(_) | Op::Swish(_) => opset = opset.max(Opset(24)),
                Op::Softmax(s) if s.coerce_2d => return Opset(12),
                Op::LogSoftmax(s) if s.coerce_2d => return Opset(12),
                Op::Hardmax(s) if s.coerce_2d => return Opset(12),
                Op::GroupNormalization(g) if g.per_group_scale => return Opset(20),
                _ => {}
            }
        }
        opset
    }

    /// The version of the file format that was current with this operator set.
    pub(super) fn ir_version(self) -> i64 {
        match self.0 {
            ..=9 => 4,
            10 => 5,
            11 => 6,
            12..=14 => 7,
            15..=18 => 8,
            19..=20 => 9,
            21..=22 => 10,
            23 => 11,
            24 => 12,
            _ => 13,
        }
    }
}

impl fmt::Display for Opset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Operators that opset 9 does not have, with the opset that has them.
const FIRST: &[(&str, u16)] = &[
    ("IsInf", 10),
    ("ReverseSequence", 10),
    ("Mod", 10),
    ("ThresholdedRelu", 10),
    ("CumSum", 11),
    ("Range", 11),
    ("Round", 11),
    ("GatherElements", 11),
    ("ScatterElements", 11),
    ("ScatterND", 11),
    ("GatherND", 11),
    ("Celu", 12),
    ("Einsum", 12),
    ("NegativeLogLikelihoodLoss", 12),
    ("SoftmaxCrossEntropyLoss", 12),
    ("GreaterOrEqual", 12),
    ("LessOrEqual", 12),
    ("HardSwish", 14),
    ("Trilu", 14),
    ("CastLike", 15),
    ("LayerNormalization", 17),
    ("BlackmanWindow", 17),
    ("HammingWindow", 17),
    ("HannWindow", 17),
    ("CenterCropPad", 18),
    ("Col2Im", 18),
    ("GroupNormalization", 18),
    ("Mish", 18),
    ("AffineGrid", 20),
    ("DFT", 20),
    ("GridSample", 20),
    ("Gelu", 20),
    ("Attention", 23),
    ("RMSNormalization", 23),
    ("RotaryEmbedding", 23),
    ("Swish", 24),
    ("TensorScatter", 24),
];

/// The opset that introduced an operator, 9 for those that are older.
pub(super) fn first(op: &str) -> Opset {
    FIRST.iter().find(|(name, _)| *name == op).map_or(Opset(9), |(_, since)| Opset(*since))
}

/// What an attribute that became an input holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Integers, as an INT64 vector.
    Ints,
    /// Floats, as a FLOAT vector.
    Floats,
    /// One integer, as an INT64 vector of one element.
    Int,
    /// One float, as a scalar of the type of operand 0.
    Scalar,
}

/// Attributes that became inputs: operator, attribute, operand, first opset with the input, contents.
const MOVED: &[(&str, &str, usize, u16, Moved)] = &[
    ("Clip", "min", 1, 11, Moved::Scalar),
    ("Clip", "max", 2, 11, Moved::Scalar),
    ("TopK", "k", 1, 10, Moved::Int),
    ("DFT", "axis", 2, 20, Moved::Int),
    ("Pad", "pads", 1, 11, Moved::Ints),
    ("Pad", "value", 2, 11, Moved::Scalar),
    ("Slice", "starts", 1, 10, Moved::Ints),
    ("Slice", "ends", 2, 10, Moved::Ints),
    ("Slice", "axes", 3, 10, Moved::Ints),
    ("Split", "split", 1, 13, Moved::Ints),
    ("Squeeze", "axes", 1, 13, Moved::Ints),
    ("Unsqueeze", "axes", 1, 13, Moved::Ints),
    ("Upsample", "scales", 1, 9, Moved::Floats),
    ("ReduceSum", "axes", 1, 13, Moved::Ints),
    ("ReduceL1", "axes", 1, 18, Moved::Ints),
    ("ReduceL2", "axes", 1, 18, Moved::Ints),
    ("ReduceLogSum", "axes", 1, 18, Moved::Ints),
    ("ReduceLogSumExp", "axes", 1, 18, Moved::Ints),
    ("ReduceMax", "axes", 1, 18, Moved::Ints),
    ("ReduceMean", "axes", 1, 18, Moved::Ints),
    ("ReduceMin", "axes", 1, 18, Moved::Ints),
    ("ReduceProd", "axes", 1, 18, Moved::Ints),
    ("ReduceSumSquare", "axes", 1, 18, Moved::Ints),
];

/// The attributes that are inputs in the canonical form but not yet at this opset: attribute, operand, contents.
pub(super) fn moved(op: &str, opset: Opset) -> impl Iterator<Item = (&'static str, usize, Moved)> {
    MOVED
        .iter()
        .filter(move |row| row.0 == op && opset.0 < row.3)
        .map(|&(_, attr, operand, _, contents)| (attr, operand, contents))
}

/// Attributes that came later than their operator; before, only the default can be said.
const ATTRIBUTES: &[(&str, &str, u16)] = &[
    ("ArgMax", "select_last_index", 12),
    ("ArgMin", "select_last_index", 12),
    ("AveragePool", "ceil_mode", 10),
    ("AveragePool", "dilations", 19),
    ("DepthToSpace", "mode", 11),
    ("GRU", "layout", 14),
    ("GroupNormalization", "stash_type", 21),
    ("LSTM", "layout", 14),
    ("Attention", "left_window_size", 25),
    ("Attention", "right_window_size", 25),
    ("GatherND", "batch_dims", 12),
    ("ScatterElements", "reduction", 16),
    ("ScatterND", "reduction", 16),
    ("CastLike", "saturate", 19),
    ("LpPool", "ceil_mode", 18),
    ("LpPool", "dilations", 18),
    ("TopK", "largest", 11),
    ("TopK", "sorted", 11),
    ("MaxPool", "ceil_mode", 10),
    ("MaxPool", "dilations", 10),
    ("RNN", "layout", 14),
    ("ReduceL1", "noop_with_empty_axes", 18),
    ("ReduceL2", "noop_with_empty_axes", 18),
    ("ReduceLogSum", "noop_with_empty_axes", 18),
    ("ReduceLogSumExp", "noop_with_empty_axes", 18),
    ("ReduceMax", "noop_with_empty_axes", 18),
    ("ReduceMean", "noop_with_empty_axes", 18),
    ("ReduceMin", "noop_with_empty_axes", 18),
    ("ReduceProd", "noop_with_empty_axes", 18),
    ("ReduceSum", "noop_with_empty_axes", 13),
    ("ReduceSumSquare", "noop_with_empty_axes", 18),
    ("Reshape", "allowzero", 14),
    ("Resize", "antialias", 18),
    ("Resize", "axes", 18),
    ("Resize", "keep_aspect_ratio_policy", 18),
    ("Shape", "end", 15),
    ("Shape", "start", 15),
];

/// The opset that introduced an attribute, 9 for those that are older.
pub(super) fn attribute_first(op: &str, attribute: &str) -> Opset {
    ATTRIBUTES
        .iter()
        .find(|(o, a, _)| *o == op && *a == attribute)
        .map_or(Opset(9), |(_, _, since)| Opset(*since))
}

/// Element types that came later than their operator: operator, whether it is about floats (else integers), opset.
const TYPES: &[(&str, bool, u16)] = &[
    ("Clip", false, 12),
    ("Equal", true, 11),
    ("Max", false, 12),
    ("Min", false, 12),
    ("Pow", false, 12),
    ("Relu", false, 14),
];

/// The opset from which an operator takes elements of that type, 9 for those that always did.
pub(super) fn type_first(op: &str, dtype: DType) -> Opset {
    TYPES
        .iter()
        .find(|(o, floats, _)| *o == op && if *floats { dtype.is_float() } else { dtype.is_integer() })
        .map_or(Opset(9), |(_, _, since)| Opset(*since))
}

/// The attribute that a node of this operator must have, whatever its value.
pub(super) fn required(op: &Op) -> Option<(&'static str, Attr)> {
    Some(match op {
        Op::AveragePool(o) => ("kernel_shape", Attr::Ints(o.kernel_shape.clone())),
        Op::Cast(o) => ("to", Attr::Int(o.to.onnx_code())),
        Op::Einsum(o) => ("equation", Attr::Str(o.equation.clone())),
        Op::Concat(o) => ("axis", Attr::Int(o.axis)),
        Op::DepthToSpace(o) => ("blocksize", Attr::Int(o.blocksize)),
        Op::GroupNormalization(o) => ("num_groups", Attr::Int(o.num_groups)),
        Op::LRN(o) => ("size", Attr::Int(o.size)),
        Op::LpPool(o) => ("kernel_shape", Attr::Ints(o.kernel_shape.clone())),
        Op::MaxPool(o) => ("kernel_shape", Attr::Ints(o.kernel_shape.clone())),
        Op::SpaceToDepth(o) => ("blocksize", Attr::Int(o.blocksize)),
        _ => return None,
    })
}
