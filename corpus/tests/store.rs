//! Cases and known issues survive their files; what is wrong with a file is said with its name.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_corpus::store::{self, NO_INPUTS};
use halfproof_corpus::{Case, Expectation, InputSet, KnownIssue, OriginKind};
use halfproof_ir::{DType, Data, Graph, Op, Precision, Tensor, text};
use halfproof_oracle::verdict::{Blame, Class};
use std::path::Path;

fn case() -> Case {
    let graph = "graph \"mean of a long row\"\nx = input f32[2,64]\nb = const f32[64] gaussian(3)\n\
                 s = const f32[] {0.5}\nh = Add(x, b)\ny = Mul(h, s) @\"half/mul\"\noutput y\n";
    let graph = text::parse(graph).unwrap();
    let x = |start: f32| Tensor::f32([2, 64], (0..128u8).map(|i| start + f32::from(i)).collect());
    let mut case = Case::new("A long row", graph);
    case.inputs = vec![
        InputSet { name: "lattice".into(), tensors: vec![x(-64.0)] },
        InputSet { name: "edges-2".into(), tensors: vec![x(f32::NEG_INFINITY)] },
    ];
    case.about.precisions = vec![Precision::Full, Precision::Mixed];
    case.about.notes = "Two lines,\nwith \"quotes\".".into();
    case.about.origin.kind = OriginKind::Generated;
    case.about.origin.seed = Some(1 << 40);
    case.about.expect = vec![Expectation {
        system: Some("litert-*".into()),
        inputs: Some("edges-2".into()),
        class: vec![Class::Nonfinite],
        blame: Some(Blame::Policy),
        because: "an infinite input".into(),
        ..Expectation::default()
    }];
    case
}

#[test]
fn a_case_survives_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("regressions/binary").join(store::slug(&case().about.title));
    store::save(&folder, &case()).unwrap();
    assert_eq!(store::load(&folder).unwrap(), case());

    let text = std::fs::read_to_string(folder.join("graph.txt")).unwrap();
    assert!(
        text.contains("b = const f32[64] npz(\"b\")") && text.contains("s = const f32[] {0.5}"),
        "{text}"
    );
    let files = |folder: &Path| {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| (p.file_name().unwrap().to_os_string(), std::fs::read(p).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files(&folder);
    assert_eq!(before.len(), 4);
    store::save(&folder, &case()).unwrap();
    assert_eq!(files(&folder), before, "the same case gives the same bytes");
}

#[test]
fn parts_that_a_replaced_case_no_longer_has_are_gone() {
    let root = tempfile::tempdir().unwrap();
    store::save(root.path(), &case()).unwrap();
    let mut graph = Graph::new("constant");
    let one = graph.add_constant("one", Tensor::ints([1]));
    let y = graph.add_node(Op::Identity, &[one], "y");
    graph.outputs.push(y);
    store::save(root.path(), &Case::new("small", graph.clone())).unwrap();
    let small = store::load(root.path()).unwrap();
    assert_eq!(small.graph, graph);
    assert_eq!(small.inputs, [InputSet { name: NO_INPUTS.into(), tensors: vec![] }]);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
}

#[test]
fn cases_are_listed_by_name_and_unfinished_ones_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b/second", "b/first", "a", "c-unfinished"] {
        store::save(&root.path().join(name), &case()).unwrap();
    }
    std::fs::remove_file(root.path().join("c-unfinished/case.toml")).unwrap();
    std::fs::create_dir(root.path().join(".git")).unwrap();
    std::fs::write(root.path().join("README.md"), "text").unwrap();
    let entries = store::list(root.path()).unwrap();
    let names: Vec<_> = entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["a", "b/first", "b/second"]);
    assert_eq!(store::load(&entries[2].folder).unwrap(), case());
    let missing = store::list(&root.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot list ") && missing.contains("nowhere"), "{missing}");
}

/// Saves the case, replaces one file, and gives the error of loading without the folder's path.
fn damaged(file: &str, contents: impl AsRef<[u8]>) -> String {
    let root = tempfile::tempdir().unwrap();
    store::save(root.path(), &case()).unwrap();
    std::fs::write(root.path().join(file), contents).unwrap();
    let error = store::load(root.path()).unwrap_err().to_string();
    error.replace(&format!("{}/", root.path().display()), "")
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    assert_eq!(
        damaged("graph.txt", "x = input f32[2,64]\ny = Rleu(x)\n"),
        "graph.txt: line 2, column 5: there is no operator \"Rleu\"; write unknown \"domain\" \"Name\" for one that is \
         not in the table"
    );
    assert!(damaged("weights.npz", "PK").starts_with("weights.npz: not an .npz file, or damaged: "));
    assert_eq!(damaged("graph.txt", [0xff]), "graph.txt: is no UTF-8 text");
    let typo = damaged("case.toml", "title = \"t\"\nprecision = \"full\"\n[origin]\nkind = \"written\"\n");
    assert!(
        typo.starts_with("case.toml: ") && typo.contains("line 2") && typo.contains("`precision`"),
        "{typo}"
    );
    let class = "title = \"t\"\n[origin]\nkind = \"written\"\n[[expect]]\nclass = []\n";
    assert_eq!(damaged("case.toml", class), "case.toml: an expectation without a class expects nothing");
    let inputs =
        "title = \"t\"\n[origin]\nkind = \"written\"\n[[expect]]\nclass = [\"pass\"]\ninputs = \"egdes\"\n";
    assert_eq!(
        damaged("case.toml", inputs),
        "case.toml: an expectation speaks of inputs \"egdes\", which are not there"
    );
}

