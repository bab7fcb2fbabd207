//! Constants of a converted file that nobody explains: which constants of the source are they?
//!
//! A constant is recognised when every element is within one unit in the last place of an element of a source constant,
//! in the same order or with the axes permuted, or when it has the name of one. A few elements may agree by chance (an
//! epsilon that is an attribute of a node, and some other small number), so short constants need the name. Zeros that are
//! the rounding of nothing in the source are zeros. What is recognised is then judged bit for bit; what is not (folded constants) stays an interval around what is stored.

use super::trace::Source;
use crate::half;
use crate::tflite::Program;
use halfproof_ir::{ConstantOrigin, DType, Data, Provenance, Role, Tensor};
use halfproof_wire::tflite::Model;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Constants shorter than this are recognised by name only.
const FEW: usize = 8;

/// The constants of a converted model that are recognised in its source.
pub fn constants(source: Source<'_>, model: &Model, program: &Program) -> Provenance {
    let known = float_constants(source);
    let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, (_, tensor)) in known.iter().enumerate() {
        by_length.entry(tensor.len()).or_default().push(i);
    }
    let mut provenance = Provenance::default();
    let Some(graph) = model.subgraphs.first() else { return provenance };
    for (index, tensor) in (0u32..).zip(&graph.tensors) {
        let Some((dtype, _)) = program.form(index) else { continue };
        if !dtype.is_float() || !program.is_constant(index) {
            continue;
        }
        let Some(data) = model.data(tensor).and_then(|bytes| Data::from_le_bytes(dtype, bytes)) else {
            continue;
        };
        let stored = Tensor::new(vec![data.len()], data);
        let candidates = by_length.get(&stored.len()).map_or(&[][..], Vec::as_slice);
        if is_made_of_nothing(&stored) && !candidates.iter().any(|&c| may_be_flushed(&known[c].1)) {
            // The bias that a converter adds where the source has none; of either sign.
            let at = element(&stored);
            let exact = (0..stored.len()).map(at).collect::<Vec<f64>>().into();
            provenance.constants.push(ConstantOrigin { tensor: index, role: Role::Plain, exact });
            continue;
        }
        // A name settles it, even when no element is right: that is how stale weights look.
        let named = candidates.iter().find(|&&c| is_name_of(&known[c].0, &tensor.name));
        let unnamed = candidates.iter().filter(|_| stored.len() >= FEW);
        let found = named
            .into_iter()
            .chain(unnamed)
            .find_map(|&c| order(&known[c].1, &stored, dtype).map(|o| (c, o)))
            .or_else(|| {
                // In an order that is not tried, every element may be right.
                let &c = named.filter(|&&c| tries_every_order(&known[c].1.shape))?;
                Some((c, closest(&known[c].1, &stored)))
            });
        if let Some((c, order)) = found {
            let at = element(&known[c].1);
            let exact = order.iter().map(|&i| at(i)).collect::<Vec<f64>>().into();
            provenance.constants.push(ConstantOrigin { tensor: index, role: Role::Plain, exact });
        }
    }
    provenance
}

/// Zeros, and more than one: a single one may be what float16 makes of an epsilon.
fn is_made_of_nothing(stored: &Tensor) -> bool {
    let at = element(stored);
    stored.len() > 1 && (0..stored.len()).all(|i| at(i) == 0.0)
}

/// True when every element is too small for float16 and one of them is not 0.
fn may_be_flushed(source: &Tensor) -> bool {
    let at = element(source);
    let small = |i: usize| half::round(at(i)) == 0.0;
    (0..source.len()).all(small) && (0..source.len()).any(|i| at(i) != 0.0)
}

/// `conv1.weight` is also called `model/conv1.weight` and `conv1.weight;dequantized` by converters.
fn is_name_of(source: &str, target: &str) -> bool {
    !source.is_empty() && (target == source || target.split([';', '/']).any(|part| part == source))
}

