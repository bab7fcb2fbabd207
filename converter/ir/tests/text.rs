//! Graphs survive their text, and wrong texts are told apart by place and reason.
#![allow(clippy::unwrap_used, reason = "tests")]

use half::f16;
use halfproof_ir::ops::*;
use halfproof_ir::text::{self, parse, parse_with, print, print_with};
use halfproof_ir::{DType, Data, Dim, Graph, Node, Op, Tensor, ValueId};
use proptest::prelude::*;
use std::sync::Arc;

const README: &str = r#"graph "readme"
x = input f32[1,3,5,5]
w = const f32[1,3,1,1] {0.5, -1.25, inf}
c = Conv(x, w) pads=[1,1,1,1] strides=[2,2]
r: f32[1,1,3,3] = Relu(c) @"block/relu"
y, _ = MaxPool(r) kernel_shape=[2,2]
z = unknown "com.microsoft" "Thing"(y, _, x)
h = Cast(y) saturate=0 to=f16
output y
output z
"#;

#[test]
fn a_text_is_printed_as_it_was_read() {
    assert_eq!(print(&parse(README).unwrap()), README);
}

#[test]
fn a_text_means_the_graph_that_code_would_build() {
    let mut g = Graph::new("g");
    let x = g.add_input("x", DType::F32, &[2]);
    let w = g.add_constant("w", Tensor::f32([2], vec![1.0, -0.0]));
    let s = g.add_node(Op::Add, &[x, w], "s");
    let y = g.add_node(Softmax { axis: 0, coerce_2d: true }, &[s], "y");
    g.outputs.push(y);
    let text = "graph \"g\"\nx = input f32[2]\nw = const f32[2] {1, -0}\ns = Add(x, w)\n\
                y = Softmax(s) axis=0 coerce_2d=1\noutput y\n";
    assert_eq!(print(&g), text);
    assert_eq!(parse(text).unwrap(), g);
}

#[test]
fn every_operator_survives() {
    for op in Op::one_of_each() {
        let info = op.info().unwrap();
        let mut g = Graph::default();
        let inputs: Vec<_> =
            (0..info.inputs.0).map(|i| g.add_input(format!("x{i}"), DType::F32, &[2])).collect();
        let y = g.add_node(op, &inputs, "y");
        g.outputs.push(y);
        assert_eq!(parse(&print(&g)).unwrap(), g);
    }
}

#[test]
fn every_kind_of_attribute_survives() {
    let lstm = LSTM {
        activation_alpha: vec![0.01, 1.0, f32::INFINITY, 1e-30, -2.5e20],
        activations: vec!["Tanh".into(), "quote \" and \\ and\nline".into()],
        clip: Some(3.0),
        direction: Direction::Bidirectional,
        hidden_size: -7,
        input_forget: true,
        ..LSTM::default()
    };
    let fill = ConstantOfShape { value: Some(Arc::new(Tensor::new([1], Data::F16(vec![f16::MAX])))) };
    let mut g = Graph::default();
    let x = g.add_input("x", DType::F32, &[2]);
    g.add_node(lstm, &[x, x, x], "y");
    g.add_node(fill, &[x], "z");
    g.add_node(Cast { to: DType::F16, saturate: false }, &[x], "c");
    assert_eq!(parse(&print(&g)).unwrap(), g);
}

#[test]
fn large_constants_go_to_the_weights_file() {
    let g = parse("w = const f32[3,3] gaussian(5)\ns = const f32[] {2}\ny = Mul(w, s)\noutput y").unwrap();
    let printed = print_with(&g, 4);
    assert_eq!(printed.text, "w = const f32[3,3] npz(\"w\")\ns = const f32[] {2}\ny = Mul(w, s)\noutput y\n");
    assert_eq!(printed.weights.len(), 1);
    assert_eq!(parse_with(&printed.text, &printed.weights).unwrap(), g);
    let other = [("w".to_string(), Arc::new(Tensor::ints([1])))];
    let error = parse_with(&printed.text, &other).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 24: \"w\" is i64[1] in the weights");
}

