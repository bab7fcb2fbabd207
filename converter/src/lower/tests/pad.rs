//! Where the elements of a padding come from.
//!
//! Source: the ONNX operator Pad, modes `edge`, `reflect` and `wrap`.

use super::lowered::{attempt, constant, lowered, names, only, operators};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

fn pad(extent: usize, pads: &str, mode: &str) -> String {
    format!(
        "x = input f32[{extent}]
        p = const i64[2] {{{pads}}}
        y = Pad(x, p) mode=\"{mode}\"
        output y"
    )
}

#[test]
fn each_mode_fetches_what_it_says() {
    let rules: &[(usize, &str, &str, &[f64])] = &[
        (3, "2,3", "edge", &[0., 0., 0., 1., 2., 2., 2., 2.]),
        (3, "0,1", "edge", &[0., 1., 2., 2.]),
        (3, "4,2", "wrap", &[2., 0., 1., 2., 0., 1., 2., 0., 1.]),
        (3, "4,5", "reflect", &[0., 1., 2., 1., 0., 1., 2., 1., 0., 1., 2., 1.]),
        (4, "0,4", "reflect", &[0., 1., 2., 3., 2., 1., 0., 1.]),
        (2, "2,2", "reflect", &[0., 1., 0., 1., 0., 1.]),
        (1, "2,1", "reflect", &[0., 0., 0., 0.]),
    ];
    for &(extent, pads, mode, indices) in rules {
        let target = lowered(&pad(extent, pads, mode));
        assert_eq!(constant(&target, Builtin::Gather, 1).2, indices, "{mode} {pads} of {extent}");
    }
}

#[test]
fn a_reflection_that_stays_inside_is_mirrored_by_the_kernel() {
    assert_eq!(names(&pad(4, "3,3", "reflect")), "MIRROR_PAD");
    assert_eq!(names(&pad(4, "4,0", "reflect")), "GATHER");
    assert_eq!(names(&pad(4, "0,4", "reflect")), "GATHER");
}

#[test]
fn negative_pads_cut_and_only_of_a_constant_padding() {
    assert_eq!(names(&pad(5, "-2,-1", "constant")), "SLICE");
    assert_eq!(names(&pad(5, "-2,1", "constant")), "SLICE PAD");
    assert_eq!(attempt(&pad(5, "-2,-3", "constant")), Err("its result has no elements".to_string()));
    assert_eq!(attempt(&pad(5, "-1,1", "edge")), Err("negative pads in mode edge".to_string()));
    assert_eq!(attempt(&pad(5, "1,-1", "edge")), Err("negative pads in mode edge".to_string()));
}

#[test]
fn axes_that_do_not_grow_are_joined_beyond_four() {
    let text = |shape: &str, pads: &str, n: usize| {
        format!(
            "x = input f32[{shape}]
            p = const i64[{n}] {{{pads}}}
            y = Pad(x, p)
            output y"
        )
    };
    assert_eq!(names(&text("2,2,2,2", "0,1,0,0,0,0,0,0", 8)), "PAD");
    let target = lowered(&text("2,3,4,5,6", "0,0,1,0,0,0,0,0,0,0", 10));
    assert_eq!(constant(&target, Builtin::Pad, 1).2, [0., 0., 1., 0., 0., 0.]);
    let pad = target.operators.iter().find(|op| op.builtin == Builtin::Pad).expect("a pad");
    assert_eq!(target.tensor(pad.outputs[0]).shape, [6, 5, 30]);
}

#[test]
fn a_padding_element_has_the_type_of_what_it_pads() {
    for dtype in [DType::F32, DType::I32, DType::I64] {
        let target = lowered(&format!(
            "x = input {0}[3]
            p = const i64[2] {{1,0}}
            v = const {0}[] {{5}}
            y = Pad(x, p, v)
            output y",
            dtype.short()
        ));
        let element = only(&target, Builtin::Padv2).inputs[2].expect("an element");
        assert_eq!(target.tensor(element).dtype, dtype);
    }
}

#[test]
fn a_negative_pad_cuts_its_end_of_its_axis() {
    let of = |pads: &str| {
        operators(&format!(
            "x = input f32[4,5]
            p = const i64[4] {{{pads}}}
            y = Pad(x, p)
            output y"
        ))
    };
    assert_eq!(of("-1,0,0,0"), ["SLICE [3, 5]"]);
    assert_eq!(of("0,0,0,-2"), ["SLICE [4, 3]"]);
    assert_eq!(of("0,-1,0,-2"), ["SLICE [4, 2]"]);
    assert_eq!(of("-1,0,0,2"), ["SLICE [3, 5]", "PAD [3, 7]"]);
    assert_eq!(of("0,2,-1,0"), ["SLICE [3, 5]", "PAD [3, 7]"]);
    assert_eq!(of("1,-1,0,0"), ["SLICE [4, 4]", "PAD [5, 4]"]);
}

#[test]
fn what_has_no_kernel_that_mirrors_is_fetched() {
    let of = |dtype: DType| {
        names(&format!(
            "x = input {}[4]
            p = const i64[2] {{1,1}}
            y = Pad(x, p) mode=\"reflect\"
            output y",
            dtype.short()
        ))
    };
    for (dtype, operator) in [
        (DType::F32, "MIRROR_PAD"),
        (DType::I32, "MIRROR_PAD"),
        (DType::I64, "MIRROR_PAD"),
        (DType::Bool, "GATHER"),
        (DType::I8, "GATHER"),
    ] {
        assert_eq!(of(dtype), operator, "{dtype}");
    }
}
