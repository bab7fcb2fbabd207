//! A graph as a readable `torch.nn.Module`: one line per node, constants as buffers, so that `.half()` narrows them.
//!
//! Each operator is written in the words that PyTorch has for it, since those are what litert-torch is given by its users.
//! What has no such words here is refused with a reason; a refusal says nothing about a converter.

mod layer;
mod movement;
mod recurrent;
mod signal;

use super::writer::Writer;
use super::{flag, float, list};
use halfproof_ir::{DType, Data, Graph, Node, Op, Tensor, ValueId};

/// The module's Python source: a class `Model` and a function `inputs` with example inputs.
///
/// # Errors
/// The operator that has no form here, and why.
pub fn module(graph: &Graph) -> Result<String, String> {
    if graph.inputs.is_empty() {
        return Err("a program without inputs".into());
    }
    let mut writer = Writer::new(graph, buffer);
    for node in &graph.nodes {
        writer.node(node).map_err(|why| format!("{}: {why}", node.op.name()))?;
    }
    let outputs: Vec<String> = graph.outputs.iter().map(|&id| writer.value(id)).collect::<Result<_, _>>()?;
    let arguments: Vec<String> = (0..graph.inputs.len()).map(|i| format!("x{i}")).collect();
    let mut text =
        String::from("import torch\nimport torch.nn.functional as F\n\n\nclass Model(torch.nn.Module):\n");
    if writer.uses_float {
        // The type that `.half()` leaves floats in, for casts to it.
        writer.buffers.push("self.register_buffer('one', torch.ones(()))".to_string());
    }
    if !writer.buffers.is_empty() {
        text += "    def __init__(self):\n        super().__init__()\n";
        writer.buffers.iter().for_each(|line| text += &format!("        {line}\n"));
        text += "\n";
    }
    text += &format!("    def forward(self, {}):\n", arguments.join(", "));
    writer.lines.iter().for_each(|line| text += &format!("        {line}\n"));
    text += &format!("        return {}\n\n\n", outputs.join(", "));
    let examples: Vec<String> =
        graph.inputs.iter().map(|&id| example(graph, id)).collect::<Result<_, _>>()?;
    text += &format!("def inputs():\n    return ({},)\n", examples.join(", "));
    Ok(text)
}

fn example(graph: &Graph, id: ValueId) -> Result<String, String> {
    let value = graph.value(id);
    let shape = value.static_shape().ok_or("an input has no static shape")?;
    let dtype = dtype(value.dtype.unwrap_or(DType::F32)).ok_or("an input has a type that PyTorch has not")?;
    Ok(format!("torch.ones({}, dtype={dtype})", list(shape)))
}

fn dtype(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::F16 | DType::F32 => Some("torch.float32"),
        DType::I64 => Some("torch.int64"),
        DType::I32 => Some("torch.int32"),
        DType::I16 => Some("torch.int16"),
        DType::I8 => Some("torch.int8"),
        DType::U8 => Some("torch.uint8"),
        DType::Bool => Some("torch.bool"),
        DType::F64 | DType::U16 | DType::U32 | DType::U64 => None,
    }
}

/// A constant as a buffer, so that `.half()` narrows it: the line that makes it, and how it is named.
fn buffer(name: &str, tensor: &Tensor) -> Result<(String, String), String> {
    Ok((format!("self.register_buffer('{name}', {})", constant(tensor)?), format!("self.{name}")))
}

/// A constant as a Python expression.
///
/// # Errors
/// When PyTorch has no such type.
pub fn constant(tensor: &Tensor) -> Result<String, String> {
    let dtype = dtype(tensor.dtype()).ok_or("a constant has a type that PyTorch has not")?;
    let items = match (&tensor.data, tensor.floats(), tensor.integers()) {
        (Data::Bool(v), _, _) => list(v.iter().copied().map(flag)),
        (_, Some(v), _) => list(v.into_iter().map(float)),
        (_, None, Some(v)) => list(v),
        _ => return Err("a constant has a type that PyTorch has not".into()),
    };
    let flat = format!("torch.tensor({items}, dtype={dtype})");
    Ok(if tensor.shape.len() == 1 { flat } else { format!("{flat}.reshape({})", list(&tensor.shape)) })
}

