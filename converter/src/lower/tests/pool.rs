//! How paddings of a pool are made: by the scheme of the operator, by zeros, by elements that its windows hold anyway, or by
//! fetching each window.

use super::lowered::{constant, lowered, names, operators};
use halfproof_ir::Role;
use halfproof_wire::tflite::Builtin;

fn max_pool(before: &str, attributes: &str) -> String {
    let all = names(&format!(
        "x = input f32[1,2,6,6]
        {before}
        y = MaxPool(v) {attributes}
        output y"
    ));
    let at = all.rfind("MAX_POOL_2D").expect("a pool");
    let head = all[..at].trim_end().rsplit(' ').next().unwrap_or_default().to_string();
    if head.is_empty() { "none".to_string() } else { head }
}

/// Two elements of padding beside one of the image: a mirror would bring in an element from outside of the window.
const DEEP: &str = "kernel_shape=[3,3] pads=[2,2,2,2]";

#[test]
fn zeros_pad_a_maximum_of_what_is_never_negative() {
    for what in [
        "v = Relu(x)",
        "v = Sigmoid(x)",
        "v = HardSigmoid(x)",
        "v = Softmax(x) axis=1",
        "low = const f32[] {0}
        v = Clip(x, low)",
        "low = const f32[] {1}
        v = Clip(x, low)",
        "r = Relu(x)
        v = MaxPool(r) kernel_shape=[2,2]",
        "r = Relu(x)
        v = AveragePool(r) kernel_shape=[2,2]",
        "r = Relu(x)
        s = Sigmoid(x)
        v = Concat(r, s) axis=1",
    ] {
        assert_eq!(max_pool(what, DEEP), "PAD", "{what}");
    }
}

#[test]
fn a_maximum_of_what_may_be_negative_is_taken_of_fetched_windows() {
    for what in [
        "v = Tanh(x)",
        "low = const f32[] {-1}
        v = Clip(x, low)",
        "high = const f32[] {1}
        v = Clip(x, _, high)",
        "v = MaxPool(x) kernel_shape=[2,2]",
        "r = Relu(x)
        v = Concat(r, x) axis=1",
        "r = Relu(x)
        v = Concat(x, r) axis=1",
    ] {
        assert_eq!(max_pool(what, DEEP), "GATHER", "{what}");
    }
}

#[test]
fn what_is_never_negative_is_looked_for_four_operators_back() {
    let behind = |pools: usize| {
        let mut text = "p0 = Relu(x)\n".to_string();
        for i in 0..pools {
            text += &format!("p{} = MaxPool(p{i}) kernel_shape=[1,2]\n", i + 1);
        }
        max_pool(&format!("{text}v = MaxPool(p{pools}) kernel_shape=[2,1]"), DEEP)
    };
    assert_eq!(behind(3), "PAD");
    assert_eq!(behind(4), "GATHER");
}

#[test]
fn a_mirror_pads_a_maximum_whose_windows_hold_the_mirrored_elements() {
    for attributes in [
        "kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]",
        "kernel_shape=[2,2] pads=[1,1,1,1]",
        "kernel_shape=[4,4] pads=[2,2,2,2]",
        "kernel_shape=[4,4] pads=[0,2,2,0]",
    ] {
        assert_eq!(max_pool("v = Tanh(x)", attributes), "MIRROR_PAD", "{attributes}");
    }
    for attributes in [
        "kernel_shape=[4,4] pads=[3,0,0,0]",
        "kernel_shape=[4,4] pads=[0,0,0,3]",
        "kernel_shape=[5,5] pads=[0,3,0,0]",
        // There are not so many elements to mirror, on one side.
        "kernel_shape=[14,1] pads=[7,0,1,0]",
        "kernel_shape=[14,1] pads=[1,0,7,0]",
    ] {
        assert_eq!(max_pool("v = Tanh(x)", attributes), "GATHER", "{attributes}");
    }
}

#[test]
fn an_average_without_padding_is_not_padded() {
    let text = |attributes: &str| {
        operators(&format!(
            "x = input f32[1,2,6,6]
            y = AveragePool(x) {attributes}
            output y"
        ))
    };
    let dilated = ["TRANSPOSE [1, 6, 6, 2]", "DEPTHWISE_CONV_2D [1, 4, 4, 2]", "TRANSPOSE [1, 2, 4, 4]"];
    assert_eq!(text("kernel_shape=[2,2] dilations=[2,2]"), dilated);
    let dense = ["TRANSPOSE [1, 6, 6, 2]", "AVERAGE_POOL_2D [1, 5, 5, 2]", "TRANSPOSE [1, 2, 5, 5]"];
    assert_eq!(text("kernel_shape=[2,2]"), dense);
}

#[test]
fn an_average_is_multiplied_where_its_divisor_is_smaller_than_its_window() {
    let text = |attributes: &str| {
        format!(
            "x = input f32[1,1,3,4]
            y = AveragePool(x) kernel_shape=[2,2] {attributes}
            output y"
        )
    };
    let (shape, role, factors) = constant(&lowered(&text("pads=[1,1,0,1]")), Builtin::Mul, 1);
    assert_eq!((shape, role), (vec![3, 5, 1], Role::Scale));
    assert_eq!(factors, [4.0, 2.0, 2.0, 2.0, 4.0, 2.0, 1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0, 2.0]);
    let counted = names(&text("pads=[1,1,0,1] count_include_pad=1"));
    assert!(counted.contains("PAD AVERAGE_POOL_2D") && !counted.contains("MUL"), "{counted}");
    // A window that hangs over does not count what is behind the padding.
    let hanging = "strides=[2,3] pads=[0,0,0,1] ceil_mode=1 count_include_pad=1";
    let (_, _, factors) = constant(&lowered(&text(hanging)), Builtin::Mul, 1);
    assert_eq!(factors, [1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn a_pool_over_three_axes_is_two_over_two() {
    for (op, pool) in [("MaxPool", "MAX_POOL_2D"), ("AveragePool", "AVERAGE_POOL_2D")] {
        let all = operators(&format!(
            "x = input f32[1,2,4,6,9]
            y = {op}(x) kernel_shape=[2,3,3] strides=[2,1,3]
            output y"
        ));
        let from = all
            .iter()
            .position(|o| o == "RESHAPE [4, 6, 9, 2]")
            .expect("images of the second and third axis");
        let wanted = [
            format!("{pool} [4, 4, 3, 2]"),
            "RESHAPE [1, 4, 12, 2]".to_string(),
            format!("{pool} [1, 2, 12, 2]"),
            "RESHAPE [1, 2, 4, 3, 2]".to_string(),
        ];
        assert_eq!(all[from + 1..from + 5], wanted);
    }
}

#[test]
fn a_dilated_window_that_hangs_over_counts_the_taps_that_do_not() {
    let target = lowered(
        "x = input f32[1,1,1,6]
        y = AveragePool(x) kernel_shape=[1,2] dilations=[1,2] strides=[1,2] ceil_mode=1 count_include_pad=1
        output y",
    );
    assert_eq!(constant(&target, Builtin::Mul, 1).2, [1.0, 1.0, 2.0]);
}
