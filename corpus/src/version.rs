//! Versions of systems, and the ranges of them in which a known issue stands.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// A range of versions: comparisons joined by commas, all of which must hold (`>=2.1.0, <2.2`), or `*` for every
/// version. A bare version is the same as `=`.
///
/// Versions are compared part by part, cut at `.`, `-`, `+` and `_`: parts that are numbers as numbers, others as
/// text, and a number after any text. Missing parts count as 0, so that `2.1` and `2.1.0` are one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    text: String,
    bounds: Vec<(Comparison, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

/// A text that is no range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no range of versions; write for example \">=2.1.0, <2.2\" or \"*\"")]
pub struct RangeError(String);

impl Range {
    /// Every version.
    pub fn any() -> Range {
        Range { text: "*".to_string(), bounds: vec![] }
    }

    /// Only this version.
    pub fn exactly(version: &str) -> Range {
        Range { text: format!("={version}"), bounds: vec![(Comparison::Equal, version.to_string())] }
    }

    /// True when the version lies in the range.
    pub fn contains(&self, version: &str) -> bool {
        self.bounds.iter().all(|(comparison, bound)| {
            let order = compare(version, bound);
            match comparison {
                Comparison::Less => order.is_lt(),
                Comparison::AtMost => order.is_le(),
                Comparison::Equal => order.is_eq(),
                Comparison::AtLeast => order.is_ge(),
                Comparison::Greater => order.is_gt(),
            }
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Range {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Range, RangeError> {
        if text.trim() == "*" {
            return Ok(Range::any());
        }
        let bound = |part: &str| {
            let part = part.trim();
            let (comparison, version) = SIGNS
                .iter()
                .find_map(|(sign, c)| part.strip_prefix(sign).map(|rest| (*c, rest.trim())))
                .unwrap_or((Comparison::Equal, part));
            let fits = version.starts_with(|c: char| c.is_ascii_digit())
                && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+_".contains(c));
            fits.then(|| (comparison, version.to_string()))
        };
        match text.split(',').map(bound).collect::<Option<Vec<_>>>() {
            Some(bounds) => Ok(Range { text, bounds }),
            None => Err(RangeError(text)),
        }
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.text
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    let parts = |v: &str| -> Vec<Result<u64, String>> {
        v.split(['.', '-', '+', '_']).map(|p| p.parse().map_err(|_| p.to_string())).collect()
    };
    let (a, b) = (parts(a), parts(b));
    let missing = Ok(0);
    for i in 0..a.len().max(b.len()) {
        let order = match (a.get(i).unwrap_or(&missing), b.get(i).unwrap_or(&missing)) {
            (Ok(x), Ok(y)) => x.cmp(y),
            (Err(x), Err(y)) => x.cmp(y),
            (Ok(_), Err(_)) => Ordering::Greater,
            (Err(_), Ok(_)) => Ordering::Less,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::try_from(text.to_string()).unwrap()
    }

    #[test]
    fn parts_are_compared_as_numbers() {
        assert!(range(">=2.9").contains("2.10.0"));
        assert!(range("=2.1").contains("2.1.0"));
        assert!(range("2.1.6").contains("2.1.6"));
        assert!(!range("<2.1.6").contains("2.1.6"));
        assert!(range(">2.1.6").contains("2.1.6.1"));
    }

    #[test]
    fn text_comes_before_numbers() {
        assert!(range("<2.20.0").contains("2.20.0-dev20260801"));
        assert!(range("<2.20.0-dev2").contains("2.20.0-dev1"));
    }

    #[test]
    fn all_comparisons_of_a_range_must_hold() {
        let r = range(">=2.1.0, <2.2");
        assert!(r.contains("2.1.0") && r.contains("2.1.9") && !r.contains("2.0.9") && !r.contains("2.2.0"));
        assert!(range("*").contains("anything"));
    }

    #[test]
    fn what_is_no_range_says_how_one_looks() {
        for text in ["", ">=", "latest", "2.1,", ">=2.1 <3", "~2"] {
            let error = Range::try_from(text.to_string()).unwrap_err().to_string();
            assert!(error.contains("is no range of versions; write for example"), "{text}");
        }
    }
}
