//! What normalizations refuse.

use super::lowered::attempt;

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
