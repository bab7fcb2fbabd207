//! Where blocks go.

use super::lowered::operators;

#[test]
fn a_block_of_channels_first_is_turned_before_it_is_spread() {
    let of = |mode: &str| {
        operators(&format!(
            "x = input f32[1,18,2,4]
            y = DepthToSpace(x) blocksize=3 mode=\"{mode}\"
            output y"
        ))
    };
    let ends = ["TRANSPOSE [1, 2, 4, 18]", "DEPTH_TO_SPACE [1, 6, 12, 2]", "TRANSPOSE [1, 2, 6, 12]"];
    assert_eq!(of("DCR"), ends);
    let turned = ["RESHAPE [8, 2, 9]", "TRANSPOSE [8, 9, 2]", "RESHAPE [1, 2, 4, 18]"];
    assert_eq!(of("CRD"), [&ends[..1], &turned, &ends[1..]].concat());
}

#[test]
fn blocks_of_one_move_nothing() {
    for op in ["DepthToSpace", "SpaceToDepth"] {
        let all = operators(&format!("x = input f32[1,4,2,2]\ny = {op}(x) blocksize=1\noutput y"));
        assert_eq!(all, ["RESHAPE [1, 4, 2, 2]"], "{op}");
    }
}
