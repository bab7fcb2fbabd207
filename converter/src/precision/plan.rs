//! What the strategies decide, as data: the type of each operator, of the interface, and the form of each constant.

use super::ranges::Observed;
use super::{keep, kernels, mixed};
use crate::constants::{self, Narrowed};
use crate::lint;
use crate::target::{Constant, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{DType, Elements, Io, Level, Note, Precision, Refusal, Request, Rewrite, Role};
use halfproof_wire::tflite::Builtin;

/// Constants with at most this many elements are not worth a DEQUANTIZE inside a float32 island.
const SMALL_CONSTANT: usize = 256;

/// How a float32 reader gets a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SingleForm {
    /// As a FLOAT32 tensor.
    Float32,
    /// As FLOAT16 behind a DEQUANTIZE.
    Dequantized,
}

/// A float constant with its rounded form.
#[derive(Clone, Debug)]
pub(crate) struct Rounded {
    /// Elements as the source has them, before any rounding or rewriting.
    pub(crate) exact: Elements,
    /// Elements after a rewrite, where there was one.
    replaced: Option<Elements>,
    /// The elements (after a rewrite) in binary16.
    pub(crate) narrowed: Narrowed,
}

impl Rounded {
    pub(super) fn new(exact: Elements) -> Rounded {
        let narrowed = constants::narrow(&exact);
        Rounded { exact, replaced: None, narrowed }
    }

    /// The elements that the model computes with, before rounding.
    pub(super) fn elements(&self) -> &Elements {
        self.replaced.as_ref().unwrap_or(&self.exact)
    }

    /// Rewrites the elements.
    pub(super) fn replace(&mut self, elements: Vec<f64>) {
        let elements = Elements::from(elements);
        self.narrowed = constants::narrow(&elements);
        self.replaced = Some(elements);
    }

    /// Takes a rewrite back.
    pub(super) fn restore(&mut self) {
        self.narrowed = constants::narrow(&self.exact);
        self.replaced = None;
    }
}

/// A float constant and its form for float32 readers.
#[derive(Clone, Debug)]
pub(crate) struct ConstantPlan {
    /// Its elements.
    pub(crate) rounded: Rounded,
    /// What float32 readers get.
    pub(crate) single: SingleForm,
}

/// All decisions about one program.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By operator: computes in float32.
    pub(crate) single: Vec<bool>,
    /// The interface's floats are FLOAT32.
    pub(crate) single_interface: bool,
    /// By tensor: its form, when it is a float constant that somebody reads.
    pub(crate) constants: Vec<Option<ConstantPlan>>,
    /// Deliberate changes.
    pub(crate) rewrites: Vec<(TensorId, Rewrite)>,
    /// Explanations and warnings.
    pub(crate) notes: Vec<Note>,
}

/// True for the tensors whose type is ours to choose.
pub(crate) fn is_narrowable(tensor: &TargetTensor) -> bool {
    tensor.dtype == DType::F32
}

/// Who reads a constant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readers {
    half: bool,
    /// A float32 operator that the user asked to keep.
    kept: bool,
    /// It is itself a result of the model.
    output: bool,
    /// A zero in it would make an infinity or a NaN.
    pub(super) divisor: bool,
    /// Somebody reads it at all.
    any: bool,
}

/// An operator that must compute in float32 whatever the strategy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Free.
    No,
    /// Float32, for this reason; its constants may be stored as FLOAT16.
    Single(&'static str),
    /// Float32, and its constants stay as they are, for this reason.
    Untouched(&'static str),
}

/// Decides everything about a program; `pins` has one entry per operator, or none at all.
pub(crate) fn decide(target: &Target, request: &Request, pins: &[Pin]) -> Result<Plan, Refusal> {
    let mut kept = keep::kept_operators(target, request)?;
    let mut forced = kept.clone();
    for (i, pin) in pins.iter().enumerate() {
        forced[i] |= *pin != Pin::No;
        kept[i] |= matches!(pin, Pin::Untouched(_));
    }
    let weights = request.precision == Precision::Weights;
    let single_interface = weights || request.io == Io::Float32;
    let mut readers = readers(target);
    let mut rounded: Vec<Option<Rounded>> =
        target.tensors.iter().zip(&readers).map(|(t, r)| if r.any { rounded(t) } else { None }).collect();
    let mut plan = Plan {
        single: Vec::new(),
        single_interface,
        constants: Vec::new(),
        rewrites: Vec::new(),
        notes: Vec::new(),
    };
    let mut changed = Vec::new();
    match request.precision {
        Precision::Weights => plan.single = vec![true; target.operators.len()],
        Precision::Full => {
            plan.notes = without_kernel(target, &forced);
            plan.single.clone_from(&forced);
        }
        Precision::Mixed => {
            let observed = observed(request);
            let islands = mixed::decide(target, &forced, &mut rounded, &readers, single_interface, &observed);
            (plan.single, plan.notes) = (islands.single, islands.notes);
            changed = islands.rewrites;
        }
    }
    if request.precision != Precision::Weights {
        plan.notes.extend(pinned(target, pins));
    }
    find_readers(target, &plan, &kept, &mut readers);
    // Float32 readers get a constant as the source has it.
    let (read, unread): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(id, _)| readers[id.index()].half);
    plan.notes.retain(|n| n.level != Level::Rewrite || !unread.iter().any(|(_, r)| r.at == n.at));
    plan.rewrites = read;
    for ((id, rounded), readers) in (0..).map(TensorId).zip(rounded).zip(readers) {
        let tensor = target.tensor(id);
        plan.constants.push(rounded.map(|rounded| {
            let single = single_form(tensor, &rounded.narrowed, readers, weights);
            let note = note(tensor, &rounded, readers, single);
            plan.notes.extend(note.map(|(level, text)| Note {
                level,
                at: lint::place(target, id).to_string(),
                text,
            }));
            ConstantPlan { rounded, single }
        }));
    }
    Ok(plan)
}

