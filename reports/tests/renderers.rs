//! What the renderers make of the sample run. `INSTA_UPDATE=always` accepts what they make now.

mod sample;

use halfproof_oracle::verdict::Strength;
use halfproof_reports::{ReadError, Run, compare, html, junit, markdown, terminal};

#[test]
fn the_terminal_report_reads_like_this() {
    insta::assert_snapshot!(terminal(&sample::run(), false));
}

#[test]
fn colors_only_wrap_what_the_plain_report_says() {
    let colored = terminal(&sample::run(), true);
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, escape)) = rest.split_once('\u{1b}') {
        plain += before;
        rest = escape.split_once('m').expect("an SGR sequence").1;
    }
    assert_eq!(plain + rest, terminal(&sample::run(), false));
}

#[test]
fn the_markdown_report_reads_like_this() {
    insta::assert_snapshot!(markdown(&sample::run()));
}

#[test]
fn the_junit_report_reads_like_this() {
    insta::assert_snapshot!(junit(&sample::run()));
}

#[test]
fn a_run_survives_json() {
    let mut run = sample::run();
    run.sort();
    assert_eq!(Run::from_json(&run.to_json()).expect("our own file"), run);
}

#[test]
fn findings_do_not_depend_on_the_order_in_which_they_came() {
    let run = sample::run();
    let mut other = run.clone();
    other.findings.reverse();
    other.timings.seconds = 1.0;
    assert_eq!(run.findings_json(), other.findings_json());
}

#[test]
fn runs_of_newer_schemas_are_refused() {
    let text = sample::run().to_json().replacen("\"schema\": 1", "\"schema\": 2", 1);
    assert!(matches!(Run::from_json(&text), Err(ReadError::Newer { found: 2 })));
    assert!(matches!(Run::from_json("{}"), Err(ReadError::Json(_))));
}

#[test]
fn only_new_certified_findings_are_red() {
    let mut run = sample::run();
    assert!(run.is_red());
    run.findings.retain(|f| f.known_issue.is_some() || f.strength != Strength::Certified);
    assert!(!run.findings.is_empty() && !run.is_red());
    assert!(!junit(&run).contains("<failure"));
}

#[test]
fn a_comparison_tells_new_from_fixed_from_untested_and_finds_lost_precision() {
    let old = sample::run();
    let mut new = sample::run();
    new.findings.retain(|f| f.operator.as_deref() != Some("Softmax"));
    new.findings[0].signature = "another".into();
    new.systems.retain(|s| s.name != "litert-torch");
    new.findings.retain(|f| f.converter != "litert-torch");
    new.losses.outputs[0].bits = 3.25.into();
    new.losses.outputs[1].bits = 3.5.into();
    let c = compare::compare(&old, &new);
    let operators = |list: &[halfproof_reports::schema::Finding]| -> Vec<String> {
        list.iter().filter_map(|f| f.operator.clone()).collect()
    };
    assert_eq!(operators(&c.new), ["ReduceSum"]);
    assert_eq!(operators(&c.fixed), ["Softmax", "ReduceSum"]);
    assert_eq!(operators(&c.still), ["Gather"]);
    assert_eq!(operators(&c.unseen), ["Conv"]);
    assert_eq!(c.outputs_compared, 3);
    assert_eq!(c.regressions.iter().map(|r| (r.before, r.now.bits.0)).collect::<Vec<_>>(), [(0.5, 3.25)]);
    assert!(c.is_red());
    insta::assert_snapshot!(compare::terminal(&c, false));
    insta::assert_snapshot!(compare::markdown(&c));
}

#[test]
fn a_run_compared_with_itself_has_not_changed() {
    let c = compare::compare(&sample::run(), &sample::run());
    assert!(!c.is_red() && c.new.is_empty() && c.fixed.is_empty() && c.caveats.is_empty());
    assert_eq!(c.still.len(), 4);
}

#[test]
fn a_finding_that_was_filed_since_is_still_there() {
    let (mut old, mut new) = (sample::run(), sample::run());
    let at = old.findings.iter().position(|f| f.known_issue.is_none()).unwrap();
    old.findings = vec![old.findings[at].clone()];
    new.findings = old.findings.clone();
    new.findings[0].signature += " | known as litert/a.toml";
    new.findings[0].known_issue = sample::run().findings.iter().find_map(|f| f.known_issue.clone());
    assert!(new.findings[0].known_issue.is_some());
    let c = compare::compare(&old, &new);
    assert_eq!((c.new.len(), c.fixed.len(), c.unseen.len(), c.still.len()), (0, 0, 0, 1));
    // The other way round, an entry that has expired, is new.
    assert_eq!(compare::compare(&new, &old).new.len(), 1);
}

#[test]
fn losing_everything_is_a_regression_and_having_lost_it_before_is_not() {
    let mut old = sample::run();
    old.losses.outputs[0].bits = 1.0.into();
    let mut new = old.clone();
    new.losses.outputs[0].bits = f64::INFINITY.into();
    let c = compare::compare(&old, &new);
    assert_eq!(c.regressions.iter().map(|r| r.now.case.as_str()).collect::<Vec<_>>(), ["0/gaussian"]);
}

