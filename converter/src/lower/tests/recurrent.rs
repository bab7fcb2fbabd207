//! The activations that LSTM, GRU and RNN name, and the parameters that they take.
//!
//! Source: the ONNX operators LSTM, GRU and RNN: `activation_alpha` and `activation_beta` are read in order, each by the
//! functions that have one, and where they end the defaults of the ONNX operators of these names apply.

use super::super::recurrent::function;
use super::lowered::{attempt, constant, listed, lowered};
use crate::target::Constant;
use halfproof_ir::Data;
use halfproof_ir::Op;
use halfproof_ir::ops::{Celu, Elu, HardSigmoid, LeakyRelu, ThresholdedRelu};
use halfproof_wire::tflite::Builtin;

fn functions(names: &[&str], alpha: &[f32], beta: &[f32]) -> Vec<Op> {
    let mut taken = (0, 0);
    names.iter().map(|n| function(n, alpha, beta, &mut taken).expect("an activation")).collect()
}

#[test]
fn names_are_read_in_any_case() {
    let plain = [Op::Sigmoid, Op::Tanh, Op::Relu, Op::Softsign, Op::Softplus];
    assert_eq!(functions(&["Sigmoid", "Tanh", "Relu", "Softsign", "Softplus"], &[], &[]), plain);
    assert_eq!(functions(&["SIGMOID", "tanh", "relu", "softSign", "softplus"], &[], &[]), plain);
}

#[test]
fn what_no_parameter_is_given_for_has_that_of_its_operator() {
    let expected: [Op; 5] = [
        LeakyRelu { alpha: 0.01 }.into(),
        ThresholdedRelu { alpha: 1.0 }.into(),
        Elu { alpha: 1.0 }.into(),
        Celu { alpha: 1.0 }.into(),
        HardSigmoid { alpha: 0.2, beta: 0.5 }.into(),
    ];
    assert_eq!(
        functions(&["LeakyRelu", "ThresholdedRelu", "Elu", "Celu", "HardSigmoid"], &[], &[]),
        expected
    );
}

#[test]
fn parameters_are_taken_in_order_by_those_that_have_one() {
    let expected: [Op; 6] = [
        HardSigmoid { alpha: 0.5, beta: 0.25 }.into(),
        Op::Tanh,
        LeakyRelu { alpha: 2.0 }.into(),
        HardSigmoid { alpha: 3.0, beta: 0.75 }.into(),
        Elu { alpha: 4.0 }.into(),
        HardSigmoid { alpha: 0.2, beta: 0.5 }.into(),
    ];
    let names = ["HardSigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Elu", "HardSigmoid"];
    assert_eq!(functions(&names, &[0.5, 2.0, 3.0, 4.0], &[0.25, 0.75]), expected);
}

#[test]
fn an_unknown_function_is_refused() {
    let refused = function("Affine", &[], &[], &mut (0, 0));
    assert_eq!(refused, Err("activation Affine is not supported".to_string()));
}

/// Gates stand one behind the other, update and reset first.
#[test]
fn the_candidate_of_a_gru_stands_behind_two_gates() {
    let target = lowered(
        "x = input f32[1,1,2]
        w = const f32[1,9,2] lattice(1)
        r = const f32[1,9,3] lattice(2)
        _, y = GRU(x, w, r) hidden_size=3
        output y",
    );
    let slices = target.operators.iter().filter(|op| op.builtin == Builtin::Slice);
    let begins = slices.map(|op| {
        let begin = target.tensor(op.inputs[1].expect("a begin"));
        match begin.constant.as_ref().expect("a constant") {
            Constant::Stored(data) => data.as_ref().clone(),
            Constant::Exact(_) => panic!("integers"),
        }
    });
    let begins: Vec<Data> = begins.collect();
    assert!(begins.ends_with(&[Data::I32(vec![0, 0]), Data::I32(vec![0, 6])]), "{begins:?}");
}

