//! How many axes SOFTMAX takes, and where a matrix is cut.

use super::lowered::{names, operators};

#[test]
fn beyond_four_axes_a_softmax_is_taken_of_rows() {
    let of = |shape: &str| names(&format!("x = input f32[{shape}]\ny = Softmax(x)\noutput y"));
    assert_eq!(of("2,3"), "SOFTMAX");
    assert_eq!(of("2,2,2,3"), "SOFTMAX");
    assert_eq!(of("2,2,2,2,3"), "RESHAPE SOFTMAX RESHAPE");
}

/// Up to opset 12 the axes from `axis` on are one.
#[test]
fn a_matrix_may_be_cut_in_front_of_the_first_axis_and_behind_the_last() {
    let of = |axis: usize| {
        operators(&format!("x = input f32[2,3]\ny = Softmax(x) axis={axis} coerce_2d=1\noutput y"))
    };
    assert_eq!(of(0), ["RESHAPE [1, 6]", "SOFTMAX [1, 6]", "RESHAPE [2, 3]"]);
    assert_eq!(of(1), ["SOFTMAX [2, 3]"]);
    assert_eq!(of(2), ["RESHAPE [6, 1]", "SOFTMAX [6, 1]", "RESHAPE [2, 3]"]);
}
