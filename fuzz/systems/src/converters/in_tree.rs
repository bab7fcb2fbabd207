//! Decides how our own converter appears as one under test: `in-tree`, in this process.

use crate::{Converter, Outcome, Source};
use halfproof_ir::Request;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Our converter.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTree;

impl Converter for InTree {
    fn name(&self) -> &str {
        "in-tree"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Converts the graph. A panic is a broken invariant of ours and a crash like that of any other converter.
    fn convert(&mut self, source: Source<'_>, request: &Request) -> Outcome {
        match catch_unwind(AssertUnwindSafe(|| halfproof_converter::convert(source.graph, request))) {
            Ok(Ok(conversion)) => Outcome::Converted(conversion),
            Ok(Err(refusal)) => Outcome::Refused(refusal),
            Err(panic) => {
                let words = panic.downcast_ref::<&str>().map(ToString::to_string);
                let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Outcome::Crashed { how: format!("panic: {words}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::{DType, Graph, Op, Precision};
    use halfproof_wire::tflite;

    #[test]
    fn a_graph_becomes_a_model_that_reads_back() {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[1, 4]);
        let y = graph.add_node(Op::Relu, &[x], "y");
        graph.outputs.push(y);
        for precision in Precision::ALL {
            let outcome = InTree.convert(Source { graph: &graph, onnx: &[] }, &Request::new(precision));
            let Outcome::Converted(conversion) = outcome else { panic!("{precision}: {outcome:?}") };
            let model = tflite::read(&conversion.model).unwrap();
            assert_eq!(model.main().operators[0].name(), "RELU", "{precision}");
        }
    }
}
