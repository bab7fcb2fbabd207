//! Minimum cuts, to find where casts cost least.
//!
//! Every node ends up on one of two sides. A node may be tied to a side, pay for one of them, and share nets with other
//! nodes: a net whose pins are not all on one side pays its price once, however many pins it has, which is what a CAST
//! that several readers share costs. Such a net is two auxiliary nodes with an edge between them (Lawler 1973), so the
//! cheapest sides are a minimum cut, found by blocking flows (Dinic 1970).

/// More than any sum of prices.
const TIED: u64 = 1 << 40;

/// A cut problem over nodes `0..n`.
#[derive(Debug)]
pub(super) struct Cut {
    /// By edge: where it goes. Edge `e ^ 1` is the reverse of edge `e`.
    to: Vec<usize>,
    /// By edge: what it can still carry.
    room: Vec<u64>,
    /// By vertex: its edges. The first two vertices are the sides.
    edges: Vec<Vec<usize>>,
}

/// The side whose nodes are wanted to be few.
const FIRST: usize = 0;
const SECOND: usize = 1;

impl Cut {
    pub(super) fn new(nodes: usize) -> Cut {
        Cut { to: Vec::new(), room: Vec::new(), edges: vec![Vec::new(); nodes + 2] }
    }

    /// Ties a node to the first side.
    pub(super) fn tie_first(&mut self, node: usize) {
        self.edge(FIRST, node + 2, TIED);
    }

    /// Ties a node to the second side.
    pub(super) fn tie_second(&mut self, node: usize) {
        self.edge(node + 2, SECOND, TIED);
    }

    /// Lets a node pay for being on the first side.
    pub(super) fn price_first(&mut self, node: usize, price: u64) {
        self.edge(node + 2, SECOND, price);
    }

    /// A net that pays once when its pins are on both sides.
    pub(super) fn net(&mut self, pins: &[usize], price: u64) {
        let (inward, outward) = (self.vertex(), self.vertex());
        self.edge(inward, outward, price);
        for &pin in pins {
            self.edge(pin + 2, inward, TIED);
            self.edge(outward, pin + 2, TIED);
        }
    }

    fn vertex(&mut self) -> usize {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, room: u64) {
        for (from, to, room) in [(from, to, room), (to, from, 0)] {
            self.edges[from].push(self.to.len());
            self.to.push(to);
            self.room.push(room);
        }
    }

    /// By node: it is on the first side in the cheapest solution with the fewest nodes there.
    pub(super) fn solve(mut self, nodes: usize) -> Vec<bool> {
        loop {
            let level = self.levels();
            if level[SECOND] == usize::MAX {
                return (2..nodes + 2).map(|v| level[v] != usize::MAX).collect();
            }
            let mut next = vec![0; self.edges.len()];
            while self.push(&level, &mut next) {}
        }
    }

    /// Distances from the first side over edges with room.
    fn levels(&self) -> Vec<usize> {
        let mut level = vec![usize::MAX; self.edges.len()];
        level[FIRST] = 0;
        let mut queue = vec![FIRST];
        let mut head = 0;
        while let Some(&v) = queue.get(head) {
            head += 1;
            for &e in &self.edges[v] {
                if self.room[e] > 0 && level[self.to[e]] == usize::MAX {
                    level[self.to[e]] = level[v] + 1;
                    queue.push(self.to[e]);
                }
            }
        }
        level
    }

    /// Pushes flow along one shortest path; false when there is none left. Not recursive: paths are as long as programs.
    fn push(&mut self, level: &[usize], next: &mut [usize]) -> bool {
        let mut path: Vec<usize> = Vec::new();
        let mut at = FIRST;
        while at != SECOND {
            let edge = self.edges[at].get(next[at]).copied();
            match edge {
                Some(e) if self.room[e] > 0 && level[self.to[e]] == level[at].wrapping_add(1) => {
                    path.push(e);
                    at = self.to[e];
                }
                Some(_) => next[at] += 1,
                None => {
                    let Some(e) = path.pop() else { return false };
                    at = self.to[e ^ 1];
                    next[at] += 1;
                }
            }
        }
        let flow = path.iter().map(|&e| self.room[e]).min().unwrap_or(0);
        for e in path {
            self.room[e] -= flow;
            self.room[e ^ 1] += flow;
        }
        flow > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Nets, prices and ties of a small problem.
    #[derive(Clone, Debug)]
    struct Problem {
        nets: Vec<(Vec<usize>, u64)>,
        prices: Vec<u64>,
        first: usize,
        second: usize,
    }

    impl Problem {
        fn cost(&self, side: &[bool]) -> u64 {
            let nets = self.nets.iter().filter(|(pins, _)| pins.iter().any(|&p| side[p] != side[pins[0]]));
            let prices = self.prices.iter().zip(side).filter(|(_, first)| **first).map(|(p, _)| p);
            nets.map(|(_, price)| price).sum::<u64>() + prices.sum::<u64>()
        }

        fn allowed(&self, side: &[bool]) -> bool {
            side[self.first] && !side[self.second]
        }
    }

    const NODES: usize = 8;

    fn problem() -> impl Strategy<Value = Problem> {
        let net = (proptest::collection::vec(0..NODES, 1..5), 1u64..6);
        let nets = proptest::collection::vec(net, 1..12);
        let prices = proptest::collection::vec(0u64..4, NODES);
        (nets, prices, 0..NODES, 1..NODES).prop_map(|(nets, prices, first, step)| Problem {
            nets,
            prices,
            first,
            second: (first + step) % NODES,
        })
    }

    proptest! {
        #[test]
        fn no_assignment_of_sides_is_cheaper(p in problem()) {
            let mut cut = Cut::new(NODES);
            cut.tie_first(p.first);
            cut.tie_second(p.second);
            p.prices.iter().enumerate().for_each(|(node, &price)| cut.price_first(node, price));
            p.nets.iter().for_each(|(pins, price)| cut.net(pins, *price));
            let found = cut.solve(NODES);
            prop_assert!(p.allowed(&found));
            let all = (0..1u32 << NODES).map(|bits| (0..NODES).map(|i| bits >> i & 1 == 1).collect::<Vec<_>>());
            let best = all.filter(|side| p.allowed(side)).map(|side| p.cost(&side)).min();
            prop_assert_eq!(Some(p.cost(&found)), best);
        }
    }

    #[test]
    fn a_long_chain_is_cut_once_and_does_not_overflow_the_stack() {
        let n = 100_000;
        let mut cut = Cut::new(n);
        cut.tie_first(0);
        cut.tie_second(n - 1);
        (1..n).for_each(|i| cut.net(&[i - 1, i], if i == 777 { 1 } else { 2 }));
        let first = cut.solve(n);
        assert_eq!(first.iter().filter(|f| **f).count(), 777);
    }
}
