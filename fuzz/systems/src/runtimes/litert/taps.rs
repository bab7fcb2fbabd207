//! Decides which tensors of a model can be made visible, makes them outputs in a copy of the file, and runs both as a job
//! asks.
//!
//! The copy keeps every byte of the original and appends: a longer output vector for subgraph 0, to which that
//! subgraph's field is pointed, and a vtable for the model without signatures (a signature would hide the new
//! outputs; LiteRT then makes a default one). Everything is read with bounds checks and nothing is decoded that is not
//! needed, so the cost is microseconds and a malformed file answers `None`.
//!
//! Visible are the results of operators, except those of a DEQUANTIZE or DENSIFY of a constant: XNNPACK folds them
//! and never writes them.
//!
//! Source: the FlatBuffers binary format (tables, vtables, vectors) and the field numbers of the TFLite schema.

use crate::Taps;
use crate::protocol::Outcome;
use halfproof_ir::Tensor;

/// The interface of subgraph 0, by tensor index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Inputs in the file's order.
    pub inputs: Vec<u32>,
    /// Outputs in the file's order.
    pub outputs: Vec<u32>,
}

/// A model whose intermediate tensors are outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The file.
    pub model: Vec<u8>,
    /// Its outputs: those of the original first, in their order.
    pub outputs: Vec<u32>,
    /// The tensors that operators compute, as far as they can be seen, the original outputs among them; ascending.
    pub visible: Vec<u32>,
}

/// The inputs and outputs of subgraph 0; `None` for a file that cannot be followed.
pub fn interface(model: &[u8]) -> Option<Interface> {
    let graph = main_graph(model)?;
    Some(Interface { inputs: graph.indices(INPUTS)?, outputs: graph.indices(OUTPUTS)? })
}

/// Makes every tensor that can be visible an output; the original outputs stay first, in their order. `None` for a
/// file that cannot be followed.
pub fn expose(model: &[u8]) -> Option<Patched> {
    let root = Table::root(model)?;
    let graph = main_graph(model)?;
    let mut outputs = graph.indices(OUTPUTS)?;
    let mut visible = computed(&root, &graph)?;
    visible.sort_unstable();
    visible.dedup();
    let own = outputs.len();
    let hidden: Vec<u32> = visible.iter().copied().filter(|t| !outputs[..own].contains(t)).collect();
    outputs.extend(hidden);
    Some(Patched { model: with_outputs(model, &outputs)?, outputs, visible })
}

/// A copy in which more tensors are outputs, behind those that are. `None` for a file that cannot be followed.
pub fn keep(model: &[u8], tensors: &[u32]) -> Option<Vec<u8>> {
    let outputs = main_graph(model)?.indices(OUTPUTS)?;
    with_outputs(model, &[&outputs, tensors].concat())
}

/// A copy with other outputs and without signatures.
fn with_outputs(model: &[u8], outputs: &[u32]) -> Option<Vec<u8>> {
    let root = Table::root(model)?;
    let mut bytes = model.to_vec();
    let vtable = root.bytes_of_vtable()?.to_vec();
    pad(&mut bytes, 4);
    let vector = bytes.len();
    bytes.extend(u32::try_from(outputs.len()).ok()?.to_le_bytes());
    outputs.iter().for_each(|t| bytes.extend(t.to_le_bytes()));
    let field = main_graph(model)?.field(OUTPUTS)?;
    put(&mut bytes, field, u32::try_from(vector - field).ok()?)?;

    let copy = bytes.len();
    bytes.extend(&vtable);
    if let Some(slot) = bytes.get_mut(copy + 4 + 2 * SIGNATURES..copy + 6 + 2 * SIGNATURES) {
        slot.fill(0);
    }
    // A table points to its vtable by what must be subtracted from its own position.
    let back = i64::try_from(root.at).ok()? - i64::try_from(copy).ok()?;
    put(&mut bytes, root.at, i32::try_from(back).ok()?.cast_unsigned())?;
    Some(bytes)
}

/// Runs a model as often as `asked` takes: `attempt` runs a file once, and with a copy reports its taps.
pub fn run(
    asked: Taps,
    model: &[u8],
    mut attempt: impl FnMut(&[u8], Option<&Patched>) -> Vec<Outcome>,
) -> Vec<Outcome> {
    let patched = if asked == Taps::None { None } else { expose(model) };
    let Some(patched) = patched else { return attempt(model, None) };
    let tapped = attempt(&patched.model, Some(&patched));
    if asked == Taps::All {
        return tapped;
    }
    let check = |(mut plain, tapped): (Outcome, Outcome)| {
        if same_outputs(&plain, &tapped) {
            plain.taps = tapped.taps;
        }
        plain
    };
    attempt(model, None).into_iter().zip(tapped).map(check).collect()
}

fn same_outputs(a: &Outcome, b: &Outcome) -> bool {
    let bits = |t: &Tensor| (t.shape.clone(), t.data.to_le_bytes());
    a.status == b.status
        && a.outputs.len() == b.outputs.len()
        && a.outputs.iter().zip(&b.outputs).all(|(x, y)| x.dtype() == y.dtype() && bits(x) == bits(y))
}

