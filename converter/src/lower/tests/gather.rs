//! Constant indices of a Gather.

use super::lowered::{attempt, names};

fn gather(indices: &str) -> String {
    format!(
        "x = input f32[4,2]
        i = const i64[2] {{{indices}}}
        y = Gather(x, i)
        output y"
    )
}

#[test]
fn a_run_of_indices_is_a_slice_and_others_are_gathered() {
    for (indices, operator) in
        [("0,1", "SLICE"), ("2,3", "SLICE"), ("-2,-1", "SLICE"), ("1,0", "GATHER"), ("0,2", "GATHER")]
    {
        assert_eq!(names(&gather(indices)), operator, "{indices}");
    }
}

#[test]
fn an_index_outside_is_refused() {
    assert_eq!(attempt(&gather("0,4")).expect_err("4"), "index 4 is outside 0..4");
    assert_eq!(attempt(&gather("-5,0")).expect_err("-5"), "index -5 is outside 0..4");
    assert!(attempt(&gather("-4,3")).is_ok());
}
