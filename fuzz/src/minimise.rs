//! Makes a failing case small: a loop over passes, each proposing smaller candidates, each candidate kept only if it is
//! smaller by [`order`] and the predicate still holds. The predicate is "same signature", never just "fails".
//!
//! Not here: what a failure is (the caller's predicate), how failures are told apart (`triage::signature`).

mod order;
pub(crate) mod passes;
pub(crate) mod surgery;

pub use order::{Size, size};

use halfproof_ir::{Graph, Tensor};

/// What is made small: a graph and one input set.
#[derive(Clone, Debug, PartialEq)]
pub struct Specimen {
    /// The source program.
    pub graph: Graph,
    /// One tensor per graph input.
    pub inputs: Vec<Tensor>,
}

/// Limits of one minimisation.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Most evaluations of the predicate.
    pub attempts: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { attempts: 2000 }
    }
}

/// What came out, and how it was reached.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// The smallest case found.
    pub specimen: Specimen,
    /// The smallest similar case for which the predicate does not hold: what a maintainer wants to see beside it.
    pub nearest_good: Option<Specimen>,
    /// How often the predicate was asked.
    pub attempts: usize,
}

/// Minimises `start`, for which `fails` holds. Deterministic: the same start and predicate give the same result.
///
/// `fails` gets well-formed cases whose exact evaluation succeeds; it says whether the same failure is still there.
pub fn minimise(start: Specimen, budget: Budget, mut fails: impl FnMut(&Specimen) -> bool) -> Minimised {
    let mut best = surgery::settle(&start).unwrap_or(start);
    let mut best_size = size(&best);
    let mut nearest_good: Option<(Size, Specimen)> = None;
    let mut attempts = 0;
    loop {
        let mut progress = false;
        for pass in passes::ALL {
            let mut position = 0;
            while attempts < budget.attempts {
                let Some(candidate) = pass(&best, position) else { break };
                position += 1;
                let Some(candidate) = candidate.as_ref().and_then(surgery::settle) else { continue };
                let candidate_size = size(&candidate);
                if candidate_size >= best_size {
                    continue;
                }
                attempts += 1;
                if fails(&candidate) {
                    (best, best_size) = (candidate, candidate_size);
                    progress = true;
                    // The pass starts again on the smaller case: positions have shifted.
                    position = 0;
                } else if nearest_good.as_ref().is_none_or(|(s, _)| candidate_size < *s) {
                    nearest_good = Some((candidate_size, candidate));
                }
            }
        }
        if !progress || attempts >= budget.attempts {
            return Minimised { specimen: best, nearest_good: nearest_good.map(|(_, s)| s), attempts };
        }
    }
}

#[cfg(test)]
mod tests;
