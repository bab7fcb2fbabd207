//! What the strategies are told about a model, and how they are compared: samples, measured losses, other people's rules.

pub(crate) mod autocast;
pub(crate) mod measure;
pub(crate) mod purity;
pub(crate) mod samples;
