//! Holds what a file declares about its outputs against what its operators give.
//!
//! A declaration that is wrong is a fault of the exporter: to follow either side silently would change an interface that
//! somebody relies on. Symbolic axes and types that cannot be told contradict nothing, nor does a shape without axes, which
//! some exporters write where they know none. What is said of tensors in between is a hint that runtimes overlook where it is stale.

use crate::infer::Type;
use crate::refuse::Refusals;
use halfproof_ir::{DType, Dim, Graph, Value};

/// Notes every output whose declared type or shape is another than the one that was inferred.
pub(crate) fn results(graph: &Graph, types: &[Option<Type>], refused: &mut Refusals) {
    for &id in &graph.outputs {
        if let Some(ty) = &types[id.index()] {
            value(graph.value(id), ty, refused);
        }
    }
}

/// As [`results`], of outputs that became constants between two graphs with the same ids.
pub(crate) fn constants(declared: &Graph, folded: &Graph, refused: &mut Refusals) {
    for &id in &declared.outputs {
        let (old, new) = (declared.value(id), folded.value(id));
        if let (None, Some(tensor)) = (&old.constant, &new.constant) {
            let found = Type::new(new.dtype.unwrap_or(tensor.dtype()), tensor.shape.clone());
            value(old, &found, refused);
        }
    }
}

fn value(declared: &Value, found: &Type, refused: &mut Refusals) {
    let dtype_differs = declared.dtype.is_some_and(|d| d != found.dtype);
    let shape_differs = declared.shape.as_ref().is_some_and(|dims| {
        let fits = |(dim, &extent): (&Dim, &usize)| match dim {
            Dim::Fixed(n) => *n == extent,
            Dim::Named(_) => true,
        };
        let differs = dims.len() != found.rank() || !dims.iter().zip(&found.shape).all(fits);
        differs && !dims.is_empty()
    });
    if dtype_differs || shape_differs {
        let text = format!(
            "it is declared as {}, but the graph gives {} {:?}; export the model again, or correct what it declares",
            form(declared.dtype, declared.shape.as_deref()),
            found.dtype,
            found.shape
        );
        refused.interface(&declared.name, Some(found.dtype), text);
    }
}

/// A declared type as errors show it.
fn form(dtype: Option<DType>, shape: Option<&[Dim]>) -> String {
    let dim = |d: &Dim| match d {
        Dim::Fixed(n) => n.to_string(),
        Dim::Named(name) if name.is_empty() => "?".to_string(),
        Dim::Named(name) => name.clone(),
    };
    let shape = shape.map(|dims| format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", ")));
    [dtype.map(|d| d.to_string()), shape].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::convert;
    use halfproof_ir::{DType, Dim, Graph, Op, Precision, Request, Tensor, ValueId};

    /// A Relu of a 1 x 4 input, with something declared about its result.
    fn relu(declare: impl FnOnce(&mut Graph, ValueId)) -> Option<String> {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[1, 4]);
        let y = graph.add_node(Op::Relu, &[x], "y");
        declare(&mut graph, y);
        graph.outputs.push(y);
        convert(&graph, &Request::new(Precision::Weights)).err().map(|refusal| refusal.to_string())
    }

    fn shaped(dims: Vec<Dim>) -> Option<String> {
        relu(|graph, y| graph.values[y.index()].shape = Some(dims))
    }

    #[test]
    fn a_declaration_that_contradicts_the_graph_is_refused_with_both() {
        let dtype = relu(|graph, y| graph.values[y.index()].dtype = Some(DType::I64)).unwrap();
        assert!(dtype.starts_with("graph \"y\" "), "{dtype}");
        assert!(dtype.contains("declared as INT64, but the graph gives FLOAT32 [1, 4]"), "{dtype}");
        let shape = shaped(vec![Dim::Fixed(7), Dim::Named("n".into())]).unwrap();
        assert!(shape.contains("declared as [7, n], but the graph gives FLOAT32 [1, 4]"), "{shape}");
        assert!(shaped(vec![Dim::Fixed(4)]).is_some());
    }

    #[test]
    fn symbolic_axes_and_what_is_not_declared_contradict_nothing() {
        assert_eq!(relu(|_, _| ()), None);
        assert_eq!(shaped(vec![Dim::Named("batch".into()), Dim::Fixed(4)]), None);
        assert_eq!(shaped(vec![Dim::Named(String::new()), Dim::Named(String::new())]), None);
        assert_eq!(shaped(vec![]), None, "some exporters write no axes where they know none");
    }

    #[test]
    fn what_is_said_of_a_tensor_in_between_may_be_stale() {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[1, 4]);
        let h = graph.add_node(Op::Relu, &[x], "h");
        let y = graph.add_node(Op::Abs, &[h], "y");
        graph.outputs.push(y);
        graph.values[h.index()].shape = Some(vec![Dim::Fixed(8), Dim::Fixed(4)]);
        assert!(convert(&graph, &Request::new(Precision::Weights)).is_ok());
    }

    #[test]
    fn results_that_are_constant_are_held_to_it_too() {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[2]);
        let c = graph.add_constant("c", Tensor::f32([2], vec![1.0, -2.0]));
        let a = graph.add_node(Op::Abs, &[c], "a");
        let y = graph.add_node(Op::Add, &[x, a], "y");
        graph.outputs.extend([y, a]);
        let refusal = |graph: &Graph| convert(graph, &Request::new(Precision::Full)).err();
        assert_eq!(refusal(&graph), None);
        graph.values[a.index()].shape = Some(vec![Dim::Fixed(3)]);
        let text = refusal(&graph).map(|r| r.to_string()).unwrap_or_default();
        assert!(text.contains("\"a\"") && text.contains("declared as [3]"), "{text}");
    }

    #[test]
    fn a_graph_without_an_output_is_refused() {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[2]);
        graph.add_node(Op::Relu, &[x], "y");
        let refusal = convert(&graph, &Request::new(Precision::Weights)).expect_err("nothing comes out");
        assert_eq!(refusal.to_string(), "graph \"g\": the graph has no output");
    }
}
