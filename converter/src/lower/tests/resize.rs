//! Sizes that keep the aspect ratio.
//!
//! Source: the ONNX operator Resize, `keep_aspect_ratio_policy`: one scale, the smallest or the largest of those that the
//! sizes name, for all axes.

use super::lowered::{attempt, lowered, names};
use halfproof_wire::tflite::Builtin;

fn resized(sizes: &str, policy: &str) -> crate::target::Target {
    lowered(&format!(
        "x = input f32[1,1,4,8]
        s = const i64[4] {{{sizes}}}
        y = Resize(x, _, _, s) mode=\"linear\" keep_aspect_ratio_policy=\"{policy}\"
        output y"
    ))
}

#[test]
fn one_scale_is_that_of_the_axis_which_decides() {
    for (sizes, policy, same) in [
        ("1,1,2,16", "not_larger", "1,1,2,4"),
        ("1,1,8,8", "not_larger", "1,1,4,8"),
        ("1,1,2,16", "not_smaller", "1,1,8,16"),
        ("1,1,8,8", "not_smaller", "1,1,8,16"),
    ] {
        // Extents of 1 are named too, and ask for a scale of 1.
        let axes = format!("{policy}\" axes=[2,3] coordinate_transformation_mode=\"half_pixel");
        let sizes: Vec<&str> = sizes.split(',').skip(2).collect();
        let kept = lowered(&format!(
            "x = input f32[1,1,4,8]
            s = const i64[2] {{{}}}
            y = Resize(x, _, _, s) mode=\"linear\" keep_aspect_ratio_policy=\"{axes}\"
            output y",
            sizes.join(",")
        ));
        let plain = resized(same, "stretch");
        assert_eq!(kept.operators, plain.operators, "{sizes:?} {policy}");
        assert!(plain.operators.iter().all(|op| op.builtin != Builtin::Custom));
    }
}

/// Its elements are those of the scale, not of the extents that it was rounded to.
#[test]
fn the_axis_that_does_not_decide_has_the_scale_and_not_the_ratio_of_its_extents() {
    let resized = |operands: &str, policy: &str| {
        lowered(&format!(
            "x = input f32[1,1,4,7]
            t = const i64[2] {{3,16}}
            k = const i64[2] {{3,5}}
            f = const f32[2] {{0.75,0.75}}
            y = Resize({operands}) mode=\"linear\" axes=[2,3]{policy}
            output y"
        ))
        .tensors
        .into_iter()
        .filter_map(|t| t.constant)
        .collect::<Vec<_>>()
    };
    let kept = resized("x, _, _, t", " keep_aspect_ratio_policy=\"not_larger\"");
    assert_eq!(kept, resized("x, _, f", ""));
    assert_ne!(kept, resized("x, _, _, k", ""));
}

/// RESIZE_NEAREST_NEIGHBOR changes the two spatial axes of an image.
#[test]
fn a_builtin_resizes_images_only() {
    let nearest = |shape: &str, scales: &str| {
        let n = scales.split(',').count();
        names(&format!(
            "x = input f32[{shape}]
            s = const f32[{n}] {{{scales}}}
            y = Resize(x, _, s) mode=\"nearest\" coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"
            output y"
        ))
    };
    let is_builtin = |names: String| names.contains("RESIZE_NEAREST_NEIGHBOR");
    assert!(is_builtin(nearest("1,2,4,4", "1,1,2,2")));
    assert!(is_builtin(nearest("1,2,4,4", "1,1,1,2")));
    assert!(!is_builtin(nearest("1,2,4,4", "1,2,2,2")), "channels too");
    assert!(!is_builtin(nearest("1,2,4,4", "1,2,1,1")), "channels only");
    assert!(!is_builtin(nearest("1,2,4", "1,1,2")));
    assert!(!is_builtin(nearest("1,2,4,4,4", "1,1,2,2,2")));
}

#[test]
fn an_image_that_is_read_outside_too_is_surrounded_by_the_extrapolation_value() {
    let text = |dtype: &str, value: &str| {
        format!(
            "x = input {dtype}[1,1,4,4]
            r = const f32[8] {{0,0,-1,0,1,1,1,1}}
            s = const i64[4] {{1,1,4,4}}
            y = Resize(x, r, _, s) coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value={value}
            output y"
        )
    };
    assert!(names(&text("f32", "0.0")).split(' ').any(|n| n == "PAD"), "{}", names(&text("f32", "0.0")));
    assert!(names(&text("f32", "7.0")).split(' ').any(|n| n == "PADV2"), "{}", names(&text("f32", "7.0")));
    let words = attempt(&text("i32", "7.0")).expect_err("integers");
    assert_eq!(words, "an integer image is read outside its borders");
}

#[test]
fn an_image_that_is_read_outside_only_is_the_extrapolation_value() {
    let text = |dtype: &str| {
        format!(
            "x = input {dtype}[1,1,4,4]
            r = const f32[8] {{0,0,2,2,1,1,3,3}}
            s = const i64[4] {{1,1,2,2}}
            y = Resize(x, r, _, s) coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=7.0
            output y"
        )
    };
    // The output is made of the constant alone.
    assert_eq!(names(&text("f32")), "RESHAPE");
    let words = attempt(&text("i32")).expect_err("integers");
    assert_eq!(words, "an integer image is read outside its borders");
}
