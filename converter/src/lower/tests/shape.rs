//! What Shape and Size become where nothing before lowering computes them, and which constants are one.
//!
//! Source: the ONNX operator Shape, attributes `start` and `end`: negative ones count from the back, all are clamped.

use super::lowered::lowered;
use crate::target::{Constant, Target};
use halfproof_ir::Data;

/// The elements of the first constant of integers: the output is a copy of it.
fn output(target: &Target) -> Vec<i64> {
    let mut constants = target.tensors.iter().filter_map(|t| match t.constant.as_ref()? {
        Constant::Stored(data) => match data.as_ref() {
            Data::I64(v) => Some(v.clone()),
            Data::I32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            _ => None,
        },
        Constant::Exact(_) => None,
    });
    constants.next().expect("a constant of integers")
}

#[test]
fn a_shape_is_cut_from_either_end() {
    let rules: &[(&str, &[i64])] = &[
        ("", &[2, 3, 4]),
        (" start=1", &[3, 4]),
        (" start=-1", &[4]),
        (" end=2", &[2, 3]),
        (" end=-1", &[2, 3]),
        (" start=1 end=2", &[3]),
        (" start=-9 end=9", &[2, 3, 4]),
    ];
    for (attributes, expected) in rules {
        let target = lowered(&format!("x = input f32[2,3,4]\ny = Shape(x){attributes}\noutput y"));
        assert_eq!(output(&target), *expected, "{attributes}");
    }
}

#[test]
fn constants_of_integers_that_are_equal_are_one() {
    let target = lowered(
        "x = input f32[2,3,4]
        z = input f32[2,3,4]
        a = Transpose(x) perm=[2,0,1]
        b = Transpose(z) perm=[2,0,1]
        output a
        output b",
    );
    let orders: Vec<_> = target
        .operators
        .iter()
        .filter(|op| op.builtin.name() == "TRANSPOSE")
        .map(|op| op.inputs[1].expect("an order"))
        .collect();
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[0], orders[1]);
}
