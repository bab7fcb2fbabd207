//! The runtimes under test and the contract of each of their kernels.

use super::{Contract, Format, Growth, HalfUnit};
use crate::tolerance::Library;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A runtime, or a class of executions, whose kernels have contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// f64 against f64.
    Double,
    /// Any binary32 execution: LiteRT's reference and builtin float32 kernels, XNNPACK in float32.
    Single,
    /// tract in binary32, whose functions are coarser; it runs the source graph.
    Tract,
    /// Our interpreter in float16: correctly rounded functions, any order of summation.
    Interpreter {
        /// Partial sums are binary16.
        narrow_sums: bool,
        /// Subnormal results become zero.
        flush: bool,
    },
    /// Any binary16 execution at all.
    AnyHalf,
    /// LiteRT's XNNPACK delegate on x86: float32 tensors in float32, FLOAT16 tensors by the float16 kernels, what the
    /// delegate does not take by the builtin kernels.
    XnnpackX86 {
        /// Which float16 kernels it has.
        unit: HalfUnit,
        /// Some results of the program are read before they are rounded (see `judge::region`).
        unrounded: bool,
    },
    /// The same with FORCE_FP16.
    XnnpackHalfX86 {
        /// As above.
        unit: HalfUnit,
        /// As above.
        unrounded: bool,
    },
    /// LiteRT's WebGPU accelerator, which makes shaders of whole chains of operators.
    Gpu {
        /// It holds FLOAT32 tensors in binary16.
        half: bool,
    },
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
        // Executions are judged on the machine that they run on.
        let unit = HalfUnit::here();
        // Both fronts of LiteRT have the same kernels.
        Some(match system.strip_suffix("-interpreter").unwrap_or(system) {
            "interp-f32" => Runtime::Single,
            "tract" => Runtime::Tract,
            "litert-xnnpack" => Runtime::XnnpackX86 { unit, unrounded: false },
            "litert-reference" | "litert-builtin" => Runtime::LiteRtBuiltin,
            "interp-f16" => Runtime::Interpreter { narrow_sums: false, flush: false },
            "litert-xnnpack-fp16" => Runtime::XnnpackHalfX86 { unit, unrounded: false },
            "litert-gpu" => Runtime::Gpu { half: false },
            "litert-gpu-fp16" => Runtime::Gpu { half: true },
            _ => return None,
        })
    }

    /// The same runtime on a program some of whose results it reads before they are rounded.
    pub fn leaving(self, unrounded: bool) -> Runtime {
        match self {
            Runtime::XnnpackX86 { unit, .. } => Runtime::XnnpackX86 { unit, unrounded },
            Runtime::XnnpackHalfX86 { unit, .. } => Runtime::XnnpackHalfX86 { unit, unrounded },
            other => other,
        }
    }

    /// True when a runtime that forces float16 does so for this operator, its constants included.
    pub fn forces(self, builtin: Builtin) -> bool {
        // The GPU takes a program as a whole or not at all.
        self == Runtime::Gpu { half: true }
            || self.base().force_f16 && xnnpack_kernel(self.base(), builtin).is_some()
    }

    /// The contract outside any operator: constants, inputs, outputs.
    pub fn base(self) -> Contract {
        match self {
            Runtime::Double => Contract::double(),
            Runtime::Single => Contract::single(),
            Runtime::Tract => Contract {
                library: Library::Tract,
                source: "tract-onnx 0.23.9: binary32 in any order of summation, functions as measured",
                ..Contract::single()
            },
            Runtime::Interpreter { narrow_sums, flush } => Contract {
                library: Library::Exact,
                accumulator: if narrow_sums { Format::Half } else { Format::Single },
                flush,
                flush_single: false,
                verified: true,
                source: "halfproof's interpreter: each operation correctly rounded",
                ..Contract::half()
            },
            Runtime::AnyHalf => Contract::any_half(),
            Runtime::Gpu { half: false } => gpu(Contract::single(), Format::Single),
            Runtime::Gpu { half: true } => {
                Contract { force_f16: true, excess: true, ..gpu(Contract::any_half(), Format::Half) }
            }
            Runtime::XnnpackX86 { unit, unrounded } => {
                Contract { force_f16: false, excess: unrounded, ..xnnpack_half(unit) }
            }
            Runtime::XnnpackHalfX86 { unit, unrounded } => {
                Contract { excess: unrounded, ..xnnpack_half(unit) }
            }
            Runtime::LiteRtBuiltin => litert_builtin(),
        }
    }

    /// The contract of one operator on float tensors of that type.
    pub fn kernel(self, builtin: Builtin, dtype: DType) -> Contract {
        let base = self.base();
        let narrow = dtype == DType::F16 || base.force_f16;
        match self {
            Runtime::Double | Runtime::Single | Runtime::Tract => base,
            Runtime::Interpreter { .. } if !narrow => {
                Contract { library: Library::Exact, source: base.source, ..Contract::single() }
            }
            Runtime::AnyHalf | Runtime::XnnpackX86 { .. } if !narrow => Contract::single(),
            // FLOAT16 tensors stay what they are whatever the precision of the rest.
            Runtime::Gpu { half: false } if narrow => {
                Contract { excess: true, ..gpu(Contract::any_half(), Format::Half) }
            }
            Runtime::Interpreter { .. } | Runtime::AnyHalf | Runtime::Gpu { .. } => base,
            Runtime::XnnpackX86 { .. } | Runtime::XnnpackHalfX86 { .. } => {
                match xnnpack_kernel(base, builtin) {
                    Some(contract) => contract,
                    // Left to the builtin kernels, whose float32 results are rounded only when a forced operator reads them.
                    None => {
                        let kernel = litert_kernel(litert_builtin(), builtin, dtype);
                        let verified = kernel.verified && !base.force_f16;
                        Contract { force_f16: base.force_f16, excess: base.force_f16, verified, ..kernel }
                    }
                }
            }
            Runtime::LiteRtBuiltin => litert_kernel(base, builtin, dtype),
        }
    }
}

