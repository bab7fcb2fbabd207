//! From a decoded model to a graph: names, order, declared types. What each operator becomes is in `upgrade`.

use super::declare;
use super::error::{ReadError, ReadErrorKind};
use super::external::Folder;
use super::opset::Opset;
use super::proto::{GraphProto, Model, NodeProto, ValueInfo};
use super::{sort, tensor, upgrade};
use halfproof_ir::{Graph, Node, Op, Tensor, Value, ValueId};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a model from bytes, in canonical form.
///
/// # Errors
/// When the bytes are no ONNX model, its opset is not known, its graph is malformed, or a constant has a type that
/// halfproof does not hold or its data in another file (see [`read_file`]).
pub fn read(bytes: &[u8]) -> Result<Graph, ReadError> {
    model(Bytes::copy_from_slice(bytes), None)
}

/// Reads a model from a file, with the external data beside it.
///
/// # Errors
/// As [`read`], and when a file cannot be read.
pub fn read_file(path: &Path) -> Result<Graph, ReadError> {
    read_files(path).map(|(graph, _)| graph)
}

/// As [`read_file`], and which files of external data were read, without links in their paths.
///
/// # Errors
/// As [`read_file`].
pub fn read_files(path: &Path) -> Result<(Graph, Vec<PathBuf>), ReadError> {
    let bytes = std::fs::read(path)
        .map_err(|e| ReadError::new(ReadErrorKind::Io, path.display().to_string(), e.to_string()))?;
    let folder = Folder::of(path);
    let graph = model(bytes.into(), Some(&folder))?;
    Ok((graph, folder.files()))
}

fn model(bytes: Bytes, folder: Option<&Folder>) -> Result<Graph, ReadError> {
    let whole = |kind, reason: String| ReadError::new(kind, "model", reason);
    if bytes.is_empty() {
        return Err(whole(ReadErrorKind::Bytes, "the file is empty".to_string()));
    }
    let model = Model::decode(bytes)
        .map_err(|e| whole(ReadErrorKind::Bytes, format!("not an ONNX file, or damaged: {e}")))?;
    let graph = model
        .graph
        .as_ref()
        .ok_or_else(|| whole(ReadErrorKind::Bytes, "not an ONNX file: it holds no graph".to_string()))?;
    let declared = model.opset_import.iter().find(|o| is_default(&o.domain)).map(|o| o.version);
    let opset = match declared {
        Some(v) if (Opset::OLDEST_READ.0.into()..=Opset::NEWEST_READ.0.into()).contains(&v) => {
            Opset(v as u16)
        }
        Some(v) => {
            let (oldest, newest) = (Opset::OLDEST_READ, Opset::NEWEST_READ);
            return Err(whole(
                ReadErrorKind::Opset,
                format!(
                    "opset {v} is not one of {oldest} to {newest}; export the model again at one of these"
                ),
            ));
        }
        None => return Err(whole(ReadErrorKind::Opset, "no default operator set is declared".to_string())),
    };
    Reader::new(graph, opset, folder)?.finish()
}

/// True for the domain of ONNX's own operators, by either of its names.
pub(super) fn is_default(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// How errors name a node.
pub(super) fn subject(node: &NodeProto) -> String {
    match (node.name.as_str(), node.output.iter().find(|o| !o.is_empty())) {
        ("", Some(output)) => format!("node of \"{output}\" ({})", node.op_type),
        (name, _) => format!("node \"{name}\" ({})", node.op_type),
    }
}

/// A graph in the making.
pub(super) struct Reader<'a> {
    proto: &'a GraphProto,
    pub(super) opset: Opset,
    pub(super) folder: Option<&'a Folder>,
    pub(super) graph: Graph,
    /// Every tensor that the file defines.
    ids: BTreeMap<&'a str, ValueId>,
    /// Names of tensors that the file does not have.
    made: BTreeSet<String>,
    /// How often a tensor is read; filled when first asked.
    uses: Option<Vec<u32>>,
}

impl<'a> Reader<'a> {
    fn new(proto: &'a GraphProto, opset: Opset, folder: Option<&'a Folder>) -> Result<Self, ReadError> {
        let graph = Graph::new(proto.name.as_str());
        let (ids, made) = (BTreeMap::new(), BTreeSet::new());
        let mut reader = Reader { proto, opset, folder, graph, ids, made, uses: None };
        reader.constants()?;
        reader.inputs()?;
        for node in &proto.node {
            for output in node.output.iter().filter(|o| !o.is_empty()) {
                reader.define(output)?;
            }
        }
        for info in proto.value_info.iter().chain(&proto.output) {
            if let Some(&id) = reader.ids.get(info.name.as_str()) {
                reader.declare(id, info)?;
            }
        }
        Ok(reader)
    }

