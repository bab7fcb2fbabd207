//! An error budget: as little float32 as keeps a measured loss below a limit.
//!
//! The converter cannot judge itself, so the loss is measured by whoever asks. The search is delta debugging, as
//! Precimonious (2013) uses it to tune precisions: from everything in float32, ever smaller runs of operators are given
//! back to float16 as long as the budget holds.

use halfproof_ir::{Conversion, Refusal, RefusedNode};

/// Measures a conversion: bits lost in its worst output; infinity when an output is not finite and should be.
pub type Measure<'a> = dyn FnMut(&Conversion) -> f64 + 'a;

/// How much may be lost, and how to find out.
pub struct Budget<'a> {
    /// Most bits that any output may lose.
    pub bits: f64,
    /// Measures.
    pub measure: &'a mut Measure<'a>,
}

/// Conversions that are tried before the search takes the best so far.
const LONGEST_SEARCH: usize = 64;

/// Finds few operators that must be float32: `build` converts with the marked ones in float32, `free` says which may
/// be marked.
///
/// # Errors
/// What `build` refuses, and a budget that float32 everywhere does not keep.
pub(crate) fn fit(
    free: &[bool],
    budget: &mut Budget<'_>,
    build: &mut dyn FnMut(&[bool]) -> Result<Conversion, Refusal>,
) -> Result<Conversion, Refusal> {
    let plain = build(&vec![false; free.len()])?;
    let without = (budget.measure)(&plain);
    if without <= budget.bits {
        return Ok(plain);
    }
    let mut marked = free.to_vec();
    let mut best = build(&marked)?;
    let least = (budget.measure)(&best);
    // Not a number is no answer that a budget can hold.
    if least.is_nan() || least > budget.bits {
        return Err(missed(budget.bits, least, without));
    }
    let mut tried = 2;
    let mut run = marked.iter().filter(|m| **m).count().div_ceil(2);
    while run > 0 {
        let all: Vec<usize> = (0..marked.len()).filter(|&i| marked[i]).collect();
        for part in all.chunks(run) {
            if tried == LONGEST_SEARCH {
                return Ok(best);
            }
            tried += 1;
            let mut fewer = marked.clone();
            part.iter().for_each(|&i| fewer[i] = false);
            let candidate = build(&fewer)?;
            if (budget.measure)(&candidate) <= budget.bits {
                (marked, best) = (fewer, candidate);
            }
        }
        run /= 2;
    }
    Ok(best)
}

fn missed(bits: f64, least: f64, without: f64) -> Refusal {
    let reason = format!(
        "{bits} bits cannot be kept: {least:.1} are lost with every operator in float32 ({without:.1} without a budget)"
    );
    Refusal {
        nodes: vec![RefusedNode {
            op: "max-bits-lost".into(),
            node: "the outputs".into(),
            dtype: None,
            reason,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::Provenance;

    /// A conversion that says in its bytes what is marked.
    fn build(marked: &[bool]) -> Result<Conversion, Refusal> {
        let model = marked.iter().map(|&m| u8::from(m)).collect();
        Ok(Conversion { model, provenance: Provenance::default(), notes: vec![] })
    }

    /// Fits when every unmarked operator costs its number of bits; gives what stayed marked.
    fn fitted(costs: &[f64], bits: f64) -> (Result<Vec<usize>, Refusal>, usize) {
        let mut tried = 0;
        let mut measure = |c: &Conversion| {
            tried += 1;
            costs.iter().zip(&c.model).filter(|(_, m)| **m == 0).map(|(c, _)| c).sum::<f64>()
        };
        let mut budget = Budget { bits, measure: &mut measure };
        let out = fit(&vec![true; costs.len()], &mut budget, &mut build);
        (out.map(|c| (0..c.model.len()).filter(|&i| c.model[i] == 1).collect()), tried)
    }

    #[test]
    fn a_budget_that_holds_anyway_costs_nothing() {
        assert_eq!(fitted(&[0.5, 0.5], 1.0), (Ok(vec![]), 1));
    }

    #[test]
    fn only_what_costs_stays_float32() {
        let mut costs = vec![0.0; 40];
        (costs[7], costs[23]) = (5.0, 3.0);
        let (kept, tried) = fitted(&costs, 1.0);
        assert_eq!(kept, Ok(vec![7, 23]));
        assert!(tried <= LONGEST_SEARCH);
    }

    #[test]
    fn a_long_search_ends_with_what_keeps_the_budget() {
        let (kept, tried) = fitted(&vec![1.0; 1000], 10.0);
        assert_eq!(tried, LONGEST_SEARCH);
        assert!(kept.is_ok_and(|k| k.len() >= 990));
    }

    #[test]
    fn a_budget_that_float32_just_keeps_is_kept() {
        assert_eq!(fitted(&[0.5, 0.0], 0.0).0, Ok(vec![0]));
        assert_eq!(fitted(&[1.0, 0.5], 0.5).0, Ok(vec![0]));
    }

    #[test]
    fn a_budget_that_cannot_be_kept_is_refused_with_both_figures() {
        let (kept, _) = fitted(&[f64::INFINITY], -1.0);
        let text = kept.unwrap_err().to_string();
        assert!(text.contains("-1 bits cannot be kept") && text.contains("inf without"), "{text}");
    }
}
