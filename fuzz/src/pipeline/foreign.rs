//! What another converter made comes without a map of where its tensors and constants are from. Its constants are
//! recognised in the source, and its meaning is judged by walking the file beside the source, as `triage` does.

use super::Trial;
use crate::localise::{self, Set, SourceModel, Systems};
use halfproof_ir::{Conversion, Request};
use halfproof_oracle::judge::trace::{Meaning, Row};
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_wire::tflite;

/// The conversion with those of its constants that are the source's.
pub(super) fn recognised(trial: &Trial, conversion: Conversion) -> Conversion {
    localise::recognised(&SourceModel::onnx(trial.graph.clone()), conversion)
}

/// Does the file mean what its source means? Kernels and the choice of float16 are other questions.
pub(super) fn meaning(trial: &Trial, conversion: &Conversion) -> Verdict {
    let source = SourceModel::onnx(trial.graph.clone());
    // Purity is asked about elsewhere. A float32 constant must not hide what else is wrong.
    let request = Request { keep_fp32: Some(String::new()), ..trial.request.clone() };
    let sets = [Set::given(trial.inputs.clone())];
    let ours = localise::interpreter("interp-f32").into_iter().collect();
    let mut systems = Systems { ours, outside: &mut [] };
    let found = localise::examine(&source, &request, conversion, &sets, &mut systems, &mut |_, _, _| ());
    let outputs = tflite::read(&conversion.model).map_or(vec![], |model| model.main().outputs.clone());
    let of_outputs: Vec<&Row> = found
        .traces
        .iter()
        .flat_map(|trace| &trace.rows)
        .filter(|row| outputs.iter().any(|&t| u32::try_from(t) == Ok(row.tensor)))
        .collect();
    if let Some(verdict) = other_shape(&of_outputs) {
        return verdict;
    }
    // An output of the file does not mean what that of the source means. A scalar that became a vector of one element is a
    // matter of the interface, which is asked about elsewhere.
    let is_scalar = |row: &Row| matches!(&row.meaning, Meaning::Shape(source, target) if source.is_empty() && target.iter().all(|&d| d == 1));
    let wrong = |row: &&Row| row.is_meant_otherwise() && !is_scalar(row);
    let reaches = of_outputs.iter().any(wrong);
    let verdict = found.diagnosis.verdict;
    match verdict.class {
        // Tensors inside are matched with the source by their values, which may be wrong; outputs are outputs.
        Class::Semantics if !reaches => Verdict { strength: Strength::Unknown, ..verdict },
        Class::Semantics | Class::InvalidModel | Class::Impure | Class::Undecidable => verdict,
        _ => Verdict {
            judged: verdict.judged,
            excluded: verdict.excluded,
            ..Verdict::new(
                Class::Pass,
                Blame::Nobody,
                Strength::Certified,
                "source and converted graph agree",
            )
        },
    }
}

/// An output whose shape is not the source's is wrong by itself: which tensor before it is to blame, values do not tell.
fn other_shape(outputs: &[&Row]) -> Option<Verdict> {
    let (row, source, target) = outputs.iter().find_map(|row| match &row.meaning {
        Meaning::Shape(source, target) if !source.is_empty() => Some((row, source, target)),
        _ => None,
    })?;
    let text = "an output has another shape than its source";
    let mut verdict = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, text);
    verdict.place.operator = Some(row.builtin.to_string());
    verdict.place.operator_index = u32::try_from(row.operator).ok();
    verdict.place.tensor = Some(row.name.clone());
    verdict.place.tensor_index = Some(row.tensor);
    verdict.notes.push(format!("the source has shape {source:?}, the converted model {target:?}"));
    Some(verdict)
}
