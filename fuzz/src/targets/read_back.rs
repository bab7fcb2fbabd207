//! From the generator's decisions to a converted model that reads back.

use crate::generate::{Dna, Options, generate};
use halfproof_ir::{Precision, Request};
use halfproof_oracle::judge::Subject;
use halfproof_wire::tflite;

/// Generates, converts and reads back: the model is one that our reader, planner and judge of the file accept.
pub fn run(data: &[u8]) {
    let Some((&choice, dna)) = data.split_first() else { return };
    let request = Request::new(Precision::ALL[usize::from(choice) % Precision::ALL.len()]);
    let graph = generate(Dna::from_bytes(dna), &Options::default());
    let Ok(conversion) = halfproof_converter::convert(&graph, &request) else { return };
    let model = tflite::read(&conversion.model).expect("a converted model reads");
    let again = tflite::write(&model);
    assert_eq!(tflite::dump(&tflite::read(&again).expect("it reads again")), tflite::dump(&model));
    let subject = Subject::new(&graph, &request, &conversion).unwrap_or_else(|v| panic!("{v:#?}"));
    for verdict in [subject.legality(), subject.constants()] {
        assert!(verdict.class.is_fine(), "{verdict:#?}\n{}", halfproof_ir::text::print(&graph));
    }
}