    fn constants(&mut self) -> Result<(), ReadError> {
        if let Some(sparse) = self.proto.sparse_initializer.first() {
            let name = sparse.values.as_ref().map_or("", |v| v.name.as_str());
            return Err(ReadError::tensor(
                ReadErrorKind::Unsupported,
                name,
                "sparse constants are not supported",
            ));
        }
        for initializer in &self.proto.initializer {
            let id = self.define(&initializer.name)?;
            let tensor = tensor::read(initializer, &initializer.name, self.folder)?;
            self.set_constant(id, Arc::new(tensor))?;
        }
        Ok(())
    }

    fn inputs(&mut self) -> Result<(), ReadError> {
        for info in &self.proto.input {
            // Files of format 3 and older repeat every constant among the inputs.
            if self.ids.get(info.name.as_str()).is_some_and(|&id| self.graph.constant(id).is_some()) {
                continue;
            }
            let id = self.define(&info.name)?;
            self.declare(id, info)?;
            self.graph.inputs.push(id);
        }
        Ok(())
    }

    fn define(&mut self, name: &'a str) -> Result<ValueId, ReadError> {
        if name.is_empty() {
            return Err(ReadError::new(
                ReadErrorKind::Structure,
                "model",
                "an input or constant has no name",
            ));
        }
        let id = self.graph.add_value(name);
        if self.ids.insert(name, id).is_some() {
            return Err(ReadError::tensor(ReadErrorKind::Structure, name, "is defined more than once"));
        }
        Ok(id)
    }

    /// Takes over what the file declares about a tensor.
    fn declare(&mut self, id: ValueId, info: &ValueInfo) -> Result<(), ReadError> {
        declare::declare(&mut self.graph.values[id.index()], info)
    }

    /// Makes a tensor a constant, which what the file declares about it must not contradict.
    pub(super) fn set_constant(&mut self, id: ValueId, tensor: Arc<Tensor>) -> Result<(), ReadError> {
        declare::define(&mut self.graph.values[id.index()], tensor)
    }

    /// Adds a constant that the file has in another form, under a name of its own.
    pub(super) fn make_constant(&mut self, base: &str, tensor: Tensor) -> ValueId {
        let mut name = base.to_string();
        let mut i = 2;
        while self.ids.contains_key(name.as_str()) || self.made.contains(&name) {
            name = format!("{base}_{i}");
            i += 1;
        }
        self.made.insert(name.clone());
        self.graph.add_constant(name, tensor)
    }

    /// True when a node or the graph's interface reads the tensor.
    pub(super) fn is_used(&mut self, id: ValueId) -> bool {
        let uses = self.uses.get_or_insert_with(|| {
            let mut uses = vec![0; self.graph.values.len()];
            let read = self.proto.node.iter().flat_map(|n| &n.input);
            for name in read.chain(self.proto.output.iter().map(|o| &o.name)) {
                if let Some(id) = self.ids.get(name.as_str()) {
                    uses[id.index()] += 1;
                }
            }
            uses
        });
        uses.get(id.index()).is_some_and(|&n| n > 0)
    }

    fn finish(mut self) -> Result<Graph, ReadError> {
        let proto = self.proto;
        let mut producer = vec![usize::MAX; self.graph.values.len()];
        for (i, node) in proto.node.iter().enumerate() {
            for output in &node.output {
                if let Some(id) = self.ids.get(output.as_str()) {
                    producer[id.index()] = i;
                }
            }
        }
        let inputs = proto.node.iter().map(|n| self.resolve_inputs(n)).collect::<Result<Vec<_>, _>>()?;
        let order = sort::topological(proto.node.len(), |i, need| {
            for id in inputs[i].iter().flatten() {
                if producer[id.index()] != usize::MAX {
                    need(producer[id.index()]);
                }
            }
        })
        .map_err(|i| {
            ReadError::new(
                ReadErrorKind::Structure,
                subject(&proto.node[i]),
                "depends on its own result through a cycle",
            )
        })?;
        let mut inputs = inputs;
        let mut names = BTreeSet::new();
        for i in order {
            let source = &proto.node[i];
            let outputs = source.output.iter().map(|o| self.ids.get(o.as_str()).copied()).collect();
            let operands = std::mem::take(&mut inputs[i]);
            if let Some(mut node) = upgrade::node(&mut self, source, operands, outputs)? {
                name_node(&mut node, &source.op_type, &self.graph, &mut names);
                check_arity(&node)?;
                self.graph.nodes.push(node);
            }
        }
        for output in &proto.output {
            let id = self.ids.get(output.name.as_str()).copied().ok_or_else(|| {
                ReadError::tensor(
                    ReadErrorKind::Structure,
                    &output.name,
                    "is a graph output, but nothing defines it",
                )
            })?;
            self.graph.outputs.push(id);
        }
        renumber(&mut self.graph);
        Ok(self.graph)
    }

