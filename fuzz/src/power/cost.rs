//! What judging costs beside evaluating: both measured in turns on the same cases, so that their ratio does not depend
//! on what else the machine does.

use super::case::Draws;
use super::score::Cost;
use halfproof_oracle::arith::{Bound, Ideal};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::judge::{Depth, Subject};
use halfproof_oracle::onnx;
use halfproof_oracle::tflite::Constants;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What costs are drawn from.
const PURPOSE: u64 = 3;

/// Each thing is done this often, and the fastest counts.
const REPEATS: usize = 3;

fn fastest<T>(mut work: impl FnMut() -> T) -> Duration {
    let one = |_| {
        let begin = Instant::now();
        black_box(work());
        begin.elapsed()
    };
    (0..REPEATS).map(one).min().unwrap_or_default()
}

/// Measures the cases 0 to `cases`.
pub(super) fn cost(draws: &Draws, cases: u64) -> Cost {
    let (mut source, mut target, mut bound, mut kernels, mut semantics, mut bounds, mut verdicts) =
        Default::default();
    let mut sets = 0;
    for index in 0..cases {
        let Some(case) = draws.case(PURPOSE, index, 0) else { continue };
        let Ok(subject) = Subject::new(&case.graph, &case.request, &case.conversion) else { continue };
        for (_, set) in &case.sets {
            let Ok(point) = subject.at(set, None) else { continue };
            let program = &subject.program;
            let record = Interpreter::f16().execute(program, &point.inputs, Taps::All);
            let add = |sum: &mut Duration, time: Duration| *sum += time;
            add(&mut source, fastest(|| onnx::ideal(&case.graph, set)));
            add(&mut target, fastest(|| program.run(&point.inputs, Constants::Stored, &Ideal)));
            let runtime = Bound::new(Runtime::Interpreter { narrow_sums: false, flush: false });
            add(&mut bound, fastest(|| program.run(&point.inputs, Constants::Stored, &runtime)));
            add(&mut kernels, fastest(|| point.kernels(&record)));
            // A fresh point each time: nothing is remembered from the last one. It evaluates the source.
            let judged = |depth: Depth| {
                let mut point = subject.at(set, None).ok()?.with(depth);
                Some((point.semantics(), point.execution(&record)))
            };
            add(&mut semantics, fastest(|| subject.at(set, None).map(|p| p.semantics())));
            add(&mut bounds, fastest(|| judged(Depth::Bounds)));
            add(&mut verdicts, fastest(|| judged(Depth::Verdicts)));
            sets += 1;
        }
    }
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-12);
    let plain: Duration = source + target;
    Cost {
        sets,
        plain_us: plain.as_secs_f64() * 1e6 / (sets as f64).max(1.0),
        bound: ratio(bound, target),
        kernels: ratio(kernels, target),
        semantics: ratio(semantics, plain),
        bounds: ratio(bounds, plain),
        verdicts: ratio(verdicts, plain),
    }
}
