//! Decides which refusals of a runtime are known beforehand: those become [`Status::Cannot`] with the reason, any other
//! stays [`Status::Refused`] and is a finding.
//!
//! Measured on LiteRT 2.3.0 with one operator per model in every mode (version 1 of each operator, static shapes).

use crate::runtimes::litert::Mode;
use halfproof_oracle::record::{Execution, Status};
use halfproof_wire::tflite::{self, Builtin, Model, OpCode, Operator, TensorType};

/// One thing that a runtime cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The operator.
    pub operator: Builtin,
    /// When it is refused.
    pub when: When,
    /// False when accelerated kernels may take the operator before the refusal comes to pass.
    pub certain: bool,
    /// Why.
    pub reason: &'static str,
}

/// The circumstances of a [`Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// Whatever the element type.
    Always,
    /// When an operand is FLOAT16.
    Float16,
    /// When the first two operands hold a constant (itself, or behind DEQUANTIZE).
    ConstantOperand,
    /// When the first operand is such a constant.
    ConstantInput,
}

/// What one runtime cannot do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Everything known.
    pub limits: Vec<Limit>,
    /// True when the runtime registers its kernels up to an older version of an operator than the file may ask for.
    pub lags: bool,
    /// True when the runtime takes a part of all models only: what it does not prepare may be right all the same.
    pub partial: bool,
}

/// What the GPU accelerator says before the operators that it does not take.
const NOT_TAKEN: &str = "Following operations are not supported by GPU delegate:";

impl Capabilities {
    /// What LiteRT 2.3.0 cannot do in that mode.
    pub fn of_litert(mode: Mode) -> Capabilities {
        let always = |&(operator, reason)| Limit { operator, when: When::Always, certain: true, reason };
        let half = |&(operator, taken)| Limit {
            operator,
            when: When::Float16,
            certain: !(taken && mode.delegates()),
            reason: "the builtin kernel does not take FLOAT16",
        };
        let mut limits: Vec<Limit> = vec![];
        match mode {
            Mode::Reference => limits.extend(NO_REFERENCE_KERNEL.iter().map(always)),
            Mode::XnnpackFp16 => limits.extend([Limit {
                operator: Builtin::TransposeConv,
                when: When::Always,
                certain: false,
                reason: "XNNPACK with float16 forced fails to prepare a float32 transposed convolution of some shapes",
            }, Limit {
                operator: Builtin::BatchMatmul,
                when: When::ConstantOperand,
                certain: false,
                reason: "XNNPACK with float16 forced fails to prepare a float32 product with a constant operand",
            }, Limit {
                operator: Builtin::DepthwiseConv2d,
                when: When::ConstantInput,
                certain: false,
                reason: "XNNPACK with float16 forced fails to prepare a float32 depthwise convolution of a constant",
            }]),
            Mode::Builtin | Mode::Xnnpack | Mode::Gpu | Mode::GpuFp16 => {}
        }
        limits.extend(NO_FLOAT16_KERNEL.iter().map(half));
        // Its resolver has MUL up to a version below 8 and COS below 2, say, where the other modes go on.
        Capabilities { limits, lags: mode == Mode::Reference, partial: mode.is_gpu() }
    }

    /// The first limit that the model is certain to meet, in words; `None` when nothing speaks against running it.
    pub fn cannot(&self, model: &Model) -> Option<String> {
        let certain =
            |op: &Operator| self.limits.iter().find(|l| l.certain && l.applies(model, op)).map(Limit::text);
        model.main().operators.iter().find_map(certain)
    }

    /// Turns a refusal that names an operator with a known limit into [`Status::Cannot`]; everything else stays as it
    /// is.
    pub fn excuse(&self, model: &[u8], mut execution: Execution) -> Execution {
        let Status::Refused { stage, text } = &execution.status else { return execution };
        if self.partial && stage == "prepare" {
            let why = match text.split_once(NOT_TAKEN) {
                Some((_, operators)) => {
                    format!("the GPU does not take {}", operators.trim_start_matches([';', ' ']))
                }
                None => format!("the GPU accelerator makes nothing of the model ({text})"),
            };
            execution.status = Status::Cannot { why };
            return execution;
        }
        let Ok(model) = tflite::read(model) else { return execution };
        if let Some((name, version)) = unregistered(text).filter(|_| self.lags) {
            let asks = |op: &Operator| op.name() == name && op.version.to_string() == version;
            if version != "1" && model.subgraphs.iter().flat_map(|g| &g.operators).any(asks) {
                let why =
                    format!("{name}: the reference kernels are registered below version {version} ({text})");
                execution.status = Status::Cannot { why };
                return execution;
            }
        }
        let named = |limit: &&Limit| {
            let name = limit.operator.name();
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
        };
        let applies = |limit: &&Limit| model.main().operators.iter().any(|op| limit.applies(&model, op));
        let known = self.limits.iter().filter(named).find(applies);
        if let Some(limit) = known {
            execution.status = Status::Cannot { why: format!("{} ({text})", limit.text()) };
        }
        execution
    }
}

