//! Weights and biases of a convolution.

use super::lowered::{attempt, constant, lowered, only};
use halfproof_wire::tflite::{Builtin, Options};

#[test]
fn a_convolution_is_multiplied_by_channel() {
    let target = lowered(
        "x = input f32[1,2,1,1]
        w = const f32[2,2,1,1] {1,2,3,4}
        b = const f32[2] {1,2}
        k = const f32[2,1,1] {10,100}
        s = const f32[2,1,1] {3,4}
        c = Conv(x, w, b)
        m = Mul(c, k)
        y = Add(m, s)
        output y",
    );
    assert_eq!(constant(&target, Builtin::Conv2d, 1).2, [10.0, 20.0, 300.0, 400.0]);
    assert_eq!(constant(&target, Builtin::Conv2d, 2).2, [13.0, 204.0]);
}

#[test]
fn a_bias_that_is_computed_is_an_operand() {
    let target = lowered(
        "x = input f32[1,2,1,1]
        w = const f32[2,2,1,1] {1,2,3,4}
        b = input f32[2]
        y = Conv(x, w, b)
        output y",
    );
    let bias = only(&target, Builtin::Conv2d).inputs[2].expect("a bias");
    assert_eq!(target.inputs[1], ("b".to_string(), bias));
}

#[test]
fn computed_weights_of_three_axes_have_one_group() {
    let with = |groups: usize| {
        attempt(&format!(
            "x = input f32[1,2,3,3,3]
            w = input f32[2,{},1,1,1]
            y = Conv(x, w) group={groups}
            output y",
            2 / groups
        ))
    };
    let target = with(1).unwrap_or_else(|reason| panic!("{reason}"));
    let weights = only(&target, Builtin::Conv3d).inputs[1].expect("weights");
    assert!(target.tensor(weights).constant.is_none(), "they are an operand");
    let words = with(2).expect_err("the kernel knows no groups");
    assert_eq!(words, "TFLite CONV_3D has no groups, and its weights are not constant");
}

#[test]
fn a_group_for_each_channel_has_its_filters_as_multiplier() {
    for (channels, filters) in [(2, 2), (2, 4), (3, 9), (1, 5)] {
        let target = lowered(&format!(
            "x = input f32[1,{channels},4,4]
            w = const f32[{filters},1,2,2] lattice(1)
            y = Conv(x, w) group={channels}
            output y"
        ));
        if channels == 1 {
            only(&target, Builtin::Conv2d);
            continue;
        }
        let Options::DepthwiseConv2D(o) = &only(&target, Builtin::DepthwiseConv2d).options else {
            panic!("{target:?}")
        };
        assert_eq!(o.depth_multiplier, filters / channels, "{filters} of {channels}");
    }
}

#[test]
fn weights_of_three_axes_that_nothing_changes_are_the_source_s() {
    let source = |group: usize| {
        let target = lowered(&format!(
            "x = input f32[1,2,3,3,3]
            w = const f32[2,{},1,1,1] lattice(1)
            y = Conv(x, w) group={group}
            output y",
            2 / group
        ));
        let first = target.operators.iter().find(|op| op.builtin == Builtin::Conv3d).expect("a convolution");
        target.tensor(first.inputs[1].expect("weights")).origin.as_ref().map(|o| o.source.clone())
    };
    assert_eq!(source(1).as_deref(), Some("w"));
    assert_eq!(source(2), None, "a part of them");
}
