//! Bytes to a [`Model`]: verified, copied, checked.

use super::check::check;
use super::error::OVERLAP;
use super::model::{Buffer, Metadata, Model, OpCode, Operator, Quantization, Signature, SubGraph, Tensor};
use super::options::Options;
use super::schema;
use super::table::Table;
use super::{Builtin, ReadError, TensorType};
use flatbuffers::{ForwardsUOffset, Verifiable, Verifier, VerifierOptions};
use std::cell::Cell;
use std::sync::Arc;

/// Parts of a file may be used several times, but what a file unfolds to is at most this many times its size. Without
/// a limit a small file could fill the memory.
const MOST_SHARING: usize = 16;

/// A model from the bytes of a .tflite file.
///
/// # Errors
/// Any defect of the bytes, the first one found, with its place; never a panic.
pub fn read(bytes: &[u8]) -> Result<Model, ReadError> {
    if bytes.len() < 8 {
        return Err(ReadError::NotTflite { reason: "it has fewer than 8 bytes" });
    }
    if &bytes[4..8] != b"TFL3" {
        return Err(ReadError::NotTflite { reason: "it lacks the file identifier TFL3" });
    }
    let most = bytes.len().saturating_mul(MOST_SHARING).saturating_add(1 << 16);
    let limits = VerifierOptions { max_depth: 16, max_apparent_size: most, ..VerifierOptions::default() };
    <ForwardsUOffset<schema::Model>>::run_verifier(&mut Verifier::new(&limits, bytes), 0)?;
    let model = model(bytes, Table::root(bytes)?)?;
    check(&model)?;
    Ok(model)
}

/// The whole file, for data that stands behind the flatbuffer because that ends at 2 GB.
struct File<'a> {
    bytes: &'a [u8],
    /// How many bytes may still be copied from there.
    left: Cell<usize>,
}

impl<'a> File<'a> {
    /// The data at an offset; offsets 0 and 1 mean that there is none.
    fn far(&self, offset: u64, size: u64) -> Result<&'a [u8], ReadError> {
        if offset <= 1 {
            return Ok(&[]);
        }
        let bytes = self.bytes;
        let start = usize::try_from(offset).ok();
        let end = offset.checked_add(size).and_then(|end| usize::try_from(end).ok());
        let data = start.zip(end).and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| {
            let reason =
                format!("{size} bytes from {offset} on lie outside of the file ({} bytes)", bytes.len());
            ReadError::damaged("", reason)
        })?;
        match self.left.get().checked_sub(data.len()) {
            Some(left) => self.left.set(left),
            None => return Err(ReadError::damaged("", OVERLAP)),
        }
        Ok(data)
    }
}

/// An operator code with its version.
struct Code {
    code: OpCode,
    version: i32,
}

fn model(bytes: &[u8], table: Table<'_>) -> Result<Model, ReadError> {
    let file = File { bytes, left: Cell::new(bytes.len().saturating_mul(MOST_SHARING)) };
    use schema::Model as S;
    let codes = table.tables(S::operator_codes, |i, t| {
        operator_code(t).map_err(|e| e.within(|| format!("operator code {i}")))
    })?;
    Ok(Model {
        version: table.scalar(S::version, 0)?,
        description: table.text(S::description)?,
        subgraphs: table.tables(S::subgraphs, |i, t| {
            subgraph(&file, t, &codes).map_err(|e| e.within(|| format!("subgraph {i}")))
        })?,
        buffers: table
            .tables(S::buffers, |i, t| buffer(&file, t).map_err(|e| e.within(|| format!("buffer {i}"))))?,
        metadata: table.tables(S::metadata, |_, t| {
            Ok(Metadata {
                name: t.text(schema::Metadata::name)?,
                buffer: t.scalar(schema::Metadata::buffer, 0)?,
            })
        })?,
        signatures: table.tables(S::signature_defs, |_, t| signature(t))?,
    })
}

/// The larger of the two numbers counts: files from before there were more than 127 builtins have only the first.
fn operator_code(table: Table<'_>) -> Result<Code, ReadError> {
    use schema::OperatorCode as S;
    let old: i8 = table.scalar(S::deprecated_builtin_code, 0)?;
    let number = table.scalar(S::builtin_code, 0)?.max(i32::from(old));
    let code = match Builtin::from_code(number) {
        Some(Builtin::Custom) => OpCode::Custom(table.text(S::custom_code)?),
        Some(builtin) => OpCode::Builtin(builtin),
        None => return Err(ReadError::unsupported("", format!("builtin operator number {number}"))),
    };
    Ok(Code { code, version: table.scalar(S::version, 1)? })
}

fn subgraph(file: &File<'_>, table: Table<'_>, codes: &[Code]) -> Result<SubGraph, ReadError> {
    use schema::SubGraph as S;
    Ok(SubGraph {
        name: table.text(S::name)?,
        tensors: table.tables(S::tensors, |i, t| tensor(t).map_err(|e| e.within(|| tensor_place(i, t))))?,
        inputs: table.numbers(S::inputs)?,
        outputs: table.numbers(S::outputs)?,
        operators: table.tables(S::operators, |i, t| operator(file, t, codes, i))?,
    })
}

fn tensor_place(index: usize, table: Table<'_>) -> String {
    format!("tensor {index} \"{}\"", table.text(schema::Tensor::name).unwrap_or_default())
}

/// Refuses a table with a field that came into the schema after the last one known here.
fn known_only(table: Table<'_>, name: &str, last: u16) -> Result<(), ReadError> {
    match table.beyond(last + 1) {
        Some(slot) => {
            Err(ReadError::unsupported("", format!("field {slot} of its {name}, new in the schema")))
        }
        None => Ok(()),
    }
}

