//! Damaged models are refused or evaluated, but never bring the interpreter down.
//!
//! The seeds are the recorded models of every operator; the damage is in the structs, behind the checks of the reader.

mod tflite_models;

use halfproof_ir::{Data, Tensor};
use halfproof_oracle::arith::{Bound, Ideal};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_wire::tflite::{Builtin, Model, OpCode, Options, TensorType, read, write};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::{Arc, LazyLock};
use tflite_models::golden::{OWN, cases};

static SEEDS: LazyLock<Vec<Model>> =
    LazyLock::new(|| cases().iter().map(|(_, case)| read(&case.model).expect(OWN)).collect());

/// Inputs with more elements than this are not made: the damage asks for memory, not for a defect.
const LARGEST: usize = 1 << 14;

#[derive(Clone, Debug)]
enum Damage {
    Extent(Index, Index, i32),
    Rank(Index, bool),
    Type(Index, Index),
    Operand(Index, i32),
    DropOperand,
    ExtraOperand(i32),
    Result(Index, i32),
    DropResult,
    Interface(bool, Index, i32),
    Word(Index, Index, i32),
    Truncate(Index, Index),
    Buffer(Index, i32),
    Builtin(Index),
    Options(u8),
    OptionBytes(Vec<(Index, u8)>),
    Signature(Index, Vec<i32>),
    NoRank(Index),
}

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        4 => -3..8i32,
        1 => Just(i32::MAX),
        1 => Just(i32::MIN),
        1 => any::<i32>(),
        1 => (0..31u32).prop_map(|bit| 1 << bit),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = || any::<Index>();
    prop_oneof![
        4 => (index(), index(), number()).prop_map(|(t, a, n)| Damage::Extent(t, a, n)),
        1 => (index(), any::<bool>()).prop_map(|(t, more)| Damage::Rank(t, more)),
        1 => (index(), index()).prop_map(|(t, d)| Damage::Type(t, d)),
        1 => (index(), -2..6i32).prop_map(|(i, t)| Damage::Operand(i, t)),
        1 => Just(Damage::DropOperand),
        1 => (-2..6i32).prop_map(Damage::ExtraOperand),
        1 => (index(), -2..6i32).prop_map(|(i, t)| Damage::Result(i, t)),
        1 => Just(Damage::DropResult),
        1 => (any::<bool>(), index(), -2..6i32).prop_map(|(input, i, t)| Damage::Interface(input, i, t)),
        6 => (index(), index(), number()).prop_map(|(b, w, n)| Damage::Word(b, w, n)),
        1 => (index(), index()).prop_map(|(b, n)| Damage::Truncate(b, n)),
        1 => (index(), 0..4i32).prop_map(|(t, b)| Damage::Buffer(t, b)),
        2 => index().prop_map(Damage::Builtin),
        1 => any::<u8>().prop_map(Damage::Options),
        6 => prop::collection::vec((index(), any::<u8>()), 1..4).prop_map(Damage::OptionBytes),
        1 => (index(), prop::collection::vec(-1..4i32, 0..4)).prop_map(|(t, s)| Damage::Signature(t, s)),
        1 => index().prop_map(Damage::NoRank),
    ]
}

