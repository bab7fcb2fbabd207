//! What a case says about verdicts, and whether a verdict agrees.

use halfproof_ir::Precision;
use halfproof_oracle::verdict::{Blame, Class, Verdict};
use serde::{Deserialize, Serialize};

/// Under which circumstances a verdict was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The converter that made the model.
    pub converter: &'a str,
    /// The converter or runtime that the verdict is about.
    pub system: &'a str,
    /// The float16 strategy of the conversion.
    pub precision: Precision,
    /// The name of the input set; `None` for verdicts that need no run.
    pub inputs: Option<&'a str>,
}

/// One `[[expect]]` of a case: where it applies, and what the verdict must be there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The converters whose models it is about, by pattern as for systems; every one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter: Option<String>,
    /// The system, by its name or by its beginning and a star (`litert-*`); every system where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The strategy; every one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The input set; every one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// The classes that agree; never empty.
    pub class: Vec<Class>,
    /// The blame, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
    /// The operator of the converted model that must be named, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why this is right, for the reader.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
}

impl Expectation {
    /// True when this expectation says something about verdicts of that setting.
    pub fn applies(&self, setting: &Setting<'_>) -> bool {
        self.converter.as_deref().is_none_or(|pattern| is_system(pattern, setting.converter))
            && self.system.as_deref().is_none_or(|pattern| is_system(pattern, setting.system))
            && self.precision.is_none_or(|p| p == setting.precision)
            && self.inputs.as_deref().is_none_or(|i| setting.inputs.is_none_or(|other| i == other))
    }

    /// True when the verdict is what was expected.
    pub fn agrees(&self, verdict: &Verdict) -> bool {
        self.class.contains(&verdict.class)
            && self.blame.is_none_or(|b| b == verdict.blame)
            && self.operator.as_ref().is_none_or(|o| verdict.place.operator.as_ref() == Some(o))
    }
}

/// True when a pattern of an expectation or known issue names the system: alternatives between commas, each a name or its
/// beginning and a star. Both fronts of LiteRT have the same kernels: what names a mode of one names it of the other.
pub(crate) fn is_system(pattern: &str, system: &str) -> bool {
    let is_named = |one: &str, system: &str| match one.strip_suffix('*') {
        Some(start) => system.starts_with(start),
        None => system == one,
    };
    let names: Vec<&str> =
        [Some(system), system.strip_suffix("-interpreter")].into_iter().flatten().collect();
    pattern.split(',').any(|one| names.iter().any(|name| is_named(one.trim(), name)))
}

/// Whether a verdict agrees with what a case expects. The first expectation that applies decides; where none does,
/// no fault is expected.
pub fn agrees(expectations: &[Expectation], setting: &Setting<'_>, verdict: &Verdict) -> bool {
    match expectations.iter().find(|e| e.applies(setting)) {
        Some(expectation) => expectation.agrees(verdict),
        None => verdict.class.is_fine(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_oracle::verdict::Strength;

    fn setting(system: &str) -> Setting<'_> {
        Setting { converter: "in-tree", system, precision: Precision::Full, inputs: Some("gaussian") }
    }

    fn verdict(class: Class, blame: Blame) -> Verdict {
        Verdict::new(class, blame, Strength::Certified, "text")
    }

    #[test]
    fn without_an_expectation_no_fault_is_expected() {
        assert!(agrees(&[], &setting("interp-f16"), &verdict(Class::Explained, Blame::Explained)));
        assert!(!agrees(&[], &setting("interp-f16"), &verdict(Class::Kernel, Blame::Kernel)));
    }

    #[test]
    fn a_pattern_names_systems_by_beginnings_alternatives_and_either_front() {
        assert!(is_system("litert-reference, litert-builtin*", "litert-builtin"));
        assert!(!is_system("litert-reference, litert-builtin*", "litert-xnnpack"));
        assert!(is_system("litert-xnnpack", "litert-xnnpack-interpreter"));
        assert!(!is_system("litert-xnnpack", "litert-xnnpack-fp16"));
        assert!(!is_system("litert-xnnpack-interpreter", "litert-xnnpack"));
    }

    #[test]
    fn the_first_expectation_that_applies_decides() {
        let kernel = Expectation {
            system: Some("litert-*".into()),
            class: vec![Class::Kernel],
            blame: Some(Blame::Kernel),
            ..Expectation::default()
        };
        let rest = Expectation { class: vec![Class::Pass], ..Expectation::default() };
        let both = [kernel, rest];
        let bad = verdict(Class::Kernel, Blame::Kernel);
        assert!(agrees(&both, &setting("litert-xnnpack"), &bad));
        assert!(!agrees(&both, &setting("litert-xnnpack"), &verdict(Class::Pass, Blame::Nobody)));
        assert!(!agrees(&both, &setting("interp-f16"), &bad));
        assert!(agrees(&both, &setting("interp-f16"), &verdict(Class::Pass, Blame::Nobody)));
    }

    #[test]
    fn what_one_converter_does_with_a_program_is_expected_of_its_models_alone() {
        let ours = Expectation {
            converter: Some("in-tree".into()),
            class: vec![Class::Nonfinite],
            ..Expectation::default()
        };
        assert!(ours.applies(&setting("x")));
        assert!(!ours.applies(&Setting { converter: "tensorflow", ..setting("x") }));
        let theirs = Expectation { converter: Some("tensorflow, onnx2tf*".into()), ..ours };
        assert!(theirs.applies(&Setting { converter: "onnx2tf-direct", ..setting("x") }));
        assert!(!theirs.applies(&setting("x")));
    }

    #[test]
    fn blame_operator_strategy_and_inputs_narrow_an_expectation() {
        let e = Expectation {
            precision: Some(Precision::Full),
            inputs: Some("edges".into()),
            class: vec![Class::Nonfinite],
            blame: Some(Blame::Policy),
            operator: Some("ADD".into()),
            ..Expectation::default()
        };
        assert!(!e.applies(&setting("x")));
        assert!(e.applies(&Setting { inputs: Some("edges"), ..setting("x") }));
        assert!(e.applies(&Setting { inputs: None, ..setting("x") }));
        assert!(!e.applies(&Setting { inputs: None, precision: Precision::Mixed, ..setting("x") }));
        let mut v = verdict(Class::Nonfinite, Blame::Policy);
        assert!(!e.agrees(&v));
        v.place.operator = Some("ADD".into());
        assert!(e.agrees(&v));
        v.blame = Blame::Converter;
        assert!(!e.agrees(&v));
    }
}
