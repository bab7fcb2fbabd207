//! `conformance`: the test cases of the `onnx` package through our converter, each judged or refused with its reason.
//!
//! A case counts when it has float inputs and float outputs, static shapes, and element types that halfproof holds; those with
//! floats on one side only (comparisons, indices) are run as well and summed apart. It is
//! right under a strategy when every answer of the judge is fine and the package's own expected outputs agree: with the f64
//! reference to 1e-3 of the largest element (the package's own tolerance), and with the fp32 interpreter's run of the `weights` model to 1e-2.
//! Everything is a graph input in these tests, also what decides shapes and weights; exporters make those constants. A case that is
//! refused as it stands is tried again with the inputs that are not floats bound to the test's values, then with all inputs
//! but one float bound, and counted as such. float64 inputs are rounded to float32, which is what a .tflite model takes.
//! Where we read the specification in another way than the package does, [`READINGS`] says so; such a case is not right.

mod cases;
mod table;

use crate::exit::{Exit, Failure, Outcome};
use cases::Case;
use halfproof_ir::{Precision, Request};
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::setup;
use halfproof_wire::file::write_atomically;
use std::path::PathBuf;

/// Options of `conformance`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder of the cases; that of `setup conformance` unless given.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Folder for conformance.json.
    #[arg(long, default_value = "reports/conformance")]
    out: PathBuf,
    /// Write docs/conformance.md as well, or that file.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "docs/conformance.md")]
    docs: Option<PathBuf>,
    /// Print every case that is not right.
    #[arg(long)]
    list: bool,
}

/// The strategies that are tried.
pub(crate) const STRATEGIES: [Precision; 2] = [Precision::Weights, Precision::Full];

/// Cases whose expected outputs we do not share, with the reason. They count as cases and are never right.
pub(crate) const READINGS: [(&str, &str); 2] = [
    (
        "test_resize_downsample_scales_cubic_align_corners",
        "the package divides by `scale * length - 1`, the text by `length_resized - 1`, a whole number, as ONNX Runtime does",
    ),
    ("test_resize_downsample_scales_linear_align_corners", "as in cubic mode"),
];

/// How one case fared under one strategy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// Converted, and judged right.
    Right {
        /// Whether inputs that are not floats had to be constants.
        bound: bool,
        /// Whether a result is infinite in float16 only: the strategy's doing.
        overflows: bool,
    },
    /// Converted, and something is wrong.
    Wrong(String),
    /// Refused, with the reason.
    Refused(String),
    /// Converted as we read the specification, which is not as the package does: an entry of [`READINGS`].
    Reading(&'static str),
}

/// One case and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The case.
    pub(crate) name: String,
    /// `node`, `pytorch-converted`, `pytorch-operator`.
    pub(crate) set: String,
    /// The operator that it is about.
    pub(crate) operator: String,
    /// By strategy, or why it does not count.
    pub(crate) fates: Result<Vec<Fate>, String>,
}

/// Runs the cases and prints the table; exit code 1 when something is wrong.
pub(crate) fn run(args: &Args) -> Outcome {
    let folder = args.cases.clone().unwrap_or_else(setup::conformance::onnx_cases);
    let listed = cases::list(&folder)?;
    crate::folder::make(&args.out)?;
    let mut rows = Vec::new();
    for entry in listed.iter().filter(|c| c.name.contains(&args.only)) {
        rows.push(examine(&folder, entry));
    }
    if rows.is_empty() {
        return Err(Failure::bad_input(format!(
            "no case of {} has \"{}\" in its name",
            folder.display(),
            args.only
        )));
    }
    let text = table::text(&rows);
    anstream::println!("{text}");
    if args.list {
        for line in table::exceptions(&rows) {
            anstream::println!("{line}");
        }
    }
    let json = table::json(&rows).to_string();
    write_atomically(&args.out.join("conformance.json"), json.as_bytes()).map_err(Failure::writing)?;
    if let Some(path) = &args.docs {
        write_atomically(path, table::page(&rows).as_bytes()).map_err(Failure::writing)?;
    }
    let wrong = rows.iter().flat_map(|r| r.fates.iter().flatten()).any(|f| matches!(f, Fate::Wrong(_)));
    Ok(if wrong { Exit::NewFindings } else { Exit::Clean })
}

fn examine(folder: &std::path::Path, entry: &cases::Entry) -> Row {
    let row = |set: &str, operator: String, fates| Row {
        name: entry.name.clone(),
        set: set.to_string(),
        operator,
        fates,
    };
    let case = match Case::load(folder, entry) {
        Ok(case) => case,
        Err(cases::Unfit::Outside(why)) => return row(&entry.set, String::new(), Err(why)),
        // The reader's refusals are the converter's: nothing behind it sees such a file.
        Err(cases::Unfit::Unread { operator, set, why }) => {
            return row(&set, operator, Ok(vec![Fate::Refused(why); STRATEGIES.len()]));
        }
    };
    let fates =
        STRATEGIES.iter().map(|&precision| read_otherwise(&entry.name, fate(&case, precision))).collect();
    row(&case.set, case.operator.clone(), Ok(fates))
}

/// A disagreement with the package that is listed is no fault; one that is listed and gone is.
fn read_otherwise(name: &str, fate: Fate) -> Fate {
    match (READINGS.iter().find(|(case, _)| *case == name), fate) {
        (Some((_, why)), Fate::Wrong(text)) if text.contains("disagrees with the package") => {
            Fate::Reading(why)
        }
        (Some(_), Fate::Right { .. }) => Fate::Wrong("it is right and can be deleted from READINGS".into()),
        (_, fate) => fate,
    }
}

fn fate(case: &Case, precision: Precision) -> Fate {
    let interpreters = [Interpreter::f32(), Interpreter::f16()];
    let request = Request::new(precision);
    let mut converter = InTree;
    let mut judge = |graph: &halfproof_ir::Graph, inputs: &[halfproof_ir::Tensor]| {
        cases::judge(case, graph, inputs, &mut converter, &request, &interpreters)
    };
    let first = judge(&case.graph, &case.inputs);
    if !matches!(first, Fate::Refused(_)) {
        return first;
    }
    // The reason that is given is the one where what is no float is constant.
    let mut reason = None;
    for (graph, inputs) in case.bound() {
        match judge(&graph, &inputs) {
            Fate::Right { overflows, .. } => return Fate::Right { bound: true, overflows },
            refused @ Fate::Refused(_) => reason = reason.or(Some(refused)),
            other => return other,
        }
    }
    reason.unwrap_or(first)
}
