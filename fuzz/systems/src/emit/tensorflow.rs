//! A graph as a readable `tf.function`: one line or a few per node, constants before it.
//!
//! Layouts are TensorFlow's: what slides windows is between a transposition to channels-last and one back. What has no such
//! words here is refused with a reason; a refusal says nothing about a converter.

mod layer;
mod movement;

use super::writer::Writer;
use super::{flag, float, list};
use halfproof_ir::{DType, Data, Graph, Node, Op, Tensor, ValueId};

/// The program's Python source: a `tf.function` with its signature, called `model`.
///
/// # Errors
/// The operator that has no form here, and why.
pub fn function(graph: &Graph) -> Result<String, String> {
    if graph.inputs.is_empty() {
        return Err("a program without inputs".into());
    }
    let mut w = Writer::new(graph, spelled);
    for node in &graph.nodes {
        write(&mut w, node).map_err(|why| format!("{}: {why}", node.op.name()))?;
    }
    let outputs: Vec<String> = graph.outputs.iter().map(|&id| w.value(id)).collect::<Result<_, _>>()?;
    let arguments = list((0..graph.inputs.len()).map(|i| format!("x{i}")));
    let signature: Vec<String> = graph.inputs.iter().map(|&id| spec(graph, id)).collect::<Result<_, _>>()?;
    let mut text = String::from("import tensorflow as tf\n\n");
    w.buffers.iter().for_each(|line| text += &format!("{line}\n"));
    text += &format!("\n\n@tf.function(input_signature={})\n", list(signature));
    text += &format!("def model({}):\n", &arguments[1..arguments.len() - 1]);
    w.lines.iter().for_each(|line| text += &format!("    {line}\n"));
    text += &format!("    return {}\n", outputs.join(", "));
    Ok(text)
}

fn spec(graph: &Graph, id: ValueId) -> Result<String, String> {
    let value = graph.value(id);
    let shape = value.static_shape().ok_or("an input has no static shape")?;
    let dtype = dtype(value.dtype.unwrap_or(DType::F32)).ok_or("an input has a type that TFLite has not")?;
    Ok(format!("tf.TensorSpec({}, {dtype})", list(shape)))
}

fn dtype(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::F16 | DType::F32 => Some("tf.float32"),
        DType::I64 => Some("tf.int64"),
        DType::I32 => Some("tf.int32"),
        DType::I16 => Some("tf.int16"),
        DType::I8 => Some("tf.int8"),
        DType::U8 => Some("tf.uint8"),
        DType::Bool => Some("tf.bool"),
        DType::F64 | DType::U16 | DType::U32 | DType::U64 => None,
    }
}

fn spelled(name: &str, tensor: &Tensor) -> Result<(String, String), String> {
    let no = "a constant has a type that TFLite has not";
    let dtype = dtype(tensor.dtype()).ok_or(no)?;
    let items = match (&tensor.data, tensor.floats(), tensor.integers()) {
        (Data::Bool(v), _, _) => list(v.iter().copied().map(flag)),
        (_, Some(v), _) => list(v.into_iter().map(float)),
        (_, None, Some(v)) => list(v),
        _ => return Err(no.into()),
    };
    Ok((format!("{name} = tf.constant({items}, {dtype}, {})", list(&tensor.shape)), name.to_string()))
}

/// Operators of one operand that TensorFlow has under a name of its own.
const UNARY: [(&str, &str); 29] = [
    ("Abs", "tf.abs"),
    ("Neg", "tf.negative"),
    ("Exp", "tf.exp"),
    ("Log", "tf.math.log"),
    ("Sqrt", "tf.sqrt"),
    ("Reciprocal", "tf.math.reciprocal"),
    ("Sin", "tf.sin"),
    ("Cos", "tf.cos"),
    ("Tan", "tf.tan"),
    ("Asin", "tf.asin"),
    ("Acos", "tf.acos"),
    ("Atan", "tf.atan"),
    ("Sinh", "tf.sinh"),
    ("Cosh", "tf.cosh"),
    ("Asinh", "tf.asinh"),
    ("Acosh", "tf.acosh"),
    ("Atanh", "tf.atanh"),
    ("Floor", "tf.floor"),
    ("Ceil", "tf.math.ceil"),
    ("Round", "tf.round"),
    ("Sign", "tf.sign"),
    ("Erf", "tf.math.erf"),
    ("Sigmoid", "tf.sigmoid"),
    ("Tanh", "tf.tanh"),
    ("Relu", "tf.nn.relu"),
    ("Softplus", "tf.nn.softplus"),
    ("Softsign", "tf.nn.softsign"),
    ("IsNaN", "tf.math.is_nan"),
    ("Not", "tf.logical_not"),
];

