//! A run with one finding of each sort, for the tests of the renderers. All numbers are invented.

use halfproof_ir::{DType, Precision};
use halfproof_oracle::verdict::{Blame, Class, Numbers, Place, Strength};
use halfproof_reports::LossTally;
use halfproof_reports::schema::*;

fn node(label: &str, detail: &str, is_interface: bool, is_bad: bool) -> NodeBox {
    NodeBox { label: label.into(), detail: detail.into(), is_interface, is_bad }
}

fn edge(from: u32, to: u32, label: &str) -> Edge {
    Edge { from, to, label: label.into() }
}

fn finding(class: Class, blame: Blame, operator: &str, title: &str) -> Finding {
    let signature = format!("{class} {blame} {operator}");
    let id = Finding::id_of(Some(operator), &signature);
    Finding {
        replay: format!("cargo xtask regress reports/latest/findings/{id}"),
        files: Files {
            model: Some(format!("findings/{id}/model.onnx")),
            converted: Some(format!("findings/{id}/converted.tflite")),
            inputs: Some(format!("findings/{id}/inputs.npz")),
            repro: Some(format!("findings/{id}/repro.sh")),
            ..Files::default()
        },
        id,
        class,
        blame,
        strength: Strength::Certified,
        system: None,
        converter: "in-tree".into(),
        precision: Some(Precision::Full),
        operator: Some(operator.into()),
        title: title.into(),
        because: String::new(),
        place: Spot::default(),
        evidence: None,
        points: vec![],
        controls: vec![],
        notes: vec![],
        signature,
        related: vec![],
        occurrences: 1,
        first_test: 17,
        graph: String::new(),
        drawing: Drawing::default(),
        known_issue: None,
    }
}

fn kernel() -> Finding {
    let place = Place {
        source: Some("attn/softmax".into()),
        operator: Some("SOFTMAX".into()),
        operator_index: Some(3),
        tensor: Some("y".into()),
        tensor_index: Some(4),
        element: Some(7),
    };
    let numbers = Numbers {
        expected: 0.000_122_070_312_5,
        actual: 0.0,
        low: 0.000_061_035,
        high: 0.000_183_105,
        ratio: 2.0,
    };
    let control = |name: &str, outcome| Control { name: name.into(), outcome };
    Finding {
        system: Some("litert-xnnpack-fp16".into()),
        because: "2^-13 is a normal number; flushing is allowed only below 2^-14".into(),
        place: Spot::new(&place, Some(&[1, 8])),
        evidence: Some(Evidence::new(DType::F16, &numbers)),
        points: (0..24)
            .map(|i| {
                let bound = 1e-4 * (1.0 + f64::from(i % 5));
                let error = if i == 7 { -2.0 * bound } else { bound * (f64::from(i * 7 % 11) / 11.0 - 0.5) };
                Point { element: i as u64, error: error.into(), low: (-bound).into(), high: bound.into() }
            })
            .collect(),
        controls: vec![
            control("fp32", Outcome::Ok),
            control("no delegate", Outcome::Ok),
            control("fp16 weights", Outcome::Cannot),
            control("fp16 execution", Outcome::Fails),
        ],
        notes: vec!["flush".into()],
        occurrences: 1234,
        files: Files {
            nearest_good: Some("findings/min_good.onnx (one dimension larger)".into()),
            ..finding(Class::Kernel, Blame::Kernel, "Softmax", "").files
        },
        graph: "x = input f32[1,8]\nw = const f32[8,8] lattice(7)\nm = MatMul(x, w)\na = Add(m, x)\ny = Softmax(a) axis=-1\noutput y\n".into(),
        drawing: Drawing {
            nodes: vec![
                node("x", "input", true, false),
                node("MatMul", "w f16[8,8]", false, false),
                node("Add", "", false, false),
                node("Softmax", "axis=-1", false, true),
                node("y", "output", true, false),
            ],
            edges: vec![
                edge(0, 1, "f16[1,8]"),
                edge(1, 2, "f16[1,8]"),
                edge(0, 2, "f16[1,8]"),
                edge(2, 3, "f16[1,8]"),
                edge(3, 4, "f16[1,8]"),
            ],
        },
        ..finding(Class::Kernel, Blame::Kernel, "Softmax", "litert-xnnpack-fp16 Softmax is outside its one-operator bound")
    }
}

