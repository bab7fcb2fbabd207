//! The operations that operators are written in. Each arithmetic gives them one meaning:
//! `ideal` (f64, nothing rounded), `single` (an fp32 execution), `half` (a float16 execution under an execution model),
//! `bound` (an enclosure of every execution that a contract allows).
//!
//! An operator file holds indices, axes and formulas; error analysis is here, once per rule. Two rounding points exist:
//! the result of an arithmetic operation is held in the *compute* precision (a register: f32 for most kernels), and
//! [`Arith::store`] is what writing it to a tensor does.

pub mod bound;
pub mod half;
pub mod ideal;

pub(crate) use bound::flushed_single;
pub use bound::{Bound, Enclosure, Nan};
pub use half::{Accumulator, ExecutionModel, Half, Order, single};
pub use ideal::Ideal;

use crate::value::Whole;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A real function of one argument. Parameters are exact.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the functions of those names; definitions in `function`")]
pub enum Function {
    Exp,
    Log,
    Sqrt,
    /// 1 / sqrt(x).
    Rsqrt,
    /// 1 / x.
    Reciprocal,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    /// 1 / (1 + exp(-x)).
    Logistic,
    Erf,
    Floor,
    Ceil,
    /// To the nearest integer, ties to even.
    Round,
    /// -1, 0 or 1.
    Sign,
    Abs,
    Neg,
    Square,
    Relu,
    /// x for x >= 0, alpha * x below.
    LeakyRelu {
        alpha: f64,
    },
    /// x for x >= 0, alpha * (exp(x) - 1) below.
    Elu {
        alpha: f64,
    },
    /// x * Phi(x), with the exact normal distribution function.
    Gelu,
    /// The tanh approximation of Gelu.
    GeluTanh,
    /// x * min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// log(1 + exp(x)).
    Softplus,
    /// x * tanh(softplus(x)).
    Mish,
}

/// How two elements compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// a < b.
    Less,
    /// a == b.
    Equal,
    /// a > b.
    Greater,
    /// One of them is NaN.
    Unordered,
}

/// An arithmetic: how elements are made, combined, rounded and stored.
pub trait Arith: Clone + Sync {
    /// One float element.
    type E: Copy + std::fmt::Debug + Send + Sync + 'static;

    /// The arithmetic inside the kernel of one operator whose float tensors are of type `dtype`: a FLOAT32 operator
    /// of a float16 model accumulates in float32, and contracts differ from operator to operator. An interpreter
    /// takes it once per operator and computes the whole operator with it.
    fn kernel(&self, builtin: Builtin, dtype: DType) -> Self {
        let _ = (builtin, dtype);
        self.clone()
    }

    /// A number that enters exactly as it is: an input or constant element, or a literal of an operator's definition.
    fn exact(&self, x: f64) -> Self::E;

    /// A number of an operator's options, which hold binary32: what a converter meant may lie half a unit away.
    fn option(&self, x: f32) -> Self::E {
        self.exact(x.into())
    }

    /// A number that an operator computes from no data, such as an element of a window, nearest to its type: a converter stores it, so
    /// it is exact, but a runtime that computes it anew may be off.
    fn tabulated(&self, x: f64) -> Self::E {
        self.exact(x)
    }

    /// A number that a graph computes from constants alone, where its next operator makes a whole number of it. Exporters compute
    /// extents so, in the tensor's type, and rely on its rounding (13 * 2.3076923 is 30 in float32, and a little less exactly):
    /// a converter may fold it in that type or in f64.
    fn folded(&self, x: Self::E, dtype: DType) -> Self::E {
        let _ = dtype;
        x
    }

    /// The element's central value, for reports and for choosing between candidates.
    fn centre(&self, x: Self::E) -> f64;

    /// What writing to a tensor of this float type does: rounding, flushing, overflow. Nothing in ideal arithmetic.
    fn store(&self, x: Self::E, dtype: DType) -> Self::E;

    /// What holding an intermediate result of a composite kernel does (softmax, normalisation): the execution model
    /// says whether it is rounded to the storage type or stays in the compute precision.
    fn intermediate(&self, x: Self::E) -> Self::E;

