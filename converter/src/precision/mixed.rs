//! The `mixed` strategy: float16 everywhere except where it would not hold the values or LiteRT could not run it.

use super::islands::{self, Uses};
use super::plan::{Readers, Rounded, is_narrowable, loses};
use super::ranges::{self, Observed, Ranges};
use super::{epsilons, kernels, logarithms, masks};
use crate::constants::MIN_NORMAL;
use crate::lint::{decimal, source};
use crate::target::{Target, TargetOperator, TensorId};
use halfproof_ir::{Elements, Level, Note, Rewrite};
use halfproof_wire::tflite::Builtin;

/// What the strategy decided.
#[derive(Debug, Default)]
pub(super) struct Islands {
    /// By operator: float32.
    pub(super) single: Vec<bool>,
    /// Why, in source order.
    pub(super) notes: Vec<Note>,
    /// Constants that were cut or raised.
    pub(super) rewrites: Vec<(TensorId, Rewrite)>,
}

/// Decides which operators stay float32, and cuts masks (in `constants`) so that fewer have to.
pub(super) fn decide(
    target: &Target,
    kept: &[bool],
    constants: &mut [Option<Rounded>],
    readers: &[Readers],
    single_interface: bool,
    observed: &Observed<'_>,
) -> Islands {
    let mut out = Islands { single: kept.to_vec(), ..Islands::default() };
    let uses = Uses::new(target);
    cut_masks(target, &uses, observed, constants, &mut out);
    let ranges = analyze(target, observed, constants);
    // What an epsilon is added to is so much larger that the ranges stay as they are.
    raise_epsilons(target, &uses, &ranges, constants, &mut out);
    let logarithms = logarithms::behind(target, &uses, &ranges);
    for (i, op) in target.operators.iter().enumerate() {
        if !floats(target, op) {
            continue;
        }
        let logarithm = || logarithms[i].then(|| "a logarithm reads its small results".to_string());
        if let Some(reason) = reason(target, op, i, &ranges, constants, readers).or_else(logarithm) {
            out.single[i] = true;
            if !kept[i] {
                out.notes.push(explain(op, reason));
            }
        }
    }
    for (name, id) in &target.outputs {
        let range = ranges.tensors[id.index()];
        if !single_interface && is_narrowable(target.tensor(*id)) && range.is_wide() {
            let text = format!(
                "values up to {:.2e} are expected here, which float16 does not hold; use --io float32",
                range.reach()
            );
            out.notes.push(Note { level: Level::Warning, at: name.clone(), text });
        }
    }
    if out.single.contains(&true) {
        let joined = islands::join(target, &uses, &mut out.single, single_interface);
        out.notes.extend(joined.into_iter().map(|i| {
            explain(&target.operators[i], "it stands between float32 operators and saves casts".to_string())
        }));
    }
    out
}

fn analyze(target: &Target, observed: &Observed<'_>, constants: &[Option<Rounded>]) -> Ranges {
    ranges::analyze(target, observed, |id| constants[id.index()].as_ref().map(Rounded::elements))
}

/// True when a float whose type is ours to choose goes in or out.
fn floats(target: &Target, op: &TargetOperator) -> bool {
    op.inputs.iter().flatten().chain(&op.outputs).any(|&id| is_narrowable(target.tensor(id)))
}

fn explain(op: &TargetOperator, reason: String) -> Note {
    let at = op.nodes.first().cloned().unwrap_or_else(|| op.builtin.name().to_string());
    Note { level: Level::Info, at, text: format!("{} stays float32: {reason}", op.builtin) }
}

