//! How many of which operators, types and constants 25,000 generated graphs become. Most wrong choices compute the same function:
//! a float16 operator that stays float32, a transposition too many, a step that is not fused. Here they change a number. Those that
//! are meant to change are written again by `cargo run --release -p halfproof-fuzz --example census > fuzz/tests/census/expected.txt`.

#[path = "census/mod.rs"]
mod count;

#[test]
fn generated_graphs_become_as_many_operators_as_before() {
    let found = count::census();
    let expected = include_str!("census/expected.txt");
    let rows = |text: &'static str| text.lines().collect::<Vec<_>>();
    let found: &'static str = found.leak();
    let (found, expected) = (rows(found), rows(expected));
    let gone: Vec<&&str> = expected.iter().filter(|r| !found.contains(r)).collect();
    let new: Vec<&&str> = found.iter().filter(|r| !expected.contains(r)).collect();
    assert!(gone.is_empty() && new.is_empty(), "expected {gone:#?}\nfound {new:#?}");
}