/// What was seen on samples, by source tensor.
pub(super) fn observed(request: &Request) -> Observed<'_> {
    request.observed.iter().map(|o| (o.tensor.as_str(), o)).collect()
}

fn note(
    tensor: &TargetTensor,
    rounded: &Rounded,
    readers: Readers,
    single: SingleForm,
) -> Option<(Level, String)> {
    if readers.half || single == SingleForm::Dequantized {
        let text = lint::constant(tensor, rounded.elements(), rounded.narrowed.survey)?;
        return Some((Level::Warning, text));
    }
    (!readers.kept && loses(tensor, &rounded.narrowed, readers))
        .then(|| (Level::Info, "a constant stays FLOAT32: float16 does not hold its values".to_string()))
}

fn pinned<'a>(target: &'a Target, pins: &'a [Pin]) -> impl Iterator<Item = Note> + 'a {
    target.operators.iter().zip(pins).filter_map(|(op, pin)| match pin {
        Pin::No => None,
        Pin::Single(reason) | Pin::Untouched(reason) => Some(Note {
            level: Level::Info,
            at: op.nodes.first().cloned().unwrap_or_else(|| op.builtin.name().to_string()),
            text: format!("{} stays float32: {reason}", op.builtin),
        }),
    })
}

/// The operators that LiteRT would refuse in a pure float16 model, the first of each kind.
fn without_kernel(target: &Target, kept: &[bool]) -> Vec<Note> {
    let mut seen: Vec<Builtin> = Vec::new();
    let mut notes = Vec::new();
    for (op, kept) in target.operators.iter().zip(kept) {
        let floats =
            || op.inputs.iter().flatten().chain(&op.outputs).any(|&id| is_narrowable(target.tensor(id)));
        if *kept || seen.contains(&op.builtin) || !floats() {
            continue;
        }
        if let Some(reason) = kernels::missing(target, op) {
            seen.push(op.builtin);
            notes.push(Note {
                level: Level::Warning,
                at: op.nodes.first().cloned().unwrap_or_else(|| op.builtin.name().to_string()),
                text: format!(
                    "{} will not run in LiteRT on a CPU: {reason}; use --precision mixed",
                    op.builtin
                ),
            });
        }
    }
    notes
}

/// What can be said of readers before their types are decided.
fn readers(target: &Target) -> Vec<Readers> {
    let mut readers = vec![Readers::default(); target.tensors.len()];
    for op in &target.operators {
        for (slot, id) in op.inputs.iter().enumerate() {
            let Some(id) = id else { continue };
            let r = &mut readers[id.index()];
            r.any = true;
            r.divisor |= divides(op, slot);
        }
    }
    for &(_, id) in &target.outputs {
        let r = &mut readers[id.index()];
        (r.any, r.output) = (true, true);
    }
    readers
}

fn find_readers(target: &Target, plan: &Plan, kept: &[bool], readers: &mut [Readers]) {
    for (i, op) in target.operators.iter().enumerate() {
        for id in op.inputs.iter().flatten() {
            let r = &mut readers[id.index()];
            r.half |= !plan.single[i];
            r.kept |= kept[i];
        }
    }
    for &(_, id) in &target.outputs {
        let r = &mut readers[id.index()];
        r.half |= !plan.single_interface;
    }
}

/// True when a zero in this operand makes an infinity or a NaN.
fn divides(op: &TargetOperator, slot: usize) -> bool {
    use Builtin::{Div, FloorDiv, FloorMod, Log, Rsqrt};
    match op.builtin {
        Div | FloorDiv | FloorMod => slot == 1,
        Log | Rsqrt => slot == 0,
        _ => false,
    }
}

fn rounded(tensor: &TargetTensor) -> Option<Rounded> {
    if !is_narrowable(tensor) {
        return None;
    }
    let Constant::Exact(exact) = tensor.constant.as_ref()? else { return None };
    Some(Rounded::new(exact.clone()))
}

/// True when a constant does not do its work in float16: it overflows, or what guards against 0 becomes 0.
///
/// A bound that overflows is infinite then and still bounds nothing that float16 can hold.
pub(super) fn loses(tensor: &TargetTensor, narrowed: &Narrowed, readers: Readers) -> bool {
    let survey = narrowed.survey;
    let guards = tensor.role == Role::Epsilon || readers.divisor;
    if tensor.role == Role::Bound {
        return survey.flushed > 0;
    }
    survey.is_ruined() || (guards && survey.flushed > 0)
}

fn single_form(tensor: &TargetTensor, narrowed: &Narrowed, readers: Readers, weights: bool) -> SingleForm {
    let small = !weights && narrowed.survey.elements <= SMALL_CONSTANT;
    // A DEQUANTIZE result as model output is never written by some runtimes, so such a constant stays as it is.
    if readers.kept || readers.output || small || loses(tensor, narrowed, readers) {
        SingleForm::Float32
    } else {
        SingleForm::Dequantized
    }
}