fn reason(
    target: &Target,
    op: &TargetOperator,
    i: usize,
    ranges: &Ranges,
    constants: &[Option<Rounded>],
    readers: &[Readers],
) -> Option<String> {
    if let Some(reason) = kernels::missing(target, op) {
        return Some(reason.to_string());
    }
    if let Some(reason) = &ranges.inside[i] {
        return Some(reason.clone());
    }
    if op.builtin == Builtin::Softmax && op.outputs.iter().any(|id| readers[id.index()].divisor) {
        return Some("a logarithm or a division reads its small results".to_string());
    }
    for &id in op.inputs.iter().flatten() {
        if let Some(rounded) = &constants[id.index()]
            && loses(target.tensor(id), &rounded.narrowed, readers[id.index()])
        {
            return Some(format!("float16 does not hold its constant {}", named(rounded.elements())));
        }
    }
    let tensors = |ids: &mut dyn Iterator<Item = TensorId>, verb: &str| {
        ids.filter(|&id| is_narrowable(target.tensor(id)) && target.tensor(id).constant.is_none()).find_map(
            |id| {
                let range = ranges.tensors[id.index()];
                if range.is_wide() {
                    Some(format!("it {verb} values up to {:.2e}", range.reach()))
                } else if range.is_fragile() {
                    let least = range.low.abs().min(range.high.abs());
                    Some(format!("it {verb} values that {} keeps away from 0", decimal(least)))
                } else {
                    None
                }
            },
        )
    };
    tensors(&mut op.outputs.iter().copied(), "makes")
        .or_else(|| tensors(&mut op.inputs.iter().flatten().copied(), "reads"))
}

/// A constant by its elements.
fn named(elements: &Elements) -> String {
    match elements.len() {
        1 => decimal(elements.get(0)),
        n => format!("of {n} elements"),
    }
}

/// Raises the epsilons that float16 would lose.
fn raise_epsilons(
    target: &Target,
    uses: &Uses,
    ranges: &Ranges,
    constants: &mut [Option<Rounded>],
    out: &mut Islands,
) {
    for id in epsilons::candidates(target, uses, ranges, constants, &out.single) {
        let Some(rounded) = &mut constants[id.index()] else { continue };
        let mut values = rounded.exact.to_vec();
        rounded.replace(vec![MIN_NORMAL; values.len()]);
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let at = source(target.tensor(id));
        for from in values {
            let text = format!(
                "epsilon {} became {}, the smallest number that float16 never flushes; what it is added to is \
                 always far larger",
                decimal(from),
                decimal(MIN_NORMAL)
            );
            let rule = "raise-epsilon".to_string();
            out.changed(id, Rewrite { at: at.to_string(), rule, from, to: MIN_NORMAL }, text);
        }
    }
}

impl Islands {
    fn changed(&mut self, id: TensorId, rewrite: Rewrite, text: String) {
        self.notes.push(Note { level: Level::Rewrite, at: rewrite.at.clone(), text });
        self.rewrites.push((id, rewrite));
    }
}

fn cut_masks(
    target: &Target,
    uses: &Uses,
    observed: &Observed<'_>,
    constants: &mut [Option<Rounded>],
    out: &mut Islands,
) {
    let candidates = masks::candidates(target, constants);
    if candidates.is_empty() {
        return;
    }
    let cut = |rounded: &mut Rounded, to: f64| rounded.replace(masks::cut(&rounded.exact, to));
    for id in &candidates {
        if let Some(rounded) = &mut constants[id.index()] {
            cut(rounded, masks::FIRST);
        }
    }
    let ranges = analyze(target, observed, constants);
    for id in candidates {
        let Some(rounded) = &mut constants[id.index()] else { continue };
        let Some(to) = masks::magnitude(target, uses, &ranges, id) else {
            rounded.restore();
            continue;
        };
        cut(rounded, to);
        let at = source(target.tensor(id));
        for rewrite in masks::rewrites(at, &rounded.exact, to) {
            let text = format!(
                "{} became {}: it only excludes scores from a softmax, and float16 holds nothing beyond 65504",
                decimal(rewrite.from),
                rewrite.to
            );
            out.changed(id, rewrite, text);
        }
    }
}
