//! Which operators of TFLite a graph becomes, and at which element types, in a line for each strategy.

use halfproof_converter::convert;
use halfproof_ir::{Graph, Precision, Request, text};
use halfproof_wire::tflite;

/// The graphs of a text, which blank lines separate.
pub(crate) fn graphs(all: &str) -> Vec<Graph> {
    let one = |text: &str| text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    all.split("\n\n").filter(|t| !t.trim().is_empty()).map(one).collect()
}

/// What a graph becomes: its operators, then a line for each strategy.
pub(crate) fn choices(graph: &Graph) -> String {
    let names: Vec<&str> = graph.nodes.iter().map(|n| n.op.name()).collect();
    let lines = Precision::ALL.iter().map(|&p| format!("  {:<7} {}\n", p.name(), becomes(graph, p)));
    format!("{}\n{}", names.join(" "), lines.collect::<String>())
}

fn becomes(graph: &Graph, precision: Precision) -> String {
    let conversion = match convert(graph, &Request::new(precision)) {
        Ok(conversion) => conversion,
        Err(refusal) => return format!("refused: {}", refusal.to_string().replace('\n', "; ")),
    };
    let model = tflite::read(&conversion.model).expect("a model that was written");
    let main = model.main();
    let one = |op: &tflite::Operator| {
        let result = op.outputs.first().and_then(|&t| main.tensors.get(usize::try_from(t).ok()?));
        let dtype = result.and_then(|t| t.dtype.dtype()).map_or("?", halfproof_ir::DType::short);
        format!("{}:{dtype}", op.name())
    };
    main.operators.iter().map(one).collect::<Vec<_>>().join(" ")
}
