//! From a text to its graph.

use super::WORDS;
use super::scan::Scanner;
use crate::ops::{Attr, Attrs, OPS};
use crate::{DType, Dim, Graph, Node, Op, Tensor, Value, ValueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a text is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct TextError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Reads a graph from a text that needs no weights file.
///
/// # Errors
/// The first place that is no graph text, names something undefined, or uses an operator in a way the table does
/// not allow.
pub fn parse(text: &str) -> Result<Graph, TextError> {
    parse_with(text, &[])
}

/// Reads a graph from a text and the constants of its weights file.
///
/// # Errors
/// As [`parse`], and when a constant is not among the weights or has another type or shape there.
pub fn parse_with(text: &str, weights: &[(String, Arc<Tensor>)]) -> Result<Graph, TextError> {
    let mut parser =
        Parser { scan: Scanner::new(text), weights, graph: Graph::default(), ids: BTreeMap::new() };
    while parser.scan.next_line() {
        parser.line()?;
        parser.scan.end_line()?;
    }
    Ok(parser.graph)
}

pub(super) struct Parser<'a> {
    pub(super) scan: Scanner<'a>,
    pub(super) weights: &'a [(String, Arc<Tensor>)],
    graph: Graph,
    ids: BTreeMap<String, ValueId>,
}

/// A declared type.
type Declared = (Option<DType>, Option<Vec<Dim>>);