#[test]
fn lines_may_break_inside_brackets_and_comments_end_them() {
    let g = parse("# a comment\nx = input f32[2,\n  3] # two\n\ny = Add(\n  x, # first\n  x,\n)\noutput y")
        .unwrap();
    assert_eq!(print(&g), "x = input f32[2,3]\ny = Add(x, x)\noutput y\n");
}

#[test]
fn a_wrong_text_is_told_by_place_and_reason() {
    let x = "x = input f32[2]\n";
    for (text, error) in [
        ("x = inptu f32[2]", "line 1, column 11: expected \"(\", found \"f32\""),
        ("x = input f33[2]", "line 1, column 11: expected an element type, found \"f33\""),
        ("x = input f32[2x]", "line 1, column 15: \"2x\" is no extent"),
        ("x = input f32[2", "line 1, column 16: expected \",\", found the end of the text"),
        ("y = Relu(x)", "line 1, column 10: \"x\" is not defined before this"),
        ("x y = input", "line 1, column 3: expected \"=\", found \"y\""),
        ("_ = input f32", "line 1, column 5: one name without a type stands before \"input\""),
        ("const = input f32", "line 1, column 1: \"const\" is a name only in quotes"),
        ("w = const f32[2] {1}", "line 1, column 18: 1 elements do not fill the shape [2]"),
        ("w = const f32[2] {1, z}", "line 1, column 22: \"z\" is no number"),
        ("w = const u8[1] {256}", "line 1, column 18: \"256\" is no element of type u8"),
        ("w = const bool[1] {2}", "line 1, column 19: elements of type bool are 0 and 1"),
        ("w = const f32[?] {1}", "line 1, column 11: a constant has an element type and a static shape"),
        ("w = const f16[1] fill(0.1)", "line 1, column 18: there is no such constant of type f16"),
        ("w = const f32[2] npz(\"w\")", "line 1, column 22: the weights hold no \"w\""),
        ("\"x\n", "line 1, column 1: the quote is not closed on its line"),
        ("graph g", "line 1, column 7: expected the graph's name in quotes, found \"g\""),
        ("output q", "line 1, column 8: \"q\" is not defined before this"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), error, "{text}");
    }
    for (line, error) in [
        ("x = input f32", "line 2, column 1: \"x\" is defined more than once"),
        (
            "y = Conf(x)",
            "line 2, column 5: there is no operator \"Conf\"; write unknown \"domain\" \"Name\" for one that is not in the table",
        ),
        ("y = Relu(x, x)", "line 2, column 5: Relu with 2 operands"),
        ("y, z = Relu(x)", "line 2, column 8: Relu with 2 results"),
        ("y = Elu(x) alhpa=1.0", "line 2, column 12: Elu has no attribute \"alhpa\""),
        ("y = Elu(x) alpha=\"1\"", "line 2, column 12: attribute \"alpha\" has no valid value"),
        ("y = Elu(x) alpha=1.0 alpha=2.0", "line 2, column 22: attribute \"alpha\" is there twice"),
        (
            "y = Elu(x) alpha=abc",
            "line 2, column 18: expected a number, a text in quotes, a list or a tensor",
        ),
        (
            "y = Transpose(x) perm=[[0]]",
            "line 2, column 24: expected a number, a text in quotes, a list or a tensor",
        ),
        (
            "y = Transpose(x) perm=[0, 1.0]",
            "line 2, column 31: a list holds only integers, only floats (with a point) or only texts",
        ),
        ("y = Relu(x) output y", "line 2, column 13: Relu has no attribute \"output\""),
        ("output _", "line 2, column 9: an output is not absent"),
    ] {
        assert_eq!(parse(&format!("{x}{line}")).unwrap_err().to_string(), error, "{line}");
    }
}

