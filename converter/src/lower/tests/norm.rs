//! What normalizations refuse, and the neighbours of a local response.

use super::lowered::{attempt, constant, lowered, names};
use halfproof_wire::tflite::Builtin;

#[test]
fn channels_that_make_no_groups_are_refused() {
    let group = |groups: i64| {
        attempt(&format!(
            "x = input f32[1,6,2,2]
            s = const f32[6] {{1,1,1,1,1,1}}
            b = const f32[6] {{0,0,0,0,0,0}}
            y = GroupNormalization(x, s, b) num_groups={groups}
            output y"
        ))
    };
    assert_eq!(group(4).expect_err("4 do not divide 6"), "6 channels do not make 4 groups");
    for groups in [0, -1] {
        assert_eq!(group(groups).expect_err("no groups"), "num_groups is not positive");
    }
    assert!(group(3).is_ok());
}

/// ONNX LRN: from `c - floor((size - 1) / 2)` to `c + ceil((size - 1) / 2)`.
#[test]
fn an_even_number_of_neighbours_has_one_more_behind() {
    let text = |size: usize| format!("x = input f32[1,6,2,2]\ny = LRN(x) size={size}\noutput y");
    for (size, before, after) in [(2, 0., 1.), (3, 1., 1.), (4, 1., 2.), (5, 2., 2.)] {
        let paddings = constant(&lowered(&text(size)), Builtin::Pad, 1).2;
        assert_eq!(paddings, [0., 0., 0., 0., before, after, 0., 0.], "{size}");
    }
    assert!(!names(&text(1)).contains("PAD"));
}
