//! What converter and oracle share: the source program, the operator table, the conversion request and the
//! provenance of a conversion. Data only: no shape inference, no padding or broadcasting arithmetic, no kernels,
//! so that a mistake made in one of the two sides cannot cancel itself in the other.

mod conversion;
mod dtype;
mod elements;
mod graph;
pub mod ops;
mod provenance;
pub mod recipe;
mod tensor;
pub mod text;
pub mod validate;

pub use conversion::{
    Conversion, Io, IoLayout, Level, Note, Observation, Precision, Refusal, RefusedNode, Request, Rewrite,
};
pub use dtype::DType;
pub use elements::Elements;
pub use graph::{Dim, Graph, Node, Value, ValueId};
pub use ops::Op;
pub use provenance::{ConstantOrigin, OperatorOrigin, Provenance, Role, TensorOrigin};
pub use tensor::{Data, Tensor};