    fn resolve_inputs(&self, node: &NodeProto) -> Result<Vec<Option<ValueId>>, ReadError> {
        let resolve = |name: &String| {
            if name.is_empty() {
                return Ok(None);
            }
            self.ids.get(name.as_str()).copied().map(Some).ok_or_else(|| {
                ReadError::new(
                    ReadErrorKind::Structure,
                    subject(node),
                    format!("operand \"{name}\" is not defined anywhere"),
                )
            })
        };
        node.input.iter().map(resolve).collect()
    }
}

/// Gives a node a name that no other node of the graph has.
fn name_node(node: &mut Node, op: &str, graph: &Graph, names: &mut BTreeSet<String>) {
    if node.name.is_empty() {
        let output = node.outputs.iter().flatten().next().map_or("", |&id| graph.value(id).name.as_str());
        node.name = format!("{op}_{output}");
    }
    let mut i = 2;
    let base = node.name.len();
    while names.contains(&node.name) {
        node.name.truncate(base);
        node.name.push_str(&format!("_{i}"));
        i += 1;
    }
    names.insert(node.name.clone());
}

fn check_arity(node: &Node) -> Result<(), ReadError> {
    let Some(info) = node.op.info() else { return Ok(()) };
    for (what, list, (min, max)) in
        [("operands", &node.inputs, info.inputs), ("results", &node.outputs, info.outputs)]
    {
        let reason = if !(min..=max).contains(&list.len()) {
            format!("has {} {what}", list.len())
        } else if let Some(i) = list.iter().take(min).position(Option::is_none) {
            format!("lacks number {i} of its {what}")
        } else {
            continue;
        };
        let subject = format!("node \"{}\" ({})", node.name, node.op.name());
        return Err(ReadError::new(ReadErrorKind::Structure, subject, reason));
    }
    Ok(())
}

/// Puts the values in a fixed order: inputs, used constants, results in the order of their nodes. Drops the rest, so
/// that a graph does not depend on the form in which the file had its constants.
fn renumber(graph: &mut Graph) {
    const NONE: u32 = u32::MAX;
    let mut new = vec![NONE; graph.values.len()];
    let mut order = Vec::with_capacity(graph.values.len());
    let mut place = |id: ValueId| {
        if new[id.index()] == NONE {
            new[id.index()] = order.len() as u32;
            order.push(id);
        }
    };
    graph.inputs.iter().for_each(|&id| place(id));
    let read = graph.nodes.iter().flat_map(|n| n.inputs.iter().flatten()).chain(&graph.outputs);
    read.filter(|id| graph.values[id.index()].constant.is_some()).for_each(|&id| place(id));
    graph.nodes.iter().flat_map(|n| n.outputs.iter().flatten()).for_each(|&id| place(id));

    let mut old: Vec<Option<Value>> = std::mem::take(&mut graph.values).into_iter().map(Some).collect();
    graph.values = order.iter().filter_map(|id| old[id.index()].take()).collect();
    let map = |id: &mut ValueId| *id = ValueId(new[id.index()]);
    graph.inputs.iter_mut().for_each(map);
    graph.outputs.iter_mut().for_each(map);
    for node in &mut graph.nodes {
        node.inputs.iter_mut().chain(&mut node.outputs).flatten().for_each(map);
    }
}

/// The operator that stands for one which the table has no words for; `detail` says what is not supported about it.
pub(super) fn unknown(node: &NodeProto, detail: &str) -> Op {
    let domain = if is_default(&node.domain) { String::new() } else { node.domain.clone() };
    let name = if detail.is_empty() { node.op_type.clone() } else { format!("{}({detail})", node.op_type) };
    Op::Unknown { domain, name }
}
