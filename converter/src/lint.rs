//! Says which constants float16 does not hold, by what they are for, before anything runs.
//!
//! What counts: a finite element that becomes infinite, a nonzero element that becomes zero, an element that becomes
//! subnormal. Infinite elements are legal by themselves, and a bound beyond the range bounds nothing in float16 either.

use crate::constants::{self, MAX_FINITE, MIN_NORMAL, Survey};
use crate::target::{Constant, Target, TargetTensor, TensorId};
use halfproof_ir::{DType, Elements, Level, Note, Role};

/// Lints every float constant of a program as if all of it became float16, in tensor order.
pub fn lint(target: &Target) -> Vec<Note> {
    target
        .tensors
        .iter()
        .enumerate()
        .filter(|(_, t)| t.dtype == DType::F32)
        .filter_map(|(i, t)| match &t.constant {
            Some(Constant::Exact(exact)) => {
                let text = constant(t, exact, constants::survey(exact))?;
                let id = TensorId(u32::try_from(i).unwrap_or(u32::MAX));
                Some(Note { level: Level::Warning, at: place(target, id).to_string(), text })
            }
            _ => None,
        })
        .collect()
}

/// The name by which files and judges know a tensor: that of its source, else its own.
pub(crate) fn source(tensor: &TargetTensor) -> &str {
    tensor.origin.as_ref().map_or(&tensor.name, |o| &o.source)
}

/// The name by which the user knows a tensor: that of its source, else of the first node that reads it (which brought
/// it along as an attribute), else its own.
pub(crate) fn place(target: &Target, id: TensorId) -> &str {
    let tensor = target.tensor(id);
    if tensor.origin.is_some() {
        return source(tensor);
    }
    let reader = target.operators.iter().find(|op| op.inputs.contains(&Some(id)));
    reader.and_then(|op| op.nodes.first()).unwrap_or(&tensor.name)
}

/// What to warn about in one constant that becomes float16, if anything.
pub(crate) fn constant(t: &TargetTensor, exact: &Elements, survey: Survey) -> Option<String> {
    Some(if survey.overflowed > 0 && t.role != Role::Bound {
        overflow(t.role, exact, survey)
    } else if survey.flushed > 0 {
        flush(t.role, exact, survey)?
    } else if survey.subnormal > 0 {
        subnormal(t.role, exact, survey)?
    } else {
        return None;
    })
}

fn overflow(role: Role, exact: &Elements, survey: Survey) -> String {
    let worst = decimal(extreme(exact, |x| x.is_finite() && constants::round(x).is_infinite(), f64::max));
    let advice = match role {
        Role::Mask => {
            "infinity times 0, or a row with every position masked, gives NaN: use --precision mixed"
        }
        _ => "use --precision mixed, or scale it down in the source",
    };
    let share = share(survey.overflowed, survey.elements);
    format!("{worst} is beyond {MAX_FINITE} and becomes infinite in float16{share}; {advice}")
}

fn flush(role: Role, exact: &Elements, survey: Survey) -> Option<String> {
    let guard = role == Role::Epsilon;
    // Trained weights are full of tiny values, and losing a few of them is harmless next to rounding the others.
    if !guard && survey.flushed < survey.nonzero && matches!(role, Role::Weight | Role::Bias) {
        return None;
    }
    let worst = decimal(extreme(exact, |x| x != 0.0 && constants::round(x).to_f64() == 0.0, f64::max));
    let advice = if guard {
        "what it guards divides by 0: use --precision mixed, or an epsilon of at least 1e-7"
    } else {
        "use --precision mixed, or scale it up in the source"
    };
    let share = share(survey.flushed, survey.elements);
    Some(format!("{worst} becomes 0 in float16{share}; {advice}"))
}

fn subnormal(role: Role, exact: &Elements, survey: Survey) -> Option<String> {
    if role != Role::Epsilon && survey.subnormal < survey.nonzero {
        return None;
    }
    let worst = extreme(exact, |x| x != 0.0 && x.abs() < MIN_NORMAL, f64::min);
    let stored = decimal(constants::round(worst).to_f64());
    let worst = decimal(worst);
    let share = share(survey.subnormal, survey.elements);
    Some(format!(
        "{worst} is subnormal in float16{share}: it is stored as {stored} and read as 0 where subnormals are \
         flushed; use --precision mixed if that matters"
    ))
}

/// The shortest decimal that names a value: as a float32 where it is one, which is how sources write constants.
pub(crate) fn decimal(x: f64) -> String {
    let single = x as f32;
    if f64::from(single) == x { format!("{single:e}") } else { format!("{x:e}") }
}

fn share(some: usize, all: usize) -> String {
    if all == 1 { String::new() } else { format!(" ({some} of {all} elements)") }
}

/// The matching element whose magnitude wins under `pick`, with its sign.
fn extreme(exact: &Elements, matches: impl Fn(f64) -> bool, pick: fn(f64, f64) -> f64) -> f64 {
    exact
        .iter()
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
