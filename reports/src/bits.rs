//! How a value looks in the element type that holds it: hexadecimal and bits.

use half::f16;
use halfproof_ir::DType;

/// The value as that type stores it, in hexadecimal and, for floats, as sign, exponent and fraction:
/// `0x0800  0b0.00010.0000000000`. `None` for types that floats are not stored in.
pub(crate) fn stored(dtype: DType, value: f64) -> Option<String> {
    Some(match dtype {
        DType::F16 => layout(u64::from(f16::from_f64(value).to_bits()), 5, 10),
        DType::F32 => layout(u64::from((value as f32).to_bits()), 8, 23),
        DType::F64 => layout(value.to_bits(), 11, 52),
        _ => return None,
    })
}

fn layout(bits: u64, exponent: usize, fraction: usize) -> String {
    let width = 1 + exponent + fraction;
    let all = format!("{bits:0width$b}");
    let (sign, rest) = all.split_at(1);
    let (exponent, fraction) = rest.split_at(exponent);
    format!("0x{bits:0digits$x}  0b{sign}.{exponent}.{fraction}", digits = width / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_float_are_set_apart() {
        let show = |dtype, x| stored(dtype, x).expect("a float");
        assert_eq!(show(DType::F16, 0.000_122_070_312_5), "0x0800  0b0.00010.0000000000");
        assert_eq!(show(DType::F16, f64::NEG_INFINITY), "0xfc00  0b1.11111.0000000000");
        assert_eq!(show(DType::F32, -1.5), "0xbfc00000  0b1.01111111.10000000000000000000000");
        assert_eq!(stored(DType::I32, 1.0), None);
    }
}
