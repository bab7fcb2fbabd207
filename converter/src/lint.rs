//! Says which constants float16 does not hold, by what they are for, before anything runs.
//!
//! What counts: a finite element that becomes infinite, a nonzero element that becomes zero, an element that becomes
//! subnormal. Infinite elements are legal by themselves, and a bound beyond the range bounds nothing in float16 either.

use crate::constants::{self, MAX_FINITE, MIN_NORMAL, Survey};
use crate::target::{Constant, Target, TargetTensor};
use halfproof_ir::{DType, Level, Note, Role};

/// Lints every float constant of a program as if all of it became float16, in tensor order.
pub fn lint(target: &Target) -> Vec<Note> {
    target
        .tensors
        .iter()
        .filter(|t| t.dtype == DType::F32)
        .filter_map(|t| match &t.constant {
            Some(Constant::Exact(exact)) => constant(t, exact, constants::survey(exact)),
            _ => None,
        })
        .collect()
}

/// The name by which the user knows a tensor.
pub(crate) fn source(tensor: &TargetTensor) -> &str {
    tensor.origin.as_ref().map_or(&tensor.name, |o| &o.source)
}

/// The warning about one constant that becomes float16, if it deserves one.
pub(crate) fn constant(tensor: &TargetTensor, exact: &[f64], survey: Survey) -> Option<Note> {
    let text = if survey.overflowed > 0 && tensor.role != Role::Bound {
        overflow(tensor.role, exact, survey)
    } else if survey.flushed > 0 {
        flush(tensor.role, exact, survey)?
    } else if survey.subnormal > 0 {
        subnormal(tensor.role, exact, survey)?
    } else {
        return None;
    };
    Some(Note { level: Level::Warning, at: source(tensor).to_string(), text })
}

fn overflow(role: Role, exact: &[f64], survey: Survey) -> String {
    let worst = extreme(exact, |x| x.is_finite() && constants::round(x).is_infinite(), f64::max);
    let advice = match role {
        Role::Mask => {
            "infinity times 0, or a row with every position masked, gives NaN: use --precision mixed"
        }
        _ => "use --precision mixed, or scale it down in the source",
    };
    let share = share(survey.overflowed, survey.elements);
    format!("{worst:e} is beyond {MAX_FINITE} and becomes infinite in float16{share}; {advice}")
}

fn flush(role: Role, exact: &[f64], survey: Survey) -> Option<String> {
    let guard = role == Role::Epsilon;
    // Trained weights are full of tiny values, and losing a few of them is harmless next to rounding the others.
    if !guard && survey.flushed < survey.nonzero && matches!(role, Role::Weight | Role::Bias) {
        return None;
    }
    let worst = extreme(exact, |x| x != 0.0 && constants::round(x).to_f64() == 0.0, f64::max);
    let advice = if guard {
        "what it guards divides by 0: use --precision mixed, or an epsilon of at least 1e-7"
    } else {
        "use --precision mixed, or scale it up in the source"
    };
    let share = share(survey.flushed, survey.elements);
    Some(format!("{worst:e} becomes 0 in float16{share}; {advice}"))
}

fn subnormal(role: Role, exact: &[f64], survey: Survey) -> Option<String> {
    if role != Role::Epsilon && survey.subnormal < survey.nonzero {
        return None;
    }
    let worst = extreme(exact, |x| x != 0.0 && x.abs() < MIN_NORMAL, f64::min);
    let stored = constants::round(worst).to_f64();
    let share = share(survey.subnormal, survey.elements);
    Some(format!(
        "{worst:e} is subnormal in float16{share}: it is stored as {stored:e} and read as 0 where subnormals are \
         flushed; use --precision mixed if that matters"
    ))
}

fn share(some: usize, all: usize) -> String {
    if all == 1 { String::new() } else { format!(" ({some} of {all} elements)") }
}

/// The matching element whose magnitude wins under `pick`, with its sign.
fn extreme(exact: &[f64], matches: impl Fn(f64) -> bool, pick: fn(f64, f64) -> f64) -> f64 {
    exact
        .iter()
        .copied()
        .filter(|&x| matches(x))
        .reduce(|a, b| if pick(a.abs(), b.abs()) == b.abs() && a.abs() != b.abs() { b } else { a })
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(role: Role, elements: &[f64]) -> Vec<String> {
        let mut target = Target::default();
        target.exact("c", &[elements.len()], role, elements.to_vec());
        let notes = lint(&target);
        assert!(notes.iter().all(|n| n.at == "c" && n.level == Level::Warning && !n.text.contains('\n')));
        notes.into_iter().map(|n| n.text).collect()
    }

    #[test]
    fn a_mask_that_overflows_is_named_with_its_value_and_a_way_out() {
        let [text] = &notes(Role::Mask, &[0.0, -1e30])[..] else { panic!("one note") };
        assert_eq!(
            text,
            "-1e30 is beyond 65504 and becomes infinite in float16 (1 of 2 elements); infinity times 0, or a row \
             with every position masked, gives NaN: use --precision mixed"
        );
    }

    #[test]
    fn an_epsilon_is_named_when_it_becomes_zero_or_subnormal() {
        assert!(
            notes(Role::Epsilon, &[1e-12])[0]
                .starts_with("1e-12 becomes 0 in float16; what it guards divides by 0")
        );
        assert!(
            notes(Role::Epsilon, &[1e-5])[0].starts_with("1e-5 is subnormal in float16: it is stored as")
        );
        assert!(notes(Role::Epsilon, &[1e-3]).is_empty());
    }

    #[test]
    fn infinities_and_bounds_beyond_the_range_are_legal() {
        assert!(notes(Role::Bound, &[f64::INFINITY]).is_empty());
        assert!(notes(Role::Plain, &[f64::NEG_INFINITY, 1.0]).is_empty());
        assert!(notes(Role::Bound, &[f64::from(f32::MAX)]).is_empty());
    }

    #[test]
    fn a_few_tiny_weights_are_normal_but_losing_all_of_them_is_not() {
        assert!(notes(Role::Weight, &[1e-9, 0.5, 1e-6]).is_empty());
        assert_eq!(notes(Role::Weight, &[1e-9, -2e-9]).len(), 1);
        assert_eq!(notes(Role::Weight, &[1e5, 0.5]).len(), 1);
        assert_eq!(notes(Role::Scale, &[1e-9, 0.5]).len(), 1);
    }

    #[test]
    fn values_that_are_only_rounded_are_not_warned_about() {
        assert!(notes(Role::Plain, &[0.1, 65519.0, 1.0 / 3.0]).is_empty());
    }
}
