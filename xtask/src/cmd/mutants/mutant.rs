//! One change of the code, as cargo-mutants describes it.

use serde::Deserialize;

/// A change.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Mutant {
    /// The file, below the root of the workspace.
    pub(super) file: String,
    /// File, place and change in words.
    pub(super) name: String,
    /// What stands in the place of the span.
    pub(super) replacement: String,
    /// What kind of change it is.
    pub(super) genre: Genre,
    span: Span,
}

/// Kinds of changes, as cargo-mutants calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Genre {
    /// A function that does nothing but give a value.
    FnValue,
    /// Another operator.
    BinaryOperator,
    /// An operator left out.
    UnaryOperator,
    /// An arm left out.
    MatchArm,
    /// A guard that is always, or never, true.
    MatchArmGuard,
    /// A field left out where others fill up the struct.
    StructField,
    /// What later versions have.
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Lines and columns count from 1; a column is a character.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// The byte of the text.
    fn byte(self, text: &str) -> usize {
        let line: usize = text.split_inclusive('\n').take(self.line - 1).map(str::len).sum();
        line + text[line..].chars().take(self.column - 1).map(char::len_utf8).sum::<usize>()
    }
}

impl Mutant {
    /// The place of the change in the file.
    pub(super) fn bytes(&self, text: &str) -> std::ops::Range<usize> {
        self.span.start.byte(text)..self.span.end.byte(text)
    }

    /// The change in words, without its place.
    pub(super) fn change(&self) -> &str {
        self.name.splitn(4, ':').nth(3).map_or("", str::trim_start)
    }

    /// The line of code where the change begins.
    pub(super) fn code<'t>(&self, text: &'t str) -> &'t str {
        text.lines().nth(self.span.start.line - 1).map_or("", str::trim)
    }

    /// The file with the change.
    pub(super) fn applied(&self, text: &str) -> String {
        let place = self.bytes(text);
        format!("{}{} /* changed */{}", &text[..place.start], self.replacement, &text[place.end..])
    }
}

/// A mutant that is nothing but a number.
#[cfg(test)]
pub(super) fn numbered(n: usize) -> Mutant {
    let place = Place { line: 1, column: 1 };
    let span = Span { start: place, end: place };
    let (file, replacement, genre) = (String::new(), String::new(), Genre::Other);
    Mutant { file, name: format!("{n:04}"), replacement, genre, span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_characters_and_is_replaced() {
        let json = r#"{"file": "a.rs", "name": "x", "replacement": "-", "genre": "BinaryOperator",
            "span": {"start": {"line": 2, "column": 7}, "end": {"line": 2, "column": 8}}}"#;
        let mutant: Mutant = serde_json::from_str(json).expect("a mutant");
        assert_eq!(
            mutant.applied("one\n\u{e4} = 1 + 2\nthree\n"),
            "one\n\u{e4} = 1 - /* changed */ 2\nthree\n"
        );
    }
}
