//! Any bytes as a program for our interpreter.

use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_wire::tflite::{Model, read};

/// Plans and executes in float16 what is not large.
pub fn run(data: &[u8]) {
    let Ok(model) = read(data) else { return };
    if !is_small(&model) {
        return;
    }
    let Ok(program) = Program::new(&model) else { return };
    let inputs: Option<Vec<Tensor>> = program.inputs().iter().map(|&t| input(program.form(t)?)).collect();
    let Some(inputs) = inputs else { return };
    // An element that makes no sense to an operator (an index out of range) is refused while running.
    let _ = program.run(&inputs, Constants::Stored, &Half::new(ExecutionModel::HALF));
}

/// Extents that keep the work of a single operator below a million steps.
fn is_small(model: &Model) -> bool {
    model.subgraphs.iter().all(|g| {
        g.operators.len() <= 64
            && g.tensors.iter().all(|t| {
                let count = t.shape.iter().try_fold(1i32, |n, &d| n.checked_mul(d));
                count.is_some_and(|n| (0..=1 << 10).contains(&n))
            })
    })
}

fn input((dtype, shape): (DType, &[usize])) -> Option<Tensor> {
    let n: usize = shape.iter().product();
    let at = |i: usize| (i % 7) as f32 - 3.0;
    let data = match dtype {
        DType::F32 => Data::F32((0..n).map(at).collect()),
        DType::F16 => Data::F16((0..n).map(|i| half::f16::from_f32(at(i))).collect()),
        DType::I32 => Data::I32((0..n).map(|i| (i % 3) as i32).collect()),
        DType::I64 => Data::I64((0..n).map(|i| (i % 3) as i64).collect()),
        DType::Bool => Data::Bool((0..n).map(|i| i % 2 == 0).collect()),
        _ => return None,
    };
    Some(Tensor::new(shape, data))
}