/// Operators of two operands.
const BINARY: [(&str, &str); 12] = [
    ("Add", "tf.add"),
    ("Sub", "tf.subtract"),
    ("Mul", "tf.multiply"),
    ("Pow", "tf.pow"),
    ("Equal", "tf.equal"),
    ("Greater", "tf.greater"),
    ("GreaterOrEqual", "tf.greater_equal"),
    ("Less", "tf.less"),
    ("LessOrEqual", "tf.less_equal"),
    ("And", "tf.logical_and"),
    ("Or", "tf.logical_or"),
    ("Xor", "tf.math.logical_xor"),
];

fn write(w: &mut Writer<'_>, node: &Node) -> Result<(), String> {
    if node.outputs.iter().flatten().count() == 1 && node.outputs.first().is_some_and(Option::is_some) {
        let expression = expression(w, node)?;
        let name = w.bind(&expression);
        node.outputs[0].map(|id| w.names.insert(id, name));
        return Ok(());
    }
    let names = match &node.op {
        Op::Split(op) => {
            let parts = movement::split(w, node, op)?;
            let parts = w.bind(&parts);
            (0..node.outputs.len()).map(|i| format!("{parts}[{i}]")).collect()
        }
        Op::TopK(op) => movement::top_k(w, node, op)?.to_vec(),
        _ => return Err("several results".into()),
    };
    for (id, name) in node.outputs.iter().zip(names) {
        id.map(|id| w.names.insert(id, name));
    }
    Ok(())
}

fn expression(w: &mut Writer<'_>, node: &Node) -> Result<String, String> {
    let name = node.op.name();
    if let Some((_, function)) = UNARY.iter().find(|(n, _)| *n == name) {
        return Ok(format!("{function}({})", w.operand(node, 0)?));
    }
    if let Some((_, function)) = BINARY.iter().find(|(n, _)| *n == name) {
        return Ok(format!("{function}({}, {})", w.operand(node, 0)?, w.operand(node, 1)?));
    }
    for family in [elementwise, activation, layer::layer, layer::reduction, movement::movement] {
        if let Some(expression) = family(w, node)? {
            return Ok(expression);
        }
    }
    Err("no form in TensorFlow yet".into())
}

fn elementwise(w: &mut Writer<'_>, node: &Node) -> Result<Option<String>, String> {
    if node.inputs.is_empty() {
        return Ok(None);
    }
    let x = w.operand(node, 0)?;
    Ok(Some(match &node.op {
        Op::Min | Op::Max | Op::Sum | Op::Mean => variadic(w, node)?,
        Op::Identity => format!("tf.identity({x})"),
        Op::Div if w.is_float(node, 0) => format!("tf.divide({x}, {})", w.operand(node, 1)?),
        Op::Div => format!("tf.truncatediv({x}, {})", w.operand(node, 1)?),
        Op::Mod(op) => {
            let function = if op.fmod { "tf.truncatemod" } else { "tf.math.floormod" };
            format!("{function}({x}, {})", w.operand(node, 1)?)
        }
        Op::PRelu => format!("tf.where({x} < 0, {x} * {}, {x})", w.operand(node, 1)?),
        Op::Where => format!("tf.where({x}, {}, {})", w.operand(node, 1)?, w.operand(node, 2)?),
        Op::Clip => {
            let bounds = [w.optional(node, 1)?, w.optional(node, 2)?];
            match bounds.each_ref().map(String::as_str) {
                ["None", "None"] => format!("tf.identity({x})"),
                ["None", most] => format!("tf.minimum({x}, {most})"),
                [least, "None"] => format!("tf.maximum({x}, {least})"),
                // Where the bounds cross, the upper one holds.
                [least, most] => format!("tf.minimum(tf.maximum({x}, {least}), {most})"),
            }
        }
        Op::IsInf(op) => match (op.detect_negative, op.detect_positive) {
            (true, true) => format!("tf.math.is_inf({x})"),
            (false, true) => format!("tf.equal({x}, float('inf'))"),
            (true, false) => format!("tf.equal({x}, float('-inf'))"),
            (false, false) => format!("tf.zeros_like({x}, tf.bool)"),
        },
        Op::Cast(op) => {
            format!("tf.cast({x}, {})", dtype(op.to).ok_or("TFLite has no such type")?)
        }
        Op::CastLike(_) => format!("tf.cast({x}, {}.dtype)", w.operand(node, 1)?),
        _ => return Ok(None),
    }))
}

fn variadic(w: &mut Writer<'_>, node: &Node) -> Result<String, String> {
    let function = match node.op {
        Op::Min => "tf.minimum",
        Op::Max => "tf.maximum",
        _ => "tf.add",
    };
    let mut expression = w.operand(node, 0)?;
    for slot in 1..node.inputs.len() {
        expression = format!("{function}({expression}, {})", w.operand(node, slot)?);
    }
    let count = node.inputs.len();
    Ok(match (&node.op, count) {
        (_, 1) => format!("tf.identity({expression})"),
        (Op::Mean, _) => format!("{expression} / {count}.0"),
        _ => expression,
    })
}