#[test]
fn each_direction_has_activations_of_its_own() {
    let rnn = |names: &str| {
        attempt(&format!(
            "x = input f32[1,1,2]
            w = const f32[2,3,2] lattice(1)
            r = const f32[2,3,3] lattice(2)
            _, y = RNN(x, w, r) hidden_size=3 direction=\"bidirectional\"{names}
            output y"
        ))
    };
    let activations = |names: &str| {
        let all = listed(&rnn(names).expect("a lowering"));
        all.split(' ').filter(|n| ["TANH", "RELU", "LOGISTIC"].contains(n)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(activations(""), "TANH TANH");
    assert_eq!(activations(" activations=[\"Relu\",\"Sigmoid\"]"), "RELU LOGISTIC");
    let refused = rnn(" activations=[\"Relu\"]").expect_err("one of two");
    assert_eq!(refused, "1 activations are named for 2 places");
}

#[test]
fn one_direction_has_the_activation_that_is_named() {
    let text = "x = input f32[1,1,2]
        w = const f32[1,3,2] lattice(1)
        r = const f32[1,3,3] lattice(2)
        _, y = RNN(x, w, r) hidden_size=3 activations=[\"Relu\"]
        output y";
    let names = listed(&attempt(text).expect("a lowering"));
    assert!(names.contains("RELU") && !names.contains("TANH"), "{names}");
}

#[test]
fn more_steps_than_can_be_unrolled_are_refused() {
    let steps = |n: usize| {
        attempt(&format!(
            "x = input f32[{n},1,1]
            w = const f32[1,1,1] {{1}}
            r = const f32[1,1,1] {{1}}
            y, _ = RNN(x, w, r) hidden_size=1
            output y"
        ))
    };
    assert!(steps(4096).is_ok());
    assert_eq!(steps(4097).expect_err("one too many"), "4097 steps are too many to unroll");
}

#[test]
fn each_direction_of_a_gru_has_two_of_the_four_activations() {
    let text = "x = input f32[1,1,2]
        w = const f32[2,9,2] lattice(1)
        r = const f32[2,9,3] lattice(2)
        _, y = GRU(x, w, r) hidden_size=3 direction=\"bidirectional\" activations=[\"Sigmoid\",\"Tanh\",\"HardSigmoid\",\"Relu\"]
        output y";
    let names = listed(&lowered(text));
    let seen: Vec<&str> = names.split(' ').filter(|n| ["LOGISTIC", "TANH", "RELU"].contains(n)).collect();
    assert_eq!(seen, ["LOGISTIC", "TANH", "RELU"], "{names}");
}

#[test]
fn each_gate_of_an_lstm_has_a_peephole_of_its_own() {
    let target = lowered(
        "x = input f32[2,1,2]
        w = const f32[1,12,2] lattice(1)
        r = const f32[1,12,3] lattice(2)
        p = const f32[1,9] {1,2,3,4,5,6,7,8,9}
        y, _, _ = LSTM(x, w, r, _, _, _, _, p) hidden_size=3
        output y",
    );
    let constants = target.operators.iter().filter(|op| op.builtin == Builtin::Mul).filter_map(|op| {
        let tensor = target.tensor(op.inputs[1]?);
        match tensor.constant.as_ref()? {
            Constant::Exact(exact) => Some((tensor.shape.clone(), exact.to_vec())),
            Constant::Stored(_) => None,
        }
    });
    let gate = |k: f64| (vec![3], vec![k, k + 1.0, k + 2.0]);
    let (input, output, forget) = (gate(1.0), gate(4.0), gate(7.0));
    // The first step has no cell state: only the gate behind the new one sees it.
    let expected = [output.clone(), input, forget, output];
    assert_eq!(constants.collect::<Vec<_>>(), expected);
}

#[test]
fn each_of_the_weights_has_to_fit() {
    let rnn = |w: &str, r: &str, b: &str| {
        attempt(&format!(
            "x = input f32[1,1,2]
            w = const f32[1,3,{w}] lattice(1)
            r = const f32[1,3,{r}] lattice(2)
            b = const f32[1,{b}] lattice(3)
            _, y = RNN(x, w, r, b) hidden_size=3
            output y"
        ))
    };
    assert!(rnn("2", "3", "6").is_ok());
    for (w, r, b) in [("1", "3", "6"), ("2", "2", "6"), ("2", "3", "3")] {
        assert_eq!(rnn(w, r, b).expect_err("one of them"), "weights do not fit the sizes", "{w} {r} {b}");
    }
}

#[test]
fn lengths_that_shorten_nothing_are_left_out() {
    let rnn = |lengths: &str| {
        attempt(&format!(
            "x = input f32[3,2,2]
            w = const f32[1,3,2] lattice(1)
            r = const f32[1,3,3] lattice(2)
            l = const i32[2] {{{lengths}}}
            _, y = RNN(x, w, r, _, l) hidden_size=3
            output y"
        ))
    };
    assert!(rnn("3,3").is_ok());
    for lengths in ["3,2", "1,3", "2,2"] {
        assert_eq!(rnn(lengths).expect_err("shorter"), "sequence_lens shortens some sequences");
    }
}

#[test]
fn a_clip_has_two_ends() {
    let target = lowered(
        "x = input f32[1,1,2]
        w = const f32[1,3,2] lattice(1)
        r = const f32[1,3,3] lattice(2)
        _, y = RNN(x, w, r) hidden_size=3 clip=2.5
        output y",
    );
    assert_eq!(constant(&target, Builtin::Maximum, 1).2, [-2.5]);
    assert_eq!(constant(&target, Builtin::Minimum, 1).2, [2.5]);
}

#[test]
fn each_direction_of_an_lstm_has_three_of_the_six_activations() {
    let names = listed(&lowered(
        "x = input f32[1,1,2]
        w = const f32[2,12,2] lattice(1)
        r = const f32[2,12,3] lattice(2)
        _, y = LSTM(x, w, r) hidden_size=3 direction=\"bidirectional\" activations=[\"Sigmoid\",\"Tanh\",\"Tanh\",\"Sigmoid\",\"Tanh\",\"Relu\"]
        output y",
    ));
    let seen = |name: &str| names.split(' ').filter(|n| *n == name).count();
    assert_eq!((seen("TANH"), seen("RELU")), (3, 1), "{names}");
}
