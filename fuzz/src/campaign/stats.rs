//! Counts of a campaign: verdicts, executions, coverage, bits lost.

use super::Examined;
use halfproof_ir::{DType, Graph};
use halfproof_oracle::verdict::Class;
use std::collections::{BTreeMap, BTreeSet};

/// What tests have covered. Every set is ordered, so that reports are deterministic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many nodes of each operator.
    pub operators: BTreeMap<String, u64>,
    /// Producer and consumer: which operator's result each operator has read.
    pub pairs: BTreeSet<(String, String)>,
    /// Ranks of tensors.
    pub ranks: BTreeSet<usize>,
    /// Element types of tensors.
    pub dtypes: BTreeSet<DType>,
}

impl Coverage {
    /// What one graph covers.
    pub fn of(graph: &Graph) -> Coverage {
        let mut c = Coverage::default();
        let mut producer: Vec<Option<&str>> = vec![None; graph.values.len()];
        for node in &graph.nodes {
            *c.operators.entry(node.op.name().to_string()).or_default() += 1;
            for id in node.inputs.iter().flatten() {
                if let Some(from) = producer[id.index()] {
                    c.pairs.insert((from.to_string(), node.op.name().to_string()));
                }
            }
            for id in node.outputs.iter().flatten() {
                producer[id.index()] = Some(node.op.name());
            }
        }
        for value in &graph.values {
            c.ranks.extend(value.shape.as_ref().map(Vec::len));
            c.dtypes.extend(value.dtype);
        }
        c
    }

    /// Adds another's.
    pub fn merge(&mut self, other: &Coverage) {
        for (op, n) in &other.operators {
            *self.operators.entry(op.clone()).or_default() += n;
        }
        self.pairs.extend(other.pairs.iter().cloned());
        self.ranks.extend(&other.ranks);
        self.dtypes.extend(&other.dtypes);
    }
}

/// Counts over all tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Tests: one graph, one strategy, one input set.
    pub tests: u64,
    /// Verdicts by system and class.
    pub verdicts: BTreeMap<(String, Class), u64>,
    /// Verdicts that are findings, by class.
    pub findings: BTreeMap<Class, u64>,
    /// Executions by system.
    pub executions: BTreeMap<String, u64>,
    /// Elements compared, and elements left out, by system.
    pub elements: BTreeMap<String, (u64, u64)>,
    /// What was covered.
    pub coverage: Coverage,
}

impl Totals {
    /// Counts one test.
    pub fn add(&mut self, examined: &Examined) {
        self.tests += 1;
        for (system, n) in &examined.executions {
            *self.executions.entry(system.clone()).or_default() += n;
        }
        for seen in &examined.observed {
            *self.verdicts.entry((seen.system.clone(), seen.verdict.class)).or_default() += 1;
            if seen.signature.is_some() {
                *self.findings.entry(seen.verdict.class).or_default() += 1;
            }
            let (judged, excluded) = self.elements.entry(seen.system.clone()).or_default();
            *judged += seen.verdict.judged;
            *excluded += seen.verdict.excluded;
        }
        self.coverage.merge(&examined.coverage);
    }
}
