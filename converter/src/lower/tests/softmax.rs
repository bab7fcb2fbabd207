//! How many axes SOFTMAX takes.

use super::lowered::names;

#[test]
fn beyond_four_axes_a_softmax_is_taken_of_rows() {
    let of = |shape: &str| names(&format!("x = input f32[{shape}]\ny = Softmax(x)\noutput y"));
    assert_eq!(of("2,3"), "SOFTMAX");
    assert_eq!(of("2,2,2,3"), "SOFTMAX");
    assert_eq!(of("2,2,2,2,3"), "RESHAPE SOFTMAX RESHAPE");
}
