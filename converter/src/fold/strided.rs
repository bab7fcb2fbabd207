//! Reads a tensor through a shape and strides: transposing, broadcasting, slicing and tiling are all this.

use halfproof_ir::Data;

/// A walk over a row-major vector: element `i` stands at `offset + sum(index[a] * strides[a])`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Position of the first element.
    pub(super) offset: usize,
    /// Extent of every axis of the result.
    pub(super) shape: Vec<usize>,
    /// Distance between neighbors along every axis; 0 repeats, negative walks backwards.
    pub(super) strides: Vec<isize>,
}

/// Row-major strides of a shape.
pub(super) fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for a in (1..shape.len()).rev() {
        strides[a - 1] = strides[a] * shape[a].max(1).cast_signed();
    }
    strides
}

impl View {
    /// The tensor of `shape`, broadcast to `to` (numpy's rule; the caller has checked that it does).
    pub(super) fn broadcast(shape: &[usize], to: &[usize]) -> View {
        let own = row_major(shape);
        let lead = to.len() - shape.len();
        let strides =
            (0..to.len()).map(|a| if a < lead || shape[a - lead] == 1 { 0 } else { own[a - lead] }).collect();
        View { offset: 0, shape: to.to_vec(), strides }
    }

    /// The tensor of `shape` with its axes in the order `perm`.
    pub(super) fn transpose(shape: &[usize], perm: &[usize]) -> View {
        let own = row_major(shape);
        View {
            offset: 0,
            shape: perm.iter().map(|&a| shape[a]).collect(),
            strides: perm.iter().map(|&a| own[a]).collect(),
        }
    }

    /// The elements in walking order.
    pub(super) fn read<T: Copy>(&self, from: &[T]) -> Vec<T> {
        let total: usize = self.shape.iter().product();
        let mut out = Vec::with_capacity(total);
        if total == 0 {
            return out;
        }
        let Some((&inner, outer)) = self.shape.split_last() else {
            out.push(from[self.offset]);
            return out;
        };
        let step = self.strides[outer.len()];
        let mut index = vec![0; outer.len()];
        let mut start = self.offset.cast_signed();
        loop {
            if step == 1 {
                let start = start.cast_unsigned();
                out.extend_from_slice(&from[start..start + inner]);
            } else {
                out.extend((0..inner.cast_signed()).map(|i| from[(start + i * step).cast_unsigned()]));
            }
            let mut axis = outer.len();
            loop {
                if axis == 0 {
                    return out;
                }
                axis -= 1;
                index[axis] += 1;
                start += self.strides[axis];
                if index[axis] < outer[axis] {
                    break;
                }
                start -= self.strides[axis] * outer[axis].cast_signed();
                index[axis] = 0;
            }
        }
    }

    /// The elements in walking order, of whatever type.
    pub(super) fn read_data(&self, data: &Data) -> Data {
        each(data, Read(self))
    }
}

/// Something that is done alike to the elements of any type.
pub(super) trait Pick {
    /// Makes new elements from old ones.
    fn pick<T: Copy>(&self, from: &[T]) -> Vec<T>;
}

struct Read<'a>(&'a View);

impl Pick for Read<'_> {
    fn pick<T: Copy>(&self, from: &[T]) -> Vec<T> {
        self.0.read(from)
    }
}

/// Applies a [`Pick`] to whichever vector it is.
pub(super) fn each(data: &Data, pick: impl Pick) -> Data {
    match data {
        Data::F16(v) => Data::F16(pick.pick(v)),
        Data::F32(v) => Data::F32(pick.pick(v)),
        Data::F64(v) => Data::F64(pick.pick(v)),
        Data::I8(v) => Data::I8(pick.pick(v)),
        Data::I16(v) => Data::I16(pick.pick(v)),
        Data::I32(v) => Data::I32(pick.pick(v)),
        Data::I64(v) => Data::I64(pick.pick(v)),
        Data::U8(v) => Data::U8(pick.pick(v)),
        Data::U16(v) => Data::U16(pick.pick(v)),
        Data::U32(v) => Data::U32(pick.pick(v)),
        Data::U64(v) => Data::U64(pick.pick(v)),
        Data::Bool(v) => Data::Bool(pick.pick(v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_a_matrix_reads_it_by_columns() {
        let view = View::transpose(&[2, 3], &[1, 0]);
        assert_eq!(view.shape, [3, 2]);
        assert_eq!(view.read(&[1, 2, 3, 4, 5, 6]), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn broadcasting_repeats_along_axes_of_one_and_missing_axes() {
        assert_eq!(View::broadcast(&[2, 1], &[2, 2, 3]).read(&[7, 8]), [7, 7, 7, 8, 8, 8, 7, 7, 7, 8, 8, 8]);
        assert_eq!(View::broadcast(&[], &[2]).read(&[5]), [5, 5]);
        assert_eq!(View::broadcast(&[], &[]).read(&[5]), [5]);
    }

    #[test]
    fn nothing_is_read_from_an_empty_view() {
        assert_eq!(View::broadcast(&[1], &[0]).read(&[1]), Vec::<i32>::new());
    }
}
