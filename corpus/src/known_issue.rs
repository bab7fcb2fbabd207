//! Known issues: faults of other people's systems that are reported and open. A finding that is one of them does not
//! turn a campaign red; one that is no longer seen says so.

use crate::expect::is_system;
use crate::version::Range;
use halfproof_oracle::contract::HalfUnit;
use halfproof_oracle::verdict::{Blame, Class, Numbers, Verdict};
use serde::{Deserialize, Serialize};

/// The contents of `known-issues/SYSTEM/SLUG.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownIssue {
    /// What is wrong, in one line.
    pub title: String,
    /// The system, by its name or by its beginning and a star; alternatives between commas.
    pub system: String,
    /// The versions in which it was seen.
    pub versions: Range,
    /// The processors on which it is seen, by their float16 unit; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<HalfUnit>,
    /// The class of its verdicts.
    pub class: Class,
    /// The blame of its verdicts.
    pub blame: Blame,
    /// The operator of the converted model that its verdicts name; alternatives between commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What the text of its verdicts contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Least and greatest exact result of the worst element; `[nan, nan]` for NaN alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_range: Option<[f64; 2]>,
    /// The same of what the system gives there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_range: Option<[f64; 2]>,
    /// Identifiers of its findings' signatures; where there are any, only those are this issue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
    /// True where no verdict tells it from other faults: it stands for its text and its script, and excuses nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_hand: bool,
    /// The case that shows it, by its name in the corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What a correct system does.
    pub expected: String,
    /// What this one does.
    pub actual: String,
    /// Where it is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// When it was first seen here, as YYYY-MM-DD.
    pub found: String,
    /// After this day, as YYYY-MM-DD, somebody must look again: the entry no longer excuses anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// True when it happens every time: not seeing it then means that it is fixed, and the entry must go.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub strict: bool,
}

fn yes() -> bool {
    true
}

fn is_false(b: &bool) -> bool {
    !*b
}

fn is_true(b: &bool) -> bool {
    *b
}

/// A finding, as far as known issues look at it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// The system.
    pub system: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The verdict's class.
    pub class: Class,
    /// The verdict's blame.
    pub blame: Blame,
    /// The operator of the converted model, where one is named.
    pub operator: Option<&'a str>,
    /// The verdict's text.
    pub text: &'a str,
    /// The identifier of the signature.
    pub signature: &'a str,
    /// The numbers of the worst element.
    pub numbers: Option<&'a Numbers>,
}

impl<'a> Sighting<'a> {
    /// A verdict about a system, without a signature.
    pub fn of(system: &'a str, version: &'a str, verdict: &'a Verdict) -> Sighting<'a> {
        Sighting {
            system,
            version,
            class: verdict.class,
            blame: verdict.blame,
            operator: verdict.place.operator.as_deref(),
            text: &verdict.text,
            signature: "",
            numbers: verdict.numbers.as_ref(),
        }
    }
}

/// True when a range of a known issue, where it has one, holds the number that the finding has.
fn within(range: Option<[f64; 2]>, number: Option<f64>) -> bool {
    match (range, number) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some([low, high]), Some(x)) => {
            (low <= x && x <= high) || (low.is_nan() && high.is_nan() && x.is_nan())
        }
    }
}

/// What not having seen a known issue means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It should have been seen: it is fixed, the file is to be deleted.
    Fixed,
    /// Nothing: it does not happen every time.
    Chance,
    /// Nothing: the system has another version, or the machine another processor, than those it was seen on.
    OtherVersion,
}

impl KnownIssue {
    /// Whether a finding is this issue, on a day given as YYYY-MM-DD.
    pub fn matches(&self, seen: &Sighting<'_>, today: &str) -> bool {
        !self.by_hand
            && !self.has_expired(today)
            && is_system(&self.system, seen.system)
            && self.versions.contains(seen.version)
            && self.is_processor()
            && self.is_class(seen.class)
            && self.blame == seen.blame
            && self.operator.as_deref().is_none_or(|o| o.split(',').any(|o| seen.operator == Some(o.trim())))
            && self.text.as_deref().is_none_or(|t| seen.text.contains(t))
            && within(self.expected_range, seen.numbers.map(|n| n.expected))
            && within(self.actual_range, seen.numbers.map(|n| n.actual))
            && (self.signatures.is_empty() || self.signatures.iter().any(|s| s == seen.signature))
    }

