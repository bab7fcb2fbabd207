//! Input sets for a model that came without any: kinds and scales that make it talk.

use crate::generate::{InputKind, inputs};
use halfproof_ir::{DType, Data, Graph, Tensor};

/// One input set.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name: a kind, or `given`.
    pub name: String,
    /// One tensor per input.
    pub tensors: Vec<Tensor>,
    /// True when a model may be expected to take such numbers.
    pub reachable: bool,
}

impl Set {
    /// The user's.
    pub fn given(tensors: Vec<Tensor>) -> Set {
        Set { name: "given".to_string(), tensors, reachable: true }
    }

    /// The largest magnitude.
    pub fn largest(&self) -> f64 {
        let largest = |t: &Tensor| t.floats().unwrap_or_default().iter().fold(0.0f64, |m, x| m.max(x.abs()));
        self.tensors.iter().map(largest).fold(0.0, f64::max)
    }
}

/// Sets in the order in which they are tried: ordinary numbers first, then smaller and larger ones, then extremes.
pub fn sets(graph: &Graph) -> Vec<Set> {
    let set = |name: String, tensors, reachable| Set { name, tensors, reachable };
    let kind = |k: InputKind, seed| inputs(graph, k, seed);
    let gaussian = kind(InputKind::Gaussian, 1);
    let mut all = vec![
        set("gaussian".into(), gaussian.clone(), true),
        set("lattice".into(), kind(InputKind::Lattice, 1), true),
    ];
    all.extend((1..=3).map(|seed| set(format!("scaled {seed}"), kind(InputKind::Scaled, seed), true)));
    for scale in [1.0 / 64.0, 16.0] {
        all.push(set(format!("gaussian x {scale}"), scaled(&gaussian, scale), true));
    }
    all.push(set("gaussian x 256".into(), scaled(&gaussian, 256.0), false));
    all.push(set("edges".into(), kind(InputKind::Edges, 1), false));
    all
}

fn scaled(tensors: &[Tensor], by: f64) -> Vec<Tensor> {
    let one = |t: &Tensor| match (&t.data, t.dtype()) {
        (Data::F32(v), DType::F32) => {
            let v = v.iter().map(|x| half::f16::from_f64(f64::from(*x) * by).to_f32()).collect();
            Tensor::new(t.shape.clone(), Data::F32(v))
        }
        _ => t.clone(),
    };
    tensors.iter().map(one).collect()
}
