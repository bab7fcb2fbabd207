//! Tensors of a file or of an interface to values of an arithmetic, and back.

use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use half::f16;
use half::slice::HalfFloatSliceExt;
use halfproof_ir::{DType, Data, Tensor};

/// The value of a tensor, element for element and exactly.
pub fn value<A: Arith>(tensor: &Tensor, arith: &A) -> Value<A::E> {
    let shape = tensor.shape.clone();
    match floats(&tensor.data, arith) {
        Some(data) => Value::Float(tensor.dtype(), Array { shape, data }),
        None => Value::Whole(tensor.dtype(), Array { shape, data: wholes(&tensor.data) }),
    }
}

/// Float elements, exactly; `None` for integers and booleans.
pub(super) fn floats<A: Arith>(data: &Data, arith: &A) -> Option<Vec<A::E>> {
    Some(match data {
        // All at once: the processor converts four in one instruction.
        Data::F16(v) => v.to_f64_vec().into_iter().map(|x| arith.exact(x)).collect(),
        Data::F32(v) => v.iter().map(|&x| arith.exact(f64::from(x))).collect(),
        Data::F64(v) => v.iter().map(|&x| arith.exact(x)).collect(),
        _ => return None,
    })
}

fn wholes(data: &Data) -> Vec<Whole> {
    integers(data).into_iter().map(Whole::known).collect()
}

/// Integer and boolean elements; a `u64` beyond `i64::MAX` wraps. Nothing for floats.
pub(super) fn integers(data: &Data) -> Vec<i64> {
    match data {
        Data::I8(v) => v.iter().map(|&x| x.into()).collect(),
        Data::I16(v) => v.iter().map(|&x| x.into()).collect(),
        Data::I32(v) => v.iter().map(|&x| x.into()).collect(),
        Data::I64(v) => v.clone(),
        Data::U8(v) => v.iter().map(|&x| x.into()).collect(),
        Data::U16(v) => v.iter().map(|&x| x.into()).collect(),
        Data::U32(v) => v.iter().map(|&x| x.into()).collect(),
        Data::U64(v) => v.iter().map(|&x| x.cast_signed()).collect(),
        Data::Bool(v) => v.iter().map(|&x| x.into()).collect(),
        Data::F16(_) | Data::F32(_) | Data::F64(_) => vec![],
    }
}

/// The tensor that a value's centres round to, in the value's own storage type.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "floats round to the storage type, and integers of a value are already within theirs"
)]
pub fn tensor<A: Arith>(value: &Value<A::E>, arith: &A) -> Tensor {
    let shape = value.shape().to_vec();
    let data = match value {
        Value::Float(dtype, a) => {
            let centres = a.data.iter().map(|&x| arith.centre(x));
            match dtype {
                DType::F16 => Data::F16(centres.map(f16::from_f64).collect()),
                DType::F64 => Data::F64(centres.collect()),
                _ => Data::F32(centres.map(|x| x as f32).collect()),
            }
        }
        Value::Whole(dtype, a) => {
            let values = a.data.iter().map(|x| x.value);
            match dtype {
                DType::I8 => Data::I8(values.map(|x| x as i8).collect()),
                DType::I16 => Data::I16(values.map(|x| x as i16).collect()),
                DType::I32 => Data::I32(values.map(|x| x as i32).collect()),
                DType::U8 => Data::U8(values.map(|x| x as u8).collect()),
                DType::U16 => Data::U16(values.map(|x| x as u16).collect()),
                DType::U32 => Data::U32(values.map(|x| x as u32).collect()),
                DType::U64 => Data::U64(values.map(|x| x as u64).collect()),
                DType::Bool => Data::Bool(values.map(|x| x != 0).collect()),
                DType::I64 | DType::F16 | DType::F32 | DType::F64 => Data::I64(values.collect()),
            }
        }
    };
    Tensor { shape, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::Ideal;

    #[test]
    fn tensors_survive_the_way_through_values() {
        for data in [
            Data::F16(vec![f16::from_f32(0.1), f16::INFINITY]),
            Data::F32(vec![0.1, -0.0]),
            Data::F64(vec![0.1, 1e300]),
            Data::I32(vec![-1, i32::MAX]),
            Data::U64(vec![u64::MAX, 3]),
            Data::Bool(vec![true, false]),
        ] {
            let original = Tensor::new(vec![2, 1], data);
            assert_eq!(tensor(&value(&original, &Ideal), &Ideal), original);
        }
    }

    #[test]
    fn centres_round_to_the_nearest_float16() {
        let value = Value::Float(DType::F16, Array::new(vec![2], vec![0.1, 65519.0]));
        let Data::F16(v) = tensor(&value, &Ideal).data else { panic!("not FLOAT16") };
        assert_eq!(v, [f16::from_f64(0.1), f16::MAX]);
    }
}