fn float_constants(source: Source<'_>) -> Vec<(String, Arc<Tensor>)> {
    match source {
        Source::Onnx(graph) => graph
            .values
            .iter()
            .filter_map(|v| Some((v.name.clone(), Arc::clone(v.constant.as_ref()?))))
            .filter(|(_, t)| t.dtype().is_float())
            .collect(),
        Source::Tflite(program, model) => {
            let Some(graph) = model.subgraphs.first() else { return vec![] };
            (0u32..)
                .zip(&graph.tensors)
                .filter(|(t, _)| program.is_constant(*t))
                .filter_map(|(t, tensor)| {
                    let (dtype, shape) = program.form(t).filter(|(d, _)| d.is_float())?;
                    let data = Data::from_le_bytes(dtype, model.data(tensor)?)?;
                    Some((tensor.name.clone(), Arc::new(Tensor::new(shape.to_vec(), data))))
                })
                .collect()
        }
    }
}

/// The largest finite magnitude among the float constants of a source; 0 where it has none.
pub(super) fn largest_constant(source: Source<'_>) -> f64 {
    let largest = |tensor: &Tensor| {
        let at = element(tensor);
        (0..tensor.len()).map(|i| at(i).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max)
    };
    float_constants(source).iter().map(|(_, t)| largest(t)).fold(0.0, f64::max)
}

/// Reads one float element without copying the others.
fn element(tensor: &Tensor) -> impl Fn(usize) -> f64 + '_ {
    move |i| match &tensor.data {
        Data::F16(v) => v[i].to_f64(),
        Data::F32(v) => f64::from(v[i]),
        Data::F64(v) => v[i],
        _ => f64::NAN,
    }
}

/// In which order the source's elements are stored, up to one unit in the last place; `None` when in none.
fn order(source: &Tensor, stored: &Tensor, dtype: DType) -> Option<Vec<usize>> {
    let (exact, held) = (element(source), element(stored));
    let near = |e: f64, s: f64| {
        let (rounded, ulp) = match dtype {
            DType::F16 => (half::round(e), half::ulp(e)),
            DType::F32 => (half::round_single(e), half::ulp_single(e)),
            _ => (e, 0.0),
        };
        rounded == s || (rounded - s).abs() <= ulp || e.is_nan() && s.is_nan()
    };
    permutations(&source.shape).into_iter().find_map(|p| {
        let mut walk = Strided::new(&source.shape, &p);
        (0..source.len()).all(|i| near(exact(walk.next_index()), held(i))).then(|| {
            let mut walk = Strided::new(&source.shape, &p);
            (0..source.len()).map(|_| walk.next_index()).collect()
        })
    })
}

/// The order in which most elements are close; for constants that are known by name.
fn closest(source: &Tensor, stored: &Tensor) -> Vec<usize> {
    let (exact, held) = (element(source), element(stored));
    let distance = |p: &Vec<usize>| -> f64 {
        let mut walk = Strided::new(&source.shape, p);
        (0..source.len()).map(|i| (exact(walk.next_index()) - held(i)).abs().min(1e30)).sum()
    };
    let best = permutations(&source.shape)
        .into_iter()
        .map(|p| (distance(&p), p))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(Vec::new, |(_, p)| p);
    let mut walk = Strided::new(&source.shape, &best);
    (0..source.len()).map(|_| walk.next_index()).collect()
}

/// Tensors of six axes and more elements are taken in the given order only: there are 720 others.
const MANY: usize = 4096;

fn tries_every_order(shape: &[usize]) -> bool {
    match shape.iter().filter(|&&d| d > 1).count() {
        0..=5 => true,
        6 => shape.iter().product::<usize>() <= MANY,
        _ => false,
    }
}

