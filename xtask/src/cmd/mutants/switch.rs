//! Puts many mutants into one text, each behind a switch that is thrown when the program runs: one build serves all of them.
//!
//! `a + b` with the mutants 7 and 8 becomes `(if on(7) { (a) - (b) } else if on(8) { (a) * (b) } else { a + b })`, and what
//! stands inside `a` and `b` is switched in turn in the last branch only: one mutant at a time is thrown.
//! A mutant that does not fit this form, or does not compile in it, is left to be built by itself.

use super::mutant::{Genre, Mutant};
use proc_macro2::Span;
use std::collections::BTreeMap;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The function that every switch calls, for the root of the crate.
pub(super) const MODULE: &str = "
/// Which mutant is thrown.
pub(crate) mod mutated {
    static THROWN: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var(\"HALFPROOF_MUTANT\").ok()?.parse().ok());
    pub(crate) fn on(mutant: usize) -> bool {
        *THROWN == Some(mutant)
    }
}
";

/// The variable that names the mutant to throw.
pub(super) const VARIABLE: &str = "HALFPROOF_MUTANT";

/// A text with switches.
#[derive(Debug)]
pub(super) struct Switched {
    /// The text.
    pub(super) text: String,
    /// Stretches of it and the mutants that stand there.
    stretches: Vec<(Range<usize>, Vec<usize>)>,
}

impl Switched {
    /// The mutants of the smallest stretch around a place of the text.
    pub(super) fn at(&self, byte: usize) -> &[usize] {
        let around = self.stretches.iter().filter(|(r, _)| r.contains(&byte));
        around.min_by_key(|(r, _)| r.len()).map_or(&[], |(_, ids)| ids)
    }

    /// Every mutant that the text holds.
    pub(super) fn all(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.stretches.iter().flat_map(|(_, ids)| ids).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The text with a switch for each of the mutants that it can have one for.
pub(super) fn switched(text: &str, mutants: &[(usize, &Mutant)]) -> Result<Switched, syn::Error> {
    let mut sites = Sites { text, ..Sites::default() };
    sites.visit_file(&syn::parse_file(text)?);
    let mut all: BTreeMap<Key, Vec<(usize, String)>> = BTreeMap::new();
    for &(id, mutant) in mutants {
        if let Some((key, instead)) = sites.place(text, mutant) {
            all.entry(key).or_default().push((id, instead));
        }
    }
    let all: Vec<(Key, Vec<(usize, String)>)> = all.into_iter().collect();
    let mut writer = Writer { text, out: String::with_capacity(2 * text.len()), stretches: vec![] };
    writer.write(0..text.len(), &all);
    Ok(Switched { text: writer.out, stretches: writer.stretches })
}

/// Where a switch stands. Sorted so that what is outside, or before, comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    from: usize,
    form: Form,
    to: std::cmp::Reverse<usize>,
}

/// How a switch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Before the statements of a body: leaves the function.
    Leave,
    /// Behind the pattern of an arm without a guard.
    Guard,
    /// Around the guard of an arm.
    Guarded,
    /// Around an expression.
    Choice,
}

/// An expression and the parts of it that alternatives are made of.
type Parts = (Range<usize>, Range<usize>, Range<usize>);

/// Everything in a file that a mutant may be about, by the byte where cargo-mutants says that it begins.
#[derive(Default)]
struct Sites<'t> {
    text: &'t str,
    binary: BTreeMap<usize, Parts>,
    unary: BTreeMap<usize, (Range<usize>, Range<usize>)>,
    /// The end of the pattern, and the guard.
    arms: BTreeMap<usize, (usize, Option<Range<usize>>)>,
    guards: BTreeMap<usize, Range<usize>>,
    /// The value of a field, and the same field of what fills up the struct.
    fields: BTreeMap<usize, (Range<usize>, String)>,
    /// Bodies whose type only their value says: to leave one early would say another.
    opaque: Vec<Range<usize>>,
}

fn is_opaque(signature: &syn::Signature) -> bool {
    matches!(&signature.output, syn::ReturnType::Type(_, ty) if matches!(**ty, syn::Type::ImplTrait(_)))
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range()
}

