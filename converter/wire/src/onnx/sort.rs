//! The order of nodes: every operand defined before its use, and otherwise as in the file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An order of `n` nodes in which each comes after those it needs; `needs(i, f)` calls `f` with every node that node
/// `i` reads from. Of all such orders the one that keeps the file's order longest.
///
/// # Errors
/// A node on a cycle.
pub(super) fn topological(
    n: usize,
    mut needs: impl FnMut(usize, &mut dyn FnMut(usize)),
) -> Result<Vec<usize>, usize> {
    let mut sorted = true;
    for i in 0..n {
        needs(i, &mut |j| sorted &= j < i);
    }
    if sorted {
        return Ok((0..n).collect());
    }
    let mut missing = vec![0usize; n];
    let mut users = vec![vec![]; n];
    for i in 0..n {
        needs(i, &mut |j| {
            missing[i] += 1;
            users[j].push(i);
        });
    }
    let mut ready: BinaryHeap<_> = (0..n).filter(|&i| missing[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(n);
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &user in &users[i] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    match (0..n).find(|&i| missing[i] > 0) {
        None => Ok(order),
        Some(i) => Err(i),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(edges: &[&[usize]]) -> Result<Vec<usize>, usize> {
        topological(edges.len(), |i, f| edges[i].iter().for_each(|&j| f(j)))
    }

    #[test]
    fn a_sorted_file_keeps_its_order() {
        assert_eq!(order(&[&[], &[0], &[], &[1, 2]]), Ok(vec![0, 1, 2, 3]));
    }

    #[test]
    fn nodes_move_behind_what_they_need_and_no_further() {
        assert_eq!(order(&[&[2, 2], &[], &[1], &[0]]), Ok(vec![1, 2, 0, 3]));
    }

    #[test]
    fn a_cycle_is_named_by_one_of_its_nodes() {
        assert_eq!(order(&[&[], &[2], &[1]]), Err(1));
        assert_eq!(order(&[&[0]]), Err(0));
    }
}
