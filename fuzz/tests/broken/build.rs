//! Builds a source graph along one line of values.

use halfproof_ir::{DType, Graph, Node, Op, Tensor, ValueId};

/// A graph under construction; `at` is the value that the next node reads.
pub(crate) struct Net {
    pub(crate) graph: Graph,
    pub(crate) at: ValueId,
    shape: Vec<usize>,
    seed: u64,
}

impl Net {
    pub(crate) fn new(name: &str, shape: &[usize]) -> Net {
        let mut graph = Graph::new(name);
        let at = graph.add_input("x", DType::F32, shape);
        Net { graph, at, shape: shape.to_vec(), seed: 7 }
    }

    /// Uniform in (-1, 1), the same on every machine.
    fn next(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.seed >> 40) as f32) / 8_388_608.0 - 1.0
    }

    pub(crate) fn weight(&mut self, name: &str, shape: &[usize], centre: f32, spread: f32) -> ValueId {
        let count = shape.iter().product();
        let data = (0..count).map(|_| centre + spread * self.next()).collect();
        self.constant(name, shape, data)
    }

    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], data: Vec<f32>) -> ValueId {
        self.graph.add_constant(name, Tensor::f32(shape.to_vec(), data))
    }

    pub(crate) fn scalar(&mut self, name: &str, value: f32) -> ValueId {
        self.constant(name, &[], vec![value])
    }

    pub(crate) fn axes(&mut self, name: &str, axes: &[i64]) -> ValueId {
        self.graph.add_constant(name, Tensor::i64(vec![axes.len()], axes.to_vec()))
    }

    /// A node whose result has another name than the node, as in exported models.
    pub(crate) fn node(&mut self, op: impl Into<Op>, inputs: &[ValueId], name: String) -> ValueId {
        let result = self.result(name.clone());
        self.raw(op, inputs.iter().map(|&i| Some(i)).collect(), result, name);
        result
    }

    pub(crate) fn result(&mut self, name: String) -> ValueId {
        self.graph.add_value(format!("{name}_out"))
    }

    pub(crate) fn raw(
        &mut self,
        op: impl Into<Op>,
        inputs: Vec<Option<ValueId>>,
        result: ValueId,
        name: String,
    ) {
        self.graph.nodes.push(Node { name, op: op.into(), inputs, outputs: vec![Some(result)] });
    }

    /// An input set.
    pub(crate) fn input(&mut self, scale: f32) -> Tensor {
        let count = self.shape.iter().product();
        let data = (0..count).map(|_| half::f16::from_f32(scale * self.next()).to_f32()).collect();
        Tensor::f32(self.shape.clone(), data)
    }

    pub(crate) fn finish(mut self) -> Graph {
        self.graph.outputs = vec![self.at];
        self.graph
    }
}

/// A thousand is added and taken away again: the graph, and inputs for it.
pub(crate) fn cancellation() -> (Graph, Vec<Tensor>) {
    let mut n = Net::new("cancellation", &[1, 16]);
    let large = n.weight("large", &[16], 1000.0, 3.0);
    let w = n.weight("w", &[16, 16], 0.0, 0.3);
    let x = n.at;
    let y = n.node(Op::MatMul, &[x, w], "proj".into());
    let up = n.node(Op::Add, &[y, large], "shifted".into());
    let wave = n.node(Op::Relu, &[up], "relu".into());
    let down = n.node(Op::Sub, &[wave, large], "back".into());
    n.at = n.node(Op::Tanh, &[down], "tanh".into());
    let inputs = vec![n.input(1.0)];
    (n.finish(), inputs)
}
