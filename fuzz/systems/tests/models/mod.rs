//! Small models for the tests of this crate.
#![allow(dead_code, clippy::unwrap_used, reason = "tests; each file uses its own part")]

use halfproof_ir::DType;
use halfproof_wire::tflite::{
    Buffer, Builtin, Model, Operator, Options, Signature, SubGraph, Tensor, TensorType, options,
};

fn tensor(name: impl Into<String>, dtype: TensorType, shape: &[i32]) -> Tensor {
    Tensor { name: name.into(), shape: shape.to_vec(), dtype, has_rank: true, ..Tensor::default() }
}

fn model(subgraphs: Vec<SubGraph>) -> Model {
    Model { version: 3, subgraphs, buffers: vec![Buffer::default()], ..Model::default() }
}

/// Unary operators one after the other on a tensor `[1, n]`; tensor 0 is the input, tensor i the result of operator i.
pub(crate) fn chain(operators: &[Builtin], dtype: DType, n: i32) -> Model {
    let last = i32::try_from(operators.len()).unwrap();
    let tensors = (0..=last).map(|i| tensor(format!("t{i}"), dtype.into(), &[1, n])).collect();
    let operators =
        (0..last).zip(operators).map(|(i, &op)| Operator::builtin(op, [i], [i + 1], Options::None)).collect();
    model(vec![SubGraph { name: "main".into(), tensors, inputs: vec![0], outputs: vec![last], operators }])
}

/// A model whose signature takes its output for its input, which throws a C++ exception through the C interface.
pub(crate) fn confused_signature() -> Model {
    let mut model = chain(&[Builtin::Neg], DType::F32, 4);
    let port = |tensor| vec![("port".to_string(), tensor)];
    model.signatures.push(Signature { key: "main".into(), subgraph: 0, inputs: port(1), outputs: port(1) });
    model
}

/// A scalar broadcast to a shape.
pub(crate) fn broadcast_to(shape: &[i32]) -> Model {
    let mut constant = tensor("shape", TensorType::Int32, &[i32::try_from(shape.len()).unwrap()]);
    constant.buffer = 1;
    let bytes: Vec<u8> = shape.iter().flat_map(|d| d.to_le_bytes()).collect();
    let graph = SubGraph {
        name: "main".into(),
        tensors: vec![
            tensor("x", TensorType::Float32, &[1]),
            constant,
            tensor("y", TensorType::Float32, shape),
        ],
        inputs: vec![0],
        outputs: vec![2],
        operators: vec![Operator {
            version: 2,
            ..Operator::builtin(Builtin::BroadcastTo, [0, 1], [2], Options::None)
        }],
    };
    let mut model = model(vec![graph]);
    model.buffers.push(Buffer::new(bytes));
    model
}

/// A reshape to another number of elements.
pub(crate) fn misshapen() -> Model {
    let mut model = chain(&[Builtin::Neg, Builtin::Neg], DType::F32, 4);
    let options = Options::Reshape(options::Reshape { new_shape: vec![3] });
    model.subgraphs[0].operators[1] = Operator::builtin(Builtin::Reshape, [1], [2], options);
    model
}

/// SUM of a float32 vector of 4 elements, times a constant; tensor 2 is the sum.
pub(crate) fn sum_times_constant(factor: f32) -> Model {
    let constant = |name: &str, dtype, buffer| Tensor { buffer, ..tensor(name, dtype, &[1]) };
    let graph = SubGraph {
        name: "main".into(),
        tensors: vec![
            tensor("x", TensorType::Float32, &[4]),
            constant("axis", TensorType::Int32, 1),
            tensor("sum", TensorType::Float32, &[1]),
            constant("factor", TensorType::Float32, 2),
            tensor("y", TensorType::Float32, &[1]),
        ],
        inputs: vec![0],
        outputs: vec![4],
        operators: vec![
            Operator::builtin(Builtin::Sum, [0, 1], [2], options::Reducer { keep_dims: true }),
            Operator::builtin(Builtin::Mul, [2, 3], [4], options::Mul::default()),
        ],
    };
    let mut model = model(vec![graph]);
    model.buffers.push(Buffer::new(0_i32.to_le_bytes().to_vec()));
    model.buffers.push(Buffer::new(factor.to_le_bytes().to_vec()));
    model
}

/// A loop whose condition stays true: WHILE (x == x) x = x.
pub(crate) fn endless() -> Model {
    let int = |name: &str| tensor(name, TensorType::Int32, &[1]);
    let graph = |name: &str, tensors, outputs: Vec<i32>, operators| SubGraph {
        name: name.into(),
        tensors,
        inputs: vec![0],
        outputs,
        operators,
    };
    let loop_options = options::While { cond_subgraph_index: 1, body_subgraph_index: 2 };
    let main = graph(
        "main",
        vec![int("x"), int("y")],
        vec![1],
        vec![Operator::builtin(Builtin::While, [0], [1], Options::While(loop_options))],
    );
    let condition = graph(
        "condition",
        vec![int("x"), tensor("same", TensorType::Bool, &[1])],
        vec![1],
        vec![Operator::builtin(Builtin::Equal, [0, 0], [1], Options::None)],
    );
    let body = graph(
        "body",
        vec![int("x"), int("next")],
        vec![1],
        vec![Operator::builtin(Builtin::Maximum, [0, 0], [1], Options::None)],
    );
    model(vec![main, condition, body])
}

/// One operator. `operands` are shape and, for a constant, its elements; operands without elements are the inputs.
pub(crate) fn single(
    builtin: Builtin,
    options: Options,
    operands: &[(&[i32], Option<&[f32]>)],
    result: &[i32],
) -> Model {
    let count = i32::try_from(operands.len()).unwrap();
    let mut model =
        model(vec![SubGraph { name: "main".into(), outputs: vec![count], ..SubGraph::default() }]);
    for (i, (shape, elements)) in (0..).zip(operands) {
        let mut operand = tensor(format!("t{i}"), TensorType::Float32, shape);
        match elements {
            Some(elements) => {
                operand.buffer = u32::try_from(model.buffers.len()).unwrap();
                let bytes: Vec<u8> = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
                model.buffers.push(Buffer::new(bytes));
            }
            None => model.subgraphs[0].inputs.push(i),
        }
        model.subgraphs[0].tensors.push(operand);
    }
    let graph = &mut model.subgraphs[0];
    graph.tensors.push(tensor("y", TensorType::Float32, result));
    graph.operators = vec![Operator::builtin(builtin, (0..count).collect::<Vec<_>>(), [count], options)];
    model
}

/// An input that is added to DEQUANTIZE of a float16 constant (1, 2, 3, 4), which is an output too.
pub(crate) fn dequantized_constant() -> Model {
    let mut half = tensor("half", TensorType::Float16, &[4]);
    half.buffer = 1;
    let float = |name: &str| tensor(name, TensorType::Float32, &[4]);
    let mut model = model(vec![SubGraph {
        name: "main".into(),
        tensors: vec![float("x"), half, float("constant"), float("sum")],
        inputs: vec![0],
        outputs: vec![3, 2],
        operators: vec![
            Operator::builtin(Builtin::Dequantize, [1], [2], Options::None),
            Operator::builtin(Builtin::Add, [0, 2], [3], Options::Add(options::Add::default())),
        ],
    }]);
    let bytes: Vec<u8> = [0x3c00_u16, 0x4000, 0x4200, 0x4400].iter().flat_map(|h| h.to_le_bytes()).collect();
    model.buffers.push(Buffer::new(bytes));
    model
}
