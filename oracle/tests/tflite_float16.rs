//! The recorded models retyped to FLOAT16: every execution that an execution model allows lies inside the enclosure, and
//! an index or a choice that rounding can turn is never called decided.

mod tflite_models;

use half::f16;
use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::arith::{Bound, ExecutionModel, Half};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_wire::tflite::{Builtin, Model, TensorType, read};
use std::sync::Arc;
use tflite_models::golden::{OWN, cases, tensors};

/// The model with FLOAT16 wherever it has FLOAT32.
fn narrowed(model: &Model) -> Model {
    let mut narrow = model.clone();
    for tensor in &mut narrow.subgraphs[0].tensors {
        if tensor.dtype == TensorType::Float32 {
            tensor.dtype = TensorType::Float16;
            if let Some(bytes) = model.data(tensor) {
                let elements = bytes.as_chunks::<4>().0.iter().map(|&b| f16::from_f32(f32::from_le_bytes(b)));
                let data = elements.flat_map(f16::to_le_bytes).collect();
                narrow.buffers[tensor.buffer as usize] = Arc::new(data);
            }
        }
    }
    narrow
}

fn scaled(tensor: &Tensor, factor: f32) -> Tensor {
    match &tensor.data {
        Data::F32(v) => {
            let data = v.iter().map(|x| f16::from_f32(x * factor)).collect();
            Tensor::new(tensor.shape.clone(), Data::F16(data))
        }
        _ => tensor.clone(),
    }
}

#[test]
fn every_float16_execution_of_every_operator_lies_inside_its_enclosure() {
    let catalog = ExecutionModel::catalog();
    let (mut judged, mut undecided, mut escapes) = (0, 0, vec![]);
    for (builtin, case) in cases() {
        // These convert between the types on purpose.
        if matches!(builtin, Builtin::Dequantize | Builtin::Cast) {
            continue;
        }
        let model = read(&case.model).expect(OWN);
        let Ok(single) = Program::new(&model) else { continue };
        let program = Program::new(&narrowed(&model)).expect(OWN);
        let form = |&t: &u32| single.form(t).expect(OWN);
        let recorded = tensors(&case.inputs, single.inputs().iter().map(form));
        for factor in [1.0, 1.0 / 3.0, 1000.0, 1e-5] {
            let inputs: Vec<Tensor> = recorded.iter().map(|t| scaled(t, factor)).collect();
            let bound =
                program.results(&inputs, Constants::Stored, &Bound::new(Runtime::AnyHalf)).expect(OWN);
            for &execution in &catalog {
                let run = program.results(&inputs, Constants::Stored, &Half::new(execution)).expect(OWN);
                for (enclosure, actual) in bound.iter().zip(&run) {
                    match (enclosure, actual) {
                        (Value::Float(DType::F16, e), Value::Float(DType::F16, x)) => {
                            judged += e.data.len();
                            let outside = e.data.iter().zip(&x.data).find(|(e, x)| !e.contains((**x).into()));
                            if let Some((e, x)) = outside {
                                escapes.push(format!(
                                    "{builtin} {} x{factor} {execution:?}: {x} in {e:?}",
                                    case.name
                                ));
                            }
                        }
                        (Value::Whole(_, e), Value::Whole(_, x)) => {
                            undecided += e.data.iter().filter(|e| !e.decided).count();
                            if e.data.iter().zip(&x.data).any(|(e, x)| e.decided && e.value != x.value) {
                                escapes.push(format!("{builtin} {} x{factor}: {x:?} in {e:?}", case.name));
                            }
                        }
                        _ => panic!("{builtin} {}: kinds of elements differ", case.name),
                    }
                }
            }
        }
    }
    assert!(judged > 1_000_000, "{judged} elements judged");
    assert_eq!(undecided, 0, "one operator on exact inputs has nothing to leave undecided");
    assert!(escapes.is_empty(), "{} escapes\n{}", escapes.len(), escapes.join("\n"));
}