fn any_tensor() -> impl Strategy<Value = Tensor> {
    use DType::*;
    let dtypes = [F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool];
    (0..dtypes.len(), prop::collection::vec(0..3usize, 0..4)).prop_flat_map(move |(dtype, shape)| {
        let dtype = dtypes[dtype];
        let bytes = shape.iter().product::<usize>() * dtype.size();
        // Bytes of all ones and zeros make NaN, infinities and signed zeros likely.
        let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x80), Just(0x7f), Just(0x7c)];
        prop::collection::vec(byte, bytes)
            .prop_map(move |bytes| Tensor::new(shape.clone(), Data::from_le_bytes(dtype, &bytes).unwrap()))
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_./-]{1,6}", "\\PC{0,4}", any::<String>(), Just("output".into()), Just("_".into())]
}

fn any_dim() -> impl Strategy<Value = Dim> {
    prop_oneof![any::<usize>().prop_map(Dim::Fixed), any_name().prop_map(Dim::Named)]
}

/// Graphs with any names, types, shapes and constants; operators only of a kind that takes anything.
fn any_graph() -> impl Strategy<Value = Graph> {
    let dtype = prop::option::of(prop::sample::select(vec![DType::F16, DType::I64, DType::Bool]));
    let declared = (dtype, prop::option::of(prop::collection::vec(any_dim(), 0..3)));
    let value = (any_name(), declared, prop::option::of(any_tensor()), any::<bool>());
    let parts = prop::collection::vec(value, 1..8);
    (any_name(), parts, any_name(), any::<prop::sample::Index>()).prop_map(|(name, parts, label, output)| {
        let mut g = Graph::new(name);
        let mut names = std::collections::BTreeSet::new();
        for (i, (name, (dtype, shape), constant, absent)) in parts.into_iter().enumerate() {
            let name = if names.insert(name.clone()) { name } else { format!("{name}#{i}") };
            names.insert(name.clone());
            if let (Some(tensor), true) = (constant, i > 0) {
                g.add_constant(name, tensor);
                continue;
            }
            let id = g.add_value(name.clone());
            (g.values[id.index()].dtype, g.values[id.index()].shape) = (dtype, shape);
            if i == 0 {
                g.inputs.push(id);
                continue;
            }
            let mut inputs: Vec<_> = (0..id.0).map(|v| Some(ValueId(v))).collect();
            if absent {
                inputs.insert(0, None);
            }
            let op = Op::Unknown { domain: label.clone(), name: name.clone() };
            let name = if absent { label.clone() } else { name };
            g.nodes.push(Node { name, op, inputs, outputs: vec![Some(id)] });
        }
        g.outputs.push(ValueId(output.index(g.values.len()) as u32));
        g
    })
}

/// Equality that takes NaN for equal to itself: the text of both, which tells NaNs apart by their bits.
fn same(a: &Graph, b: &Graph) -> bool {
    let strip = |g: &Graph| {
        let mut g = g.clone();
        g.values.iter_mut().for_each(|v| v.constant = None);
        g
    };
    let bits = |g: &Graph| -> Vec<_> {
        g.values
            .iter()
            .map(|v| v.constant.as_ref().map(|t| (t.shape.clone(), t.dtype(), t.data.to_le_bytes())))
            .collect()
    };
    strip(a) == strip(b) && bits(a) == bits(b)
}

proptest! {
    #[test]
    fn graphs_survive_their_text(graph in any_graph()) {
        let text = print(&graph);
        let read = parse(&text).map_err(|e| TestCaseError::fail(format!("{e} in\n{text}")))?;
        prop_assert!(same(&read, &graph), "{}", text);
        prop_assert_eq!(print(&read), text);
    }

    #[test]
    fn graphs_survive_with_a_weights_file(graph in any_graph(), inline in 0..4usize) {
        let text::Text { text, weights } = print_with(&graph, inline);
        prop_assert!(same(&parse_with(&text, &weights).unwrap(), &graph));
    }

    #[test]
    fn damaged_text_never_panics(graph in any_graph(), cut in any::<prop::sample::Index>(), with in "\\PC{0,3}") {
        let mut text = print(&graph);
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) { at -= 1; }
        text.insert_str(at, &with);
        let _ = parse(&text);
        let _ = parse(&text[..at]);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[a-z0-9_.@#={}\\[\\]()\",:? \n-]{0,60}") {
        let _ = parse(&text);
    }
}