#[test]
fn inputs_that_do_not_fit_the_graph_are_refused_by_name() {
    let npz = |name: &str, tensor: Tensor| {
        let mut arrays = vec![("lattice/x".to_string(), case().inputs[0].tensors[0].clone())];
        arrays.push((name.to_string(), tensor));
        halfproof_wire::npz::write(&arrays).unwrap()
    };
    let bytes = Tensor::new([2], Data::U8(vec![1, 2]));
    assert_eq!(
        damaged("inputs.npz", npz("edges-2/x", bytes)),
        "inputs.npz: \"x\" of set \"edges-2\" is u8[2], which its declaration does not allow"
    );
    assert_eq!(
        damaged("inputs.npz", npz("edges-2/q", Tensor::ints([1]))),
        "inputs.npz: set \"edges-2\" lacks the input \"x\""
    );
    assert_eq!(
        damaged("inputs.npz", npz("lattice/q", Tensor::ints([1]))),
        "inputs.npz: array \"lattice/q\" is not SET/INPUT of an input of the graph"
    );
    let mut bad = case();
    bad.inputs[1].name = "lattice".into();
    let root = tempfile::tempdir().unwrap();
    let error = store::save(root.path(), &bad).unwrap_err().to_string();
    assert!(error.ends_with("inputs.npz: two input sets are called \"lattice\""), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn input_names_of_any_kind_survive() {
    let root = tempfile::tempdir().unwrap();
    let mut graph = Graph::new("names");
    let names = ["/model/x:0", "../x", "a b", "ä\\n", "x.npy", "C:\\x"];
    for name in names {
        let x = graph.add_input(name, DType::I64, &[1]);
        graph.outputs.push(x);
    }
    let mut case = Case::new("names", graph);
    let tensors = (0..names.len() as i64).map(|i| Tensor::ints([i])).collect();
    case.inputs = vec![InputSet { name: "a".into(), tensors }];
    store::save(root.path(), &case).unwrap();
    assert_eq!(store::load(root.path()).unwrap(), case);
}

#[test]
fn known_issues_survive_and_are_listed_by_system_and_name() {
    let root = tempfile::tempdir().unwrap();
    let readme = include_str!("../README.md");
    let example = readme.split("```toml known-issue\n").nth(1).unwrap().split("```").next().unwrap();
    let issue: KnownIssue = toml::from_str(example).unwrap();
    for name in ["litert-xnnpack/b", "litert-xnnpack/a", "interp/z"] {
        store::save_known_issue(root.path(), name, &issue).unwrap();
    }
    let listed = store::known_issues(root.path()).unwrap();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["interp/z", "litert-xnnpack/a", "litert-xnnpack/b"]);
    assert!(listed.iter().all(|(_, i)| *i == issue));
    let path = root.path().join("interp/z.toml");
    std::fs::write(&path, example.replace("2026-08-20", "yesterday")).unwrap();
    let error = store::known_issues(root.path()).unwrap_err().to_string();
    assert!(error.ends_with("interp/z.toml: found = \"yesterday\" is no date; write YYYY-MM-DD"), "{error}");
}

#[test]
fn the_case_of_the_readme_is_one() {
    let root = tempfile::tempdir().unwrap();
    let readme = include_str!("../README.md");
    let part = |fence: &str| readme.split(fence).nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(root.path().join("graph.txt"), part("```text graph\n")).unwrap();
    std::fs::write(root.path().join("case.toml"), part("```toml case\n")).unwrap();
    let x = Tensor::f32([1, 4], vec![1.0, 2.0, 3.0, 4.0]);
    let inputs = halfproof_wire::npz::write(&[("plain/x".to_string(), x)]).unwrap();
    std::fs::write(root.path().join("inputs.npz"), inputs).unwrap();
    let case = store::load(root.path()).unwrap();
    assert_eq!(case.about.expect.len(), 2);
    assert!(case.wants_system("litert-xnnpack") && !case.wants_system("tract"));
}

#[test]
fn every_case_and_known_issue_of_the_repository_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in store::list(root).unwrap() {
        store::load(&entry.folder).unwrap_or_else(|e| panic!("{e}"));
    }
    let issues = root.join("known-issues");
    if issues.is_dir() {
        store::known_issues(&issues).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_slug_is_short_and_plain() {
    assert_eq!(store::slug("Softmax: a Row of 2^13 equal values!"), "softmax-a-row-of-2-13-equal-values");
    assert!(store::slug(&"word ".repeat(50)).len() <= 60);
    assert_eq!(store::slug("…"), "case");
}
