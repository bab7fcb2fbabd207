//! Generated graphs survive .onnx files of every operator set that can say them.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_fuzz::generate::{Dna, Options, generate};
use halfproof_ir::{Graph, text};
use halfproof_wire::onnx::{self, Opset};

const GRAPHS: u64 = 2000;

fn graphs() -> impl Iterator<Item = Graph> {
    (0..GRAPHS).map(|seed| generate(Dna::from_seed(seed), &Options::default()))
}

/// The text of what is read back, which does not depend on how values are numbered in memory.
fn read_back(graph: &Graph, opset: Opset) -> Result<String, onnx::WriteError> {
    let bytes = onnx::write(graph, opset)?;
    Ok(text::print(&onnx::read(&bytes).unwrap()))
}

#[test]
fn every_graph_survives_at_its_own_opset() {
    for graph in graphs() {
        let bytes = onnx::write(&graph, Opset::of(&graph)).unwrap();
        let read = onnx::read(&bytes).unwrap();
        // Reading orders values by use and drops constants that nothing reads; from then on nothing changes.
        assert_eq!(onnx::read(&onnx::write(&read, Opset::of(&read)).unwrap()).unwrap(), read);
        assert_eq!(text::parse(&text::print(&read)).unwrap(), read);
        assert_eq!(read.nodes.len(), graph.nodes.len());
        for (a, b) in read.nodes.iter().zip(&graph.nodes) {
            assert_eq!((&a.name, &a.op), (&b.name, &b.op));
            let names = |g: &Graph, ids: &[Option<halfproof_ir::ValueId>]| -> Vec<_> {
                ids.iter().map(|id| id.map(|id| g.value(id).clone())).collect()
            };
            assert_eq!(names(&read, &a.inputs), names(&graph, &b.inputs));
            assert_eq!(names(&read, &a.outputs), names(&graph, &b.outputs));
        }
    }
}

#[test]
fn older_opsets_say_the_same_or_refuse() {
    let mut written = [0; 24];
    for graph in graphs().take(500) {
        let canonical = onnx::read(&onnx::write(&graph, Opset::of(&graph)).unwrap()).unwrap();
        for opset in 9..=23 {
            let Ok(old) = read_back(&canonical, Opset(opset)) else { continue };
            written[opset as usize] += 1;
            // Constants that are attributes of the file come back under names of their own: read once more, their
            // names stay.
            let again = read_back(&text::parse(&old).unwrap(), Opset(opset)).unwrap();
            assert_eq!(again, old, "opset {opset}");
            assert_eq!(nodes(&old), nodes(&text::print(&canonical)), "opset {opset}");
        }
    }
    println!("written by opset: {:?}", &written[9..]);
    assert!(written[9..].iter().all(|&n| n > 0), "{:?}", &written[9..]);
}

/// The nodes of a printed graph without their operands, whose names may differ, and without axes, which older
/// opsets count from the front.
fn nodes(text: &str) -> Vec<String> {
    let strip = |line: &str| {
        let (head, rest) = line.split_once('(')?;
        let attributes: Vec<_> = rest
            .split_once(')')?
            .1
            .split(' ')
            .filter(|a| !["axis=", "coerce_2d=", "num_outputs="].iter().any(|n| a.starts_with(n)))
            // Means nothing there, and Upsample has no word for it.
            .filter(|a| !(line.contains(" mode=\"linear\"") && a.starts_with("nearest_mode=")))
            .collect();
        Some(format!("{head} {}", attributes.join(" ")))
    };
    text.lines().filter_map(strip).collect()
}