/// The operator and the version that LiteRT says it has not registered.
fn unregistered(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("Didn't find op for builtin opcode '")?;
    let (name, rest) = rest.split_once("' version '")?;
    Some((name, rest.split_once('\'')?.0))
}

impl Limit {
    fn text(&self) -> String {
        format!("{}: {}", self.operator, self.reason)
    }

    fn applies(&self, model: &Model, operator: &Operator) -> bool {
        let graph = model.main();
        let operand = |&i: &i32| usize::try_from(i).ok().and_then(|i| graph.tensors.get(i));
        let constant = |i: &i32| {
            let widened = graph.operators.iter().find(|op| op.outputs.contains(i));
            let source = widened
                .filter(|op| op.code == OpCode::Builtin(Builtin::Dequantize))
                .and_then(|op| op.inputs.first())
                .unwrap_or(i);
            operand(source).is_some_and(|t| model.data(t).is_some())
        };
        operator.code == OpCode::Builtin(self.operator)
            && match self.when {
                When::Always => true,
                When::Float16 => {
                    operator.inputs.iter().filter_map(operand).any(|t| t.dtype == TensorType::Float16)
                }
                When::ConstantOperand => operator.inputs.iter().take(2).any(constant),
                When::ConstantInput => operator.inputs.first().is_some_and(constant),
            }
    }
}

/// Not in the resolver of the reference kernels.
const NO_REFERENCE_KERNEL: [(Builtin, &str); 3] = [
    (Builtin::Elu, "there is no reference kernel"),
    (Builtin::Ceil, "there is no reference kernel"),
    (Builtin::Round, "there is no reference kernel"),
];

/// Operators whose builtin and reference kernels refuse FLOAT16; true where XNNPACK takes it.
const NO_FLOAT16_KERNEL: [(Builtin, bool); 54] = [
    (Builtin::Abs, true),
    (Builtin::AddN, false),
    (Builtin::ArgMax, false),
    (Builtin::ArgMin, false),
    (Builtin::AveragePool2d, true),
    (Builtin::BatchMatmul, true),
    (Builtin::Ceil, true),
    (Builtin::Conv2d, true),
    (Builtin::Conv3d, false),
    (Builtin::Cumsum, false),
    (Builtin::DepthToSpace, true),
    (Builtin::DepthwiseConv2d, true),
    (Builtin::Div, true),
    (Builtin::Elu, true),
    (Builtin::Exp, true),
    (Builtin::FloorDiv, false),
    (Builtin::FloorMod, false),
    (Builtin::FullyConnected, true),
    (Builtin::HardSwish, true),
    (Builtin::L2Normalization, false),
    (Builtin::L2Pool2d, false),
    (Builtin::LeakyRelu, true),
    (Builtin::LocalResponseNormalization, false),
    (Builtin::Log, true),
    (Builtin::LogSoftmax, false),
    (Builtin::MaxPool2d, false),
    (Builtin::Mean, true),
    (Builtin::OneHot, false),
    (Builtin::Pack, false),
    (Builtin::Pow, false),
    (Builtin::Prelu, true),
    (Builtin::ReduceMax, true),
    (Builtin::ReduceMin, true),
    (Builtin::ReduceProd, false),
    (Builtin::Relu, true),
    (Builtin::Relu0To1, false),
    (Builtin::Relu6, true),
    (Builtin::ReluN1To1, true),
    (Builtin::ResizeBilinear, false),
    (Builtin::ReverseSequence, false),
    (Builtin::Rsqrt, true),
    (Builtin::ScatterNd, false),
    (Builtin::Sign, false),
    (Builtin::SpaceToDepth, false),
    (Builtin::Split, true),
    (Builtin::SplitV, false),
    (Builtin::Sqrt, true),
    (Builtin::Square, true),
    (Builtin::SquaredDifference, true),
    (Builtin::Sub, true),
    (Builtin::Sum, true),
    (Builtin::TopkV2, false),
    (Builtin::TransposeConv, false),
    (Builtin::ZerosLike, false),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Outcome;

    fn refused(text: &str) -> Execution {
        let status = Status::Refused { stage: "prepare".into(), text: text.into() };
        Outcome::of(status).into_execution("litert-gpu")
    }

    #[test]
    fn what_the_gpu_does_not_take_is_no_finding_about_the_file() {
        let model = tflite::write(&Model::default());
        let of = |mode, text| Capabilities::of_litert(mode).excuse(&model, refused(text)).status;
        let words = "Following operations are not supported by GPU delegate:; ZEROS_LIKE: Operation is not supported.";
        assert_eq!(
            of(Mode::GpuFp16, words),
            Status::Cannot { why: "the GPU does not take ZEROS_LIKE: Operation is not supported.".into() }
        );
        assert!(matches!(of(Mode::Xnnpack, words), Status::Refused { .. }));
        let other = of(Mode::Gpu, "INTERNAL: No adapters found");
        assert!(matches!(&other, Status::Cannot { why } if why.contains("No adapters found")));
    }
}
