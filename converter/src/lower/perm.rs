//! Permutations of axes, as small values.

/// More axes than any TFLite kernel takes.
pub(crate) const MOST_AXES: usize = 8;

/// A permutation: axis `i` of what it makes is axis `p[i]` of what it is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Perm {
    rank: u8,
    axes: [u8; MOST_AXES],
}

impl Perm {
    /// Leaves `rank` axes in place.
    pub(crate) fn identity(rank: usize) -> Perm {
        Perm::new(0..rank)
    }

    /// N, C, spatial… to N, spatial…, C.
    pub(crate) fn channels_last(rank: usize) -> Perm {
        if rank < 3 {
            return Perm::identity(rank);
        }
        Perm::new([0].into_iter().chain(2..rank).chain([1]))
    }

    /// From the axes themselves.
    pub(crate) fn new(axes: impl IntoIterator<Item = usize>) -> Perm {
        let mut perm = Perm { rank: 0, axes: [0; MOST_AXES] };
        for axis in axes {
            // Ranks beyond MOST_AXES are refused before any permutation is made.
            perm.axes[usize::from(perm.rank)] = u8::try_from(axis).unwrap_or(u8::MAX);
            perm.rank += 1;
        }
        perm
    }

    /// The axes in order.
    pub(crate) fn axes(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone + '_ {
        self.axes[..usize::from(self.rank)].iter().map(|&a| usize::from(a))
    }

    /// The number of axes.
    pub(crate) fn rank(&self) -> usize {
        usize::from(self.rank)
    }

    /// True when it leaves everything in place.
    pub(crate) fn is_identity(&self) -> bool {
        self.axes().enumerate().all(|(i, a)| i == a)
    }

    /// Where axis `axis` ends up.
    pub(crate) fn position(&self, axis: usize) -> usize {
        self.axes().position(|a| a == axis).unwrap_or(axis)
    }

    /// Undoes it.
    pub(crate) fn inverse(&self) -> Perm {
        let mut inverse = *self;
        for (i, a) in self.axes().enumerate() {
            inverse.axes[a] = u8::try_from(i).unwrap_or(u8::MAX);
        }
        inverse
    }

    /// First `self`, then `next` on its result.
    pub(crate) fn then(&self, next: &Perm) -> Perm {
        Perm::new(next.axes().map(|i| usize::from(self.axes[i])))
    }

    /// The permuted extents.
    pub(crate) fn apply<T: Copy>(&self, extents: &[T]) -> Vec<T> {
        self.axes().map(|a| extents[a]).collect()
    }

    /// The permutation that turns a tensor held in `self` order into `other` order.
    pub(crate) fn to(self, other: &Perm) -> Perm {
        let inverse = self.inverse();
        Perm::new(other.axes().map(|a| usize::from(inverse.axes[a])))
    }

    /// True when both orders give the same row-major elements for these extents: they differ by axes of extent 1 only.
    pub(crate) fn same_order(&self, other: &Perm, extents: &[usize]) -> bool {
        let long = |p: &Perm| p.axes().filter(|&a| extents[a] != 1).collect::<Vec<_>>();
        self == other || long(self) == long(other)
    }
}

/// Row-major elements of a tensor, transposed.
pub(crate) fn transpose<T: Clone>(elements: &[T], extents: &[usize], perm: &Perm) -> Vec<T> {
    if perm.same_order(&Perm::identity(extents.len()), extents) {
        return elements.to_vec();
    }
    let mut strides = vec![1; extents.len()];
    for i in (1..extents.len()).rev() {
        strides[i - 1] = strides[i] * extents[i];
    }
    let (sizes, steps) = (perm.apply(extents), perm.apply(&strides));
    let mut out = Vec::with_capacity(elements.len());
    let mut index = vec![0; sizes.len()];
    let mut at = 0;
    for _ in 0..elements.len() {
        out.push(elements[at].clone());
        for axis in (0..sizes.len()).rev() {
            index[axis] += 1;
            at += steps[axis];
            if index[axis] < sizes[axis] {
                break;
            }
            at -= steps[axis] * sizes[axis];
            index[axis] = 0;
        }
    }
    out
}

