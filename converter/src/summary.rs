//! The figures of the table that `convert` prints about a model: tensors and bytes by type, operators, sizes.

use halfproof_wire::tflite::{Model, TensorType};
use std::collections::BTreeMap;

/// What there is of one element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRow {
    /// The element type.
    pub dtype: TensorType,
    /// Tensors that are computed or given by the caller.
    pub activations: usize,
    /// Tensors with stored elements.
    pub constants: usize,
    /// Bytes of those elements; a buffer that several tensors share counts once, for the first of them.
    pub bytes: u64,
}

/// How often an operator occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRow {
    /// Its name as TFLite prints it.
    pub name: String,
    /// How many there are in all subgraphs.
    pub count: usize,
}

/// The figures of one conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By element type, in the order of the schema.
    pub types: Vec<TypeRow>,
    /// By operator, most frequent first, then by name.
    pub operators: Vec<OperatorRow>,
    /// Bytes of the file that was converted.
    pub before: u64,
    /// Bytes of the file that came out.
    pub after: u64,
}

impl Summary {
    /// Counts a model. `before` and `after` are the sizes of the files in bytes.
    pub fn new(model: &Model, before: u64, after: u64) -> Summary {
        let mut types: BTreeMap<TensorType, TypeRow> = BTreeMap::new();
        let mut counted = vec![false; model.buffers.len()];
        let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
        for g in &model.subgraphs {
            for t in &g.tensors {
                let empty = TypeRow { dtype: t.dtype, activations: 0, constants: 0, bytes: 0 };
                let row = types.entry(t.dtype).or_insert(empty);
                match model.data(t) {
                    None => row.activations += 1,
                    Some(data) => {
                        row.constants += 1;
                        if !std::mem::replace(&mut counted[t.buffer as usize], true) {
                            row.bytes += data.len() as u64;
                        }
                    }
                }
            }
            for op in &g.operators {
                *operators.entry(op.name()).or_default() += 1;
            }
        }
        let mut operators: Vec<OperatorRow> = operators
            .into_iter()
            .map(|(name, count)| OperatorRow { name: name.to_string(), count })
            .collect();
        operators.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        Summary { types: types.into_values().collect(), operators, before, after }
    }

    /// How many tensors have this element type.
    pub fn tensors(&self, dtype: TensorType) -> usize {
        self.types.iter().filter(|row| row.dtype == dtype).map(|row| row.activations + row.constants).sum()
    }

    /// Size after over size before; 1 when the size before is not known.
    pub fn ratio(&self) -> f64 {
        if self.before == 0 { 1.0 } else { self.after as f64 / self.before as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precision::{apply, fixture::patch_classifier};
    use halfproof_ir::{Precision, Request};
    use halfproof_wire::tflite::read;

    fn summary(request: &Request) -> Summary {
        let bytes = apply(&patch_classifier(), request).unwrap().model;
        Summary::new(&read(&bytes).unwrap(), 0, bytes.len() as u64)
    }

    #[test]
    fn the_founding_case_has_every_float_tensor_float16_and_half_the_size() {
        let all = Request { keep_fp32: Some(String::new()), ..Request::new(Precision::Weights) };
        let single = summary(&all);
        let full = summary(&Request::new(Precision::Full));
        assert_eq!(single.tensors(TensorType::Float16), 0);
        assert_eq!((full.tensors(TensorType::Float32), full.tensors(TensorType::Int8)), (0, 0));
        assert_eq!(full.tensors(TensorType::Float16), 9);
        let bytes = |s: &Summary, t| s.types.iter().find(|r| r.dtype == t).unwrap().bytes;
        assert_eq!(bytes(&full, TensorType::Float16) * 2, bytes(&single, TensorType::Float32));
        let saved = single.after - full.after;
        // What is not saved is the type field, which files leave out for FLOAT32.
        assert!(
            saved + 4 * full.tensors(TensorType::Float16) as u64 >= bytes(&full, TensorType::Float16),
            "{saved}"
        );
    }

    #[test]
    fn operators_are_counted_most_frequent_first() {
        let s = summary(&Request::new(Precision::Weights));
        let rows: Vec<(&str, usize)> = s.operators.iter().map(|r| (r.name.as_str(), r.count)).collect();
        let expected =
            [("DEQUANTIZE", 4), ("CONV_2D", 1), ("FULLY_CONNECTED", 1), ("PAD", 1), ("RESHAPE", 1)];
        assert_eq!(rows, expected);
        assert_eq!(s.ratio(), 1.0);
    }
}