/// The run, and the same run with other tests or other systems, in which every output lost more.
fn worse(change: impl Fn(&mut Run)) -> compare::Comparison {
    let mut new = sample::run();
    new.losses.outputs.iter_mut().for_each(|o| o.bits = f64::INFINITY.into());
    new.findings.retain(|f| f.known_issue.is_some());
    change(&mut new);
    compare::compare(&sample::run(), &new)
}

/// Test 7 of seed 1 and test 7 of seed 2 are other graphs: that one loses more says nothing of the other.
#[test]
fn outputs_of_other_tests_are_not_compared() {
    let set = |name: &'static str, value: &'static str| {
        move |run: &mut Run| {
            run.options.insert(name.into(), value.into());
        }
    };
    type Change<'a> = &'a dyn Fn(&mut Run);
    let others: [(Change<'_>, &str); 7] = [
        (&|run| run.seed = 8, "the seeds differ (7 and 8)"),
        (
            &|run| run.losses.outputs.iter_mut().for_each(|o| o.digest = "ffffffff".into()),
            "the same numbers are other graphs or inputs now",
        ),
        (&set("max-nodes", "4"), "--max-nodes was 8, is 4"),
        (&set("ops", "Conv"), "--ops was not set, is Conv"),
        (&set("precision", "full"), "--precision was all, is full"),
        (&set("shard", "1/3"), "--shard was not set, is 1/3"),
        (&set("scout", "2"), "--scout was not set, is 2"),
    ];
    for (change, why) in others {
        let c = worse(change);
        assert_eq!((c.regressions.len(), c.outputs_compared), (0, 0), "{why}");
        assert!(!c.is_red(), "{why}");
        for text in [compare::terminal(&c, false), compare::markdown(&c)] {
            let said = format!("precision not compared, since the tests are not the same: {why}");
            assert!(text.replace("&lt;", "<").contains(&said), "{text}");
        }
    }
}

#[test]
fn outputs_of_the_same_tests_are_compared_whoever_else_ran_them() {
    let same: [fn(&mut Run); 3] = [
        |_| (),
        |run| {
            run.options.insert("runtime".into(), "interp-f16,litert-builtin".into());
        },
        |run| {
            run.options.insert("time".into(), "90s".into());
        },
    ];
    for change in same {
        let c = worse(change);
        assert_eq!((c.regressions.len(), c.outputs_compared, c.other_tests.clone()), (2, 3, None));
        assert!(c.is_red());
    }
}

#[test]
fn two_versions_of_a_converter_are_compared_where_the_tests_are_the_same() {
    let mut new = worse(|run| {
        run.halfproof = "0.2.0".into();
        run.systems.iter_mut().for_each(|s| s.version += ".1");
    });
    assert_eq!((new.regressions.len(), new.outputs_compared), (2, 3));
    // One of three outputs is of another graph: only the others are compared.
    new = worse(|run| run.losses.outputs[0].digest = "ffffffff".into());
    assert_eq!((new.outputs_compared, new.other_tests), (2, None));
}

#[test]
fn nothing_is_called_fixed_that_was_not_tested_again() {
    let changes: [fn(&mut Run); 4] = [
        |new| new.seed = 8,
        |new| new.losses.outputs.iter_mut().for_each(|o| o.digest = "ffffffff".into()),
        |new| new.totals.tests = 17,
        |new| {
            new.options.insert("precision".into(), "full".into());
        },
    ];
    for change in changes {
        let mut new = sample::run();
        new.findings.clear();
        assert_eq!(compare::compare(&sample::run(), &new).fixed.len(), 4);
        change(&mut new);
        let c = compare::compare(&sample::run(), &new);
        assert_eq!((c.fixed.len(), c.unseen.len()), (0, 4));
        assert!(!c.caveats.is_empty() || c.other_tests.is_some());
    }
}

#[test]
fn an_interrupted_run_says_so_everywhere() {
    let mut run = sample::run();
    let pages = |run: &Run| [terminal(run, false), markdown(run), html(run).expect("the template fits")];
    assert!(pages(&run).iter().all(|page| !page.to_lowercase().contains("interrupted")));
    run.interrupted = true;
    for page in pages(&run) {
        let line = page.lines().find(|l| l.to_lowercase().contains("interrupted"));
        assert!(
            line.is_some_and(|l| l.contains("before the end of --time 60s, after 212,403 tests")),
            "{line:?}"
        );
    }
}

#[test]
fn a_run_of_an_older_version_is_read() {
    let mut value: serde_json::Value = serde_json::from_str(&sample::run().to_json()).expect("JSON");
    let fields = value.as_object_mut().expect("an object");
    assert!(fields.remove("interrupted").is_some() && fields.remove("arrivals").is_some());
    let run = Run::from_json(&value.to_string()).expect("still a run");
    assert!(!run.interrupted && run.arrivals.is_none());
}

#[test]
fn the_terminal_shows_the_worst_findings_and_counts_the_rest() {
    let mut run = sample::run();
    let kernel = run.findings[3].clone();
    run.findings = vec![kernel; 300];
    let text = terminal(&run, false);
    assert_eq!(text.matches("kernel: litert").count(), 20);
    assert!(text.contains("and 280 more: see report.html") && text.contains("300 new certified findings"));
}
