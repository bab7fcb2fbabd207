//! What single parts of lowering decide, stated as a specification.

mod activation;
mod binary;
mod concat;
mod fuse;
mod kernels;
mod lowered;
mod matmul;
mod pad;
mod pool;
mod recurrent;
mod resize;
mod transposed;
mod version;
