//! Einsum, operand by operand: diagonals are read out, axes that nobody needs any more are summed, and two operands are
//! multiplied as matrices whose rows, columns and inner extents are products of the axes of each kind.

use super::Builder;
use super::scatter::{coordinates, offset, signed};
use halfproof_ir::ops::{Gather, ReduceSum};
use halfproof_ir::{Node, Op, ValueId};

/// An axis of the equation: a letter, or a number from the end for one that an ellipsis stands for.
type Axis = char;

/// A tensor with the axes that it has.
struct Term {
    value: ValueId,
    axes: Vec<Axis>,
}

/// Stands for the n-th axis from the end of an ellipsis.
fn unnamed(n: usize) -> Axis {
    char::from_digit(u32::try_from(n).unwrap_or(u32::MAX), 10).unwrap_or('?')
}

fn axes(term: &str, rank: usize) -> Result<Vec<Axis>, String> {
    let named = term.chars().filter(char::is_ascii_alphabetic).count();
    let dots = term.matches("...").count();
    let rest = rank.checked_sub(named).filter(|&n| n < 10 && (n == 0 || dots == 1));
    let rest = rest.ok_or_else(|| format!("term {term:?} does not fit rank {rank}"))?;
    if term.chars().any(|c| !c.is_ascii_alphabetic() && c != '.') || dots > 1 {
        return Err(format!("term {term:?} is not understood"));
    }
    let filled: String = (0..rest).rev().map(unnamed).collect();
    Ok(term.replacen("...", &filled, 1).chars().collect())
}

pub(super) fn einsum(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Einsum(op) = &node.op else { return Err("it is no Einsum".into()) };
    let operands: Vec<ValueId> = (0..node.inputs.len()).map(|i| b.need(node, i)).collect::<Result<_, _>>()?;
    let shapes = operands.iter().map(|&id| b.shape(id)).collect::<Result<Vec<_>, _>>()?;
    let plan = plan(&op.equation, &shapes)?;
    let mut terms = Vec::new();
    for ((value, axes), shape) in operands.into_iter().zip(plan.terms).zip(shapes) {
        if !b.ty(value)?.dtype.is_float() {
            return Err("operands are not floats".into());
        }
        terms.push(diagonal(b, value, &axes, &shape)?);
    }
    let mut terms = terms.into_iter().collect::<std::collections::VecDeque<_>>();
    let mut product = terms.pop_front().ok_or("there is no operand")?;
    product = summed(b, product, |a| plan.output.contains(&a) || terms.iter().any(|t| t.axes.contains(&a)))?;
    while let Some(next) = terms.pop_front() {
        let kept = |a: Axis| plan.output.contains(&a) || terms.iter().any(|t| t.axes.contains(&a));
        let (left, right) = (&product.axes, &next.axes);
        // Sums over axes of one operand alone come before the product.
        let (in_left, in_right) = (left.clone(), right.clone());
        let product_only = summed(b, product, |a| kept(a) || in_right.contains(&a))?;
        let next = summed(b, next, |a| kept(a) || in_left.contains(&a))?;
        product = multiplied(b, product_only, next, kept, &plan.extents)?;
    }
    // An axis of the result that every operand has with the extent 1 only is there already.
    let perm: Vec<usize> = plan
        .output
        .iter()
        .map(|a| product.axes.iter().position(|p| p == a).ok_or("the result names an unknown axis"))
        .collect::<Result<_, _>>()?;
    Ok(vec![b.transpose(product.value, &perm)?])
}

/// An equation understood.
pub(crate) struct Plan {
    /// The axes of every operand.
    pub(crate) terms: Vec<Vec<Axis>>,
    /// The axes of the result.
    pub(crate) output: Vec<Axis>,
    /// The extent of every axis.
    pub(crate) extents: std::collections::BTreeMap<Axis, usize>,
}

/// Reads an equation for operands of these shapes.
///
/// # Errors
/// When it is not an equation, or does not fit them.
pub(crate) fn plan(equation: &str, shapes: &[Vec<usize>]) -> Result<Plan, String> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match text.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (text.as_str(), None),
    };
    let named: Vec<&str> = left.split(',').collect();
    if named.len() != shapes.len() {
        return Err(format!("the equation has {} terms for {} operands", named.len(), shapes.len()));
    }
    let terms =
        named.iter().zip(shapes).map(|(t, s)| axes(t, s.len())).collect::<Result<Vec<_>, String>>()?;
    let mut extents = std::collections::BTreeMap::new();
    let mut uses = std::collections::BTreeMap::new();
    for (term, shape) in terms.iter().zip(shapes) {
        for (&a, &d) in term.iter().zip(shape) {
            *uses.entry(a).or_insert(0) += 1;
            let held = extents.entry(a).or_insert(d);
            if *held == 1 {
                *held = d;
            } else if d != 1 && d != *held {
                return Err(format!("axis {a} has the extents {held} and {d}"));
            }
        }
    }
    let mut hidden: Vec<Axis> = extents.keys().copied().filter(char::is_ascii_digit).collect();
    hidden.reverse();
    let output: Vec<Axis> = match right {
        Some(right) => {
            let letters = right.chars().filter(char::is_ascii_alphabetic).count();
            let rank = letters + if right.contains("...") { hidden.len() } else { 0 };
            axes(right, rank)?
        }
        None => {
            let once = uses.iter().filter(|(a, n)| a.is_ascii_alphabetic() && **n == 1).map(|(&a, _)| a);
            hidden.iter().copied().chain(once).collect()
        }
    };
    if output.iter().any(|a| !extents.contains_key(a)) {
        return Err("the result names an axis that no operand has".into());
    }
    Ok(Plan { terms, output, extents })
}