/// The order in which a reshaped tensor is held when the tensor it came from is held in `perm` order and no element
/// moves; `None` when the reshape cannot be seen through that order.
///
/// Both shapes are cut into the smallest pieces of equal size; each piece has to lie together and in order.
pub(crate) fn through_reshape(from: &[usize], to: &[usize], perm: &Perm) -> Option<Perm> {
    if perm.same_order(&Perm::identity(from.len()), from) {
        return Some(Perm::identity(to.len()));
    }
    let pieces = pieces(from, to);
    let mut order = Vec::with_capacity(pieces.len());
    let mut axes = perm.axes().filter(|&a| from[a] != 1).peekable();
    while let Some(axis) = axes.next() {
        let index = pieces.iter().position(|p| p.0.contains(&axis))?;
        let mut rest = pieces[index].0.clone().filter(|&a| from[a] != 1);
        if rest.next() != Some(axis) {
            return None;
        }
        for expected in rest {
            if axes.next() != Some(expected) {
                return None;
            }
        }
        order.push(index);
    }
    // Pieces of extent 1 may stand anywhere; they stay in front.
    let rest = (0..pieces.len()).filter(|i| !order.contains(i));
    Some(Perm::new(rest.chain(order.iter().copied()).flat_map(|i| pieces[i].1.clone())))
}

/// Pieces of equal size of two shapes with the same number of elements: the axes of each.
pub(crate) fn pieces(from: &[usize], to: &[usize]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut pieces: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() && j < to.len() {
        let (start, begin) = (i, j);
        let (mut a, mut b) = (from[i], to[j]);
        i += 1;
        j += 1;
        while a != b {
            if a < b && i < from.len() {
                a *= from[i];
                i += 1;
            } else if b < a && j < to.len() {
                b *= to[j];
                j += 1;
            } else {
                break;
            }
        }
        pieces.push((start..i, begin..j));
    }
    match pieces.last_mut() {
        Some(last) => {
            last.0.end = from.len();
            last.1.end = to.len();
        }
        None => pieces.push((0..from.len(), 0..to.len())),
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_perm(rank: usize) -> impl Strategy<Value = Perm> {
        Just((0..rank).collect::<Vec<_>>()).prop_shuffle().prop_map(Perm::new)
    }

    proptest! {
        #[test]
        fn a_permutation_and_its_inverse_cancel(p in any_perm(5)) {
            prop_assert!(p.then(&p.inverse()).is_identity());
            prop_assert!(p.to(&p).is_identity());
        }

        #[test]
        fn going_from_one_order_to_another_moves_the_elements_there(
            p in any_perm(4), q in any_perm(4), shape in proptest::collection::vec(1usize..4, 4)
        ) {
            let elements: Vec<usize> = (0..shape.iter().product()).collect();
            let held = transpose(&elements, &shape, &p);
            let moved = transpose(&held, &p.apply(&shape), &p.to(&q));
            prop_assert_eq!(moved, transpose(&elements, &shape, &q));
        }

        #[test]
        fn a_reshape_seen_through_an_order_moves_no_element(
            p in any_perm(4), shape in proptest::collection::vec(1usize..4, 4), cut in 0usize..4, front in any::<bool>()
        ) {
            let mut to = shape.clone();
            if cut < 3 { let d = to.remove(cut); to[cut] *= d; } else { to.push(1); }
            if front { to.insert(0, 1); }
            if let Some(q) = through_reshape(&shape, &to, &p) {
                let elements: Vec<usize> = (0..shape.iter().product()).collect();
                prop_assert_eq!(transpose(&elements, &shape, &p), transpose(&elements, &to, &q));
            }
        }
    }

    #[test]
    fn merging_the_spatial_axes_keeps_channels_last() {
        let nhwc = Perm::channels_last(4);
        assert_eq!(through_reshape(&[1, 3, 4, 5], &[1, 3, 20], &nhwc), Some(Perm::new([0, 2, 1])));
        assert_eq!(through_reshape(&[1, 3, 4, 5], &[1, 60], &nhwc), None);
        assert_eq!(through_reshape(&[1, 3, 1, 1], &[1, 3], &nhwc), Some(Perm::identity(2)));
    }
}
