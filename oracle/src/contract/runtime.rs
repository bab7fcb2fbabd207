//! The runtimes under test and the contract of each of their kernels.

use super::{Contract, Format, Growth};
use crate::tolerance::Library;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A runtime, or a class of executions, whose kernels have contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// f64 against f64.
    Double,
    /// Any binary32 execution: tract, LiteRT's reference and builtin float32 kernels, XNNPACK in float32.
    Single,
    /// Our interpreter in float16: correctly rounded functions, any order of summation.
    Interpreter {
        /// Partial sums are binary16.
        narrow_sums: bool,
        /// Subnormal results become zero.
        flush: bool,
    },
    /// Any binary16 execution at all.
    AnyHalf,
    /// LiteRT's XNNPACK delegate with FORCE_FP16, or on FLOAT16 tensors, on x86 without AVX512-FP16.
    XnnpackHalfX86,
    /// LiteRT's builtin and reference kernels: float32 arithmetic, FLOAT16 tensors widened and rounded when stored.
    LiteRtBuiltin,
}

impl Runtime {
    /// The runtime behind a system's name in records and on the command line; `None` for unknown names and for systems
    /// whose arithmetic nobody has described. The interpreter's variants are written `interp-f16+acc16+ftz`: words after
    /// a plus say that sums are binary16 (`acc16`) and that subnormals are flushed (`ftz`); orders of summation and
    /// fused multiply-adds make no difference to the contract.
    pub fn of_system(system: &str) -> Option<Runtime> {
        if let Some(variant) = system.strip_prefix("interp-f16+") {
            let has = |word: &str| variant.split('+').any(|w| w == word);
            return Some(Runtime::Interpreter { narrow_sums: has("acc16"), flush: has("ftz") });
        }
        Some(match system {
            "interp-f32" | "tract" | "tract-onnx" | "litert-xnnpack" => Runtime::Single,
            "litert-reference" | "litert-builtin" => Runtime::LiteRtBuiltin,
            "interp-f16" => Runtime::Interpreter { narrow_sums: false, flush: false },
            "litert-xnnpack-fp16" => Runtime::XnnpackHalfX86,
            "litert-gpu" | "litert-gpu-fp16" => Runtime::AnyHalf,
            _ => return None,
        })
    }

    /// The contract outside any operator: constants, inputs, outputs.
    pub fn base(self) -> Contract {
        match self {
            Runtime::Double => Contract::double(),
            Runtime::Single => Contract::single(),
            Runtime::Interpreter { narrow_sums, flush } => Contract {
                library: Library::Exact,
                accumulator: if narrow_sums { Format::Half } else { Format::Single },
                flush,
                verified: true,
                source: "halfproof's interpreter: each operation correctly rounded",
                ..Contract::half()
            },
            Runtime::AnyHalf => Contract::any_half(),
            Runtime::XnnpackHalfX86 => xnnpack_half(),
            Runtime::LiteRtBuiltin => litert_builtin(),
        }
    }

    /// The contract of one operator on float tensors of that type.
    pub fn kernel(self, builtin: Builtin, dtype: DType) -> Contract {
        let base = self.base();
        let narrow = dtype == DType::F16 || base.force_f16;
        match self {
            Runtime::Double | Runtime::Single => base,
            Runtime::Interpreter { .. } | Runtime::AnyHalf | Runtime::XnnpackHalfX86 if !narrow => {
                Contract { force_f16: base.force_f16, ..Contract::single() }
            }
            Runtime::Interpreter { .. } | Runtime::AnyHalf => base,
            Runtime::XnnpackHalfX86 => xnnpack_kernel(base, builtin),
            Runtime::LiteRtBuiltin => litert_kernel(base, builtin, dtype),
        }
    }
}

/// XNNPACK computes each binary16 operator in binary32 on x86 and rounds where the entries below say.
const fn xnnpack_half() -> Contract {
    Contract {
        registers: Format::Single,
        intermediates: Format::Half,
        accumulator: Format::Single,
        flush: false,
        force_f16: true,
        rounds_storage: true,
        growth: Growth::WorstCase,
        library: Library::XnnpackHalf,
        verified: true,
        source: "XNNPACK x86 F16C kernels in LiteRT 2.3.0, measured on AVX2 without AVX512-FP16",
    }
}

fn xnnpack_kernel(base: Contract, builtin: Builtin) -> Contract {
    match builtin {
        // f16-f32acc GEMM and IGEMM: float32 fused multiply-adds over the whole depth, one rounding at the end.
        // 0 of all measured outputs outside, largest error equal to the bound.
        Builtin::Conv2d | Builtin::FullyConnected | Builtin::Mean | Builtin::Sum => base,
        // f16-dwconv fma3 rounds to binary16 after every multiply-add: a float32 bound was violated by half of the
        // outputs, a binary16 one by none (largest ratio 0.28).
        Builtin::DepthwiseConv2d => Contract { accumulator: Format::Half, registers: Format::Half, ..base },
        // A binary16 average: a float32 bound was violated by a third of the outputs.
        Builtin::AveragePool2d => Contract { accumulator: Format::Half, registers: Format::Half, ..base },
        Builtin::Add | Builtin::Sub | Builtin::Mul | Builtin::Div | Builtin::SquaredDifference => base,
        Builtin::Softmax | Builtin::LogSoftmax => base,
        // f16-ibilinear rounds after each of its three interpolation steps; the delegate was seen to stay in float32.
        Builtin::ResizeBilinear => Contract { registers: Format::Half, accumulator: Format::Half, ..base },
        // Read in the sources, not measured.
        Builtin::BatchMatmul | Builtin::TransposeConv | Builtin::Conv3d => {
            Contract { verified: false, ..base }
        }
        _ => base,
    }
}

/// LiteRT's own kernels compute FLOAT16 tensors, where they take them, through float32.
const fn litert_builtin() -> Contract {
    Contract {
        library: Library::Single,
        verified: false,
        source: "LiteRT 2.3.0 builtin and reference kernels: float32 arithmetic (Eigen, ruy), rounded when stored",
        ..Contract::single()
    }
}

fn litert_kernel(base: Contract, builtin: Builtin, dtype: DType) -> Contract {
    match (builtin, dtype) {
        // Native binary16 reference kernels are templates over the element type: each step rounds.
        (_, DType::F16) => Contract {
            registers: Format::Half,
            intermediates: Format::Half,
            accumulator: Format::Half,
            library: Library::Half,
            ..base
        },
        _ => Contract { verified: true, ..base },
    }
}