    /// A converter in Python that fails shows an exception: a campaign takes that for a refusal, whatever a person calls it.
    fn is_class(&self, seen: Class) -> bool {
        let raised = self.class == Class::Crash && self.blame == Blame::Converter;
        self.class == seen || (raised && seen == Class::Legalization)
    }

    /// True when this machine has the processor that it is seen on.
    fn is_processor(&self) -> bool {
        self.processor.is_none_or(|p| p == HalfUnit::here())
    }

    /// True from the day after the entry's last, given as YYYY-MM-DD.
    pub fn has_expired(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|last| today > last)
    }

    /// What it means that its case was replayed on this version and the issue was not seen.
    pub fn absence(&self, version: &str) -> Absence {
        if !self.versions.contains(version) || !self.is_processor() {
            Absence::OtherVersion
        } else if self.strict {
            Absence::Fixed
        } else {
            Absence::Chance
        }
    }

    /// Whether the entry makes sense.
    ///
    /// # Errors
    /// The reason, as a fragment.
    pub fn check(&self) -> Result<(), String> {
        if self.class.is_fine() {
            return Err(format!("\"{}\" is no fault, there is nothing to know", self.class));
        }
        for (field, date) in [("found", Some(&self.found)), ("expires", self.expires.as_ref())] {
            if let Some(date) = date
                && !is_date(date)
            {
                return Err(format!("{field} = \"{date}\" is no date; write YYYY-MM-DD"));
            }
        }
        let any = self.operator.is_none() && self.text.is_none() && self.signatures.is_empty();
        if self.by_hand && self.strict {
            return Err("what is found by hand is never seen by a campaign: write strict = false".to_string());
        }
        if any && !self.by_hand {
            return Err("without operator, text or signatures it would excuse every such fault".to_string());
        }
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    let within = |s: &str, max: u8| s.parse::<u8>().is_ok_and(|n| (1..=max).contains(&n));
    matches!(parts[..], [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2) && within(m, 12) && within(d, 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue() -> KnownIssue {
        toml::from_str(
            "title = \"softmax flushes\"\nsystem = \"litert-*\"\nversions = \"<=2.1.6\"\nclass = \"kernel\"\n\
             blame = \"runtime kernel\"\noperator = \"SOFTMAX\"\nexpected = \"2^-13\"\nactual = \"0\"\n\
             found = \"2026-08-20\"\nexpires = \"2027-01-31\"\n",
        )
        .unwrap()
    }

    const SEEN: Sighting<'_> = Sighting {
        system: "litert-xnnpack-fp16",
        version: "2.1.6",
        class: Class::Kernel,
        blame: Blame::Kernel,
        operator: Some("SOFTMAX"),
        text: "outside its one-operator bound",
        signature: "KE-3f2a91",
        numbers: None,
    };

    #[test]
    fn what_is_seen_on_one_processor_excuses_nothing_on_another() {
        let on = |processor| KnownIssue { processor: Some(processor), ..issue() };
        let other = match HalfUnit::here() {
            HalfUnit::Converting => HalfUnit::Computing,
            HalfUnit::Computing => HalfUnit::Converting,
        };
        assert!(on(HalfUnit::here()).matches(&SEEN, "2026-09-01"));
        assert!(!on(other).matches(&SEEN, "2026-09-01"));
        assert_eq!(on(other).absence("2.1.6"), Absence::OtherVersion);
    }

    #[test]
    fn a_finding_is_a_known_issue_only_when_everything_fits() {
        let today = "2026-11-23";
        assert!(issue().matches(&SEEN, today));
        for other in [
            Sighting { system: "interp-f16", ..SEEN },
            Sighting { version: "2.2.0", ..SEEN },
            Sighting { class: Class::Precision, ..SEEN },
            Sighting { blame: Blame::Converter, ..SEEN },
            Sighting { operator: Some("ADD"), ..SEEN },
            Sighting { operator: None, ..SEEN },
        ] {
            assert!(!issue().matches(&other, today), "{other:?}");
        }
        let several = KnownIssue { operator: Some("LOGISTIC, SOFTMAX".into()), ..issue() };
        assert!(several.matches(&SEEN, today));
        assert!(!several.matches(&Sighting { operator: Some("MAX"), ..SEEN }, today));
        assert!(!KnownIssue { by_hand: true, ..issue() }.matches(&SEEN, today));
        let narrow = KnownIssue { signatures: vec!["KE-000000".into()], ..issue() };
        assert!(!narrow.matches(&SEEN, today));
        let narrow = KnownIssue { text: Some("one-operator".into()), ..issue() };
        assert!(narrow.matches(&SEEN, today));
    }

    #[test]
    fn numbers_narrow_an_entry_to_what_was_seen() {
        let numbers = Numbers { expected: 0.0, actual: 3.05e-5, low: 0.0, high: 0.0, ratio: f64::INFINITY };
        let seen = Sighting { numbers: Some(&numbers), ..SEEN };
        let entry = KnownIssue { actual_range: Some([3e-5, 3.1e-5]), ..issue() };
        assert!(entry.matches(&seen, "2026-11-23"));
        assert!(!entry.matches(&SEEN, "2026-11-23"), "without numbers nothing is within");
        let nan = Numbers { actual: f64::NAN, ..numbers };
        assert!(!entry.matches(&Sighting { numbers: Some(&nan), ..SEEN }, "2026-11-23"));
        let entry =
            KnownIssue { actual_range: Some([f64::NAN; 2]), expected_range: Some([0.0; 2]), ..issue() };
        assert!(entry.matches(&Sighting { numbers: Some(&nan), ..SEEN }, "2026-11-23"));
        assert!(!entry.matches(&seen, "2026-11-23"));
    }

    #[test]
    fn the_exception_of_a_converter_is_its_refusal() {
        let crash = KnownIssue { class: Class::Crash, blame: Blame::Converter, ..issue() };
        let seen = Sighting { class: Class::Legalization, blame: Blame::Converter, ..SEEN };
        assert!(crash.matches(&seen, "2026-11-23"));
        assert!(!crash.matches(&Sighting { class: Class::Semantics, ..seen }, "2026-11-23"));
        let refusal = KnownIssue { class: Class::Legalization, ..crash };
        assert!(!refusal.matches(&Sighting { class: Class::Crash, ..seen }, "2026-11-23"));
    }

    #[test]
    fn an_expired_entry_excuses_nothing() {
        assert!(issue().matches(&SEEN, "2027-01-31"));
        assert!(!issue().matches(&SEEN, "2027-02-01"));
    }

    #[test]
    fn not_seeing_a_strict_issue_means_that_it_is_fixed() {
        assert_eq!(issue().absence("2.1.6"), Absence::Fixed);
        assert_eq!(issue().absence("2.2.0"), Absence::OtherVersion);
        assert_eq!(KnownIssue { strict: false, ..issue() }.absence("2.1.6"), Absence::Chance);
    }

    #[test]
    fn an_entry_that_would_excuse_too_much_is_refused() {
        let reason = |issue: KnownIssue| issue.check().unwrap_err();
        assert_eq!(issue().check(), Ok(()));
        assert!(reason(KnownIssue { class: Class::Pass, ..issue() }).contains("is no fault"));
        assert!(reason(KnownIssue { operator: None, ..issue() }).contains("would excuse every such fault"));
        let by_hand = KnownIssue { operator: None, by_hand: true, ..issue() };
        assert_eq!(KnownIssue { strict: false, ..by_hand.clone() }.check(), Ok(()));
        assert!(reason(by_hand).contains("strict = false"));
        for date in ["2026-13-01", "26-01-01", "2026-01-32", "tomorrow", "2026-1-1"] {
            assert!(reason(KnownIssue { found: date.into(), ..issue() }).contains("is no date"), "{date}");
        }
    }
}