/// Reads out the diagonals that repeated names mean.
fn diagonal(b: &mut Builder, value: ValueId, axes: &[Axis], shape: &[usize]) -> Result<Term, String> {
    let mut once: Vec<Axis> = Vec::new();
    axes.iter().for_each(|a| {
        if !once.contains(a) {
            once.push(*a);
        }
    });
    if once.len() == axes.len() {
        return Ok(Term { value, axes: once });
    }
    let extent = |a: &Axis| axes.iter().position(|x| x == a).map_or(1, |i| shape[i]);
    let to: Vec<usize> = once.iter().map(extent).collect();
    let places = (0..to.iter().product()).map(|n| {
        let cell = coordinates(n, &to);
        let from: Vec<usize> =
            axes.iter().map(|a| once.iter().position(|o| o == a).map_or(0, |i| cell[i])).collect();
        signed(offset(&from, shape))
    });
    let places = b.wholes(&to, places.collect());
    let flat = b.reshape(value, &[shape.iter().product()])?;
    Ok(Term { value: b.emit(Gather { axis: 0 }, &[flat, places])?, axes: once })
}

/// Sums over the axes that are not needed.
fn summed(b: &mut Builder, term: Term, needed: impl Fn(Axis) -> bool) -> Result<Term, String> {
    let gone: Vec<usize> = (0..term.axes.len()).filter(|&i| !needed(term.axes[i])).collect();
    if gone.is_empty() {
        return Ok(term);
    }
    let axes = b.ints(&gone);
    let value = b.emit(ReduceSum { keepdims: false, noop_with_empty_axes: false }, &[term.value, axes])?;
    Ok(Term { value, axes: term.axes.into_iter().filter(|&a| needed(a)).collect() })
}

/// One matrix product: axes of both operands are batches when they are kept, the inner extent when they are not.
fn multiplied(
    b: &mut Builder,
    left: Term,
    right: Term,
    kept: impl Fn(Axis) -> bool,
    extents: &std::collections::BTreeMap<Axis, usize>,
) -> Result<Term, String> {
    let shared = |a: &Axis| left.axes.contains(a) && right.axes.contains(a);
    let batch: Vec<Axis> = left.axes.iter().copied().filter(|a| shared(a) && kept(*a)).collect();
    let inner: Vec<Axis> = left.axes.iter().copied().filter(|a| shared(a) && !kept(*a)).collect();
    let rows: Vec<Axis> = left.axes.iter().copied().filter(|a| !shared(a)).collect();
    let columns: Vec<Axis> = right.axes.iter().copied().filter(|a| !shared(a)).collect();
    let size = |list: &[Axis]| list.iter().map(|a| extents[a]).product::<usize>();
    let mut matrix = |term: &Term, order: &[&[Axis]]| -> Result<ValueId, String> {
        let order: Vec<Axis> = order.concat();
        let position = |a: &Axis| term.axes.iter().position(|t| t == a).ok_or("an axis is lost");
        let perm = order.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        let moved = b.transpose(term.value, &perm)?;
        // Extents of 1 that stand for longer ones are repeated.
        let full: Vec<usize> = order.iter().map(|a| extents[a]).collect();
        if b.shape(moved)? == full {
            return Ok(moved);
        }
        let extents = b.ints(&full);
        b.emit(Op::Expand, &[moved, extents])
    };
    let a = matrix(&left, &[&batch, &rows, &inner])?;
    let c = matrix(&right, &[&batch, &inner, &columns])?;
    let a = b.reshape(a, &[size(&batch), size(&rows), size(&inner)])?;
    let c = b.reshape(c, &[size(&batch), size(&inner), size(&columns)])?;
    let y = b.emit(Op::MatMul, &[a, c])?;
    let axes: Vec<Axis> = [batch, rows, columns].concat();
    let shape: Vec<usize> = axes.iter().map(|x| extents[x]).collect();
    Ok(Term { value: b.reshape(y, &shape)?, axes })
}