/// Every order of the axes that are longer than 1, the given one first; of too many axes only that.
pub(super) fn permutations(shape: &[usize]) -> Vec<Vec<usize>> {
    let long: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] > 1).collect();
    if !tries_every_order(shape) {
        return vec![(0..shape.len()).collect()];
    }
    let mut all = vec![vec![]];
    for _ in 0..long.len() {
        all = all
            .into_iter()
            .flat_map(|p: Vec<usize>| {
                long.iter()
                    .filter(|a| !p.contains(a))
                    .map(|&a| p.iter().copied().chain([a]).collect())
                    .collect::<Vec<Vec<usize>>>()
            })
            .collect();
    }
    all
}

/// Row-major indices of a tensor that is read with its axes in another order. Axes of extent 1 may be left out.
pub(super) struct Strided {
    extents: Vec<usize>,
    strides: Vec<usize>,
    at: Vec<usize>,
    index: usize,
}

impl Strided {
    pub(super) fn new(shape: &[usize], permutation: &[usize]) -> Strided {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        Strided {
            extents: permutation.iter().map(|&a| shape[a]).collect(),
            strides: permutation.iter().map(|&a| strides[a]).collect(),
            at: vec![0; permutation.len()],
            index: 0,
        }
    }

    pub(super) fn next_index(&mut self) -> usize {
        let index = self.index;
        for axis in (0..self.at.len()).rev() {
            self.at[axis] += 1;
            self.index += self.strides[axis];
            if self.at[axis] < self.extents[axis] {
                return index;
            }
            self.index -= self.strides[axis] * self.extents[axis];
            self.at[axis] = 0;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_rounded_weight_is_recognised_and_a_changed_one_is_not() {
        let source = Tensor::new(vec![2, 3], Data::F32(vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]));
        let half = |v: &[f32]| {
            Tensor::new(vec![6], Data::F16(v.iter().map(|&x| ::half::f16::from_f32(x)).collect()))
        };
        let stored = half(&[0.1, 0.4, 0.2, 0.5, 0.3, 0.6]);
        assert_eq!(order(&source, &stored, DType::F16), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(order(&source, &half(&[0.1, 0.4, 0.2, 0.5, 0.3, 0.7]), DType::F16), None);
    }

    /// A constant of six axes that a lowering had merged and transposed was said to be stale (ai-edge-quantizer 0.10.0,
    /// seed 101).
    #[test]
    fn six_axes_are_tried_in_every_order_where_elements_are_few() {
        let number = |i: usize| i as f32;
        let source = Tensor::new(vec![2; 6], Data::F32((0..64).map(number).collect()));
        let swapped: Vec<usize> = (0..64).map(|i| (i & !3) | (i & 1) << 1 | (i & 2) >> 1).collect();
        let stored = Tensor::new(vec![64], Data::F32(swapped.iter().copied().map(number).collect()));
        assert_eq!(order(&source, &stored, DType::F32), Some(swapped));
        assert!(!tries_every_order(&[2; 7]) && !tries_every_order(&[5; 6]));
    }

    #[test]
    fn zeros_are_zeros_where_nothing_of_the_source_is_flushed_to_them() {
        let tiny = Tensor::new(vec![2], Data::F32(vec![1e-9, 0.0]));
        let zeros = Tensor::new(vec![2], Data::F16(vec![::half::f16::ZERO; 2]));
        let one = Tensor::new(vec![1], Data::F16(vec![::half::f16::ZERO]));
        assert!(is_made_of_nothing(&zeros) && !is_made_of_nothing(&one) && !is_made_of_nothing(&tiny));
        assert!(may_be_flushed(&tiny));
        assert!(!may_be_flushed(&zeros) && !may_be_flushed(&Tensor::new(vec![1], Data::F32(vec![0.5]))));
    }

    #[test]
    fn axes_of_one_make_no_further_orders() {
        assert_eq!(permutations(&[1, 4, 1, 3]), [vec![1, 3], vec![3, 1]]);
        assert_eq!(permutations(&[]), [Vec::<usize>::new()]);
    }
}
