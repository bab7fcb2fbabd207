//! Which elements of two operands meet in an elementwise operator: NumPy's broadcasting, as TFLite has it.

use super::error::{Fault, ensure};
use super::plan;

/// Two shapes broadcast against each other.
#[derive(Clone, Debug)]
pub(super) struct Broadcast {
    /// Extent and steps through both operands, with axes merged where both operands allow it; outermost first.
    axes: Vec<(usize, usize, usize)>,
    len: usize,
}

/// The shape that several shapes broadcast to.
pub(super) fn shape(shapes: &[&[usize]]) -> Result<Vec<usize>, Fault> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut result = vec![1; rank];
    for s in shapes {
        for (extent, &e) in result[rank - s.len()..].iter_mut().zip(*s) {
            ensure!(*extent == e || *extent == 1 || e == 1, "shapes {shapes:?} do not broadcast");
            if e != 1 {
                *extent = e;
            }
        }
    }
    let extents: Vec<i64> = result.iter().map(|&e| plan::whole(e)).collect();
    plan::shape(&extents)
}

/// Steps through a tensor of shape `from` while walking shape `to`, which it broadcasts to.
pub(super) fn steps(from: &[usize], to: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; to.len() - from.len()];
    steps.extend(plan::strides(from).iter().zip(from).map(|(&s, &e)| if e == 1 { 0 } else { s }));
    steps
}

impl Broadcast {
    /// Plans two shapes; also gives the shape of the result.
    pub(super) fn new(a: &[usize], b: &[usize]) -> Result<(Broadcast, Vec<usize>), Fault> {
        if a == b {
            let len = a.iter().product();
            return Ok((Broadcast { axes: vec![(len, 1, 1)], len }, a.to_vec()));
        }
        let result = shape(&[a, b])?;
        let len = result.iter().product();
        let mut axes: Vec<(usize, usize, usize)> = vec![];
        for ((&e, sa), sb) in result.iter().zip(steps(a, &result)).zip(steps(b, &result)) {
            match axes.last_mut() {
                _ if e == 1 => {}
                Some((extent, ta, tb)) if *ta == sa * e && *tb == sb * e => {
                    (*extent, *ta, *tb) = (*extent * e, sa, sb);
                }
                _ => axes.push((e, sa, sb)),
            }
        }
        if axes.is_empty() {
            axes.push((len, 0, 0));
        }
        Ok((Broadcast { axes, len }, result))
    }

    /// Applies `f` to every pair that meets, in the order of the result.
    pub(super) fn zip<X: Copy, Y: Copy, Z>(&self, a: &[X], b: &[Y], mut f: impl FnMut(X, Y) -> Z) -> Vec<Z> {
        let mut result = Vec::with_capacity(self.len);
        if self.len > 0 {
            self.walk(0, 0, 0, a, b, &mut f, &mut result);
        }
        result
    }

    fn walk<X: Copy, Y: Copy, Z>(
        &self,
        axis: usize,
        from_a: usize,
        from_b: usize,
        a: &[X],
        b: &[Y],
        f: &mut impl FnMut(X, Y) -> Z,
        result: &mut Vec<Z>,
    ) {
        let (extent, step_a, step_b) = self.axes[axis];
        if axis + 1 < self.axes.len() {
            for i in 0..extent {
                self.walk(axis + 1, from_a + i * step_a, from_b + i * step_b, a, b, f, result);
            }
            return;
        }
        match (step_a, step_b) {
            (1, 1) => {
                let pairs = a[from_a..][..extent].iter().zip(&b[from_b..][..extent]);
                result.extend(pairs.map(|(&x, &y)| f(x, y)));
            }
            (1, 0) => result.extend(a[from_a..][..extent].iter().map(|&x| f(x, b[from_b]))),
            (0, 1) => result.extend(b[from_b..][..extent].iter().map(|&y| f(a[from_a], y))),
            _ => result.extend((0..extent).map(|i| f(a[from_a + i * step_a], b[from_b + i * step_b]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Source index of a result coordinate, straight from the definition.
    fn source(shape: &[usize], coordinate: &[usize]) -> usize {
        let tail = &coordinate[coordinate.len() - shape.len()..];
        shape.iter().zip(tail).fold(0, |index, (&e, &c)| index * e + if e == 1 { 0 } else { c })
    }

    proptest! {
        #[test]
        fn every_pair_is_the_one_of_the_definition(
            extents in proptest::collection::vec((1usize..4, any::<bool>(), any::<bool>()), 0..5),
            drop_a in 0usize..5, drop_b in 0usize..5,
        ) {
            let mut a: Vec<usize> = extents.iter().map(|&(e, one, _)| if one { 1 } else { e }).collect();
            let mut b: Vec<usize> = extents.iter().map(|&(e, _, one)| if one { 1 } else { e }).collect();
            a.drain(..drop_a.min(a.len()));
            b.drain(..drop_b.min(b.len()));
            let (plan, result) = Broadcast::new(&a, &b).unwrap();
            let left: Vec<usize> = (0..a.iter().product()).collect();
            let right: Vec<usize> = (0..b.iter().product()).collect();
            let pairs = plan.zip(&left, &right, |x, y| (x, y));
            let mut expected = vec![];
            for i in 0..result.iter().product() {
                let mut rest = i;
                let mut c = vec![0; result.len()];
                for axis in (0..result.len()).rev() {
                    (c[axis], rest) = (rest % result[axis], rest / result[axis]);
                }
                expected.push((source(&a, &c), source(&b, &c)));
            }
            prop_assert_eq!(pairs, expected);
        }
    }

    #[test]
    fn shapes_that_do_not_broadcast_are_refused() {
        assert!(Broadcast::new(&[2, 3], &[2]).is_err());
    }
}
