//! Words of printed texts.

use std::fmt::Display;

/// A number of things: "1 test", "2 tests".
pub(crate) fn counted(n: impl Display, noun: &str) -> String {
    let n = n.to_string();
    let plural = if n == "1" { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_thing_is_no_plural() {
        let texts = [counted(0, "test"), counted(1u64, "test"), counted(12usize, "test")];
        assert_eq!(texts, ["0 tests", "1 test", "12 tests"]);
    }
}
