//! What single parts of lowering decide, stated as a specification.

mod activation;
mod binary;
mod concat;
mod conv;
mod fuse;
mod gather;
mod kernels;
mod layout;
mod lowered;
mod matmul;
mod norm;
mod pad;
mod pool;
mod recurrent;
mod resize;
mod shape;
mod softmax;
mod transposed;
