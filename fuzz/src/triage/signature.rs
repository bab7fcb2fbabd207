//! When two findings are one: class, blame, system, operator, pattern of types, and the text without what varies.

use halfproof_oracle::verdict::{Blame, Class, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The key of a group of findings. Equal from night to night for the same bug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// The verdict's class.
    pub class: Class,
    /// The verdict's blame.
    pub blame: Blame,
    /// The system it is about.
    pub system: String,
    /// The operator that it names, if any.
    pub operator: String,
    /// Element type, source operators, precision strategy, or whatever else separates causes.
    pub pattern: String,
    /// The verdict's text without numbers, names and paths.
    pub text: String,
    /// The file of the known issue that the verdict is, if it is one. A new fault may look the same but for its numbers: it must
    /// not hide in the group of a known one.
    #[serde(default)]
    pub known: Option<String>,
}

impl Signature {
    /// The signature of a verdict about a system.
    pub fn of(system: &str, verdict: &Verdict, pattern: &str) -> Signature {
        Signature {
            class: verdict.class,
            blame: verdict.blame,
            system: system.to_string(),
            operator: verdict.place.operator.clone().unwrap_or_default(),
            pattern: pattern.to_string(),
            text: normalise(&verdict.text),
            known: None,
        }
    }

    /// The signature of a wrong lowering, whose pattern names the source operators: one lowering becomes several target
    /// operators, and which of them shows the difference, and as what, depends on the case.
    pub fn of_lowering(self) -> Signature {
        Signature {
            operator: String::new(),
            text: "what is computed is not what the source says".to_string(),
            ..self
        }
    }

    /// What a list of findings says of one whose verdict has this text. A wrong lowering is told from others by the operators of the
    /// source: several of them become RESHAPE or MUL.
    pub fn title(&self, text: &str) -> String {
        let is_lowering = self.class == Class::Semantics && self.operator.is_empty();
        if is_lowering && !self.pattern.is_empty() {
            format!("{}: {text}", self.pattern)
        } else {
            text.to_string()
        }
    }

    /// The signature of a file with FLOAT32 where FLOAT16 was asked for: the judge has other words for it in each strategy.
    pub fn of_single(self) -> Signature {
        Signature { text: "FLOAT# is left where FLOAT# was asked for".to_string(), ..self }
    }

    /// The same signature as that of a known issue.
    pub fn known_as(mut self, file: Option<String>) -> Signature {
        self.known = file;
        self
    }
}

/// All parts in one line, separated by bars: the form that findings store and ids are made from. What is known adds its file at
/// the end.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [self.class.name(), self.blame.name(), &self.system, &self.operator, &self.pattern, &self.text];
        f.write_str(&parts.join(" | "))?;
        self.known.as_ref().map_or(Ok(()), |file| write!(f, " | known as {file}"))
    }
}

/// Removes from an error text what varies between two sightings of one bug: numbers, quoted names, SSA names, paths,
/// bracketed shapes, and repeated blanks.
pub fn normalise(text: &str) -> String {
    reduced(text, false)
}

/// The same for people: names of element types stay whole. Signatures cut their second digit off (FLOAT1#), and keep doing so,
/// because ids are made from them.
pub fn shown(text: &str) -> String {
    reduced(text, true)
}

fn reduced(text: &str, whole_types: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // 'name' and "name"; an apostrophe inside a word is not a quote.
            '"' | '\'' | '`' if c != '\'' || !out.ends_with(|p: char| p.is_alphanumeric()) => {
                let mut inner = String::new();
                for d in chars.by_ref() {
                    if d == c {
                        break;
                    }
                    inner.push(d);
                }
                // Operators of dialects are part of the cause: 'tfl.transpose'.
                let is_operator = inner.contains('.')
                    && inner.chars().all(|d| d.is_ascii_alphanumeric() || ".:_".contains(d))
                    && !inner.starts_with('.');
                // The number of a layer is not: "tf.reshape_373".
                let bare = inner.trim_end_matches(|d: char| d.is_ascii_digit());
                let name = bare.strip_suffix('_').filter(|_| bare.len() < inner.len()).unwrap_or(&inner);
                out.push_str(if is_operator { name } else { "_" });
            }
            '%' => {
                while chars.next_if(|d| d.is_alphanumeric() || "_:#.".contains(*d)).is_some() {}
                out.push('%');
            }
            '/' if chars.peek().is_some_and(|d| d.is_alphanumeric()) => {
                while chars.next_if(|d| !d.is_whitespace() && !":,;)".contains(*d)).is_some() {}
                out.push_str("/…");
            }
            '0'..='9' if whole_types && ends_with_type(&out) => {
                out.push(c);
                while let Some(d) = chars.next_if(char::is_ascii_digit) {
                    out.push(d);
                }
            }
            '0'..='9' if !out.ends_with(|p: char| p.is_alphabetic() || p == '_') => {
                while chars.next_if(|d| d.is_ascii_digit() || *d == '.').is_some() {}
                out.push('#');
            }
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    // Shapes of any rank are one shape.
    let mut text = out;
    for shape in ["#, #", "#x#", "#,#", "# #"] {
        while text.contains(shape) {
            text = text.replace(shape, "#");
        }
    }
    arrays(text.trim())
}

/// True where the number behind this text is that of an element type: FLOAT16, uint8, bf16.
fn ends_with_type(text: &str) -> bool {
    let start = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    ["float", "bfloat", "int", "uint", "complex", "f", "bf", "i", "u"]
        .iter()
        .any(|name| text[start..].eq_ignore_ascii_case(name))
}

