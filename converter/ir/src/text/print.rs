//! From a graph to its text.

use super::{WORDS, is_bare};
use crate::ops::Attr;
use crate::{DType, Data, Dim, Graph, Node, Op, Tensor, Value, ValueId};
use std::fmt::Write;
use std::sync::Arc;

/// A graph as text, and the constants that are not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Constants that the text refers to as `npz("name")`, in the order of the text.
    pub weights: Vec<(String, Arc<Tensor>)>,
}

/// Prints a graph with all elements of its constants.
///
/// Reading it back gives the same graph, except that tensors are numbered in the order of the text (inputs first) and
/// those that nothing defines are left out.
pub fn print(graph: &Graph) -> String {
    print_with(graph, usize::MAX).text
}

/// Prints a graph; constants of more than `inline` elements are left to a weights file.
pub fn print_with(graph: &Graph, inline: usize) -> Text {
    let mut out = Printer { graph, inline, text: String::new(), weights: vec![] };
    if !graph.name.is_empty() {
        out.text.push_str("graph ");
        out.quoted(&graph.name);
        out.text.push('\n');
    }
    for &id in &graph.inputs {
        let value = graph.value(id);
        out.name(&value.name);
        out.text.push_str(" = input");
        if value.dtype.is_some() || value.shape.is_some() {
            out.text.push(' ');
            out.declared(value);
        }
        out.text.push('\n');
    }
    let mut printed = vec![false; graph.values.len()];
    for node in &graph.nodes {
        let first = node.outputs.iter().flatten().next().map_or(0, |id| id.index());
        let before = (0..first).chain(node.inputs.iter().flatten().map(|id| id.index()));
        for i in before {
            out.constant(i, &mut printed);
        }
        out.node(node);
    }
    for i in 0..graph.values.len() {
        out.constant(i, &mut printed);
    }
    for &id in &graph.outputs {
        out.text.push_str("output ");
        out.name(&graph.value(id).name);
        out.text.push('\n');
    }
    Text { text: out.text, weights: out.weights }
}

struct Printer<'a> {
    graph: &'a Graph,
    inline: usize,
    text: String,
    weights: Vec<(String, Arc<Tensor>)>,
}