/// True for a condition with a `let`, which is no value.
fn binds(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(b) => binds(&b.left) || binds(&b.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Sites<'_> {
    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.opaque.extend(is_opaque(&f.sig).then(|| bytes(f.block.span())));
        visit::visit_item_fn(self, f);
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.opaque.extend(is_opaque(&f.sig).then(|| bytes(f.block.span())));
        visit::visit_impl_item_fn(self, f);
    }

    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        if !binds(&e.left) && !binds(&e.right) {
            let parts = (bytes(e.span()), bytes(e.left.span()), bytes(e.right.span()));
            self.binary.insert(bytes(e.op.span()).start, parts);
        }
        visit::visit_expr_binary(self, e);
    }

    fn visit_expr_unary(&mut self, e: &'ast syn::ExprUnary) {
        self.unary.insert(bytes(e.op.span()).start, (bytes(e.span()), bytes(e.expr.span())));
        visit::visit_expr_unary(self, e);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let guard = arm.guard.as_ref().filter(|(_, g)| !binds(g)).map(|(_, g)| bytes(g.span()));
        if let Some(guard) = &guard {
            self.guards.insert(guard.start, guard.clone());
        }
        if arm.guard.is_some() == guard.is_some() {
            self.arms.insert(bytes(arm.span()).start, (bytes(arm.pat.span()).end, guard));
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, e: &'ast syn::ExprStruct) {
        if let Some(rest) = &e.rest {
            for field in e.fields.iter().filter(|f| f.colon_token.is_some()) {
                let rest = &self.text[bytes(rest.span())];
                let rest = match rest {
                    "Default::default()" => {
                        format!("<{} as Default>::default()", &self.text[bytes(e.path.span())])
                    }
                    rest => format!("({rest})"),
                };
                let member = &self.text[bytes(field.member.span())];
                let place = (bytes(field.expr.span()), format!("{rest}.{member}"));
                self.fields.insert(bytes(field.span()).start, place);
            }
        }
        visit::visit_expr_struct(self, e);
    }
}

impl Sites<'_> {
    /// Where a mutant's switch stands, and what is computed when it is thrown.
    fn place(&self, text: &str, mutant: &Mutant) -> Option<(Key, String)> {
        let span = mutant.bytes(text);
        let key =
            |form, range: Range<usize>| Key { from: range.start, form, to: std::cmp::Reverse(range.end) };
        let point = |form, at| key(form, at..at);
        match mutant.genre {
            Genre::FnValue if self.opaque.iter().any(|body| body.contains(&span.start)) => None,
            Genre::FnValue => Some((point(Form::Leave, span.start), mutant.replacement.clone())),
            Genre::BinaryOperator => {
                let (whole, left, right) = self.binary.get(&span.start)?;
                let (left, right) = (&text[left.clone()], &text[right.clone()]);
                let instead = format!("({left}) {} ({right})", mutant.replacement);
                Some((key(Form::Choice, whole.clone()), instead))
            }
            Genre::UnaryOperator => {
                let (whole, operand) = self.unary.get(&span.start)?;
                Some((key(Form::Choice, whole.clone()), text[operand.clone()].to_string()))
            }
            Genre::MatchArmGuard => {
                let guard = self.guards.get(&span.start)?;
                Some((key(Form::Choice, guard.clone()), mutant.replacement.clone()))
            }
            Genre::MatchArm => match self.arms.get(&span.start)? {
                (_, Some(guard)) => Some((key(Form::Guarded, guard.clone()), String::new())),
                (end, None) => Some((point(Form::Guard, *end), String::new())),
            },
            Genre::StructField => {
                let (value, instead) = self.fields.get(&span.start)?;
                Some((key(Form::Choice, value.clone()), instead.clone()))
            }
            Genre::Other => None,
        }
    }
}

struct Writer<'t> {
    text: &'t str,
    out: String,
    stretches: Vec<(Range<usize>, Vec<usize>)>,
}

impl Writer<'_> {
    /// Writes a stretch of the text with the switches that stand in it.
    fn write(&mut self, range: Range<usize>, mut switches: &[(Key, Vec<(usize, String)>)]) {
        let mut at = range.start;
        while let Some(((key, alternatives), rest)) = switches.split_first() {
            let end = key.to.0;
            let inside = rest.iter().take_while(|(k, _)| k.from < end).count();
            let (inner, rest) = rest.split_at(inside);
            self.out.push_str(&self.text[at..key.from]);
            let begin = self.out.len();
            self.switch(*key, alternatives, inner);
            let ids = alternatives.iter().map(|(id, _)| *id).collect();
            self.stretches.push((begin..self.out.len(), ids));
            (at, switches) = (end, rest);
        }
        self.out.push_str(&self.text[at..range.end]);
    }

    fn switch(&mut self, key: Key, alternatives: &[(usize, String)], inner: &[(Key, Vec<(usize, String)>)]) {
        let range = key.from..key.to.0;
        match key.form {
            Form::Leave => {
                for (id, value) in alternatives {
                    let value = format!("if crate::mutated::on({id}) {{ return {value}; }}\n");
                    self.alternative(*id, &value);
                }
            }
            Form::Guard => self.out.push_str(&format!(" if {}", off(alternatives))),
            Form::Guarded => {
                self.out.push_str(&format!("{} && (", off(alternatives)));
                self.write(range, inner);
                self.out.push(')');
            }
            Form::Choice => {
                self.out.push('(');
                for (id, value) in alternatives {
                    self.alternative(*id, &format!("if crate::mutated::on({id}) {{ {value} }} else "));
                }
                self.out.push_str("{ ");
                self.write(range, inner);
                self.out.push_str(" })");
            }
        }
    }

    fn alternative(&mut self, id: usize, words: &str) {
        let begin = self.out.len();
        self.out.push_str(words);
        self.stretches.push((begin..self.out.len(), vec![id]));
    }
}

