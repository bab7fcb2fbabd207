//! What single parts of lowering decide, stated as a specification.

mod fuse;
mod kernels;
mod recurrent;
mod version;
