//! A [`Model`] to bytes.

use super::model::{Model, OpCode, Operator, Quantization, Signature, SubGraph, Tensor};
use super::schema;
use super::writer::{Fields, Placed, Writer};
use super::{Builtin, Options};

/// Offsets of a flatbuffer reach 2 GiB; constants of larger models stand behind it.
const FLATBUFFER_LIMIT: usize = (1 << 31) - (64 << 20);
/// The schema's `force_align` of buffers.
const ALIGNMENT: usize = 16;

/// The bytes of a .tflite file: tables first, constants last, each aligned to 16.
///
/// Operators with the same code and version share an operator code; nothing else is merged, and buffers stay as
/// they are numbered. A model without buffers gets the empty buffer 0 that the format asks for. Indices are not
/// checked: `read` does that.
pub fn write(model: &Model) -> Vec<u8> {
    write_within(model, FLATBUFFER_LIMIT)
}

/// The same with another limit for constants inside of the flatbuffer, for tests.
pub(super) fn write_within(model: &Model, limit: usize) -> Vec<u8> {
    use schema::Model as S;
    let constants: usize = model.buffers.iter().map(|b| b.len() + ALIGNMENT).sum();
    let tensors: usize = model.subgraphs.iter().map(|s| s.tensors.len() + s.operators.len()).sum();
    let mut w = Writer::new(*b"TFL3", constants + 160 * tensors + 40 * model.buffers.len() + 1024);

    let codes = operator_codes(model);
    let mut fields = Fields::default();
    fields
        .scalar(S::version, model.version, 0)
        .offset(S::operator_codes, true)
        .offset(S::subgraphs, true)
        .offset(S::description, true)
        .offset(S::buffers, true)
        .offset(S::metadata, !model.metadata.is_empty())
        .offset(S::signature_defs, !model.signatures.is_empty());
    let root = w.table(&fields);
    w.link(0, root.at);
    w.text(root.field(S::description), &model.description);

    let each = w.offsets(root.field(S::operator_codes), codes.len());
    for (i, code) in codes.iter().enumerate() {
        let table = operator_code(&mut w, code);
        w.link(each + 4 * i, table);
    }
    let each = w.offsets(root.field(S::subgraphs), model.subgraphs.len());
    for (i, graph) in model.subgraphs.iter().enumerate() {
        let table = subgraph(&mut w, graph, &codes);
        w.link(each + 4 * i, table);
    }
    if !model.metadata.is_empty() {
        let each = w.offsets(root.field(S::metadata), model.metadata.len());
        for (i, metadata) in model.metadata.iter().enumerate() {
            use schema::Metadata as M;
            let table =
                w.table(Fields::default().offset(M::name, true).scalar(M::buffer, metadata.buffer, 0));
            w.link(each + 4 * i, table.at);
            w.text(table.field(M::name), &metadata.name);
        }
    }
    if !model.signatures.is_empty() {
        let each = w.offsets(root.field(S::signature_defs), model.signatures.len());
        for (i, entry) in model.signatures.iter().enumerate() {
            let table = signature(&mut w, entry);
            w.link(each + 4 * i, table);
        }
    }
    buffers(&mut w, root.field(S::buffers), model, constants > limit);
    w.finish()
}

/// An operator code: who, and which version.
type Code<'a> = (&'a OpCode, i32);