/// The condition under which none of them is thrown.
fn off(alternatives: &[(usize, String)]) -> String {
    let each: Vec<String> = alternatives.iter().map(|(id, _)| format!("!crate::mutated::on({id})")).collect();
    each.join(" && ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn f(a: u8, b: bool) -> u8 {
    let \u{e4} = !b && a + 1 > 2;
    match a {
        1 if \u{e4} => 5 - a,
        2 => S { x: 3, ..Default::default() }.x,
        _ => a,
    }
}
";

    /// A mutant of the text that stands in the place of `what`, as cargo-mutants describes it.
    fn mutant(genre: &str, what: &str, replacement: &str) -> Mutant {
        let at = TEXT.find(what).expect("it is in the text");
        let place = |byte: usize| {
            let before = &TEXT[..byte];
            let line = before.rsplit('\n').next().unwrap_or_default();
            serde_json::json!({"line": before.matches('\n').count() + 1, "column": line.chars().count() + 1})
        };
        let span = serde_json::json!({"start": place(at), "end": place(at + what.len())});
        let json = serde_json::json!({"file": "a.rs", "name": what, "replacement": replacement,
            "genre": genre, "span": span});
        serde_json::from_value(json).expect("a mutant")
    }

    #[test]
    fn every_form_of_mutant_gets_a_switch_that_parses_and_knows_its_place() {
        let mutants = [
            mutant("FnValue", "let \u{e4}", "0"),
            mutant("BinaryOperator", "&&", "||"),
            mutant("BinaryOperator", "+ 1", "-"),
            mutant("BinaryOperator", "> 2", "=="),
            mutant("UnaryOperator", "!b", ""),
            mutant("MatchArmGuard", "\u{e4} =>", "true"),
            mutant("MatchArm", "1 if", ""),
            mutant("BinaryOperator", "- a", "/"),
            mutant("MatchArm", "2 =>", ""),
            mutant("StructField", "x: 3", ""),
        ];
        let numbered: Vec<(usize, &Mutant)> = mutants.iter().enumerate().collect();
        let switched = switched(TEXT, &numbered).expect("it parses");
        assert_eq!(switched.all(), (0..mutants.len()).collect::<Vec<_>>());
        syn::parse_file(&switched.text).expect("it still parses");
        let flat = switched.text.replace("crate::mutated::", "");
        for piece in [
            "if on(0) { return 0; }\nlet \u{e4} = (if on(1) { (!b) || (a + 1 > 2) } else { ",
            "{ (if on(4) { b } else { !b }) && (if on(3) { (a + 1) == (2) } else { ",
            "{ (if on(2) { (a) - (1) } else { a + 1 }) > 2 }) });",
            "1 if !on(6) && ((if on(5) { true } else { \u{e4} })) => (if on(7) { (5) / (a) } else { 5 - a }),",
            "2 if !on(8) => S { x: (if on(9) { <S as Default>::default().x } else { 3 }), ..Default",
        ] {
            assert!(flat.contains(piece), "{piece}\n{flat}");
        }
        let inside = switched.text.find("(a) - (1)").expect("it is there");
        assert_eq!(switched.at(inside), [2]);
        assert_eq!(switched.at(0), [0_usize; 0]);
    }

    #[test]
    fn a_condition_that_binds_is_left_alone() {
        let text = "fn f(a: Option<u8>) -> bool { if let Some(x) = a && x > 1 { true } else { false } }";
        let at = text.find("&&").expect("it is there") + 1;
        let span =
            serde_json::json!({"start": {"line": 1, "column": at}, "end": {"line": 1, "column": at + 2}});
        let json = serde_json::json!({"file": "a.rs", "name": "n", "replacement": "||",
            "genre": "BinaryOperator", "span": span});
        let mutant: Mutant = serde_json::from_value(json).expect("a mutant");
        let switched = switched(text, &[(0, &mutant)]).expect("it parses");
        assert_eq!(switched.text, text);
        assert!(switched.all().is_empty());
    }
    #[test]
    fn a_function_whose_value_says_its_type_is_not_left_early() {
        for (result, all) in [("impl Iterator<Item = u8>", 0), ("Empty<u8>", 1)] {
            let text = format!("fn f() -> {result} {{ empty() }}");
            let at = text.find("empty()").expect("it is there") + 1;
            let place = |column: usize| serde_json::json!({"line": 1, "column": column});
            let json = serde_json::json!({"file": "a.rs", "name": "n", "replacement": "::std::iter::empty()",
                "genre": "FnValue", "span": {"start": place(at), "end": place(at + 7)}});
            let mutant: Mutant = serde_json::from_value(json).expect("a mutant");
            assert_eq!(switched(&text, &[(0, &mutant)]).expect("it parses").all().len(), all, "{result}");
        }
    }
}