/// Operators of one operand that PyTorch has under a name of its own.
const UNARY: [(&str, &str); 29] = [
    ("Abs", "torch.abs"),
    ("Neg", "torch.neg"),
    ("Exp", "torch.exp"),
    ("Log", "torch.log"),
    ("Sqrt", "torch.sqrt"),
    ("Reciprocal", "torch.reciprocal"),
    ("Sin", "torch.sin"),
    ("Cos", "torch.cos"),
    ("Tan", "torch.tan"),
    ("Asin", "torch.asin"),
    ("Acos", "torch.acos"),
    ("Atan", "torch.atan"),
    ("Sinh", "torch.sinh"),
    ("Cosh", "torch.cosh"),
    ("Asinh", "torch.asinh"),
    ("Acosh", "torch.acosh"),
    ("Atanh", "torch.atanh"),
    ("Floor", "torch.floor"),
    ("Ceil", "torch.ceil"),
    ("Round", "torch.round"),
    ("Sign", "torch.sign"),
    ("Erf", "torch.erf"),
    ("Sigmoid", "torch.sigmoid"),
    ("Tanh", "torch.tanh"),
    ("Relu", "F.relu"),
    ("HardSwish", "F.hardswish"),
    ("Mish", "F.mish"),
    ("Softsign", "F.softsign"),
    ("IsNaN", "torch.isnan"),
];

/// Operators of two operands.
const BINARY: [(&str, &str); 13] = [
    ("Add", "torch.add"),
    ("Sub", "torch.sub"),
    ("Mul", "torch.mul"),
    ("Pow", "torch.pow"),
    ("Equal", "torch.eq"),
    ("Greater", "torch.gt"),
    ("GreaterOrEqual", "torch.ge"),
    ("Less", "torch.lt"),
    ("LessOrEqual", "torch.le"),
    ("And", "torch.logical_and"),
    ("Or", "torch.logical_or"),
    ("Xor", "torch.logical_xor"),
    ("MatMul", "torch.matmul"),
];

