//! Every lowering and every decision of a strategy that is right computes the same function: only the choice shows that a
//! RESIZE_BILINEAR became a matrix product, or that a float16 operator stays float32 for no reason. Choices are kept as text;
//! one that is meant to change is written again by
//! `cargo run -p halfproof-converter --example choices > converter/tests/choices/expected.txt`.

#[path = "choices/mod.rs"]
mod choice;

#[test]
fn graphs_become_the_operators_that_they_became_before() {
    let mut expected = include_str!("choices/expected.txt").lines();
    for (i, graph) in choice::graphs(include_str!("choices/graphs.txt")).iter().enumerate() {
        for line in choice::choices(graph).lines() {
            let before = expected.next().unwrap_or_default();
            assert_eq!(line, before, "graph {i}\n{}", halfproof_ir::text::print(graph));
        }
    }
    assert_eq!(expected.next(), None);
}