impl Printer<'_> {
    fn constant(&mut self, i: usize, printed: &mut [bool]) {
        let value = &self.graph.values[i];
        let Some(tensor) = &value.constant else { return };
        if std::mem::replace(&mut printed[i], true) {
            return;
        }
        self.name(&value.name);
        self.text.push_str(" = const ");
        if tensor.len() > self.inline {
            self.declared(value);
            self.text.push_str(" npz(");
            self.quoted(&value.name);
            self.text.push(')');
            self.weights.push((value.name.clone(), tensor.clone()));
        } else {
            self.tensor(tensor);
        }
        self.text.push('\n');
    }

    fn node(&mut self, node: &Node) {
        if node.outputs.is_empty() {
            self.text.push('_');
        }
        for (i, output) in node.outputs.iter().enumerate() {
            self.text.push_str(if i > 0 { ", " } else { "" });
            self.operand(*output);
            if let Some(id) = output {
                let value = self.graph.value(*id);
                if value.dtype.is_some() || value.shape.is_some() {
                    self.text.push_str(": ");
                    self.declared(value);
                }
            }
        }
        self.text.push_str(" = ");
        match &node.op {
            Op::Unknown { domain, name } => {
                self.text.push_str("unknown ");
                self.quoted(domain);
                self.text.push(' ');
                self.quoted(name);
            }
            op => self.text.push_str(op.name()),
        }
        self.text.push('(');
        for (i, input) in node.inputs.iter().enumerate() {
            self.text.push_str(if i > 0 { ", " } else { "" });
            self.operand(*input);
        }
        self.text.push(')');
        for (name, value) in node.op.attributes() {
            // A type is written by its name, below.
            if name != "to" {
                self.text.push(' ');
                self.text.push_str(name);
                self.text.push('=');
                self.attribute(&value);
            }
        }
        if let Op::Cast(cast) = &node.op {
            self.put(format_args!(" to={}", cast.to.short()));
        }
        let default = node.outputs.iter().flatten().next().map(|&id| &self.graph.value(id).name);
        if default != Some(&node.name) {
            self.text.push_str(" @");
            self.quoted(&node.name);
        }
        self.text.push('\n');
    }

    fn operand(&mut self, id: Option<ValueId>) {
        match id {
            None => self.text.push('_'),
            Some(id) => self.name(&self.graph.value(id).name),
        }
    }

    fn name(&mut self, name: &str) {
        if !name.is_empty() && name.chars().all(is_bare) && !WORDS.contains(&name) {
            self.text.push_str(name);
        } else {
            self.quoted(name);
        }
    }

    fn quoted(&mut self, name: &str) {
        self.text.push('"');
        for c in name.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                '\n' => self.text.push_str("\\n"),
                c if c.is_control() => self.put(format_args!("\\u{{{:x}}}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// Element type and shape, either of which may be unknown.
    fn declared(&mut self, value: &Value) {
        self.text.push_str(value.dtype.map_or("?", DType::short));
        let Some(shape) = &value.shape else { return };
        self.text.push('[');
        for (i, dim) in shape.iter().enumerate() {
            self.text.push_str(if i > 0 { "," } else { "" });
            match dim {
                Dim::Fixed(n) => self.put(format_args!("{n}")),
                Dim::Named(name) if name.is_empty() => self.text.push('?'),
                Dim::Named(name) => {
                    // A bare number is an extent, not a name.
                    let bare = name.chars().all(is_bare)
                        && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                    if bare { self.text.push_str(name) } else { self.quoted(name) }
                }
            }
        }
        self.text.push(']');
    }

    fn tensor(&mut self, tensor: &Tensor) {
        self.text.push_str(tensor.dtype().short());
        self.put(format_args!("{:?}", tensor.shape));
        // As extents are written: without spaces.
        let start = self.text.rfind('[').unwrap_or(0);
        let extents = self.text.split_off(start).replace(' ', "");
        self.text.push_str(&extents);
        self.text.push_str(" {");
        macro_rules! all {
            ($v:expr, $x:ident => $put:expr) => {
                for (i, &$x) in $v.iter().enumerate() {
                    self.text.push_str(if i > 0 { ", " } else { "" });
                    $put;
                }
            };
        }
        match &tensor.data {
            Data::F16(v) => {
                all!(v, x => self.float(x.to_f64(), x.is_nan().then(|| u64::from(x.to_bits())), 0x7e00, |t| {
                    let _ = write!(t, "{}", x.to_f32());
                }))
            }
            Data::F32(v) => {
                all!(v, x => self.float(x.into(), x.is_nan().then(|| u64::from(x.to_bits())), 0x7fc0_0000, |t| {
                    let _ = write!(t, "{x:?}");
                }))
            }
            Data::F64(v) => {
                all!(v, x => self.float(x, x.is_nan().then(|| x.to_bits()), 0x7ff8_0000_0000_0000, |t| {
                    let _ = write!(t, "{x:?}");
                }))
            }
            Data::I8(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::I16(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::I32(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::I64(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::U8(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::U16(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::U32(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::U64(v) => all!(v, x => self.put(format_args!("{x}"))),
            Data::Bool(v) => all!(v, x => self.put(format_args!("{}", u8::from(x)))),
        }
        self.text.push('}');
    }

    /// A float element in the fewest digits that name it; a NaN by its bits where they are not the usual ones.
    fn float(&mut self, x: f64, nan: Option<u64>, usual: u64, digits: impl FnOnce(&mut String)) {
        match nan {
            Some(bits) if bits == usual => self.text.push_str("nan"),
            Some(bits) => self.put(format_args!("nan({bits:#x})")),
            None if x.is_infinite() => self.text.push_str(if x > 0.0 { "inf" } else { "-inf" }),
            None => {
                digits(&mut self.text);
                if self.text.ends_with(".0") {
                    self.text.truncate(self.text.len() - 2);
                }
            }
        }
    }

    fn attribute(&mut self, attr: &Attr) {
        fn list<T>(p: &mut Printer<'_>, v: &[T], put: impl Fn(&mut Printer<'_>, &T)) {
            p.text.push('[');
            for (i, x) in v.iter().enumerate() {
                p.text.push_str(if i > 0 { "," } else { "" });
                put(p, x);
            }
            p.text.push(']');
        }
        match attr {
            Attr::Int(v) => self.put(format_args!("{v}")),
            Attr::Float(v) => self.attribute_float(*v),
            Attr::Str(v) => self.quoted(v),
            Attr::Ints(v) => list(self, v, |p, x| p.put(format_args!("{x}"))),
            Attr::Floats(v) => list(self, v, |p, x| p.attribute_float(*x)),
            Attr::Strs(v) => list(self, v, |p, x| p.quoted(x)),
            Attr::Tensor(v) => self.tensor(v),
        }
    }

    /// A float that cannot be taken for an integer.
    fn attribute_float(&mut self, x: f32) {
        match x {
            x if x.is_nan() => self.text.push_str("nan"),
            x if x.is_infinite() => self.text.push_str(if x > 0.0 { "inf" } else { "-inf" }),
            // Debug output always has a point or an exponent.
            x => self.put(format_args!("{x:?}")),
        }
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}