impl Writer<'_> {
    /// The type that a cast goes to: floats are as `.half()` leaves them.
    fn cast_type(&mut self, to: DType) -> Result<String, String> {
        if to.is_float() {
            self.uses_float = true;
            return Ok("self.one.dtype".into());
        }
        dtype(to).map(str::to_string).ok_or_else(|| "PyTorch has no such type".into())
    }

    fn node(&mut self, node: &Node) -> Result<(), String> {
        let wanted = node.outputs.iter().flatten().count();
        if wanted != 1 || node.outputs.first().copied().flatten().is_none() {
            return self.several(node);
        }
        let expression = self.expression(node)?;
        let name = format!("v{}", self.lines.len());
        self.lines.push(format!("{name} = {expression}"));
        if let Some(id) = node.outputs[0] {
            self.names.insert(id, name);
        }
        Ok(())
    }

    /// Operators with several results.
    fn several(&mut self, node: &Node) -> Result<(), String> {
        let names = if let Some(results) = self.recurrent(node)? {
            results
        } else {
            let expression = match &node.op {
                Op::Split(op) => self.split(node, op)?,
                Op::TopK(op) => self.top_k(node, op)?,
                Op::SoftmaxCrossEntropyLoss(_) => {
                    let loss = self.signal(node)?.ok_or("several results")?;
                    format!("{loss}, F.log_softmax({}, dim=1)", self.operand(node, 0)?)
                }
                _ => return Err("several results".into()),
            };
            let at = self.lines.len();
            let names: Vec<String> = (0..node.outputs.len()).map(|i| format!("v{at}_{i}")).collect();
            self.lines.push(format!("{}, = {expression}", names.join(", ")));
            names
        };
        for (id, name) in node.outputs.iter().zip(names) {
            if let Some(id) = id {
                self.names.insert(*id, name);
            }
        }
        Ok(())
    }

    fn expression(&mut self, node: &Node) -> Result<String, String> {
        let name = node.op.name();
        if let Some((_, function)) = UNARY.iter().find(|(n, _)| *n == name) {
            return Ok(format!("{function}({})", self.operand(node, 0)?));
        }
        if let Some((_, function)) = BINARY.iter().find(|(n, _)| *n == name) {
            return Ok(format!("{function}({}, {})", self.operand(node, 0)?, self.operand(node, 1)?));
        }
        match &node.op {
            Op::Min | Op::Max | Op::Sum | Op::Mean => self.variadic(node),
            Op::Not => Ok(format!("torch.logical_not({})", self.operand(node, 0)?)),
            Op::Identity => self.operand(node, 0),
            Op::Div | Op::Mod(_) | Op::PRelu | Op::Where | Op::Clip => self.elementwise(node),
            Op::IsInf(op) => {
                let x = self.operand(node, 0)?;
                Ok(match (op.detect_negative, op.detect_positive) {
                    (true, true) => format!("torch.isinf({x})"),
                    (false, true) => format!("{x} == float('inf')"),
                    (true, false) => format!("{x} == float('-inf')"),
                    (false, false) => format!("torch.zeros_like({x}, dtype=torch.bool)"),
                })
            }
            Op::LSTM(_) | Op::GRU(_) | Op::RNN(_) => {
                let results = self.recurrent(node)?.ok_or("no recurrent operator")?;
                results.into_iter().next().ok_or_else(|| "no result".to_string())
            }
            Op::Cast(op) => {
                let to = self.cast_type(op.to)?;
                Ok(format!("{}.to({to})", self.operand(node, 0)?))
            }
            Op::CastLike(_) => Ok(format!("{}.to({}.dtype)", self.operand(node, 0)?, self.operand(node, 1)?)),
            _ => match self.activation(node)? {
                Some(expression) => Ok(expression),
                None => match self.layer(node)?.map_or_else(|| self.signal(node), |e| Ok(Some(e)))? {
                    Some(expression) => Ok(expression),
                    None => self.movement(node)?.ok_or_else(|| "no form in PyTorch yet".to_string()),
                },
            },
        }
    }

    fn variadic(&mut self, node: &Node) -> Result<String, String> {
        let function = match node.op {
            Op::Min => "torch.minimum",
            Op::Max => "torch.maximum",
            _ => "torch.add",
        };
        let mut expression = self.operand(node, 0)?;
        for slot in 1..node.inputs.len() {
            expression = format!("{function}({expression}, {})", self.operand(node, slot)?);
        }
        let count = node.inputs.len();
        Ok(if matches!(node.op, Op::Mean) && count > 1 {
            format!("{expression} / {count}")
        } else {
            expression
        })
    }

    fn elementwise(&mut self, node: &Node) -> Result<String, String> {
        let x = self.operand(node, 0)?;
        match &node.op {
            Op::Div => {
                let rounding = if self.is_float(node, 0) { "" } else { ", rounding_mode='trunc'" };
                Ok(format!("torch.div({x}, {}{rounding})", self.operand(node, 1)?))
            }
            Op::Mod(op) => {
                let function = if op.fmod { "torch.fmod" } else { "torch.remainder" };
                Ok(format!("{function}({x}, {})", self.operand(node, 1)?))
            }
            Op::PRelu => {
                let slope = self.operand(node, 1)?;
                Ok(format!("torch.where({x} < 0, {x} * {slope}, {x})"))
            }
            Op::Where => {
                Ok(format!("torch.where({x}, {}, {})", self.operand(node, 1)?, self.operand(node, 2)?))
            }
            Op::Clip => {
                let bounds = [("min", self.scalar(node, 1)?), ("max", self.scalar(node, 2)?)];
                let given: Vec<String> =
                    bounds.iter().filter_map(|(n, b)| Some(format!("{n}={}", float((*b)?)))).collect();
                Ok(if given.is_empty() { x } else { format!("torch.clamp({x}, {})", given.join(", ")) })
            }
            _ => Err("no form in PyTorch yet".into()),
        }
    }

    fn activation(&mut self, node: &Node) -> Result<Option<String>, String> {
        let x = match node.inputs.first() {
            Some(_) => self.operand(node, 0)?,
            None => return Ok(None),
        };
        Ok(Some(match &node.op {
            Op::Softplus => format!("F.softplus({x})"),
            Op::LeakyRelu(op) => format!("F.leaky_relu({x}, {})", float(op.alpha)),
            Op::Elu(op) => format!("F.elu({x}, {})", float(op.alpha)),
            Op::Celu(op) => format!("F.celu({x}, {})", float(op.alpha)),
            Op::Selu(op) if *op == halfproof_ir::ops::Selu::default() => format!("F.selu({x})"),
            Op::Selu(op) => format!("{} * F.elu({x}, {})", float(op.gamma), float(op.alpha)),
            Op::HardSigmoid(op) => {
                format!("torch.clamp({} * {x} + {}, 0.0, 1.0)", float(op.alpha), float(op.beta))
            }
            Op::ThresholdedRelu(op) => format!("F.threshold({x}, {}, 0.0)", float(op.alpha)),
            Op::Gelu(op) => format!("F.gelu({x}, approximate='{}')", op.approximate.name()),
            Op::Shrink(op) if op.bias == 0.0 => format!("F.hardshrink({x}, {})", float(op.lambd)),
            Op::Shrink(op) if op.bias == op.lambd => format!("F.softshrink({x}, {})", float(op.lambd)),
            Op::Shrink(op) => {
                let (bias, lambd) = (float(op.bias), float(op.lambd));
                format!(
                    "torch.where({x} < -{lambd}, {x} + {bias}, torch.where({x} > {lambd}, {x} - {bias}, 0.0))"
                )
            }
            Op::Swish(op) if op.alpha == 1.0 => format!("F.silu({x})"),
            Op::Swish(op) => format!("{x} * torch.sigmoid({} * {x})", float(op.alpha)),
            Op::Softmax(op) if !op.coerce_2d => format!("F.softmax({x}, dim={})", op.axis),
            Op::LogSoftmax(op) if !op.coerce_2d => format!("F.log_softmax({x}, dim={})", op.axis),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::text;

    #[test]
    fn a_module_reads_like_one_that_people_write() {
        let graph = text::parse(
            "x = input f32[1,3,4,4]
             w = const f32[2,3,1,1] {1, 2, 3, 4, 5, 6}
             c = Conv(x, w) strides=[2,2]
             y = Relu(c)
             output y",
        )
        .unwrap();
        assert_eq!(
            module(&graph).unwrap(),
            "import torch\nimport torch.nn.functional as F\n\n\nclass Model(torch.nn.Module):\n    \
             def __init__(self):\n        super().__init__()\n        \
             self.register_buffer('c0', torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float32).reshape([2, 3, 1, 1]))\n\n    \
             def forward(self, x0):\n        \
             v0 = F.conv2d(x0, self.c0, None, stride=[2, 2], padding=[0, 0], dilation=[1, 1], groups=1)\n        \
             v1 = F.relu(v0)\n        return v1\n\n\ndef inputs():\n    return (torch.ones([1, 3, 4, 4], dtype=torch.float32),)\n"
        );
    }

    /// `(,)` is no Python: a scalar expanded to the shape of a scalar ended in a syntax error.
    #[test]
    fn the_shape_of_a_scalar_is_an_empty_tuple() {
        let graph = text::parse("x = input f32[]\ns = const i64[0] {}\ny = Expand(x, s)\noutput y").unwrap();
        let module = module(&graph).unwrap();
        assert!(module.contains("torch.broadcast_shapes(x0.shape, ())"), "{module}");
    }

    #[test]
    fn the_norm_of_zeros_divides_nothing() {
        let graph = text::parse("x = input f32[2,2]\ny = LpNormalization(x)\noutput y").unwrap();
        let module = module(&graph).unwrap();
        assert!(module.contains("x0 / torch.where(v0 == 0, torch.ones_like(v0), v0)"), "{module}");
    }

    #[test]
    fn what_has_no_form_is_refused_by_name() {
        let graph = text::parse("x = input f32[2,3,4]\ny = TensorScatter(x, x)\noutput y").unwrap();
        assert!(module(&graph).unwrap_err().starts_with("TensorScatter: "));
    }

    /// Every operator of the tables exists under that name.
    #[test]
    fn the_tables_name_operators_that_there_are() {
        for (name, _) in UNARY.iter().chain(&BINARY) {
            assert!(halfproof_ir::ops::OPS.iter().any(|o| o.name == *name), "{name}");
        }
    }
}
