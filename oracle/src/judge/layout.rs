//! Tensors of the source in the order of the target: a permutation of axes, up to a reshape.

/// For each row-major element of the target, its row-major index in the source; `None` when the order is the same.
/// Target axis i is source axis `permutation[i]`. `None` as well for a permutation that does not fit the shape.
pub(super) fn source_order(shape: &[usize], permutation: Option<&[usize]>) -> Option<Vec<usize>> {
    let permutation = permutation?;
    if permutation.len() != shape.len() || permutation.iter().any(|&p| p >= shape.len()) {
        return None;
    }
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let mut order = vec![0];
    for &axis in permutation {
        let (extent, stride) = (shape[axis], strides[axis]);
        let mut inner = Vec::with_capacity(order.len() * extent);
        for base in order {
            inner.extend((0..extent).map(|i| base + i * stride));
        }
        order = inner;
    }
    Some(order)
}

/// The shape of the target.
pub(super) fn permuted_shape(shape: &[usize], permutation: Option<&[usize]>) -> Vec<usize> {
    match permutation {
        Some(p) if p.len() == shape.len() => p.iter().filter_map(|&axis| shape.get(axis).copied()).collect(),
        _ => shape.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_of_a_small_tensor() {
        // [1, 2, 1, 3]: element (c, w) is at 3 c + w; the target counts w first.
        let order = source_order(&[1, 2, 1, 3], Some(&[0, 2, 3, 1])).unwrap();
        assert_eq!(order, [0, 3, 1, 4, 2, 5]);
        assert_eq!(permuted_shape(&[1, 2, 1, 3], Some(&[0, 2, 3, 1])), [1, 1, 3, 2]);
        assert_eq!(source_order(&[2, 2], None), None);
    }
}
