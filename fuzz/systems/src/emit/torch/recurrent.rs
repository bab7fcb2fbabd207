//! Recurrent operators as `torch.nn` modules, whose gates stand in another order than those of ONNX.

use crate::emit::flag;
use crate::emit::writer::Writer;
use halfproof_ir::ops::Direction;
use halfproof_ir::{Node, Op};

/// What the three operators have in common.
struct Cell<'a> {
    class: &'static str,
    /// Which of ONNX's gates stands in each of PyTorch's places.
    gates: &'static [usize],
    usual: &'static [&'static str],
    activations: &'a [String],
    direction: Direction,
    hidden: i64,
    plain: bool,
    more: &'static str,
}

impl Writer<'_> {
    /// All results of a recurrent operator, in order; `None` for any other operator.
    pub(super) fn recurrent(&mut self, node: &Node) -> Result<Option<Vec<String>>, String> {
        let cell = match &node.op {
            Op::LSTM(op) => Cell {
                class: "LSTM",
                gates: &[0, 2, 3, 1],
                usual: &["Sigmoid", "Tanh", "Tanh"],
                activations: &op.activations,
                direction: op.direction,
                hidden: op.hidden_size,
                plain: op.clip.is_none() && op.layout == 0 && !op.input_forget,
                more: "",
            },
            Op::GRU(op) => Cell {
                class: "GRU",
                gates: &[1, 0, 2],
                usual: &["Sigmoid", "Tanh"],
                activations: &op.activations,
                direction: op.direction,
                hidden: op.hidden_size,
                plain: op.clip.is_none() && op.layout == 0 && op.linear_before_reset,
                more: "",
            },
            Op::RNN(op) => {
                let relu = !op.activations.is_empty() && op.activations.iter().all(|a| a == "Relu");
                Cell {
                    class: "RNN",
                    gates: &[0],
                    usual: if relu { &["Relu"] } else { &["Tanh"] },
                    activations: &op.activations,
                    direction: op.direction,
                    hidden: op.hidden_size,
                    plain: op.clip.is_none() && op.layout == 0,
                    more: if relu { ", nonlinearity='relu'" } else { "" },
                }
            }
            _ => return Ok(None),
        };
        let usual = cell.activations.iter().zip(cell.usual.iter().cycle()).all(|(a, u)| a == u);
        if !cell.plain || !usual || [4, 7].iter().any(|&slot| self.id(node, slot).is_some()) {
            return Err("a cell that torch.nn has not".into());
        }
        self.module(node, &cell).map(Some)
    }

    fn module(&mut self, node: &Node, cell: &Cell<'_>) -> Result<Vec<String>, String> {
        let (weights, both) = (self.shape(node, 1)?, cell.direction == Direction::Bidirectional);
        let [_, _, width] = weights.as_slice() else { return Err("weights of another rank".into()) };
        let biased = self.id(node, 3).is_some();
        for slot in [1, 2, 3] {
            if self.id(node, slot).is_some_and(|id| self.graph.constant(id).is_none()) {
                return Err("weights that are not constant".into());
            }
        }
        let (w, r, b) = (self.operand(node, 1)?, self.operand(node, 2)?, self.optional(node, 3)?);
        let name = format!("self.r{}", self.buffers.len());
        self.buffers.push(format!(
            "{name} = torch.nn.{}({width}, {}, bias={}, bidirectional={}{})",
            cell.class,
            cell.hidden,
            flag(biased),
            flag(both),
            cell.more
        ));
        let ordered = |x: String| {
            let count = cell.gates.len();
            let parts = cell.gates.iter().map(|g| format!("{x}.chunk({count})[{g}]"));
            format!("torch.cat([{}])", parts.collect::<Vec<_>>().join(", "))
        };
        for (i, suffix) in ["", "_reverse"].iter().take(1 + usize::from(both)).enumerate() {
            let mut set = |what: &str, x: String| {
                self.buffers.push(format!("{name}.{what}_l0{suffix}.data = {}", ordered(x)));
            };
            set("weight_ih", format!("{w}[{i}]"));
            set("weight_hh", format!("{r}[{i}]"));
            if biased {
                set("bias_ih", format!("{b}[{i}].chunk(2)[0]"));
                set("bias_hh", format!("{b}[{i}].chunk(2)[1]"));
            }
        }
        let turned = |x: String| {
            if cell.direction == Direction::Reverse { format!("torch.flip({x}, [0])") } else { x }
        };
        let x = turned(self.operand(node, 0)?);
        let state = match (cell.class, self.optional(node, 5)?, self.optional(node, 6)?) {
            (_, h, c) if h == "None" && c == "None" => String::new(),
            ("LSTM", h, c) if h != "None" && c != "None" => format!(", ({h}, {c})"),
            ("LSTM", ..) => return Err("one initial state of two".into()),
            (_, h, _) => format!(", {h}"),
        };
        let all = self.bind(&format!("{name}({x}{state})"));
        let directions = 1 + usize::from(both);
        let split = format!("{all}[0].unflatten(2, ({directions}, {})).transpose(1, 2)", cell.hidden);
        Ok(match cell.class {
            "LSTM" => vec![turned(split), format!("{all}[1][0]"), format!("{all}[1][1]")],
            _ => vec![turned(split), format!("{all}[1]")],
        })
    }
}