fn tensor(table: Table<'_>) -> Result<Tensor, ReadError> {
    use schema::Tensor as S;
    if table.has(S::sparsity) {
        return Err(ReadError::unsupported("", "sparsity"));
    }
    if !table.tables(S::variant_tensors, |_, _| Ok(())).unwrap_or_else(|_| vec![()]).is_empty() {
        return Err(ReadError::unsupported("", "variant_tensors"));
    }
    if table.scalar(S::external_buffer, 0u32)? != 0 {
        return Err(ReadError::unsupported("", "external_buffer: data in another file"));
    }
    known_only(table, "Tensor", S::external_buffer)?;
    let code: i8 = table.scalar(S::dtype, 0)?;
    Ok(Tensor {
        name: table.text(S::name)?,
        shape: table.numbers(S::shape)?,
        shape_signature: table.numbers(S::shape_signature)?,
        dtype: TensorType::from_code(code)
            .ok_or_else(|| ReadError::unsupported("", format!("element type number {code}")))?,
        buffer: table.scalar(S::buffer, 0)?,
        is_variable: table.scalar(S::is_variable, false)?,
        has_rank: table.scalar(S::has_rank, false)?,
        quantization: table.table(S::quantization)?.map(quantization).transpose()?,
    })
}

fn quantization(table: Table<'_>) -> Result<Quantization, ReadError> {
    use schema::QuantizationParameters as S;
    let details = match table.scalar(S::details_type, 0u8)? {
        0 => "",
        1 => "custom quantization",
        2 => "blockwise quantization",
        3 => "multi-axis quantization",
        _ => "unknown kind of quantization",
    };
    if !details.is_empty() {
        return Err(ReadError::unsupported("", details));
    }
    known_only(table, "QuantizationParameters", S::quantized_dimension)?;
    Ok(Quantization {
        min: table.numbers(S::min)?,
        max: table.numbers(S::max)?,
        scale: table.numbers(S::scale)?,
        zero_point: table.numbers(S::zero_point)?,
        quantized_dimension: table.scalar(S::quantized_dimension, 0)?,
    })
}

fn operator(file: &File<'_>, table: Table<'_>, codes: &[Code], index: usize) -> Result<Operator, ReadError> {
    use schema::Operator as S;
    let number: u32 = table.scalar(S::opcode_index, 0)?;
    let Some(code) = codes.get(number as usize) else {
        return Err(ReadError::invalid(
            format!("operator {index}"),
            format!("operator code {number} of {}", codes.len()),
        ));
    };
    let mut operator = Operator {
        code: code.code.clone(),
        version: code.version,
        inputs: table.numbers(S::inputs)?,
        outputs: table.numbers(S::outputs)?,
        options: Options::None,
        custom_options: vec![],
        intermediates: table.numbers(S::intermediates)?,
    };
    let place = || format!("operator {index} {}", operator.name());
    let options = options(table).map_err(|e| e.within(place))?;
    let custom_options = custom_options(file, table).map_err(|e| e.within(place))?;
    operator.options = options;
    operator.custom_options = custom_options;
    Ok(operator)
}

fn options(table: Table<'_>) -> Result<Options, ReadError> {
    use schema::Operator as S;
    let second: u8 = table.scalar(S::builtin_options_2_type, 0)?;
    if second != 0 {
        return Err(ReadError::unsupported("", format!("builtin_options_2 of kind {second}")));
    }
    known_only(table, "Operator", S::debug_metadata_index)?;
    let tag: u8 = table.scalar(S::builtin_options_type, 0)?;
    if tag == 0 {
        return Ok(Options::None);
    }
    let unknown = || ReadError::unsupported("", format!("builtin_options of kind {tag}"));
    // The kind is looked up first: a kind from a later schema has not been verified.
    Options::from_tag(tag).ok_or_else(unknown)?;
    let inner = table.table(S::builtin_options)?.ok_or_else(unknown)?;
    Options::read(tag, &inner)?.ok_or_else(unknown)
}

fn custom_options(file: &File<'_>, table: Table<'_>) -> Result<Vec<u8>, ReadError> {
    use schema::Operator as S;
    let format: i8 = table.scalar(S::custom_options_format, 0)?;
    if format != 0 {
        return Err(ReadError::unsupported("", format!("custom_options_format {format}")));
    }
    if let Some(inline) = table.bytes(S::custom_options)? {
        return Ok(inline.to_vec());
    }
    let offset = table.scalar(S::large_custom_options_offset, 0u64)?;
    Ok(file.far(offset, table.scalar(S::large_custom_options_size, 0)?)?.to_vec())
}

fn buffer(file: &File<'_>, table: Table<'_>) -> Result<Buffer, ReadError> {
    use schema::Buffer as S;
    let data = match table.bytes(S::data)? {
        Some(inline) => inline,
        None => file.far(table.scalar(S::offset, 0)?, table.scalar(S::size, 0)?)?,
    };
    Ok(Arc::new(data.to_vec()))
}

fn signature(table: Table<'_>) -> Result<Signature, ReadError> {
    use schema::SignatureDef as S;
    let names = |slot| {
        table.tables(slot, |_, t| {
            Ok((t.text(schema::TensorMap::name)?, t.scalar(schema::TensorMap::tensor_index, 0)?))
        })
    };
    Ok(Signature {
        key: table.text(S::signature_key)?,
        subgraph: table.scalar(S::subgraph_index, 0)?,
        inputs: names(S::inputs)?,
        outputs: names(S::outputs)?,
    })
}
