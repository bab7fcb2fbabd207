//! Every stored case gets the verdict that it is labelled with, from our converter and interpreter.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_corpus::{Case, Setting, expect, store};
use halfproof_ir::{Precision, Request};
use halfproof_oracle::arith::half::ExecutionModel;
use halfproof_oracle::judge::{Answer, Evidence, Subject, judge, worst};
use halfproof_oracle::record::Execution;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::{Runtime, Taps};
use std::path::Path;

/// What is wrong with the verdicts about a case, one line each.
fn disagreements(name: &str, case: &Case) -> Vec<String> {
    let mut wrong = vec![];
    for &precision in case.precisions() {
        for set in &case.inputs {
            let answers = answers(case, precision, &set.tensors);
            for system in ["interp-f16", "interp-f32", "interp-f16+acc16"] {
                // Labels speak of the runtimes that people have; none of them sums everything in float16.
                let beside = system.ends_with("+acc16") && name.starts_with("labelled/");
                if beside || !case.wants_system(system) || !case.wants_converter("in-tree") {
                    continue;
                }
                let about = |a: &&Answer| a.system.as_deref().is_none_or(|s| s == system);
                let about: Vec<_> = answers.iter().filter(about).cloned().collect();
                let verdict = &worst(&about).unwrap().verdict;
                let setting = Setting { converter: "in-tree", system, precision, inputs: Some(&set.name) };
                if !expect::agrees(&case.about.expect, &setting, verdict) {
                    let (class, blame) = (verdict.class, verdict.blame);
                    let text = format!("{} {:?} {:?}", verdict.text, verdict.place, verdict.notes);
                    wrong.push(format!("{name} {precision} {} {system}: {class}, {blame}: {text}", set.name));
                }
            }
        }
    }
    wrong
}

fn answers(case: &Case, precision: Precision, inputs: &[halfproof_ir::Tensor]) -> Vec<Answer> {
    let request = Request::new(precision);
    let conversion = halfproof_converter::convert(&case.graph, &request);
    let mut executions: Vec<Execution> = vec![];
    if let Ok(conversion) = &conversion
        && let Ok(subject) = Subject::new(&case.graph, &request, conversion)
        && let Ok(model_inputs) = subject.model_inputs(inputs)
    {
        let narrow = Interpreter::new("interp-f16+acc16", ExecutionModel::HALF_ACCUMULATOR);
        for mut runtime in [Interpreter::f16(), Interpreter::f32(), narrow] {
            executions.push(runtime.run(&conversion.model, &model_inputs, Taps::All));
        }
    }
    let (graph, executions) = (&case.graph, executions.as_slice());
    judge(&Evidence { graph, request: &request, conversion: conversion.as_ref(), inputs, executions })
}

#[test]
fn stored_cases_get_the_verdicts_of_their_labels() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let entries = store::list(&root).unwrap();
    assert!(entries.len() >= 90);
    let wrong: Vec<String> = entries
        .iter()
        .flat_map(|entry| {
            disagreements(&entry.name, &store::load(&entry.folder).unwrap_or_else(|e| panic!("{e}")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
