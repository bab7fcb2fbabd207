//! The table of fault classes: what can go wrong in a converted model and in an execution of one.

use super::draft::Draft;
use super::model::{attributes, constants, indices, wiring};
use super::runtime::{self, Scene};
use crate::generate::Stream;
use halfproof_oracle::value::Value;

/// How a fault is put in.
#[derive(Clone, Copy)]
pub(super) enum Inject {
    /// Into the converted model's flatbuffer. Says in words what was changed; `None` where it does not apply.
    Model(fn(&mut Draft<'_>) -> Option<String>),
    /// Into the results of one operator of an execution; everything after it is executed again. `None` where it does
    /// not apply.
    Execution(fn(&Scene<'_>, &mut Stream) -> Option<Vec<Value<f32>>>),
}

/// What excludes a fault that nobody can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// The spoilt model computes the same function: see `equivalent`.
    SameFunction,
    /// The spoilt execution has the same bits, or bits that another execution under the contract has.
    SameBits,
    /// Nothing: what was changed is wrong whatever it computes.
    Never,
}

/// One class of faults.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    /// Name in tables and files.
    pub(super) name: &'static str,
    /// What goes wrong.
    pub(super) what: &'static str,
    /// How.
    pub(super) inject: Inject,
    /// What excludes it.
    pub(super) excuse: Excuse,
}

const fn model(
    name: &'static str,
    what: &'static str,
    inject: fn(&mut Draft<'_>) -> Option<String>,
) -> Fault {
    Fault { name, what, inject: Inject::Model(inject), excuse: Excuse::SameFunction }
}

const fn constant(
    name: &'static str,
    what: &'static str,
    inject: fn(&mut Draft<'_>) -> Option<String>,
) -> Fault {
    Fault { name, what, inject: Inject::Model(inject), excuse: Excuse::Never }
}

const fn execution(
    name: &'static str,
    what: &'static str,
    inject: fn(&Scene<'_>, &mut Stream) -> Option<Vec<Value<f32>>>,
) -> Fault {
    Fault { name, what, inject: Inject::Execution(inject), excuse: Excuse::SameBits }
}

/// Every class.
pub(super) const FAULTS: &[Fault] = &[
    model("wrong-axis", "another axis of concat, gather, split, argmax, cumsum", indices::axis),
    model("wrong-permutation", "two axes of a TRANSPOSE exchanged", indices::permutation),
    model("wrong-reduced-axes", "a reduction over another axis", indices::reduced),
    model("keep-dims", "keep_dims flipped", attributes::keep_dims),
    model("wrong-stride", "another stride, or height and width exchanged", attributes::stride),
    model("wrong-dilation", "another dilation", attributes::dilation),
    model("wrong-padding-scheme", "SAME for VALID or the reverse", attributes::scheme),
    model("wrong-window", "another pooling window", attributes::window),
    model("pad-side", "padding before and after exchanged", indices::pad_side),
    model("pad-off-by-one", "one element of padding too few, or on the other side", indices::pad_off_by_one),
    model("mirror-mode", "REFLECT for SYMMETRIC or the reverse", attributes::mirror),
    model("slice-start", "a slice begins one element off", indices::slice_start),
    model("gather-index", "one index of a gather one off", indices::gathered),
    model("wrong-shape", "two extents of a RESHAPE exchanged", indices::reshaped),
    model("wrong-repeats", "repetitions of TILE or sizes of a resize exchanged", indices::repeated),
    model("wrong-block", "another block of SPACE_TO_DEPTH or DEPTH_TO_SPACE", indices::block),
    model("dropped-bias", "the bias is not added", wiring::bias),
    model("fused-activation", "another fused activation, or one too many or too few", attributes::fused),
    model("wrong-alpha", "another slope of LEAKY_RELU or parameter of LRN", attributes::alpha),
    model("softmax-beta", "another beta", attributes::beta),
    model("align-corners", "align_corners flipped", attributes::align_corners),
    model("half-pixel", "half_pixel_centers flipped", attributes::half_pixel),
    model("adjoint", "a matrix of BATCH_MATMUL transposed or not", attributes::adjoint),
    model("gelu-form", "tanh approximation for erf or the reverse", attributes::gelu),
    model("wrong-operator", "an operator taken for a similar one", attributes::confused),
    model("swapped-operands", "operands of an ordered operator exchanged", wiring::operands),
    model("wrong-operand", "an operand is another tensor of the same form", wiring::operand),
    model("wrong-broadcast", "an operand broadcast along another axis", wiring::broadcast),
    model("missing-operator", "an operator left out", wiring::missing),
    model("output-order", "two outputs exchanged", wiring::outputs),
    model("result-order", "two results of an operator exchanged", wiring::results),
    constant("transposed-weights", "the last two axes of a constant exchanged", constants::transposed),
    constant("swapped-channels", "two channels of a constant exchanged", constants::channels),
    constant("truncated-constants", "constants rounded towards zero", constants::truncated),
    constant("doubly-rounded-constants", "constants rounded to 13 bits first", constants::twice),
    constant("bfloat16-constants", "constants rounded to bfloat16", constants::bfloat),
    constant(
        "int8-constants",
        "constants rounded to 8-bit integers, stored as floats",
        constants::eight_bits,
    ),
    constant("flipped-mantissa-bit", "one bit of one element", constants::mantissa_bit),
    constant("flipped-sign", "the sign of one element", constants::sign_bit),
    constant("one-in-a-thousand", "one element in a thousand 3 % off", constants::thousandth),
    constant("scaled-constant", "a constant multiplied by a factor", constants::scaled),
    constant("flushed-constant", "the smallest elements became zero", constants::flushed),
    constant("stale-constant", "the buffer of another constant", constants::stale),
    constant("wrong-epsilon", "another epsilon, or none", constants::epsilon),
    constant("float32-left", "a constant that stays FLOAT32", constants::left_single),
    constant("int8-left", "a constant that stays INT8", constants::left_quantized),
    execution("narrow-accumulator", "sums in float16 where float32 is promised", runtime::narrow_sums),
    execution("flushed-subnormals", "subnormal results become zero", runtime::flushed),
    execution("clamped-infinity", "infinite results become 65504", runtime::clamped),
    execution("nan-to-zero", "NaN becomes 0", runtime::nan_to_zero),
    execution("truncated-result", "results rounded towards zero", runtime::truncated),
    execution("bfloat16-result", "results rounded to bfloat16", runtime::bfloat_results),
    execution("bfloat16-operands", "operands rounded to bfloat16", runtime::bfloat_operands),
    execution("dropped-term", "the last term of every dot product is missing", runtime::dropped_term),
    execution("dropped-activation", "the fused activation is not applied", runtime::dropped_activation),
    execution("poor-function", "a transcendental function up to 16 units off", runtime::poor_function),
    execution("one-ulp", "one element one float16 unit off", runtime::one_unit),
    execution("one-element", "one element is its neighbor", runtime::one_element),
    execution("transposed-result", "the last two axes of a result exchanged", runtime::transposed),
    execution("swapped-result-channels", "two channels of a result exchanged", runtime::swapped_channels),
    execution("shifted-result", "a result moved by one element", runtime::shifted),
    execution("repeated-batch", "every batch is the first", runtime::repeated_batch),
    execution("unwritten-tail", "the last elements, beyond a multiple of 8, are zero", runtime::tail),
    execution("unwritten-result", "a result is zero", runtime::zeros),
    execution("stale-run", "a result is that of an earlier run", runtime::stale_run),
    execution("stale-buffer", "a result is that of another operator", runtime::stale_buffer),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_classes_and_each_has_its_own_name() {
        let mut names: Vec<&str> = FAULTS.iter().map(|f| f.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FAULTS.len());
        assert!(names.len() >= 30);
    }
}