/// The distinct codes, in the order of first use.
fn operator_codes(model: &Model) -> Vec<Code<'_>> {
    let mut codes: Vec<Code<'_>> = vec![];
    for operator in model.subgraphs.iter().flat_map(|s| &s.operators) {
        let code = (&operator.code, operator.version);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// The old field of one byte holds at most 127, its placeholder for the newer builtins.
fn operator_code(w: &mut Writer, (code, version): &Code<'_>) -> usize {
    use schema::OperatorCode as S;
    let (number, name) = match code {
        OpCode::Builtin(builtin) => (builtin.code(), None),
        OpCode::Custom(name) => (Builtin::Custom.code(), Some(name)),
    };
    let mut fields = Fields::default();
    fields
        .scalar(S::deprecated_builtin_code, number.min(127) as i8, 0)
        .offset(S::custom_code, name.is_some())
        .scalar(S::version, *version, 1)
        .scalar(S::builtin_code, number, 0);
    let table = w.table(&fields);
    if let Some(name) = name {
        w.text(table.field(S::custom_code), name);
    }
    table.at
}

fn subgraph(w: &mut Writer, graph: &SubGraph, codes: &[Code<'_>]) -> usize {
    use schema::SubGraph as S;
    let mut fields = Fields::default();
    fields
        .offset(S::tensors, true)
        .offset(S::inputs, true)
        .offset(S::outputs, true)
        .offset(S::operators, true)
        .offset(S::name, !graph.name.is_empty());
    let table = w.table(&fields);
    w.numbers(table.field(S::inputs), &graph.inputs);
    w.numbers(table.field(S::outputs), &graph.outputs);
    text(w, &table, S::name, &graph.name);
    let each = w.offsets(table.field(S::tensors), graph.tensors.len());
    for (i, one) in graph.tensors.iter().enumerate() {
        let at = tensor(w, one);
        w.link(each + 4 * i, at);
    }
    let each = w.offsets(table.field(S::operators), graph.operators.len());
    for (i, one) in graph.operators.iter().enumerate() {
        let at = operator(w, one, codes);
        w.link(each + 4 * i, at);
    }
    table.at
}

/// Places a string; an empty one is left out.
fn text(w: &mut Writer, table: &Placed, slot: u16, text: &str) {
    if !text.is_empty() {
        w.text(table.field(slot), text);
    }
}

fn tensor(w: &mut Writer, tensor: &Tensor) -> usize {
    use schema::Tensor as S;
    let mut fields = Fields::default();
    fields
        .offset(S::shape, true)
        .scalar(S::dtype, tensor.dtype.code(), 0)
        .scalar(S::buffer, tensor.buffer, 0)
        .offset(S::name, !tensor.name.is_empty())
        .offset(S::quantization, tensor.quantization.is_some())
        .scalar(S::is_variable, tensor.is_variable, false)
        .offset(S::shape_signature, !tensor.shape_signature.is_empty())
        .scalar(S::has_rank, tensor.has_rank, false);
    let table = w.table(&fields);
    w.numbers(table.field(S::shape), &tensor.shape);
    text(w, &table, S::name, &tensor.name);
    if !tensor.shape_signature.is_empty() {
        w.numbers(table.field(S::shape_signature), &tensor.shape_signature);
    }
    if let Some(parameters) = &tensor.quantization {
        let at = quantization(w, parameters);
        w.link(table.field(S::quantization), at);
    }
    table.at
}

fn quantization(w: &mut Writer, q: &Quantization) -> usize {
    use schema::QuantizationParameters as S;
    let mut fields = Fields::default();
    fields
        .offset(S::min, !q.min.is_empty())
        .offset(S::max, !q.max.is_empty())
        .offset(S::scale, !q.scale.is_empty())
        .offset(S::zero_point, !q.zero_point.is_empty())
        .scalar(S::quantized_dimension, q.quantized_dimension, 0);
    let table = w.table(&fields);
    for (slot, numbers) in [(S::min, &q.min), (S::max, &q.max), (S::scale, &q.scale)] {
        if !numbers.is_empty() {
            w.numbers(table.field(slot), numbers);
        }
    }
    if !q.zero_point.is_empty() {
        w.numbers(table.field(S::zero_point), &q.zero_point);
    }
    table.at
}

fn operator(w: &mut Writer, operator: &Operator, codes: &[Code<'_>]) -> usize {
    use schema::Operator as S;
    let code = (&operator.code, operator.version);
    let index = codes.iter().position(|c| *c == code).unwrap_or_default() as u32;
    let mut fields = Fields::default();
    fields
        .scalar(S::opcode_index, index, 0)
        .offset(S::inputs, true)
        .offset(S::outputs, true)
        .scalar(S::builtin_options_type, operator.options.tag(), 0)
        .offset(S::builtin_options, operator.options != Options::None)
        .offset(S::custom_options, !operator.custom_options.is_empty())
        .offset(S::intermediates, !operator.intermediates.is_empty());
    let table = w.table(&fields);
    w.numbers(table.field(S::inputs), &operator.inputs);
    w.numbers(table.field(S::outputs), &operator.outputs);
    if operator.options != Options::None {
        operator.options.write(w, table.field(S::builtin_options));
    }
    if !operator.custom_options.is_empty() {
        w.bytes(table.field(S::custom_options), &operator.custom_options, ALIGNMENT);
    }
    if !operator.intermediates.is_empty() {
        w.numbers(table.field(S::intermediates), &operator.intermediates);
    }
    table.at
}

fn signature(w: &mut Writer, signature: &Signature) -> usize {
    use schema::{SignatureDef as S, TensorMap as T};
    let mut fields = Fields::default();
    fields.offset(S::inputs, true).offset(S::outputs, true).offset(S::signature_key, true).scalar(
        S::subgraph_index,
        signature.subgraph,
        0,
    );
    let table = w.table(&fields);
    w.text(table.field(S::signature_key), &signature.key);
    for (slot, names) in [(S::inputs, &signature.inputs), (S::outputs, &signature.outputs)] {
        let each = w.offsets(table.field(slot), names.len());
        for (i, (name, tensor)) in names.iter().enumerate() {
            let map = w.table(Fields::default().offset(T::name, true).scalar(T::tensor_index, *tensor, 0));
            w.link(each + 4 * i, map.at);
            w.text(map.field(T::name), name);
        }
    }
    table.at
}

/// The buffer tables, then their bytes: in the flatbuffer, or behind it.
fn buffers(w: &mut Writer, field: usize, model: &Model, behind: bool) {
    use schema::Buffer as S;
    let each = w.offsets(field, model.buffers.len().max(1));
    if model.buffers.is_empty() {
        let table = w.table(&Fields::default());
        w.link(each, table.at);
    }
    let constant_without_elements = empty_constants(model);
    let mut placed = Vec::with_capacity(model.buffers.len());
    for (i, buffer) in model.buffers.iter().enumerate() {
        let full = !buffer.is_empty();
        let mut fields = Fields::default();
        if full && behind {
            fields.scalar(S::offset, u64::MAX, 0).scalar(S::size, buffer.len() as u64, 0);
        } else {
            fields.offset(S::data, full || constant_without_elements.binary_search(&i).is_ok());
        }
        let table = w.table(&fields);
        w.link(each + 4 * i, table.at);
        if !full && constant_without_elements.binary_search(&i).is_ok() {
            w.bytes(table.field(S::data), &[], ALIGNMENT);
        }
        placed.push(table);
    }
    for (buffer, table) in model.buffers.iter().zip(&placed).filter(|(b, _)| !b.is_empty()) {
        if behind {
            w.pad(ALIGNMENT, 0);
            w.patch(table.field(S::offset), w.len() as u64);
            w.append(buffer);
        } else {
            w.bytes(table.field(S::data), buffer, ALIGNMENT);
        }
    }
}

/// Empty buffers of constants without elements, ascending. The file must say that they have data (none), or LiteRT
/// takes the tensor for one that something computes.
fn empty_constants(model: &Model) -> Vec<usize> {
    let mut found = vec![];
    for graph in &model.subgraphs {
        for (i, tensor) in graph.tensors.iter().enumerate() {
            let index = tensor.buffer as usize;
            if index == 0
                || !tensor.shape.contains(&0)
                || model.buffers.get(index).is_none_or(|b| !b.is_empty())
            {
                continue;
            }
            let computed = |list: &[i32]| list.contains(&(i as i32));
            let is_computed = tensor.is_variable
                || computed(&graph.inputs)
                || graph.operators.iter().any(|o| computed(&o.outputs));
            if !is_computed {
                found.push(index);
            }
        }
    }
    found.sort_unstable();
    found
}
