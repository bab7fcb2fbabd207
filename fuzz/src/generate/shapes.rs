//! Shape arithmetic of the generator, from the operators' definitions.

/// The multidirectional broadcast of two shapes (ONNX, Broadcasting.md); `None` when they do not fit.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    (0..rank)
        .map(|i| {
            let get = |s: &[usize]| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
            match (get(a), get(b)) {
                (x, y) if x == y => Some(x),
                (1, y) => Some(y),
                (x, 1) => Some(x),
                _ => None,
            }
        })
        .collect()
}

/// The number of elements.
pub(super) fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Output extent of one window axis (ONNX Conv and pooling): total padding `pad`, optional ceiling.
///
/// With `ceil`, the last window is dropped when it would start in the trailing padding (`begin` is the leading one).
pub(super) fn window(
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    end: usize,
    ceil: bool,
) -> Option<usize> {
    let reach = dilation * (kernel - 1) + 1;
    let room = (input + begin + end).checked_sub(reach)?;
    if !ceil {
        return Some(room / stride + 1);
    }
    let out = room.div_ceil(stride) + 1;
    Some(if (out - 1) * stride >= input + begin { out - 1 } else { out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_aligns_from_the_right() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some(vec![2, 3, 4]));
        assert_eq!(broadcast(&[], &[5]), Some(vec![5]));
        assert_eq!(broadcast(&[2], &[3]), None);
    }

    #[test]
    fn windows_match_the_examples_of_the_onnx_specification() {
        assert_eq!(window(32, 3, 1, 1, 0, 0, false), Some(30));
        assert_eq!(window(4, 3, 2, 1, 0, 0, true), Some(2));
        assert_eq!(window(5, 5, 1, 1, 2, 2, false), Some(5));
        assert_eq!(window(2, 1, 3, 1, 0, 0, true), Some(1));
        assert_eq!(window(2, 5, 1, 1, 0, 0, false), None);
    }
}