    /// a + b.
    fn add(&self, a: Self::E, b: Self::E) -> Self::E;
    /// a - b.
    fn sub(&self, a: Self::E, b: Self::E) -> Self::E;
    /// a * b.
    fn mul(&self, a: Self::E, b: Self::E) -> Self::E;
    /// a / b.
    fn div(&self, a: Self::E, b: Self::E) -> Self::E;
    /// a to the power b (the real power; NaN for a negative a and a b that is not an integer).
    fn pow(&self, a: Self::E, b: Self::E) -> Self::E;
    /// The angle of the point (x, y), from -pi to pi.
    fn angle(&self, y: Self::E, x: Self::E) -> Self::E;
    /// The larger; NaN if either is NaN.
    fn max(&self, a: Self::E, b: Self::E) -> Self::E;
    /// The smaller; NaN if either is NaN.
    fn min(&self, a: Self::E, b: Self::E) -> Self::E;
    /// f(x).
    fn apply(&self, f: Function, x: Self::E) -> Self::E;

    /// start + sum of a[i] * b[i], accumulated as the execution model says; `start` is the bias.
    fn dot(&self, a: &[Self::E], b: &[Self::E], start: Option<Self::E>) -> Self::E;
    /// Sum of the elements, accumulated as the execution model says; 0 for none.
    fn sum(&self, a: &[Self::E]) -> Self::E;

    /// Arithmetic mean of the elements: their sum divided by their number, or multiplied by its rounded reciprocal.
    /// NaN for none.
    fn mean(&self, a: &[Self::E]) -> Self::E {
        #[expect(clippy::cast_precision_loss, reason = "no tensor has 2^53 elements")]
        let count = a.len() as f64;
        self.div(self.sum(a), self.exact(count))
    }

    /// Sum of a[i] * weights[i] for weights that follow from coordinates (interpolation). Kernels differ in the
    /// formula that they use, so a bound allows a few roundings more than for [`Arith::dot`].
    fn blend(&self, a: &[Self::E], weights: &[f64]) -> Self::E {
        let weights: Vec<Self::E> = weights.iter().map(|&w| self.exact(w)).collect();
        self.dot(a, &weights, None)
    }

    /// Softmax of one row: exp(beta * (x - max)) / sum. One rule of its own, because it is shift-invariant and a
    /// composite bound would be loose. `log` gives its logarithm.
    fn softmax(&self, row: &[Self::E], beta: f64, log: bool) -> Vec<Self::E>;

    /// Compares two elements; the flag is false when rounding could turn the answer, or a NaN is possible.
    fn compare(&self, a: Self::E, b: Self::E) -> (Comparison, bool);

    /// True when the element may be NaN; the flag is false when that is not certain.
    fn is_nan(&self, x: Self::E) -> (bool, bool);

    /// An element that is `a` or `b`, nobody knows which; `a` is the exact computation's choice.
    fn either(&self, a: Self::E, b: Self::E) -> Self::E;

    /// An element about which nothing is known (it was fetched by an undecided index); `likely` is the exact
    /// computation's one.
    fn unknown(&self, likely: Self::E) -> Self::E;

    /// The extremum `x` of a run of elements as kernels find it: they start from the lowest (or greatest) number, and a
    /// comparison with NaN may go either way. So nothing is known of a run of NaN alone.
    fn extremum(&self, x: Self::E) -> Self::E {
        if self.is_nan(x) == (true, true) { self.unknown(x) } else { x }
    }

    /// The extremum `x` of `run` as the kernels of a runtime find it: several lanes, in any order, and a NaN may make a lane
    /// forget what came before it. So it may be that of any part of the run.
    fn extremum_among(&self, x: Self::E, run: &[Self::E]) -> Self::E {
        let _ = run;
        self.extremum(x)
    }

    /// The integer that a float-to-integer CAST gives (towards zero).
    fn truncate(&self, x: Self::E) -> Whole;

    /// A float element from an integer (CAST int to float), before `store`.
    #[expect(
        clippy::wrong_self_convention,
        reason = "the arithmetic makes the element; named like its siblings"
    )]
    fn from_whole(&self, x: Whole) -> Self::E {
        #[expect(clippy::cast_precision_loss, reason = "integers beyond 2^53 do not occur in float graphs")]
        let value = self.exact(x.value as f64);
        if x.decided { value } else { self.unknown(value) }
    }
}
