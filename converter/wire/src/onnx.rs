//! The .onnx format: which bytes are which [`halfproof_ir::Graph`], for operator sets 7 to 28 in reading and 9 to 23
//! in writing.
//!
//! Reading brings every operator to its newest form: attributes that became inputs are constant inputs, `Constant`
//! nodes are constants, `Upsample` is `Resize`, `Dropout` is `Identity`. Where an old operator means something that
//! the new one cannot say, a field of the operator says so (`coerce_2d`, `per_group_scale`). Operators that are not
//! in the table, and those used in a way that the table has no words for, become [`halfproof_ir::Op::Unknown`], so
//! that a converter can name all of them at once. Nothing is inferred: types and shapes are those the file declares.
//!
//! Source: onnx.proto and the version histories of the ONNX operator documentation.

mod attribute;
mod declare;
mod downgrade;
mod encode;
mod error;
mod external;
mod opset;
mod proto;
mod read;
mod sort;
mod tensor;
mod upgrade;
mod write;

pub use error::{ReadError, ReadErrorKind, WriteError};
pub use opset::Opset;
pub use read::{read, read_file, read_files};
pub use write::write;
