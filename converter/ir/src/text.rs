//! A graph as text: what a person reads in a finding, writes in a test and reviews in the corpus.
//!
//! ```text
//! graph "readme"                                   # optional; everything behind # is a comment
//! x = input f32[1,3,5,5]                           # types: f16 f32 i64 bool ...; extents: 5, a name, or ? where unknown
//! w = const f32[4,3,3,3] lattice(7)                # by recipe: lattice(seed), gaussian(seed), fill(value)
//! b = const f32[4] {0, 0.5, -1, inf}               # element by element, in row-major order
//! k = const f32[64,4,1,1] npz("k")                 # by name from the weights file beside the text
//! c = Conv(x, w, b) pads=[1,1,1,1] strides=[2,2]   # ONNX operator, operands, attributes that are not the default
//! r: f32[1,4,3,3] = Relu(c) @"block/relu"          # a declared type; a node's name where it is not that of its result
//! y, _ = MaxPool(r) kernel_shape=[2,2]             # _ where an optional operand or result is absent
//! h = Cast(y) to=f16                               # a type as an attribute
//! output h
//! ```
//!
//! Names of letters, digits and `_ . / -` stand bare; all others, and the words used above, in double quotes.
//! Brackets of any kind may span lines.

mod constant;
mod parse;
mod print;
mod scan;

pub use parse::{TextError, parse, parse_with};
pub use print::{Text, print, print_with};

/// Words that are names only in quotes.
const WORDS: [&str; 6] = ["graph", "input", "const", "output", "unknown", "_"];

/// True for the characters of a bare name.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}