// Field numbers of the schema's tables.
const CODES: usize = 1;
const SUBGRAPHS: usize = 2;
const BUFFERS: usize = 4;
const SIGNATURES: usize = 7;
const TENSORS: usize = 0;
const INPUTS: usize = 1;
const OUTPUTS: usize = 2;
const OPERATORS: usize = 3;
const TENSOR_BUFFER: usize = 2;
const TENSOR_IS_VARIABLE: usize = 5;
const BUFFER_DATA: usize = 0;
const BUFFER_OFFSET: usize = 1;
const OPCODE_INDEX: usize = 0;
const OPERATOR_INPUTS: usize = 1;
const OPERATOR_OUTPUTS: usize = 2;
const DEPRECATED_CODE: usize = 0;
const BUILTIN_CODE: usize = 3;
const DEQUANTIZE: u32 = 6;
const DENSIFY: u32 = 124;

fn main_graph(model: &[u8]) -> Option<Table<'_>> {
    Table::root(model)?.tables(SUBGRAPHS)?.into_iter().next()
}

/// Results of operators that a delegate cannot fold away.
fn computed(root: &Table<'_>, graph: &Table<'_>) -> Option<Vec<u32>> {
    let codes: Vec<u32> = root.tables(CODES)?.iter().map(builtin_code).collect();
    let tensors = graph.tables(TENSORS)?;
    let buffers = root.tables(BUFFERS)?;
    let is_constant = |t: u32| {
        let buffer = tensors.get(t as usize)?.word(TENSOR_BUFFER).unwrap_or(0) as usize;
        let data = buffers.get(buffer)?;
        Some(data.vector(BUFFER_DATA).is_some_and(|v| v.1 > 0) || data.field(BUFFER_OFFSET).is_some())
    };
    let mut visible = vec![];
    for operator in graph.tables(OPERATORS)? {
        let code = codes.get(operator.word(OPCODE_INDEX).unwrap_or(0) as usize).copied();
        let operand = operator.indices(OPERATOR_INPUTS).unwrap_or_default().first().copied();
        let folds = matches!(code, Some(DEQUANTIZE | DENSIFY));
        if folds && operand.and_then(is_constant).unwrap_or(false) {
            continue;
        }
        for result in operator.indices(OPERATOR_OUTPUTS).unwrap_or_default() {
            // Absent results are -1; variables live in the interpreter.
            let plain =
                tensors.get(result as usize).is_some_and(|t| t.byte(TENSOR_IS_VARIABLE).unwrap_or(0) == 0);
            if plain {
                visible.push(result);
            }
        }
    }
    Some(visible)
}

/// Files of before 2020 fill only the byte-sized field, newer ones both as far as the code fits.
fn builtin_code(code: &Table<'_>) -> u32 {
    let deprecated = code.byte(DEPRECATED_CODE).unwrap_or(0).into();
    code.word(BUILTIN_CODE).unwrap_or(0).max(deprecated)
}

/// A table of the file: a position whose first word leads to its vtable.
#[derive(Clone, Copy)]
struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: usize,
}

impl<'a> Table<'a> {
    fn root(bytes: &'a [u8]) -> Option<Table<'a>> {
        Table::at(bytes, word(bytes, 0)? as usize)
    }

    fn at(bytes: &'a [u8], at: usize) -> Option<Table<'a>> {
        let back = i64::from(word(bytes, at)?.cast_signed());
        let vtable = usize::try_from(i64::try_from(at).ok()? - back).ok()?;
        half(bytes, vtable)?;
        Some(Table { bytes, at, vtable })
    }

    fn bytes_of_vtable(&self) -> Option<&'a [u8]> {
        let len = half(self.bytes, self.vtable)? as usize;
        self.bytes.get(self.vtable..self.vtable.checked_add(len)?)
    }

    /// Where a field stands; `None` when it is absent.
    fn field(&self, number: usize) -> Option<usize> {
        let slot = 4 + 2 * number;
        if slot + 2 > half(self.bytes, self.vtable)? as usize {
            return None;
        }
        match half(self.bytes, self.vtable + slot)? {
            0 => None,
            offset => Some(self.at + offset as usize),
        }
    }

    fn byte(&self, number: usize) -> Option<u8> {
        self.bytes.get(self.field(number)?).copied()
    }

    fn word(&self, number: usize) -> Option<u32> {
        word(self.bytes, self.field(number)?)
    }

    /// First element and length of a vector.
    fn vector(&self, number: usize) -> Option<(usize, usize)> {
        let field = self.field(number)?;
        let at = field.checked_add(word(self.bytes, field)? as usize)?;
        Some((at + 4, word(self.bytes, at)? as usize))
    }

    fn indices(&self, number: usize) -> Option<Vec<u32>> {
        let (start, len) = self.vector(number)?;
        let bytes = self.bytes.get(start..start.checked_add(len.checked_mul(4)?)?)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|&w| u32::from_le_bytes(w)).collect())
    }

    fn tables(&self, number: usize) -> Option<Vec<Table<'a>>> {
        let (start, len) = self.vector(number)?;
        self.bytes.get(start..start.checked_add(len.checked_mul(4)?)?)?;
        (0..len)
            .map(|i| {
                let at = start + 4 * i;
                Table::at(self.bytes, at.checked_add(word(self.bytes, at)? as usize)?)
            })
            .collect()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&w| u32::from_le_bytes(w))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&w| u16::from_le_bytes(w))
}

fn put(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    bytes.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&value.to_le_bytes());
    Some(())
}

fn pad(bytes: &mut Vec<u8>, alignment: usize) {
    bytes.resize(bytes.len().next_multiple_of(alignment), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_are_followed_or_given_up_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = interface(&bytes);
            let _ = expose(&bytes);
        }
    }
}
