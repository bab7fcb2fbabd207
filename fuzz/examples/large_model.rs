//! Writes a float32 .onnx of about 100 MB and 1,000 nodes, with an overflow deep inside, to measure triage on:
//! `cargo run --release -p halfproof-fuzz --example large_model -- FILE.onnx [BLOCKS]`.
//!
//! Each block has four nodes: a convolution or a matrix product, a bias or an activation, a normalisation, a sum.

use halfproof_ir::ops::{Conv, LayerNormalization};
use halfproof_ir::{DType, Graph, Op, Tensor, ValueId};
use halfproof_wire::file::write_atomically;
use halfproof_wire::onnx::{self, Opset};
use std::path::Path;

const WIDTH: usize = 312;
const CHANNELS: usize = 104;

struct Net {
    graph: Graph,
    seed: u64,
}

impl Net {
    fn weight(&mut self, name: String, shape: &[usize], centre: f32, spread: f32) -> ValueId {
        let count: usize = shape.iter().product();
        let data = (0..count)
            .map(|_| {
                self.seed =
                    self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                centre + spread * (((self.seed >> 40) as f32) / 8_388_608.0 - 1.0)
            })
            .collect();
        self.graph.add_constant(name, Tensor::f32(shape.to_vec(), data))
    }

    /// x + norm(relu(x W)); the residual grows, and the squares of the norm overflow in the end.
    fn dense(&mut self, block: usize, x: ValueId) -> ValueId {
        let w = self.weight(format!("w{block}"), &[WIDTH, WIDTH], 0.0, 0.06);
        let scale = self.weight(format!("scale{block}"), &[WIDTH], 30.0, 1.0);
        let y = self.graph.add_node(Op::MatMul, &[x, w], format!("proj{block}"));
        let y = self.graph.add_node(Op::Relu, &[y], format!("relu{block}"));
        let y = self.graph.add_node(LayerNormalization::default(), &[y, scale], format!("norm{block}"));
        self.graph.add_node(Op::Add, &[x, y], format!("add{block}"))
    }

    /// x + tanh(conv(x)) / 2.
    fn image(&mut self, block: usize, x: ValueId) -> ValueId {
        let w = self.weight(format!("w{block}"), &[CHANNELS, CHANNELS, 3, 3], 0.0, 0.04);
        let half = self.weight(format!("half{block}"), &[], 0.5, 0.0);
        let conv = Conv { pads: vec![1, 1, 1, 1], ..Conv::default() };
        let y = self.graph.add_node(conv, &[x, w], format!("conv{block}"));
        let y = self.graph.add_node(Op::Tanh, &[y], format!("tanh{block}"));
        let y = self.graph.add_node(Op::Mul, &[y, half], format!("half_out{block}"));
        self.graph.add_node(Op::Add, &[x, y], format!("add{block}"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: large_model FILE.onnx [BLOCKS]")?;
    let blocks: usize = args.next().map_or(Ok(250), |n| n.parse())?;
    let mut net = Net { graph: Graph::new("large"), seed: 3 };
    let image = net.graph.add_input("image", DType::F32, &[1, CHANNELS, 6, 6]);
    let tokens = net.graph.add_input("tokens", DType::F32, &[1, 24, WIDTH]);
    let (mut x, mut y) = (image, tokens);
    for block in 0..blocks {
        if block % 2 == 0 { x = net.image(block, x) } else { y = net.dense(block, y) }
    }
    net.graph.outputs = vec![x, y];
    write_atomically(Path::new(&path), &onnx::write(&net.graph, Opset::of(&net.graph))?)?;
    Ok(())
}
