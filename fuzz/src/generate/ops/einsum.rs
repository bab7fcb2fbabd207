//! Einsum over equations that models have, and some that they do not: transposes, traces, sums, batches, outer products.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::Einsum;
use std::collections::BTreeMap;

const EQUATIONS: &[&str] = &[
    "ij,jk->ik",
    "bij,bjk->bik",
    "bhid,bhjd->bhij",
    "bhij,bhjd->bhid",
    "bihd,bjhd->bhij",
    "ij->ji",
    "ij->i",
    "ij->",
    "i,j->ij",
    "i,i->",
    "ij,ij->ij",
    "ij,kj->ik",
    "bij,kj->bik",
    "ij,i->j",
    "bchw,cd->bdhw",
    "ij,jk,kl->il",
    "...ij,...jk->...ik",
    "...i->...",
    "ij , jk",
];

pub(super) fn einsum(b: &mut Builder<'_>) -> Option<Item> {
    let equation = *b.dna.pick(EQUATIONS);
    let clean: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = clean.split_once("->").unwrap_or((clean.as_str(), "ik"));
    let terms: Vec<&str> = left.split(',').collect();
    // The first operand is computed: its extents are those of the names.
    let dots = terms[0].contains("...");
    let names: Vec<char> = terms[0].chars().filter(char::is_ascii_alphabetic).collect();
    let hidden = if dots { b.dna.below(3) } else { 0 };
    let x = b.float(|i| i.rank() == names.len() + hidden && i.span.radius() < 100.0)?;
    let mut extents: BTreeMap<char, usize> = BTreeMap::new();
    let batch = x.shape[..hidden].to_vec();
    for (&name, &d) in names.iter().zip(&x.shape[hidden..]) {
        if *extents.entry(name).or_insert(d) != d {
            return None;
        }
    }
    let mut operands = vec![x.id];
    let mut span = x.span;
    for term in &terms[1..] {
        let mut shape = if term.contains("...") { batch.clone() } else { vec![] };
        for name in term.chars().filter(char::is_ascii_alphabetic) {
            let d = match extents.get(&name) {
                Some(&d) => d,
                None => b.dna.between(1, 4),
            };
            extents.insert(name, d);
            shape.push(d);
        }
        let held = b.float(|i| i.shape == shape && i.id != x.id && i.span.radius() < 50.0);
        let (id, other) = match held {
            Some(i) if b.dna.chance(1, 2) => (i.id, i.span),
            _ => b.weights(&shape, 0.5),
        };
        operands.push(id);
        span = Span::around_zero(span.radius() * other.radius());
    }
    let mut shape = if right.contains("...") { batch } else { vec![] };
    shape.extend(right.chars().filter(char::is_ascii_alphabetic).map(|c| extents[&c]));
    let summed: usize = extents.iter().filter(|(c, _)| !right.contains(**c)).map(|(_, &d)| d).product();
    let span = Span::around_zero(span.radius() * (summed as f64).sqrt());
    b.emit(Einsum { equation: equation.to_string() }, &operands, DType::F32, shape, span)
}
