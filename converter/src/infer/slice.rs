//! Slice.

use super::{Operand, Site, Types, axis};

pub(super) fn slice(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let ranges = slice_ranges(x.shape(), site.need(1)?, site.need(2)?, site.at(3), site.at(4))?;
    site.with(ranges.iter().map(|r| r.len).collect())
}

/// What a Slice takes along one axis: `start`, `start + step`…, `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First index.
    pub start: usize,
    /// Distance, not 0; negative to walk backwards.
    pub step: i64,
    /// How many.
    pub len: usize,
}

/// The ranges of a Slice along all axes.
///
/// # Errors
/// When bounds are not constant, do not fit together, or a step is 0.
pub fn slice_ranges(
    shape: &[usize],
    starts: Operand<'_>,
    ends: Operand<'_>,
    axes: Option<Operand<'_>>,
    steps: Option<Operand<'_>>,
) -> Result<Vec<Range>, String> {
    let starts = starts.integers("starts")?;
    let ends = ends.integers("ends")?;
    let axes = match axes {
        Some(a) => {
            a.integers("axes")?.iter().map(|&a| axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..starts.len()).collect(),
    };
    let steps = steps.map(|s| s.integers("steps")).transpose()?.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len()
        || starts.len() != axes.len()
        || starts.len() != steps.len()
        || axes.len() > shape.len()
    {
        return Err("starts, ends, axes and steps have different lengths".into());
    }
    let mut ranges: Vec<Range> = shape.iter().map(|&d| Range { start: 0, step: 1, len: d }).collect();
    for (i, &a) in axes.iter().enumerate() {
        let extent = shape[a].cast_signed() as i64;
        let wrap = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
        let (step, low, high) = match steps[i] {
            0 => return Err("a step is 0".into()),
            s if s > 0 => (s, 0, extent),
            s => (s, -1, extent - 1),
        };
        let start = wrap(starts[i]).clamp(low.max(0), high.max(0));
        let end = wrap(ends[i]).clamp(low, high);
        let span = if step > 0 { end - start } else { start - end };
        let len = if extent == 0 || span <= 0 { 0 } else { (span as u64).div_ceil(step.unsigned_abs()) };
        ranges[a] = Range {
            start: usize::try_from(start).unwrap_or(0),
            step,
            len: usize::try_from(len).unwrap_or(0),
        };
    }
    Ok(ranges)
}