/// The elements of an array are numbers like others, however many there are, and wherever the line ends.
fn arrays(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        let is_inside = |c: char| "[]#-+., e".contains(c);
        let end = rest[at..].find(|c| !is_inside(c)).map_or(rest.len(), |n| at + n);
        // What follows the last bracket is not the array's.
        let inside = &rest[at..end];
        let array = inside.rfind(']').map_or(inside, |n| &inside[..=n]);
        out.push_str(if array.contains('#') { "[#]" } else { array });
        rest = &rest[at + array.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_oracle::verdict::Strength;

    #[test]
    fn a_title_names_the_operators_of_the_source_whose_lowering_is_wrong() {
        let verdict = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, "MUL is wrong");
        let lowering = Signature::of("onnx2tf", &verdict, "ScatterND").of_lowering();
        assert_eq!(lowering.title(&verdict.text), "ScatterND: MUL is wrong");
        let kernel = Verdict::new(Class::Kernel, Blame::Kernel, Strength::Certified, "MUL is wrong");
        assert_eq!(Signature::of("litert-xnnpack", &kernel, "f16").title(&kernel.text), "MUL is wrong");
    }

    #[test]
    fn numbers_names_paths_and_shapes_vanish() {
        let a = normalise(
            "Node number 3 (CONV_2D) failed to prepare at /tmp/x1/conv.cc:378, shape [1, 3, 224, 224] vs \"v1_0\"",
        );
        let b = normalise(
            "Node number 17 (CONV_2D) failed to prepare at /opt/y/conv.cc:378, shape [2, 8, 8] vs \"v9_2\"",
        );
        assert_eq!(a, b);
        assert!(a.contains("CONV_2D"), "{a}");
    }

    #[test]
    fn the_operator_of_a_legalization_error_stays() {
        let a = normalise(
            "failed to legalize operation 'tfl.transpose' that was explicitly marked illegal %12:3 = x",
        );
        assert!(a.contains("tfl.transpose"), "{a}");
        assert_ne!(
            a,
            normalise("failed to legalize operation 'tfl.pad' that was explicitly marked illegal %1:3 = x")
        );
    }

    #[test]
    fn the_number_of_a_layer_vanishes_and_that_of_an_operator_stays() {
        assert_eq!(normalise("layer \"tf.math.add_n_19\""), normalise("layer \"tf.math.add_n_9\""));
        assert_eq!(normalise("'tfl.conv_2d' op"), "tfl.conv_2d op");
        assert_eq!(normalise("'tf.Atan2' op"), "tf.Atan2 op");
    }

    #[test]
    fn an_array_is_one_whatever_it_holds_and_where_the_line_ends() {
        let whole = normalise("Tensor [[-1. 0.5]\n [1e-3 2.]] has 4 elements");
        assert_eq!(whole, "Tensor [#] has # elements");
        assert_eq!(normalise("Tensor [[[ 0.25 -0.32"), normalise("Tensor [-2. ]"));
        assert_eq!(normalise("a[b] and [Op:ReverseV2] in [1,2]"), "a[b] and [Op:ReverseV2] in [#]");
    }

    #[test]
    fn people_read_whole_types_and_signatures_stay_as_they_were() {
        let text = "'tfl.cast' does not take FLOAT16 (only float32, uint8 and int16), input 12 of print16";
        assert_eq!(
            shown(text),
            "tfl.cast does not take FLOAT16 (only float32, uint8 and int16), input # of print1#"
        );
        assert_eq!(
            normalise(text),
            "tfl.cast does not take FLOAT1# (only float3#, uint8 and int1#), input # of print1#"
        );
    }

    #[test]
    fn an_apostrophe_is_not_a_quote() {
        assert_eq!(normalise("doesn't fit and isn't 3"), "doesn't fit and isn't #");
    }

    #[test]
    fn numbers_do_not_separate_findings_but_patterns_do() {
        let v = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, "output 3 differs");
        let w = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, "output 5 differs");
        assert_eq!(Signature::of("in-tree", &v, "full"), Signature::of("in-tree", &w, "full"));
        assert_ne!(Signature::of("in-tree", &v, "full"), Signature::of("in-tree", &v, "weights"));
        assert_eq!(
            Signature::of("in-tree", &v, "full").to_string(),
            "semantics | converter | in-tree |  | full | output # differs"
        );
    }

    #[test]
    fn the_lowering_of_one_operator_is_one_finding_whatever_shows_it() {
        let verdict = |operator: &str, text: &str| {
            let mut v = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, text);
            v.place.operator = Some(operator.to_string());
            v
        };
        let (a, b) = (verdict("CONV_2D", "CONV_2D differs"), verdict("TRANSPOSE", "another shape"));
        let of = |v, pattern| Signature::of("in-tree", v, pattern).of_lowering();
        assert_eq!(of(&a, "Conv"), of(&b, "Conv"));
        assert_ne!(of(&a, "Conv"), of(&b, "Gather"));
    }

    #[test]
    fn float32_that_is_left_is_one_finding_whatever_the_strategy_calls_it() {
        let of = |text: &str| {
            let v = Verdict::new(Class::Impure, Blame::Converter, Strength::Certified, text);
            Signature::of("in-tree", &v, "").of_single()
        };
        assert_eq!(of("a constant was not narrowed"), of("a tensor stayed FLOAT32"));
    }

    #[test]
    fn a_known_issue_and_a_new_fault_of_the_same_form_are_two_groups() {
        let v = Verdict::new(Class::Kernel, Blame::Kernel, Strength::Certified, "output 3 differs");
        let new = Signature::of("litert-xnnpack", &v, "full");
        let known = new.clone().known_as(Some("litert/a.toml".into()));
        assert_ne!(new, known);
        assert_eq!(known.to_string(), format!("{new} | known as litert/a.toml"));
    }
}