impl Parser<'_> {
    fn line(&mut self) -> Result<(), TextError> {
        match self.scan.peek_word() {
            "graph" => {
                self.scan.word();
                self.graph.name = self.scan.quoted("the graph's name in quotes")?;
                Ok(())
            }
            "output" => {
                self.scan.word();
                loop {
                    match self.operand()? {
                        Some(id) => self.graph.outputs.push(id),
                        None => return Err(self.scan.error("an output is not absent")),
                    }
                    if !self.scan.eat(',') {
                        return Ok(());
                    }
                }
            }
            _ => self.definition(),
        }
    }

    /// `names = input | const | operator`.
    fn definition(&mut self) -> Result<(), TextError> {
        let mut results: Vec<Option<(String, usize, Declared)>> = vec![];
        loop {
            let at = self.scan.here();
            let (name, quoted) = self.scan.name("a definition")?;
            if !quoted && name == "_" {
                results.push(None);
            } else {
                self.reserved(&name, quoted, at)?;
                let declared = if self.scan.eat(':') { self.declared()? } else { (None, None) };
                results.push(Some((name, at, declared)));
            }
            if !self.scan.eat(',') {
                break;
            }
        }
        self.scan.need('=')?;
        let keyword = self.scan.peek_word();
        if !matches!(keyword, "input" | "const") {
            return self.node(results);
        }
        let at = self.scan.here();
        self.scan.word();
        let Ok([Some((name, name_at, (None, None)))]) = <[_; 1]>::try_from(results) else {
            return Err(self
                .scan
                .error_at(at, format!("one name without a type stands before \"{keyword}\"")));
        };
        if keyword == "input" {
            let declared = match self.scan.peek() {
                None | Some('\n') => (None, None),
                _ => self.declared()?,
            };
            let id = self.define(name, name_at, declared)?;
            self.graph.inputs.push(id);
        } else {
            let tensor = self.constant()?;
            let shape = tensor.shape.iter().map(|&d| Dim::Fixed(d)).collect();
            let id = self.define(name, name_at, (Some(tensor.dtype()), Some(shape)))?;
            self.graph.values[id.index()].constant = Some(tensor);
        }
        Ok(())
    }

    fn reserved(&mut self, name: &str, quoted: bool, at: usize) -> Result<(), TextError> {
        if !quoted && WORDS.contains(&name) {
            return Err(self.scan.error_at(at, format!("\"{name}\" is a name only in quotes")));
        }
        Ok(())
    }

    fn define(&mut self, name: String, at: usize, declared: Declared) -> Result<ValueId, TextError> {
        let id = ValueId(self.graph.values.len() as u32);
        if self.ids.insert(name.clone(), id).is_some() {
            return Err(self.scan.error_at(at, format!("\"{name}\" is defined more than once")));
        }
        let (dtype, shape) = declared;
        self.graph.values.push(Value { name, dtype, shape, constant: None });
        Ok(id)
    }

    /// `f32[1,3,?,batch]`, `f32`, `?[2]`.
    pub(super) fn declared(&mut self) -> Result<Declared, TextError> {
        let dtype = if self.scan.eat('?') { None } else { Some(self.dtype()?) };
        if !self.scan.eat('[') {
            return Ok((dtype, None));
        }
        let mut shape = vec![];
        while !self.scan.eat(']') {
            if !shape.is_empty() {
                self.scan.need(',')?;
            }
            if self.scan.eat('?') {
                shape.push(Dim::Named(String::new()));
                continue;
            }
            let at = self.scan.here();
            let (text, quoted) = self.scan.name("an extent")?;
            shape.push(match text.parse::<usize>() {
                Ok(n) if !quoted => Dim::Fixed(n),
                Err(_) if !quoted && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                    return Err(self.scan.error_at(at, format!("\"{text}\" is no extent")));
                }
                _ => Dim::Named(text),
            });
        }
        Ok((dtype, Some(shape)))
    }

    fn dtype(&mut self) -> Result<DType, TextError> {
        match DType::from_short(self.scan.peek_word()) {
            None => Err(self.scan.expected("an element type")),
            Some(dtype) => {
                self.scan.word();
                Ok(dtype)
            }
        }
    }

    /// Items up to a closing bracket, separated by commas; one more comma at the end does no harm.
    pub(super) fn list<T>(
        &mut self,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<T, TextError>,
    ) -> Result<Vec<T>, TextError> {
        let mut items = vec![];
        while !self.scan.eat(close) {
            items.push(item(self)?);
            if !self.scan.eat(',') {
                self.scan.need(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn operand(&mut self) -> Result<Option<ValueId>, TextError> {
        let at = self.scan.here();
        let (name, quoted) = self.scan.name("the name of a tensor")?;
        if name == "_" && !quoted {
            return Ok(None);
        }
        self.reserved(&name, quoted, at)?;
        match self.ids.get(&name) {
            Some(&id) => Ok(Some(id)),
            None => Err(self.scan.error_at(at, format!("\"{name}\" is not defined before this"))),
        }
    }

    fn node(&mut self, results: Vec<Option<(String, usize, Declared)>>) -> Result<(), TextError> {
        let at = self.scan.here();
        let known = match self.scan.word() {
            "" => return Err(self.scan.expected("input, const or an operator")),
            "unknown" => None,
            name => Some(name),
        };
        let unknown = match known {
            None => {
                let domain = self.scan.quoted("a domain in quotes")?;
                let name = self.scan.quoted("an operator in quotes")?;
                Some(Op::Unknown { domain, name })
            }
            Some(_) => None,
        };
        self.scan.need('(')?;
        let inputs = self.list(')', Self::operand)?;
        let op = match (unknown, known) {
            (Some(op), _) => op,
            (None, name) => self.operator(name.unwrap_or_default(), at)?,
        };
        let outputs = results
            .into_iter()
            .map(|r| r.map(|(name, at, declared)| self.define(name, at, declared)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        // One absent result is how a node without results is written.
        let outputs = if outputs == [None] { vec![] } else { outputs };
        if let Some(info) = op.info() {
            for (what, found, (min, max)) in
                [("operands", inputs.len(), info.inputs), ("results", outputs.len(), info.outputs)]
            {
                if !(min..=max).contains(&found) {
                    return Err(self.scan.error_at(at, format!("{} with {found} {what}", info.name)));
                }
            }
        }
        let name = if self.scan.eat('@') {
            self.scan.name("the node's name")?.0
        } else {
            outputs.iter().flatten().next().map_or(String::new(), |&id| self.graph.value(id).name.clone())
        };
        self.graph.nodes.push(Node { name, op, inputs, outputs });
        Ok(())
    }

    /// The attributes behind the operands, and the operator that they make.
    fn operator(&mut self, name: &str, at: usize) -> Result<Op, TextError> {
        let Some(row) = OPS.iter().find(|row| row.name == name) else {
            let hint = "write unknown \"domain\" \"Name\" for one that is not in the table";
            return Err(self.scan.error_at(at, format!("there is no operator \"{name}\"; {hint}")));
        };
        let mut attrs = Attrs::new();
        let mut places = BTreeMap::new();
        while !matches!(self.scan.peek(), None | Some('\n' | '@')) {
            let at = self.scan.here();
            let attr = match self.scan.word() {
                "" => return Err(self.scan.expected("an attribute")),
                attr => attr,
            };
            if !row.attributes.contains(&attr) {
                return Err(self.scan.error_at(at, format!("{name} has no attribute \"{attr}\"")));
            }
            self.scan.need('=')?;
            let value = match DType::from_short(self.scan.peek_word()) {
                Some(dtype) if attr == "to" => {
                    self.scan.word();
                    Attr::Int(dtype.onnx_code())
                }
                _ => self.attribute()?,
            };
            if attrs.insert(attr.to_string(), value).is_some() {
                return Err(self.scan.error_at(at, format!("attribute \"{attr}\" is there twice")));
            }
            places.insert(attr.to_string(), at);
        }
        Op::from_attributes(name, &attrs)
            .map_err(|e| self.scan.error_at(places.get(&e.name).copied().unwrap_or(at), e.to_string()))
    }

    fn attribute(&mut self) -> Result<Attr, TextError> {
        if self.scan.eat('[') {
            let items = self.list(']', Self::attribute_item)?;
            return self.attribute_list(items);
        }
        self.attribute_item()
    }

    fn attribute_item(&mut self) -> Result<Attr, TextError> {
        if self.scan.peek() == Some('"') {
            return Ok(Attr::Str(self.scan.quoted("a text")?));
        }
        if DType::from_short(self.scan.peek_word()).is_some() {
            return Ok(Attr::Tensor(self.constant()?));
        }
        let at = self.scan.here();
        let word = self.exponent();
        match (word.parse::<i64>(), word.parse::<f32>()) {
            (Ok(i), _) => Ok(Attr::Int(i)),
            (_, Ok(f)) => Ok(Attr::Float(f)),
            _ => Err(self.scan.error_at(at, "expected a number, a text in quotes, a list or a tensor")),
        }
    }

    fn attribute_list(&mut self, items: Vec<Attr>) -> Result<Attr, TextError> {
        let all = |f: fn(&Attr) -> bool| items.iter().all(f);
        if all(|a| matches!(a, Attr::Int(_))) {
            Ok(Attr::Ints(
                items.iter().filter_map(|a| if let Attr::Int(v) = a { Some(*v) } else { None }).collect(),
            ))
        } else if all(|a| matches!(a, Attr::Float(_))) {
            let float = |a: &Attr| if let Attr::Float(v) = a { Some(*v) } else { None };
            Ok(Attr::Floats(items.iter().filter_map(float).collect()))
        } else if all(|a| matches!(a, Attr::Str(_))) {
            let text = |a| if let Attr::Str(v) = a { Some(v) } else { None };
            Ok(Attr::Strs(items.into_iter().filter_map(text).collect()))
        } else {
            Err(self.scan.error("a list holds only integers, only floats (with a point) or only texts"))
        }
    }
}
