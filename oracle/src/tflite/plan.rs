//! What an operator's planner sees of the file: types, shapes, and the elements that are known before any run.

use super::dispatch::Kernel;
use super::error::{Fault, ensure};
use halfproof_ir::{DType, Data};
use halfproof_wire::tflite::{Builtin, Options};

/// No tensor of a program has more elements, so that index arithmetic cannot overflow and memory stays bounded.
pub(super) const MAX_ELEMENTS: usize = 1 << 27;

/// No axis is longer, so that tables with an entry per coordinate stay small.
pub(super) const MAX_EXTENT: usize = 1 << 24;

/// An operand as its planner sees it.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) shape: &'a [usize],
    pub(super) dtype: DType,
    /// The elements of an integer or boolean tensor that no input can change.
    pub(super) known: Option<&'a [i64]>,
    /// The elements of a float constant.
    pub(super) floats: Option<&'a Data>,
}

impl Operand<'_> {
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }

    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One operation to be planned.
pub(super) struct Call<'a> {
    pub(super) builtin: Builtin,
    pub(super) options: &'a Options,
    pub(super) operands: Vec<Option<Operand<'a>>>,
    /// Declared types of the results.
    pub(super) results: Vec<DType>,
}

/// What planning gives: what to do in a run, and the shapes of the results.
pub(super) struct Planned {
    pub(super) kernel: Kernel,
    pub(super) shapes: Vec<Vec<usize>>,
}

impl Planned {
    /// A plan with one result.
    pub(super) fn one(kernel: impl Into<Kernel>, shape: impl Into<Vec<usize>>) -> Result<Planned, Fault> {
        Ok(Planned { kernel: kernel.into(), shapes: vec![shape.into()] })
    }
}

impl<'a> Call<'a> {
    /// Checks the numbers of operands (`least` to `most`) and results.
    pub(super) fn arity(&self, least: usize, most: usize, results: usize) -> Result<(), Fault> {
        let operands = self.operands.len();
        ensure!(
            (least..=most).contains(&operands),
            "has {operands} operands, needs {}",
            if least == most { least.to_string() } else { format!("{least} to {most}") }
        );
        ensure!(self.results.len() == results, "has {} results, needs {results}", self.results.len());
        for i in 0..least {
            ensure!(self.operands[i].is_some(), "operand {i} is missing");
        }
        Ok(())
    }

    /// Operand `i`, which `arity` has found.
    pub(super) fn operand(&self, i: usize) -> Result<Operand<'a>, Fault> {
        self.optional(i).ok_or_else(|| Fault::malformed(format!("operand {i} is missing")))
    }

    /// Operand `i`, if it is there.
    pub(super) fn optional(&self, i: usize) -> Option<Operand<'a>> {
        self.operands.get(i).copied().flatten()
    }

    /// Operand `i`, a float tensor of the type of result 0.
    pub(super) fn float(&self, i: usize) -> Result<Operand<'a>, Fault> {
        let operand = self.operand(i)?;
        self.is_float(i, operand.dtype)?;
        Ok(operand)
    }

    /// Operand `i` if it is there, a float tensor of the type of result 0.
    pub(super) fn optional_float(&self, i: usize) -> Result<Option<Operand<'a>>, Fault> {
        match self.optional(i) {
            Some(_) => self.float(i).map(Some),
            None => Ok(None),
        }
    }

    fn is_float(&self, i: usize, dtype: DType) -> Result<(), Fault> {
        if !dtype.is_float() {
            return Err(Fault::unsupported(format!(
                "operand {i} is {dtype}; only float arithmetic is known"
            )));
        }
        ensure!(dtype == self.results[0], "operand {i} is {dtype}, its result {}", self.results[0]);
        Ok(())
    }

    /// Operand `i`, of the type of result 0 whatever it is.
    pub(super) fn alike(&self, i: usize) -> Result<Operand<'a>, Fault> {
        let operand = self.operand(i)?;
        let result = self.results[0];
        ensure!(operand.dtype == result, "operand {i} is {}, its result {result}", operand.dtype);
        Ok(operand)
    }

    /// The elements of operand `i`, an integer tensor that must be known before any run.
    pub(super) fn ints(&self, i: usize, what: &str) -> Result<&'a [i64], Fault> {
        let operand = self.operand(i)?;
        ensure!(operand.dtype.is_integer(), "operand {i} ({what}) is {}, needs integers", operand.dtype);
        operand.known.ok_or_else(|| {
            Fault::unsupported(format!(
                "operand {i} ({what}) is computed at run time and shapes depend on it"
            ))
        })
    }

    /// The one element of operand `i`, an integer that must be known before any run.
    pub(super) fn int(&self, i: usize, what: &str) -> Result<i64, Fault> {
        let all = self.ints(i, what)?;
        ensure!(all.len() == 1, "operand {i} ({what}) has {} elements, needs 1", all.len());
        Ok(all[0])
    }

    /// Checks the declared type of result `i`.
    pub(super) fn result_is(&self, i: usize, dtype: DType) -> Result<(), Fault> {
        ensure!(self.results[i] == dtype, "result {i} is {}, needs {dtype}", self.results[i]);
        Ok(())
    }
}

/// The operator's option table, its defaults if the file has none, or a fault for another operator's table.
macro_rules! table {
    ($call:expr, $name:ident) => {
        match $call.options {
            halfproof_wire::tflite::Options::$name(o) => Ok(std::borrow::Cow::Borrowed(o)),
            halfproof_wire::tflite::Options::None => {
                Ok(std::borrow::Cow::Owned(halfproof_wire::tflite::options::$name::default()))
            }
            other => Err($crate::tflite::error::Fault::malformed(format!(
                "has the option table with number {}, needs {}Options",
                other.tag(),
                stringify!($name)
            ))),
        }
    };
}
pub(super) use table;

/// Normalises an axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let positive = if axis < 0 { axis.saturating_add_unsigned(rank as u64) } else { axis };
    match usize::try_from(positive) {
        Ok(a) if a < rank => Ok(a),
        _ => Err(Fault::malformed(format!("axis {axis} of a tensor of rank {rank}"))),
    }
}

/// A shape from integers, refusing negative and immense extents.
///
/// An extent of 0 counts as 1: the kernels multiply some of the extents only, and these must not overflow either.
pub(super) fn shape(extents: &[i64]) -> Result<Vec<usize>, Fault> {
    let mut elements: usize = 1;
    let mut result = Vec::with_capacity(extents.len());
    for &e in extents {
        let extent = usize::try_from(e).map_err(|_| Fault::malformed(format!("shape {extents:?}")))?;
        elements = elements.saturating_mul(extent.max(1));
        result.push(extent);
    }
    if elements > MAX_ELEMENTS || result.iter().any(|&e| e > MAX_EXTENT) {
        return Err(Fault::unsupported(format!(
            "shape {extents:?} has more than {MAX_ELEMENTS} elements or an extent above {MAX_EXTENT}"
        )));
    }
    Ok(result)
}

/// Elements between neighbours along every axis of a dense tensor.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// An extent or count as an integer.
pub(super) fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Refuses shapes of other ranks.
pub(super) fn rank(what: &str, shape: &[usize], rank: usize) -> Result<(), Fault> {
    ensure!(shape.len() == rank, "{what} has shape {shape:?}, needs rank {rank}");
    Ok(())
}
