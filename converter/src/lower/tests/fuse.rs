//! Which nodes are absorbed into an earlier one, with what numbers, and which are not.

mod gelu;

use super::super::fuse::{Affine, Plan, clip_activation, plan};
use crate::infer;
use crate::refuse::Refusals;
use halfproof_ir::{Graph, text};
use halfproof_wire::tflite::Activation;

/// A graph and what is planned for it.
struct Planned {
    graph: Graph,
    plan: Plan,
}

fn planned(text: &str) -> Planned {
    let graph = text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let types = infer::partial(&graph, &mut Refusals::default());
    let plan = plan(&graph, &types);
    Planned { graph, plan }
}

impl Planned {
    fn node(&self, name: &str) -> usize {
        self.graph.nodes.iter().position(|n| n.name == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    /// The names of the nodes that one absorbs.
    fn absorbed(&self, name: &str) -> Vec<&str> {
        let absorbed = &self.plan.tail(self.node(name)).absorbed;
        absorbed.iter().map(|&i| self.graph.nodes[i].name.as_str()).collect()
    }

    fn affine(&self, name: &str) -> Option<Affine> {
        self.plan.tail(self.node(name)).affine.clone()
    }

    fn activation(&self, name: &str) -> Activation {
        self.plan.tail(self.node(name)).activation
    }

    /// The name of the value that a node makes, with what it absorbs.
    fn makes(&self, name: &str) -> &str {
        let output = self.plan.tail(self.node(name)).output.expect("a value");
        &self.graph.value(output).name
    }

    /// The names of the nodes that need no operators of their own.
    fn skipped(&self) -> Vec<&str> {
        let nodes = self.graph.nodes.iter().enumerate();
        nodes.filter(|(i, _)| self.plan.skips(*i)).map(|(_, n)| n.name.as_str()).collect()
    }
}

fn affine(scale: &[f64], shift: &[f64]) -> Affine {
    Affine { scale: scale.to_vec(), shift: shift.to_vec() }
}

/// What a convolution of 3 channels and 4 × 3 places absorbs of a step `y` with a constant `k`.
fn step(constant: &str, node: &str) -> Option<Affine> {
    let p = planned(&format!(
        "x = input f32[1,2,4,3]
        w = const f32[3,2,1,1] lattice(1)
        k = const {constant}
        c = Conv(x, w)
        y = {node}
        output y"
    ));
    let affine = p.affine("c");
    assert_eq!(p.absorbed("c"), if affine.is_some() { vec!["y"] } else { vec![] });
    assert_eq!(p.makes("c"), if affine.is_some() { "y" } else { "c" });
    affine
}

#[test]
fn a_step_with_a_constant_for_every_channel_is_one_factor_and_one_summand_each() {
    let (one, none) = ([1.0; 3], [0.0; 3]);
    for shape in ["f32[3,1,1]", "f32[1,3,1,1]"] {
        let k = format!("{shape} {{2,4,-8}}");
        assert_eq!(step(&k, "Mul(c, k)"), Some(affine(&[2.0, 4.0, -8.0], &none)));
        assert_eq!(step(&k, "Mul(k, c)"), Some(affine(&[2.0, 4.0, -8.0], &none)));
        assert_eq!(step(&k, "Div(c, k)"), Some(affine(&[0.5, 0.25, -0.125], &none)));
        assert_eq!(step(&k, "Add(c, k)"), Some(affine(&one, &[2.0, 4.0, -8.0])));
        assert_eq!(step(&k, "Add(k, c)"), Some(affine(&one, &[2.0, 4.0, -8.0])));
        assert_eq!(step(&k, "Sub(c, k)"), Some(affine(&one, &[-2.0, -4.0, 8.0])));
        assert_eq!(step(&k, "Sub(k, c)"), Some(affine(&[-1.0; 3], &[2.0, 4.0, -8.0])));
    }
    for one_for_all in ["f32[] {2}", "f32[1] {2}", "f32[1,1,1,1] {2}"] {
        assert_eq!(step(one_for_all, "Mul(c, k)"), Some(affine(&[2.0; 3], &none)));
    }
}

#[test]
fn what_is_no_step_of_a_channel_is_not_absorbed() {
    for (constant, why) in [
        ("f32[3] {2,4,8}", "it runs along the last axis, which is as long by chance"),
        ("f32[4,1] {1,2,3,4}", "it runs along the last axis but one"),
        ("f32[3,1,3] lattice(1)", "it runs along two axes"),
        ("f32[3,4,3] lattice(1)", "it runs along all axes"),
        ("f32[2,1,1,1] {1,2}", "it makes two images of one"),
        ("f32[1,1,1,1,1] {2}", "it makes a fifth axis"),
        ("f32[1,1,3,1,1] {2,4,8}", "it makes a fifth axis"),
        ("f32[3,1,1] {1,inf,1}", "a factor is not finite"),
        ("f32[] {nan}", "the factor is no number"),
    ] {
        assert_eq!(step(constant, "Mul(c, k)"), None, "{why}");
    }
    for (node, why) in [
        ("Div(k, c)", "one over the result is not linear"),
        ("Pow(c, k)", "a power is not linear"),
        ("Max(c, k)", "a maximum is not linear"),
        ("Softmax(c)", "it has no constant"),
    ] {
        assert_eq!(step("f32[3,1,1] {2,4,8}", node), None, "{why}");
    }
    assert_eq!(step("f32[3,1,1] {2,0,8}", "Div(c, k)"), None, "one over zero is not finite");
}

#[test]
fn steps_are_composed_in_order() {
    let p = planned(
        "x = input f32[1,2,4,4]
        w = const f32[3,2,1,1] lattice(1)
        a = const f32[3,1,1] {2,3,5}
        b = const f32[3,1,1] {1,10,100}
        d = const f32[3,1,1] {7,11,13}
        k = const f32[3,1,1] {50,60,70}
        c = Conv(x, w)
        c1 = Mul(c, a)
        c2 = Add(c1, b)
        c3 = Mul(c2, d)
        c4 = Sub(k, c3)
        y = Relu(c4)
        output y",
    );
    // 50 - (2c + 1) * 7 = 43 - 14c, and so on.
    assert_eq!(p.affine("c"), Some(affine(&[-14.0, -33.0, -65.0], &[43.0, -50.0, -1230.0])));
    assert_eq!(p.activation("c"), Activation::Relu);
    assert_eq!(p.absorbed("c"), ["c1", "c2", "c3", "c4", "y"]);
    assert_eq!(p.skipped(), ["c1", "c2", "c3", "c4", "y"]);
    assert_eq!(p.makes("c"), "y");
}

/// A convolution and a batch normalization of its 3 channels.
fn normalized(variance: &str, channels: &str) -> Planned {
    planned(&format!(
        "x = input f32[1,2,4,4]
        w = const f32[3,2,1,1] lattice(1)
        g = const f32[3] {{6,2,-1}}
        b = const f32[3] {{1,0,2}}
        m = const f32[3] {{5,1,4}}
        v = const f32[3] {variance}
        c = Conv(x, w)
        y = BatchNormalization({channels}, g, b, m, v) epsilon=1.0
        output y"
    ))
}

#[test]
fn a_batch_normalization_is_a_step_by_its_definition() {
    // gamma / sqrt(variance + epsilon) is 6/3, 2/2 and -1/1; beta - mean * that is 1 - 10, 0 - 1 and 2 + 4.
    let p = normalized("{8,3,0}", "c");
    assert_eq!(p.affine("c"), Some(affine(&[2.0, 1.0, -1.0], &[-9.0, -1.0, 6.0])));
    assert_eq!(p.absorbed("c"), ["y"]);
    let p = normalized("{8,-1,0}", "c");
    assert_eq!(p.affine("c"), None, "2 over the root of 0 is not finite");
}

#[test]
fn a_batch_normalization_is_about_the_second_axis_and_no_other() {
    // 3 channels of 3: the product's own channels are the last axis.
    let p = planned(
        "x = input f32[2,3,4]
        w = const f32[4,3] lattice(1)
        s = const f32[3] {1,2,4}
        c = MatMul(x, w)
        y = BatchNormalization(c, s, s, s, s)
        output y",
    );
    assert_eq!((p.affine("c"), p.skipped()), (None, vec![]));
}

/// What a node `h` absorbs of `y = h * k` with one factor for every last, or second, extent of 3.
fn scaled(inputs: &str, head: &str, shape: &str) -> Option<Affine> {
    let p = planned(&format!("{inputs}\nk = const {shape} {{2,4,8}}\nh = {head}\ny = Mul(h, k)\noutput y"));
    p.affine("h")
}

/// The activation that a node `h` absorbs of a ReLU.
fn rectified(inputs: &str, head: &str) -> Activation {
    planned(&format!("{inputs}\nh = {head}\ny = Relu(h)\noutput y")).activation("h")
}

#[test]
fn only_constant_weights_and_biases_can_take_a_step() {
    let by_channel = Some(affine(&[2.0, 4.0, 8.0], &[0.0; 3]));
    let image = "x = input f32[1,2,4,4]\nv = input f32[3,2,1,1]\nb = input f32[3]
        w = const f32[3,2,1,1] lattice(1)\nd = const f32[3] lattice(2)\nt = const f32[2,3,1,1] lattice(3)
        u = input f32[2,3,1,1]";
    for (head, expected) in [
        ("Conv(x, w)", &by_channel),
        ("Conv(x, w, d)", &by_channel),
        ("Conv(x, v)", &None),
        ("Conv(x, v, d)", &None),
        ("Conv(x, w, b)", &None),
        ("ConvTranspose(x, t)", &by_channel),
        ("ConvTranspose(x, t, d)", &by_channel),
        ("ConvTranspose(x, u)", &None),
        ("ConvTranspose(x, u, d)", &None),
        ("ConvTranspose(x, t, b)", &None),
    ] {
        assert_eq!(&scaled(image, head, "f32[3,1,1]"), expected, "{head}");
    }
    let rows = "x = input f32[5,2]\nv = input f32[2,3]\nb = input f32[3]
        w = const f32[2,3] lattice(1)\nd = const f32[3] lattice(2)\nz = input f32[7,5,2]
        one = input f32[2]\nt = const f32[1,2,3] lattice(3)";
    for (head, expected) in [
        ("Gemm(x, w)", &by_channel),
        ("Gemm(x, w, d)", &by_channel),
        ("Gemm(x, v)", &None),
        ("Gemm(x, v, d)", &None),
        ("Gemm(x, w, b)", &None),
        ("MatMul(x, w)", &by_channel),
        ("MatMul(z, w)", &by_channel),
        ("MatMul(one, w)", &by_channel),
        ("MatMul(x, v)", &None),
        ("MatMul(z, t)", &None),
    ] {
        assert_eq!(&scaled(rows, head, "f32[3]"), expected, "{head}");
    }
    let three = "x = input f32[1,3,4,4]\nz = input f32[1,3,4,4]";
    for head in ["Add(x, z)", "Mul(x, z)", "MaxPool(x) kernel_shape=[2,2]", "Sigmoid(x)"] {
        assert_eq!(scaled(three, head, "f32[3,1,1]"), None, "{head}");
    }
}

#[test]
fn an_activation_is_absorbed_where_the_operator_has_one() {
    let image = "x = input f32[1,2,4,4]\nz = input f32[1,2,4,4]\nw = const f32[3,2,1,1] lattice(1)
        v = input f32[3,2,1,1]\nt = const f32[2,3,1,1] lattice(3)\ns = const f32[2] {1,2}
        i = input i32[2]\nvolume = input f32[1,2,4,4,4]\nw5 = const f32[3,2,1,1,1] lattice(1)";
    for head in [
        "Conv(x, w)",
        "Conv(x, v)",
        "Conv(volume, w5)",
        "Add(x, z)",
        "Sub(x, z)",
        "Mul(x, z)",
        "Div(x, z)",
        "AveragePool(x) kernel_shape=[2,2]",
        "MaxPool(x) kernel_shape=[2,2]",
        "BatchNormalization(x, s, s, s, s)",
    ] {
        assert_eq!(rectified(image, head), Activation::Relu, "{head}");
    }
    for head in ["ConvTranspose(x, t)", "Sigmoid(x)", "Add(i, i)"] {
        assert_eq!(rectified(image, head), Activation::None, "{head}");
    }
    let rows = "x = input f32[5,2]\nv = input f32[2,3]\nw = const f32[2,3] lattice(1)\nb = input f32[3]
        d = const f32[3] lattice(2)\nz = input f32[7,5,2]\nt = const f32[1,2,3] lattice(3)";
    for head in ["Gemm(x, w)", "Gemm(x, w, d)", "MatMul(x, w)", "MatMul(z, w)"] {
        assert_eq!(rectified(rows, head), Activation::Relu, "{head}");
    }
    for head in ["Gemm(x, v)", "Gemm(x, v, d)", "Gemm(x, w, b)", "MatMul(x, v)", "MatMul(z, t)"] {
        assert_eq!(rectified(rows, head), Activation::None, "{head}");
    }
}

#[test]
fn a_maximum_pool_that_gives_its_places_has_no_activation() {
    let p = planned(
        "x = input f32[1,2,4,4]
        h, i = MaxPool(x) kernel_shape=[2,2] @\"h\"
        y = Relu(h)
        output y
        output i",
    );
    assert_eq!((p.activation("h"), p.skipped()), (Activation::None, vec![]));
}

#[test]
fn a_clip_is_an_activation_when_its_bounds_are_those_of_one() {
    for (low, high, expected) in [
        (Some(0.0), None, Some(Activation::Relu)),
        (Some(0.0), Some(f64::INFINITY), Some(Activation::Relu)),
        (Some(0.0), Some(6.0), Some(Activation::Relu6)),
        (Some(-1.0), Some(1.0), Some(Activation::ReluN1To1)),
        (Some(0.0), Some(3.0), None),
        (Some(0.0), Some(1.0), None),
        (Some(-1.0), Some(6.0), None),
        (Some(-1.0), None, None),
        (None, Some(6.0), None),
        (None, None, None),
    ] {
        assert_eq!(clip_activation(low, high), expected, "{low:?} to {high:?}");
    }
    let clip = |node: &str| {
        planned(&format!(
            "x = input f32[4]\nz = input f32[4]\nb = input f32[]\nlow = const f32[] {{0}}\nhigh = const f32[] {{6}}
            h = Add(x, z)\ny = {node}\noutput y"
        ))
        .activation("h")
    };
    assert_eq!(clip("Clip(h, low, high)"), Activation::Relu6);
    assert_eq!(clip("Clip(h, low)"), Activation::Relu);
    assert_eq!(clip("Clip(h, low, b)"), Activation::None, "nobody knows the upper bound");
    assert_eq!(clip("Clip(h, b, high)"), Activation::None, "nobody knows the lower bound");
    assert_eq!(clip("Tanh(h)"), Activation::None, "no operator takes it");
}

#[test]
fn nothing_follows_an_activation() {
    let p = planned(
        "x = input f32[1,2,4,4]
        w = const f32[3,2,1,1] lattice(1)
        k = const f32[] {2}
        c = Conv(x, w)
        r = Relu(c)
        m = Mul(r, k)
        y = Relu(m)
        output y",
    );
    assert_eq!((p.absorbed("c"), p.affine("c")), (vec!["r"], None));
    assert_eq!(p.absorbed("m"), ["y"]);
}

#[test]
fn what_somebody_else_reads_is_not_absorbed() {
    let more = |lines: &str| {
        let p = planned(&format!(
            "x = input f32[1,2,4,4]
            w = const f32[3,2,1,1] lattice(1)
            c = Conv(x, w)
            y = Relu(c)
            {lines}
            output y"
        ));
        p.absorbed("c").len()
    };
    assert_eq!(more(""), 1);
    assert_eq!(more("output c"), 0, "c can be seen");
    assert_eq!(more("z = Tanh(c)\noutput z"), 0, "z needs c");
    assert_eq!(more("z = Tanh(c)"), 1, "nobody needs z");
}

#[test]
fn nodes_that_nobody_needs_are_left_out() {
    let p = planned(
        "x = input f32[4]
        a = Tanh(x)
        b = Exp(a)
        y = Relu(x)
        output y",
    );
    assert_eq!(p.skipped(), ["a", "b"]);
}

#[test]
fn copies_are_looked_through() {
    let copied = |node: &str, dtype: &str| {
        let p = planned(&format!("x = input {dtype}[4]\nc = {node}\ny = Neg(c)\noutput y"));
        let c = p.graph.nodes[0].outputs[0].expect("a result");
        assert_eq!(p.plan.skips(0), p.plan.resolve(c) != c);
        p.plan.resolve(c) == p.graph.inputs[0]
    };
    assert!(copied("Identity(x)", "f32"));
    // All floats are one type until the strategy decides.
    assert!(copied("Cast(x) to=f16", "f32"));
    assert!(copied("Cast(x) to=f32", "f64"));
    assert!(copied("Cast(x) to=i32", "i32"));
    assert!(!copied("Cast(x) to=i64", "i32"));
    assert!(!copied("Cast(x) to=f32", "i32"));
    assert!(!copied("Cast(x) to=i32", "f32"));
    assert!(!copied("Abs(x)", "f32"));

    let p =
        planned("x = input f32[4]\nz = input f32[4]\nh = Add(x, z)\nc = Identity(h)\ny = Relu(c)\noutput y");
    assert_eq!((p.absorbed("h"), p.skipped()), (vec!["y"], vec!["c", "y"]));
    let p = planned("x = input f32[4]\ny = Identity(x)\noutput y");
    assert_eq!(p.skipped(), Vec::<&str>::new(), "an output has a tensor of its own");
}
