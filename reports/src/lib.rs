//! What people and machines read: the schema of `run.json` and everything rendered from it.
//!
//! A renderer is a function of a [`Run`] and nothing else, so any report can be made again from a saved `run.json`.

mod bits;
pub mod compare;
pub mod docs;
pub mod finding;
mod html;
mod junit;
mod markdown;
mod paint;
pub mod schema;
pub mod table;
mod tally;
mod terminal;

pub use html::{RenderError, drawing_svg, html, html_after, sheet};
pub use junit::junit;
pub use markdown::markdown;
pub use schema::{ReadError, Run};
pub use tally::LossTally;
pub use terminal::terminal;
