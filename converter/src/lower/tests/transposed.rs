//! Where a transposed convolution stands in the result of TRANSPOSE_CONV, and what is computed apart.

use super::lowered::{attempt, operators};

fn text(attributes: &str) -> String {
    format!(
        "x = input f32[1,1,3,3]
        w = const f32[1,1,3,3] lattice(1)
        y = ConvTranspose(x, w) {attributes}
        output y"
    )
}

#[test]
fn what_the_operator_makes_too_much_is_cut() {
    assert_eq!(operators(&text(""))[1..3], ["TRANSPOSE_CONV [1, 5, 5, 1]", "RESHAPE [1, 1, 5, 5]"]);
    let cut = operators(&text("pads=[1,1,0,0]"));
    assert_eq!(cut[1..3], ["TRANSPOSE_CONV [1, 5, 5, 1]", "SLICE [1, 4, 4, 1]"]);
    // SAME is half of the padding on each side, for all axes or for none.
    let same = operators(&text("pads=[1,1,1,1]"));
    assert_eq!(same[1..3], ["TRANSPOSE_CONV [1, 3, 3, 1]", "RESHAPE [1, 1, 3, 3]"]);
    let one = operators(&text("pads=[1,0,1,0]"));
    assert_eq!(one[1..3], ["TRANSPOSE_CONV [1, 5, 5, 1]", "SLICE [1, 3, 5, 1]"]);
}

#[test]
fn zeros_at_the_end_are_made_by_asking_for_more_and_none_at_the_beginning() {
    let more = operators(&text("strides=[2,2] output_padding=[1,1]"));
    assert_eq!(more[1], "TRANSPOSE_CONV [1, 8, 8, 1]");
    let words = attempt(&text("output_shape=[8,8]")).expect_err("zeros at the beginning");
    assert_eq!(words, "pads are negative at the beginning");
}

#[test]
fn a_dilated_one_is_a_convolution_of_the_input_with_zeros_between() {
    let all = operators(&text("dilations=[2,2] strides=[2,1]"));
    let names: Vec<&str> = all.iter().filter_map(|o| o.split(' ').next()).collect();
    assert_eq!(names, ["RESHAPE", "RESHAPE", "PAD", "RESHAPE", "PAD", "CONV_2D", "RESHAPE"]);
    assert_eq!(all[5], "CONV_2D [1, 9, 7, 1]");
}

#[test]
fn weights_that_are_not_constant_have_one_group_two_axes_and_no_dilation() {
    let with = |channels: usize, image: &str, kernel: &str, attributes: &str| {
        attempt(&format!(
            "x = input f32[1,{channels},{image}]
            w = input f32[{channels},1,{kernel}]
            y = ConvTranspose(x, w) {attributes}
            output y"
        ))
    };
    assert!(with(1, "3,3", "2,2", "").is_ok());
    assert!(with(1, "3", "2", "").is_ok());
    for refused in [
        with(2, "3,3", "2,2", "group=2"),
        with(1, "3,3", "2,2", "dilations=[2,1]"),
        with(1, "3,3,3", "2,2,2", ""),
    ] {
        let words = refused.expect_err("it needs constant weights");
        assert_eq!(words, "weights are not constant, and groups, dilation or a third axis need them to be");
    }
}