fn apply(model: &mut Model, damage: Damage) {
    let count = model.subgraphs[0].tensors.len();
    let graph = &mut model.subgraphs[0];
    let operator = &mut graph.operators[0];
    match damage {
        Damage::Extent(t, axis, n) => {
            let shape = &mut graph.tensors[t.index(count)].shape;
            if !shape.is_empty() {
                let axis = axis.index(shape.len());
                shape[axis] = n;
            }
        }
        Damage::Rank(t, true) => graph.tensors[t.index(count)].shape.push(1),
        Damage::Rank(t, false) => drop(graph.tensors[t.index(count)].shape.pop()),
        Damage::Type(t, code) => {
            let code = i8::try_from(code.index(23)).expect("a code");
            graph.tensors[t.index(count)].dtype = TensorType::from_code(code).expect("a code");
        }
        Damage::Operand(i, t) if !operator.inputs.is_empty() => {
            let i = i.index(operator.inputs.len());
            operator.inputs[i] = t;
        }
        Damage::Operand(..) => {}
        Damage::DropOperand => drop(operator.inputs.pop()),
        Damage::ExtraOperand(t) => operator.inputs.push(t),
        Damage::Result(i, t) => {
            if !operator.outputs.is_empty() {
                let i = i.index(operator.outputs.len());
                operator.outputs[i] = t;
            }
        }
        Damage::DropResult => drop(operator.outputs.pop()),
        Damage::Interface(input, i, t) => {
            let list = if input { &mut graph.inputs } else { &mut graph.outputs };
            if !list.is_empty() {
                let i = i.index(list.len());
                list[i] = t;
            }
        }
        Damage::Word(b, w, n) => {
            let b = b.index(model.buffers.len());
            let bytes = Arc::make_mut(&mut model.buffers[b]);
            if bytes.len() >= 4 {
                let at = w.index(bytes.len() / 4) * 4;
                bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
            }
        }
        Damage::Truncate(b, n) => {
            let b = b.index(model.buffers.len());
            let bytes = Arc::make_mut(&mut model.buffers[b]);
            bytes.truncate(n.index(bytes.len() + 1));
        }
        Damage::Buffer(t, b) => graph.tensors[t.index(count)].buffer = b.unsigned_abs(),
        Damage::Builtin(b) => {
            let all = Builtin::ALL;
            let builtin = all[b.index(all.len())];
            operator.code = OpCode::Builtin(builtin);
            operator.options = Options::None;
        }
        Damage::Options(tag) => operator.options = Options::from_tag(tag).unwrap_or_default(),
        Damage::OptionBytes(changes) => {
            // The option table is somewhere in the bytes, so a few changes of a written model reach it.
            let mut bytes = write(model);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(read) = read(&bytes)
                && read.subgraphs.first().is_some_and(|g| !g.operators.is_empty() && !g.tensors.is_empty())
            {
                *model = read;
            }
        }
        Damage::Signature(t, signature) => graph.tensors[t.index(count)].shape_signature = signature,
        Damage::NoRank(t) => {
            let tensor = &mut graph.tensors[t.index(count)];
            (tensor.shape, tensor.has_rank) = (vec![], false);
        }
    }
}

/// Inputs of the forms that the program wants, filled with a byte.
fn inputs(program: &Program, fill: u8) -> Option<Vec<Tensor>> {
    let form = |&t: &u32| {
        let (dtype, shape) = program.form(t)?;
        let elements: usize = shape.iter().product();
        let bytes = vec![fill; elements.checked_mul(dtype.size())?];
        (elements <= LARGEST).then(|| Tensor::new(shape, Data::from_le_bytes(dtype, &bytes).expect(OWN)))
    };
    program.inputs().iter().map(form).collect()
}

/// True when no tensor is so large that evaluation only costs memory and time.
fn is_small(program: &Program) -> bool {
    (0..).map_while(|t| program.form(t)).all(|(_, shape)| shape.iter().product::<usize>() <= LARGEST)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4096)))]

    #[test]
    fn a_damaged_model_is_refused_or_evaluated(
        seed in any::<Index>(),
        damages in prop::collection::vec(damage(), 1..4),
        fill in prop_oneof![Just(0u8), Just(1u8), Just(0x40u8), any::<u8>()],
    ) {
        let mut model = SEEDS[seed.index(SEEDS.len())].clone();
        for d in damages {
            apply(&mut model, d);
        }
        let Ok(program) = Program::new(&model) else { return Ok(()) };
        if !is_small(&program) {
            return Ok(());
        }
        let Some(inputs) = inputs(&program, fill) else { return Ok(()) };
        let _ = program.results(&inputs, Constants::Stored, &Bound::new(Runtime::AnyHalf));
        if let Ok(run) = program.run(&inputs, Constants::Stored, &Ideal) {
            for (t, value) in run.tensors.iter().enumerate() {
                if let Some(value) = value {
                    let form = program.form(u32::try_from(t).expect("few tensors"));
                    prop_assert_eq!(form, Some((value.dtype(), value.shape())));
                    prop_assert_eq!(value.len(), value.shape().iter().product::<usize>());
                }
            }
        }
    }
}

#[test]
fn the_other_extents_of_an_empty_tensor_are_bounded_too() {
    let (_, case) = cases().into_iter().find(|(builtin, _)| *builtin == Builtin::Concatenation).expect(OWN);
    let mut model = read(&case.model).expect(OWN);
    let graph = &mut model.subgraphs[0];
    let operand = usize::try_from(graph.operators[0].inputs[0]).expect("an operand");
    graph.tensors[operand].shape = vec![0, 1 << 24, 1 << 24, 1 << 24];
    let error = Program::new(&model).map(drop).expect_err("an immense shape");
    assert!(error.to_string().contains("has more than"), "{error}");
}

#[test]
fn most_recorded_models_survive_undamaged() {
    assert!(SEEDS.iter().filter(|m| Program::new(m).is_ok()).count() > 900);
}
