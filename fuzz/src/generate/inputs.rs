//! Input sets that make a graph talk.

use super::dna::Stream;
use halfproof_converter::size;
use halfproof_ir::{DType, Data, Graph, Tensor};

/// A kind of input set (ORACLE.md, "Inputs that make a graph talk").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// Small distinct multiples of 1/4, exact in float16; no two neighbours are equal, so swaps show.
    Lattice,
    /// Standard normal, rounded to float16 so that every system gets the same numbers.
    Gaussian,
    /// Gaussian of another scale per tensor: 1/16 to 16.
    Scaled,
    /// Signed zeros, subnormals, 2^-14, 65504, values whose squares or sums overflow.
    Edges,
}

impl InputKind {
    /// Every kind, in the order of tables and reports.
    pub const ALL: [InputKind; 4] =
        [InputKind::Lattice, InputKind::Gaussian, InputKind::Scaled, InputKind::Edges];

    /// The kind's name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            InputKind::Lattice => "lattice",
            InputKind::Gaussian => "gaussian",
            InputKind::Scaled => "scaled",
            InputKind::Edges => "edges",
        }
    }

    /// The inverse of [`InputKind::name`].
    pub fn from_name(name: &str) -> Option<InputKind> {
        InputKind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// Values at which float16 changes its behavior, as bit patterns.
const EDGES: [u16; 24] = [
    0x0000, 0x8000, // signed zeros
    0x3c00, 0xbc00, 0x3c01, 0x3bff, // 1 and its neighbors
    0x0001, 0x8001, 0x03ff, 0x0400, 0x8400, 0x0800, // least subnormal, greatest, least normal, 2^-13
    0x3555, 0xc200, // 1/3 rounded, -3
    0x48c0, 0xc8c0, 0x4980, // 9.5 and 11: tanh saturates, exp overflows
    0x5bff, 0x5c00, // 255.9 and 256: squares overflow
    0x6800, 0x6801, 0xec00, // 2048, the next (2050), -4096
    0x7b53, 0x7bff, // 60000, 65504
];

/// One tensor per graph input. An input beyond [`size::MOST_ELEMENTS`] gets a tensor without elements, which no evaluation
/// takes: commands refuse such models before ([`size::graph`]), and nothing else may make a tensor of a terabyte.
pub fn inputs(graph: &Graph, kind: InputKind, seed: u64) -> Vec<Tensor> {
    graph
        .inputs
        .iter()
        .enumerate()
        .map(|(i, &id)| {
            let value = graph.value(id);
            let declared = value.static_shape().unwrap_or_default();
            let shape = if size::is_evaluable(&declared) { declared } else { vec![0] };
            let mut stream = Stream::new(seed.wrapping_mul(31).wrapping_add(i as u64) ^ (kind as u64) << 56);
            let dtype = value.dtype.unwrap_or(DType::F32);
            tensor(dtype, &shape, kind, &mut stream)
        })
        .collect()
}

fn tensor(dtype: DType, shape: &[usize], kind: InputKind, stream: &mut Stream) -> Tensor {
    let n = shape.iter().product();
    let floats = |stream: &mut Stream| -> Vec<f32> {
        let scale = match kind {
            InputKind::Scaled => (2.0f64).powi(stream.below(9) as i32 - 4),
            _ => 1.0,
        };
        let start = stream.below(32);
        (0..n as u64)
            .map(|j| match kind {
                // A step of 7 quarters modulo 41 visits every residue before it repeats.
                InputKind::Lattice => ((start + 7 * j) % 41) as f32 * 0.25 - 5.0,
                InputKind::Gaussian | InputKind::Scaled => {
                    half::f16::from_f64(stream.gaussian() * scale).to_f32()
                }
                InputKind::Edges => {
                    half::f16::from_bits(EDGES[stream.below(EDGES.len() as u64) as usize]).to_f32()
                }
            })
            .collect()
    };
    let data = match dtype {
        DType::F32 => Data::F32(floats(stream)),
        DType::F16 => Data::F16(floats(stream).into_iter().map(half::f16::from_f32).collect()),
        DType::F64 => Data::F64(floats(stream).into_iter().map(f64::from).collect()),
        DType::Bool => Data::Bool((0..n).map(|_| stream.below(2) == 1).collect()),
        DType::I32 => Data::I32((0..n).map(|_| stream.below(3) as i32).collect()),
        DType::I64 => Data::I64((0..n).map(|_| stream.below(3) as i64).collect()),
        DType::I8 => Data::I8((0..n).map(|_| stream.below(3) as i8).collect()),
        DType::I16 => Data::I16((0..n).map(|_| stream.below(3) as i16).collect()),
        DType::U8 => Data::U8((0..n).map(|_| stream.below(3) as u8).collect()),
        DType::U16 => Data::U16((0..n).map(|_| stream.below(3) as u16).collect()),
        DType::U32 => Data::U32((0..n).map(|_| stream.below(3) as u32).collect()),
        DType::U64 => Data::U64((0..n).map(|_| stream.below(3)).collect()),
    };
    Tensor::new(shape, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lattice_elements_are_exact_in_float16_and_neighbors_differ() {
        let mut stream = Stream::new(3);
        let t = tensor(DType::F32, &[41], InputKind::Lattice, &mut stream);
        let v = t.floats().unwrap();
        assert!(v.iter().all(|&x| half::f16::from_f64(x).to_f64() == x));
        let mut sorted = v.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        assert_eq!(sorted.len(), 41);
    }

    #[test]
    fn an_input_that_is_too_large_gets_no_elements() {
        for shape in [&[1 << 40][..], &[1 << 31; 3]] {
            let mut graph = Graph::new("g");
            graph.add_input("x", DType::F32, shape);
            graph.add_input("y", DType::F32, &[2]);
            let set = inputs(&graph, InputKind::Gaussian, 1);
            assert_eq!(set.iter().map(Tensor::len).collect::<Vec<_>>(), [0, 2]);
        }
    }

    #[test]
    fn the_edges_are_finite_and_distinct() {
        let mut edges = EDGES.to_vec();
        edges.sort_unstable();
        edges.dedup();
        assert_eq!(edges.len(), EDGES.len());
        assert!(edges.iter().all(|&b| half::f16::from_bits(b).is_finite()));
    }
}