fn activation(w: &mut Writer<'_>, node: &Node) -> Result<Option<String>, String> {
    if node.inputs.is_empty() {
        return Ok(None);
    }
    let x = w.operand(node, 0)?;
    Ok(Some(match &node.op {
        Op::HardSwish => format!("{x} * tf.nn.relu6({x} + 3.0) / 6.0"),
        Op::Mish => format!("{x} * tf.tanh(tf.nn.softplus({x}))"),
        Op::LeakyRelu(op) => format!("tf.nn.leaky_relu({x}, {})", float(op.alpha)),
        Op::Elu(op) if op.alpha == 1.0 => format!("tf.nn.elu({x})"),
        Op::Elu(op) => format!("tf.where({x} > 0, {x}, {} * tf.math.expm1({x}))", float(op.alpha)),
        Op::Celu(op) => {
            let alpha = float(op.alpha);
            format!("tf.where({x} > 0, {x}, {alpha} * tf.math.expm1({x} / {alpha}))")
        }
        Op::Selu(op) if *op == halfproof_ir::ops::Selu::default() => format!("tf.nn.selu({x})"),
        Op::Selu(op) => {
            let (alpha, gamma) = (float(op.alpha), float(op.gamma));
            format!("{gamma} * tf.where({x} > 0, {x}, {alpha} * tf.math.expm1({x}))")
        }
        Op::HardSigmoid(op) => {
            format!("tf.clip_by_value({} * {x} + {}, 0.0, 1.0)", float(op.alpha), float(op.beta))
        }
        Op::ThresholdedRelu(op) => format!("tf.where({x} > {}, {x}, 0.0)", float(op.alpha)),
        Op::Gelu(op) => format!("tf.nn.gelu({x}, approximate={})", flag(op.approximate.name() == "tanh")),
        Op::Shrink(op) => {
            let (bias, lambd) = (float(op.bias), float(op.lambd));
            format!("tf.where({x} < -{lambd}, {x} + {bias}, tf.where({x} > {lambd}, {x} - {bias}, 0.0))")
        }
        Op::Swish(op) if op.alpha == 1.0 => format!("tf.nn.silu({x})"),
        Op::Swish(op) => format!("{x} * tf.sigmoid({} * {x})", float(op.alpha)),
        Op::Softmax(op) if !op.coerce_2d => format!("tf.nn.softmax({x}, axis={})", op.axis),
        Op::LogSoftmax(op) if !op.coerce_2d => format!("tf.nn.log_softmax({x}, axis={})", op.axis),
        Op::Hardmax(op) if !op.coerce_2d => {
            let extent = w.extent(node, op.axis)?;
            format!("tf.one_hot(tf.argmax({x}, axis={}), {extent}, axis={})", op.axis, op.axis)
        }
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::text;

    #[test]
    fn a_function_reads_like_one_that_people_write() {
        let graph = text::parse(
            "x = input f32[2,3]
             w = const f32[3,1] {1, 2, 3}
             p = MatMul(x, w)
             y = Relu(p)
             output y",
        )
        .unwrap();
        assert_eq!(
            function(&graph).unwrap(),
            "import tensorflow as tf\n\nc0 = tf.constant([1.0, 2.0, 3.0], tf.float32, [3, 1])\n\n\n\
             @tf.function(input_signature=[tf.TensorSpec([2, 3], tf.float32)])\ndef model(x0):\n    \
             v0 = tf.matmul(x0, c0)\n    v1 = tf.nn.relu(v0)\n    return v1\n"
        );
    }

    #[test]
    fn a_depthwise_convolution_has_strides_or_dilations_and_no_dilation_of_one_element() {
        let body = |kernel: usize, result: usize, attributes: &str| {
            let taps = vec!["1"; 2 * kernel * kernel].join(", ");
            let text = format!(
                "x = input f32[1,2,9,9]
                 w = const f32[2,1,{kernel},{kernel}] {{{taps}}}
                 y: f32[1,2,{result},{result}] = Conv(x, w) group=2 {attributes}
                 output y"
            );
            function(&text::parse(&text).unwrap()).unwrap()
        };
        let both = body(3, 3, "strides=[2,2] dilations=[2,2]");
        assert!(
            both.contains("tf.nn.conv2d(") && both.contains("[2, 2], 'VALID', dilations=[2, 2])"),
            "{both}"
        );
        let one = body(1, 5, "strides=[2,2] dilations=[3,1]");
        assert!(one.contains("[1, 2, 2, 1], 'VALID', dilations=[1, 1])"), "{one}");
        assert!(body(3, 5, "dilations=[2,2]").contains("tf.nn.depthwise_conv2d("));
    }

    #[test]
    fn what_has_no_form_is_refused_by_name() {
        let graph = text::parse("x = input f32[2,3]\ny = NonZero(x)\noutput y").unwrap();
        assert!(function(&graph).unwrap_err().starts_with("NonZero: "));
    }

    #[test]
    fn the_tables_name_operators_that_there_are() {
        for (name, _) in UNARY.iter().chain(&BINARY) {
            assert!(halfproof_ir::ops::OPS.iter().any(|o| o.name == *name), "{name}");
        }
    }
}
