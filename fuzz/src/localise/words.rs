//! What to do about a diagnosis, and where to report it.

use halfproof_ir::Precision;
use halfproof_oracle::judge::diagnosis::Diagnosis;
use halfproof_oracle::judge::trace::Fault;
use halfproof_oracle::verdict::{Blame, Class};

/// One thing to do, in the order in which it helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nodes to keep in float32, as a regular expression.
    KeepFp32(String),
    /// Another strategy.
    Strategy(Precision),
    /// Change the model.
    Rewrite(String),
    /// Tell the authors of that project.
    Report(String),
    /// Nothing is needed.
    Nothing(String),
}

/// What to do.
pub fn advice(diagnosis: &Diagnosis, converter: &str, precision: Precision) -> Vec<Advice> {
    let verdict = &diagnosis.verdict;
    let keep = verdict.place.source.as_deref().map(|nodes| Advice::KeepFp32(pattern(nodes)));
    match verdict.blame {
        Blame::Converter => vec![Advice::Report(project(Blame::Converter, converter).to_string())],
        Blame::Kernel => {
            let system = diagnosis.system.as_deref().unwrap_or_default();
            let mut advice = vec![Advice::Report(project(Blame::Kernel, system).to_string())];
            advice.extend(keep);
            advice
        }
        Blame::Policy => {
            let mut advice: Vec<Advice> = keep.into_iter().collect();
            if precision == Precision::Full {
                advice.push(Advice::Strategy(Precision::Mixed));
            }
            if let Some(cause) = &diagnosis.cause {
                advice.extend(rewrite(&cause.fault).map(|r| Advice::Rewrite(r.to_string())));
            }
            advice
        }
        Blame::Explained => {
            let mut advice: Vec<Advice> = keep.into_iter().collect();
            if let Some(cause) = &diagnosis.cause {
                advice.extend(rewrite(&cause.fault).map(|r| Advice::Rewrite(r.to_string())));
            }
            advice.push(Advice::Nothing("rounding explains it: no bug to report".to_string()));
            advice
        }
        Blame::Nobody if verdict.class == Class::Undecidable => {
            vec![Advice::Nothing("give inputs with --inputs, or see the notes".to_string())]
        }
        Blame::Nobody => vec![Advice::Nothing("nothing to do".to_string())],
    }
}

/// A pattern that matches these nodes and no others.
pub fn pattern(nodes: &str) -> String {
    let escaped = |name: &str| {
        name.chars().fold(String::new(), |mut s, c| {
            if "\\.+*?()|[]{}^$".contains(c) {
                s.push('\\');
            }
            s.push(c);
            s
        })
    };
    let names: Vec<String> = nodes.split(", ").map(escaped).collect();
    if names.len() == 1 { format!("^{}$", names[0]) } else { format!("^({})$", names.join("|")) }
}

fn rewrite(fault: &Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::Overflow { .. } | Fault::Intermediate { .. } => {
            "scale the operands down before this operator (and up after it), or normalise earlier"
        }
        Fault::Constant(f) if f.stored == 0.0 => {
            "use a constant that float16 holds: at least 6e-8, better 6.1e-5"
        }
        Fault::Constant(_) => "use a finite constant: at most 65504 in magnitude (-1e4 is enough for a mask)",
        Fault::Underflow { .. } => "scale the operand up, or add an epsilon of at least 6.1e-5",
        Fault::Domain { .. } => "bound the operand from below before this operator (Max with a small number)",
        Fault::Indeterminate => "replace infinite constants by large finite ones (a mask of -1e4)",
        Fault::Cancellation { .. } => "subtract before adding large numbers, or reorder the sum",
        Fault::Carried | Fault::Amplification => return None,
    })
}

/// Where to report.
pub fn project(blame: Blame, system: &str) -> &'static str {
    match (blame, system) {
        (Blame::Kernel, s) if s.starts_with("litert-xnnpack") => "google/XNNPACK (or google-ai-edge/LiteRT)",
        (Blame::Kernel, s) if s.starts_with("litert") => "google-ai-edge/LiteRT",
        (Blame::Kernel, _) => "halfproof (our interpreter)",
        (_, "in-tree") => "halfproof",
        (_, s) if s.starts_with("litert-torch") => "google-ai-edge/litert-torch",
        (_, "tensorflow") => "tensorflow/tensorflow",
        (_, "onnx2tf" | "onnx2tf-direct") => "PINTO0309/onnx2tf",
        (_, s) if s.contains("quantizer") => "google-ai-edge/ai-edge-quantizer",
        _ => "the project that made the converted file",
    }
}
