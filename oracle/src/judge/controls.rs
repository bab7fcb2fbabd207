//! The four controls of a finding: what already fails without float16 is not a float16 finding.

use crate::verdict::{Blame, Class};

/// One more run of the case, with one thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// The converted model in float32 against the source in float32.
    Float32,
    /// The same model without the delegate.
    NoDelegate,
    /// float16 constants, float32 arithmetic.
    HalfWeights,
    /// float16 constants and arithmetic.
    HalfExecution,
}

impl Control {
    /// All controls, in the order of reports.
    pub const ALL: [Control; 4] =
        [Control::Float32, Control::NoDelegate, Control::HalfWeights, Control::HalfExecution];

    /// The words of the report line.
    pub fn name(self) -> &'static str {
        match self {
            Control::Float32 => "fp32",
            Control::NoDelegate => "no delegate",
            Control::HalfWeights => "fp16 weights",
            Control::HalfExecution => "fp16 execution",
        }
    }
}

/// The controls of one finding; `None` for those that were not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// See [`Control::Float32`].
    pub float32: Option<Class>,
    /// See [`Control::NoDelegate`].
    pub no_delegate: Option<Class>,
    /// See [`Control::HalfWeights`].
    pub half_weights: Option<Class>,
    /// See [`Control::HalfExecution`].
    pub half_execution: Option<Class>,
}

impl Controls {
    /// The outcome of one control.
    pub fn get(&self, control: Control) -> Option<Class> {
        match control {
            Control::Float32 => self.float32,
            Control::NoDelegate => self.no_delegate,
            Control::HalfWeights => self.half_weights,
            Control::HalfExecution => self.half_execution,
        }
    }

    /// Who is to blame, as far as the controls tell: the first that fails, from the least float16 to the most. `None`
    /// when nothing fails.
    pub fn blame(&self) -> Option<Blame> {
        let fails = |c: Option<Class>| c.is_some_and(|c| !c.is_fine());
        if fails(self.float32) {
            // Wrong before any float16: the conversion, unless only the delegate is.
            let only_delegate = self.no_delegate.is_some_and(Class::is_fine);
            return Some(if only_delegate { Blame::Kernel } else { Blame::Converter });
        }
        if fails(self.half_weights) {
            return Some(Blame::Converter);
        }
        match self.half_execution {
            Some(Class::Nonfinite) => Some(Blame::Policy),
            class if fails(class) => Some(Blame::Kernel),
            _ => None,
        }
    }

    /// True when the finding needs float16: neither the float32 run nor the one without delegate fails.
    pub fn is_about_float16(&self) -> bool {
        let clean = |c: Option<Class>| c.is_none_or(Class::is_fine);
        clean(self.float32) && clean(self.no_delegate)
    }

    /// The report line: `fp32 ok · no delegate ok · fp16 weights ok · fp16 execution FAILS`.
    pub fn line(&self) -> String {
        let word = |c: Option<Class>| match c {
            None => "not run",
            Some(c) if c.is_fine() => "ok",
            Some(_) => "FAILS",
        };
        let parts: Vec<String> =
            Control::ALL.iter().map(|&c| format!("{} {}", c.name(), word(self.get(c)))).collect();
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_in_float32_is_no_float16_finding() {
        let controls =
            Controls { float32: Some(Class::Kernel), no_delegate: Some(Class::Pass), ..Controls::default() };
        assert!(!controls.is_about_float16());
        assert_eq!(controls.blame(), Some(Blame::Kernel));
        assert_eq!(
            controls.line(),
            "fp32 FAILS · no delegate ok · fp16 weights not run · fp16 execution not run"
        );
    }

    #[test]
    fn an_overflow_in_float16_execution_alone_is_the_policys() {
        let controls = Controls {
            float32: Some(Class::Pass),
            no_delegate: Some(Class::Pass),
            half_weights: Some(Class::Explained),
            half_execution: Some(Class::Nonfinite),
        };
        assert!(controls.is_about_float16());
        assert_eq!(controls.blame(), Some(Blame::Policy));
    }
}
