//! The addend of a Gemm, and per-channel steps that follow a product.

use super::lowered::{constant, lowered, names, only, operators};
use halfproof_wire::tflite::{Builtin, Options};

/// `0.5 * c` added to a product of 2 × 3 and 3 × 2, then times 10 and 100.
fn gemm(addend: &str) -> String {
    format!(
        "x = input f32[2,3]
        w = const f32[3,2] {{1,2,3,4,5,6}}
        c = const {addend}
        k = const f32[2] {{10,100}}
        g = Gemm(x, w, c) beta=0.5
        y = Mul(g, k)
        output y"
    )
}

#[test]
fn a_step_is_multiplied_into_the_weights_and_the_bias() {
    for (addend, bias) in [
        ("f32[2] {1,2}", [5.0, 100.0]),
        ("f32[1,2] {1,2}", [5.0, 100.0]),
        ("f32[1] {4}", [20.0, 200.0]),
        ("f32[] {4}", [20.0, 200.0]),
    ] {
        let target = lowered(&gemm(addend));
        assert_eq!(names(&gemm(addend)), "FULLY_CONNECTED");
        let weights = constant(&target, Builtin::FullyConnected, 1);
        assert_eq!((weights.0, weights.2), (vec![2, 3], vec![10., 30., 50., 200., 400., 600.]));
        assert_eq!(constant(&target, Builtin::FullyConnected, 2).2, bias, "{addend}");
    }
}

#[test]
fn an_addend_that_differs_by_row_takes_part_in_the_step() {
    for (addend, sums) in
        [("f32[2,2] {1,2,3,4}", [5.0, 100.0, 15.0, 200.0]), ("f32[2,1] {1,2}", [5.0, 50.0, 10.0, 100.0])]
    {
        let target = lowered(&gemm(addend));
        assert_eq!(names(&gemm(addend)), "FULLY_CONNECTED ADD");
        assert_eq!(constant(&target, Builtin::FullyConnected, 2).2, [0.0, 0.0]);
        assert_eq!(constant(&target, Builtin::Add, 1).2, sums, "{addend}");
    }
}

#[test]
fn weights_of_flattened_channels_are_reordered_instead_of_the_image() {
    let text = "x = input f32[1,2,2,1]
        r = Relu(x)
        p = MaxPool(r) kernel_shape=[1,1]
        f = Flatten(p)
        w = const f32[4,1] {1,2,3,4}
        y = MatMul(f, w)
        output y";
    assert_eq!(constant(&lowered(text), Builtin::FullyConnected, 1).2, [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn a_right_operand_that_is_held_transposed_is_read_so() {
    for (batch, order) in [("", "1,0"), ("2,", "0,2,1"), ("2,3,", "0,1,3,2")] {
        let text = format!(
            "x = input f32[{batch}2,3]
            w = input f32[{batch}4,3]
            b = Transpose(w) perm=[{order}]
            y = MatMul(x, b)
            output y"
        );
        assert_eq!(names(&text), "BATCH_MATMUL", "{order}");
        let target = lowered(&text);
        let Options::BatchMatMul(o) = &only(&target, Builtin::BatchMatmul).options else { panic!("{text}") };
        assert_eq!((o.adj_x, o.adj_y), (false, true));
    }
}

/// What is flattened is not the last axis: it stays as the source has it.
#[test]
fn rows_of_one_element_are_not_reordered() {
    let text = "x = input f32[1,2,2,3]
        r = Relu(x)
        p = MaxPool(r) kernel_shape=[1,1]
        s = const i64[2] {12,1}
        f = Reshape(p, s)
        w = const f32[1,2] {5,6}
        y = MatMul(f, w)
        output y";
    let target = lowered(text);
    assert_eq!(constant(&target, Builtin::FullyConnected, 1).2, [5.0, 6.0]);
    let rows = only(&target, Builtin::FullyConnected).inputs[0].expect("rows");
    assert_eq!(target.tensor(rows).shape, [12, 1]);
    assert!(names(text).contains("MAX_POOL_2D TRANSPOSE RESHAPE FULLY_CONNECTED"), "{}", names(text));
}

#[test]
fn a_vector_that_is_computed_is_a_column() {
    let product = |a: &str, b: &str| {
        operators(&format!("x = input f32[{a}]\nw = input f32[{b}]\ny = MatMul(x, w)\noutput y"))
    };
    assert_eq!(product("2,3", "3"), ["RESHAPE [3, 1]", "BATCH_MATMUL [2, 1]", "RESHAPE [2]"]);
    assert_eq!(product("3", "3,2"), ["RESHAPE [1, 3]", "BATCH_MATMUL [1, 2]", "RESHAPE [2]"]);
}
