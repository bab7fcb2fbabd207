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

#[test]
fn a_tensor_whose_axes_of_extent_1_stand_elsewhere_is_permuted_where_its_shape_differs() {
    let origin = |shape: &str, op: &str| {
        let target = lowered(&format!(
            "x = input f32[{shape}]
            r = Relu(x)
            p = {op}
            y = Tanh(p)
            output y"
        ));
        let mut held = target.tensors.iter().filter_map(|t| t.origin.as_ref()).filter(|o| o.source == "p");
        held.next().expect("a tensor that holds p").permutation.clone()
    };
    let pool = "MaxPool(r) kernel_shape=[2,2]";
    assert_eq!(origin("1,2,4,4", pool), Some(vec![0, 2, 3, 1]));
    assert_eq!(origin("1,1,4,4", pool), Some(vec![0, 2, 3, 1]), "the same elements in another shape");
    assert_eq!(origin("1,1,2,2", pool), None, "the same shape");
    assert_eq!(origin("1,3,2,2", pool), Some(vec![0, 2, 3, 1]));
}

#[test]
fn a_tensor_in_a_second_order_is_named_by_its_place() {
    let target = lowered(
        "x = input f32[1,2,4,4]
        r = Relu(x)
        p = MaxPool(r) kernel_shape=[2,2]
        output r
        output p",
    );
    let of_r = target.tensors.iter().filter(|t| t.origin.as_ref().is_some_and(|o| o.source == "r"));
    let names: Vec<&str> = of_r.map(|t| t.name.as_str()).collect();
    assert_eq!(names.iter().filter(|n| **n == "r").count(), 1, "{names:?}");
    assert!(names.len() > 1 && names.iter().all(|n| *n == "r" || n.starts_with("r/")), "{names:?}");
}