fn known() -> Finding {
    Finding {
        converter: "litert-torch".into(),
        place: Spot { source: Some("conv_1".into()), operator: Some("CONV_2D".into()), ..Spot::default() },
        evidence: Some(Evidence {
            dtype: DType::F32,
            expected: 0.1.into(),
            actual: 2.5.into(),
            low: 0.0999.into(),
            high: 0.1001.into(),
            ratio: 24000.0.into(),
        }),
        known_issue: Some(KnownIssue {
            file: "corpus/known-issues/litert-torch/conv-pads.toml".into(),
            link: Some("https://example.org/issues/1".into()),
        }),
        ..finding(
            Class::Semantics,
            Blame::Converter,
            "Conv",
            "litert-torch Conv reads one row beyond its padding",
        )
    }
}

fn crash() -> Finding {
    Finding {
        system: Some("litert-builtin".into()),
        because:
            "signal 11; last words: \"<b>Node 3\u{1b}[31m & ']]></b>\"\n</script><script>alert(1)</script>"
                .into(),
        graph: "x = input f32[0]\n```\n".into(),
        drawing: Drawing {
            nodes: vec![node("</svg><script>alert(2)</script>", "a & b \"quoted\"", false, true)],
            edges: vec![edge(0, 9, "to nowhere"), edge(0, 0, "itself")],
        },
        ..finding(Class::Crash, Blame::Kernel, "Gather", "litert-builtin dies on GATHER of <empty> | tensors")
    }
}

fn suspicious() -> Finding {
    Finding {
        strength: Strength::Statistical,
        system: Some("interp-f16".into()),
        evidence: Some(Evidence {
            dtype: DType::F16,
            expected: 66000.0.into(),
            actual: f64::INFINITY.into(),
            low: 65400.0.into(),
            high: f64::INFINITY.into(),
            ratio: f64::NAN.into(),
        }),
        place: Spot { tensor: Some("sum".into()), element: Some(3), ..Spot::default() },
        notes: vec!["result not representable".into()],
        ..finding(Class::Nonfinite, Blame::Policy, "ReduceSum", "ReduceSum overflows float16")
    }
}