/// What the language of its shaders promises: WGSL specification, sections "Differences from IEEE-754" (a result may be rounded
/// up or down, subnormals may be flushed) and "Floating point accuracy".
const fn gpu(base: Contract, format: Format) -> Contract {
    Contract {
        directed: true,
        library: Library::Wgsl(format),
        verified: false,
        source: "LiteRT 2.3.0's WebGPU accelerator: WGSL's promises, not measured operator by operator",
        ..base
    }
}

/// XNNPACK's binary16 operators round where the entries below say. Every result is rounded to binary16 before the next
/// operator reads it, on FLOAT16 tensors and with float16 forced: 1,200 random graphs of up to 9 operators and 2,716 pairs of
/// operators gave, bit for bit, what their operators give one by one. The exceptions are in `judge/region.rs`. Constants are
/// rounded to binary16 everywhere.
const fn xnnpack_half(unit: HalfUnit) -> Contract {
    Contract {
        registers: Format::Single,
        intermediates: Format::Half,
        accumulator: Format::Single,
        directed: false,
        flush: false,
        flush_single: true,
        force_f16: true,
        excess: false,
        rounds_storage: true,
        growth: Growth::WorstCase,
        library: Library::XnnpackHalf(unit),
        verified: true,
        source: match unit {
            HalfUnit::Converting => {
                "XNNPACK x86 F16C kernels in LiteRT 2.3.0, measured on AVX2 without AVX512-FP16"
            }
            HalfUnit::Computing => "XNNPACK x86 AVX512-FP16 kernels in LiteRT 2.3.0, measured there",
        },
    }
}

/// True where XNNPACK computes a sum or mean of squares as one float32 operator: the squares are then neither rounded nor
/// do they overflow. It does so for SQUARE and for a product of a tensor with itself.
pub fn is_fused_square(square: Builtin, reduction: Builtin) -> bool {
    matches!(square, Builtin::Square | Builtin::Mul) && matches!(reduction, Builtin::Sum | Builtin::Mean)
}

/// `None` for operators that the delegate leaves to LiteRT's builtin kernels.
fn xnnpack_kernel(base: Contract, builtin: Builtin) -> Option<Contract> {
    use Builtin::*;
    let narrow = Contract { accumulator: Format::Half, registers: Format::Half, ..base };
    // Sums of integers that only binary32 holds are wrong there for nine outputs of ten (`probes/accumulators.py`).
    let products = if base.library == Library::XnnpackHalf(HalfUnit::Computing) { narrow } else { base };
    Some(match builtin {
        // f16-f32acc GEMM and IGEMM: float32 fused multiply-adds over the whole depth, one rounding at the end.
        // 0 of all measured outputs outside, largest error equal to the bound.
        Conv2d | FullyConnected => products,
        // Sums of integers that only binary32 holds came out exact, whichever the unit.
        Mean | Sum => base,
        // f16-dwconv fma3 rounds to binary16 after every multiply-add: a float32 bound was violated by half of the
        // outputs, a binary16 one by none (largest ratio 0.28).
        DepthwiseConv2d => narrow,
        // A binary16 reciprocal of the count: a float32 bound was violated by a third of the outputs. With AVX512-FP16 sums of nine
        // elements are binary32, and rounded before the next nine join them; the bound for binary16 sums holds that.
        AveragePool2d => narrow,
        // Correctly rounded: 0 of 393,216 results of each differ from the exact one, rounded.
        Add | Sub | Mul | Div | Square | Softmax => base,
        // The difference is rounded before it is squared: 0 of 393,216 results differ from that.
        SquaredDifference => narrow,
        Exp | Logistic | Tanh | Elu | Log | Sin | Cos | Sqrt | Rsqrt | LeakyRelu | HardSwish | Gelu => base,
        Abs | Neg | Floor | Ceil | Round | Relu | Relu6 | ReluN1To1 | Maximum | Minimum | MaxPool2d => base,
        Concatenation | Reshape | ExpandDims | Squeeze | Transpose | Slice | StridedSlice | Split | Pad
        | Padv2 | SpaceToDepth | DepthToSpace | ReduceMax | ReduceMin | Dequantize | Cast => base,
        // Stays in float32 where float16 is forced, and is not taken on FLOAT16 tensors.
        ResizeBilinear => base,
        // Sums of integers that only binary32 holds came out exact, and products with a slope correctly rounded.
        BatchMatmul | TransposeConv => products,
        Prelu => base,
        _ => return None,
    })
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