/// The run.
pub(crate) fn run() -> Run {
    let mut run = Run::new("cargo xtask fuzz --time 60s --seed 7", 7);
    run.halfproof = "0.1.0".into();
    run.options =
        [("precision", "all"), ("max-nodes", "8"), ("time", "60s")].map(|(k, v)| (k.into(), v.into())).into();
    let system =
        |name: &str, kind, version: &str| System { name: name.into(), kind, version: version.into() };
    run.systems = vec![
        system("litert-xnnpack-fp16", SystemKind::Runtime, "ai-edge-litert 2.3.0"),
        system("interp-f16", SystemKind::Runtime, "0.1.0"),
        system("litert-builtin", SystemKind::Runtime, "ai-edge-litert 2.3.0"),
        system("in-tree", SystemKind::Converter, "0.1.0"),
        system("litert-torch", SystemKind::Converter, "0.8.0"),
    ];
    run.skipped = vec![Skipped {
        system: "litert-gpu".into(),
        reason: "no OpenCL device".into(),
        remedy: Some("cargo xtask setup litert-gpu".into()),
    }];
    run.totals.tests = 212_403;
    run.totals.discarded =
        [("no float output", 1000), ("reference not finite", 203)].map(|(k, v)| (k.into(), v)).into();
    run.totals.judged = 81_223_114;
    run.totals.excluded = 663_001;
    let executions = Executions { ok: 212_000, refused: 400, crashed: 3, ..Executions::default() };
    run.totals.executions =
        [("interp-f16".into(), executions), ("litert-xnnpack-fp16".into(), executions)].into();
    run.totals.verdicts = [
        ("in-tree".into(), [(Class::Pass, 212_400), (Class::Legalization, 3)].into()),
        (
            "interp-f16".into(),
            [(Class::Pass, 150_000), (Class::Explained, 62_000), (Class::Nonfinite, 3)].into(),
        ),
        (
            "litert-xnnpack-fp16".into(),
            [(Class::Pass, 1_000), (Class::Explained, 766), (Class::Kernel, 1_234)].into(),
        ),
    ]
    .into();
    run.coverage.operators = [("Add", 90_000), ("Conv", 70_000), ("MatMul", 30_000), ("Softmax", 40_000)]
        .map(|(k, v)| (k.into(), v))
        .into();
    run.coverage.missing = vec!["LSTM".into()];
    run.coverage.pairs = [("Conv>Add", 5_000), ("Add>Softmax", 800)].map(|(k, v)| (k.into(), v)).into();
    run.coverage.possible_pairs = 16;
    run.coverage.ranks = [(0, 10), (1, 3000), (4, 90_000)].into();
    run.coverage.dtypes = [("f16", 9), ("f32", 3000), ("i64", 90)].map(|(k, v)| (k.into(), v)).into();
    run.coverage.sizes = [(1, 20_000), (5, 192_403)].into();
    run.coverage.inputs =
        [("lattice", 70_801), ("gaussian", 70_801), ("edges", 70_801)].map(|(k, v)| (k.into(), v)).into();
    for (i, operator) in ["Add", "Conv", "Gather", "MatMul", "ReduceSum", "Softmax"].into_iter().enumerate() {
        for precision in Precision::ALL {
            for system in ["interp-f16", "litert-builtin", "litert-xnnpack-fp16"] {
                let bad =
                    (operator, precision, system) == ("Softmax", Precision::Full, "litert-xnnpack-fp16");
                let mut verdicts = vec![(Class::Pass, 1000 * (i as u64 + 1)), (Class::Explained, 77)];
                if bad {
                    verdicts.push((Class::Kernel, 1234));
                }
                if operator == "Gather" && system == "litert-builtin" {
                    verdicts = vec![(Class::Crash, 1)];
                }
                if operator == "MatMul" && precision == Precision::Mixed {
                    continue;
                }
                run.cells.push(Cell {
                    operator: operator.into(),
                    precision,
                    system: system.into(),
                    verdicts: verdicts.into_iter().collect(),
                });
            }
        }
    }
    for (k, operator) in ["Softmax", "Conv", "MatMul"].into_iter().enumerate() {
        let mut tally = LossTally::default();
        (0..500u32).for_each(|i| tally.add(f64::from(i * i % 97) / (20.0 + 30.0 * k as f64)));
        if operator == "MatMul" {
            tally.add(f64::INFINITY);
        }
        run.losses.operators.extend(tally.finish(operator, Precision::Full, "interp-f16"));
    }
    run.losses.outputs = [0.5, 3.0, f64::INFINITY]
        .into_iter()
        .enumerate()
        .map(|(i, bits)| OutputLoss {
            case: format!("{i}/gaussian"),
            digest: format!("0000000{i}"),
            output: 0,
            precision: Precision::Full,
            converter: "in-tree".into(),
            system: "interp-f16".into(),
            bits: bits.into(),
        })
        .collect();
    run.findings = vec![suspicious(), known(), crash(), kernel()];
    run.arrivals = Some(Arrivals { quarters: [2, 0, 0, 0], drawn: 212_403, once: 1, once_wrong: 1 });
    run.timings = Timings {
        started: "2026-01-01T00:00:00Z".into(),
        seconds: 60.0,
        jobs: 2,
        tests_per_second: 3540.05,
        stages: [
            ("generate", 12.0),
            ("convert", 60.0),
            ("reference", 110.0),
            ("interp-f16", 25.0),
            ("judge", 41.0),
        ]
        .map(|(name, us_per_test)| Stage { name: name.into(), us_per_test, tests: 212_403 })
        .into(),
    };
    run.host = "linux x86_64, 2 cores".into();
    run
}
