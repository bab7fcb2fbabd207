//! Counts of a campaign. Every count is a sum or a maximum, so tallies merge in any order to the same figures.

use halfproof_ir::{DType, Graph, Precision};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::verdict::{Class, Verdict};
use halfproof_reports::LossTally;
use halfproof_reports::schema::{Cell, Coverage, Losses, OutputLoss, Run, Stage, Totals};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is counted by system, strategy and operator. Nested, so that a name is copied only when it is new: several counts of
/// every test go here.
type Fields<V> = BTreeMap<String, BTreeMap<Precision, BTreeMap<String, V>>>;

/// What became of operators alone, by their ONNX names.
pub type Scouted = BTreeMap<String, Tried>;

/// How often an operator was tried alone, and how often it was converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Tests.
    pub tests: u64,
    /// Tests in which there was a conversion, right or wrong.
    pub converted: u64,
}

impl Tried {
    /// True when the converter takes the operator, in one shape at least.
    pub fn is_taken(self) -> bool {
        self.converted > 0
    }
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Tests, executions, verdicts, elements.
    pub totals: Totals,
    /// What the tests reached.
    pub coverage: Coverage,
    /// Verdicts that were findings, by class.
    pub findings: BTreeMap<Class, u64>,
    /// What converters refused: system, operator and reason.
    pub refusals: BTreeMap<(String, String), u64>,
    /// What became of operators alone.
    pub scouted: Scouted,
    /// Time by stage, and how many tests went through it.
    pub stages: BTreeMap<String, (Duration, u64)>,
    /// Element types that operators were seen to make and to read: what could follow what.
    makes: BTreeMap<String, BTreeSet<DType>>,
    reads: BTreeMap<String, BTreeSet<DType>>,
    /// How often an operator read another one's result, by the maker.
    pairs: BTreeMap<String, BTreeMap<String, u64>>,
    cells: Fields<BTreeMap<Class, u64>>,
    losses: Fields<LossTally>,
    outputs: Vec<OutputLoss>,
}

impl Tally {
    /// Counts what a graph covers.
    pub fn cover(&mut self, graph: &Graph, input_kind: &str) {
        let c = &mut self.coverage;
        let mut producer: Vec<Option<&str>> = vec![None; graph.values.len()];
        for node in &graph.nodes {
            let name = node.op.name();
            count(&mut c.operators, name);
            for id in node.inputs.iter().flatten() {
                if let Some(from) = producer[id.index()] {
                    count(entry(&mut self.pairs, from), name);
                }
                // Integers that shape a result (axes, extents) are no data that one operator makes for the next.
                if let (Some(dtype), None) = (graph.value(*id).dtype, graph.constant(*id)) {
                    entry(&mut self.reads, name).insert(dtype);
                }
            }
            for id in node.outputs.iter().flatten() {
                producer[id.index()] = Some(name);
                if let Some(dtype) = graph.value(*id).dtype {
                    entry(&mut self.makes, name).insert(dtype);
                }
            }
        }
        for value in &graph.values {
            if let Some(shape) = &value.shape {
                *c.ranks.entry(shape.len() as u32).or_default() += 1;
            }
            if let Some(dtype) = value.dtype {
                count(&mut c.dtypes, dtype.short());
            }
        }
        *c.sizes.entry(graph.nodes.len() as u32).or_default() += 1;
        count(&mut c.inputs, input_kind);
    }

    /// Counts how an execution ended.
    pub fn execution(&mut self, execution: &Execution) {
        let slot = entry(&mut self.totals.executions, &execution.system);
        match execution.status {
            Status::Ok => slot.ok += 1,
            Status::Refused { .. } => slot.refused += 1,
            Status::Undone { .. } => slot.undone += 1,
            Status::Crashed { .. } => slot.crashed += 1,
            Status::TimedOut => slot.timed_out += 1,
            Status::Cannot { .. } => slot.cannot += 1,
        }
    }

    /// Counts a verdict about a system; `operators` are those of the graph, `blamed` the one that a fault names.
    pub fn verdict(
        &mut self,
        system: &str,
        precision: Precision,
        operators: &[&str],
        blamed: Option<&str>,
        verdict: &Verdict,
    ) {
        *entry(&mut self.totals.verdicts, system).entry(verdict.class).or_default() += 1;
        self.totals.judged += verdict.judged;
        self.totals.excluded += verdict.excluded;
        let fine = verdict.class.is_fine();
        for op in operators.iter().filter(|op| fine || blamed.is_none_or(|b| b == **op)) {
            *field(&mut self.cells, system, precision, op).entry(verdict.class).or_default() += 1;
        }
    }

    /// Counts the bits that an output of a test has lost; `operator` made it. The first tests are also kept one by one,
    /// so that two runs can be compared case by case.
    pub fn loss(
        &mut self,
        (index, digest): (u64, &str),
        output: usize,
        operator: &str,
        precision: Precision,
        converter: &str,
        system: &str,
        bits: f64,
    ) {
        field(&mut self.losses, system, precision, operator).add(bits);
        if index < KEPT {
            self.outputs.push(OutputLoss {
                case: index.to_string(),
                digest: digest.to_string(),
                output: output as u32,
                precision,
                converter: converter.to_string(),
                system: system.to_string(),
                bits: bits.into(),
            });
        }
    }

    /// Adds the time that a stage took.
    pub fn stage(&mut self, name: &str, time: Duration) {
        let (sum, n) = entry(&mut self.stages, name);
        *sum += time;
        *n += 1;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Tally) {
        self.totals.tests += other.totals.tests;
        self.totals.judged += other.totals.judged;
        self.totals.excluded += other.totals.excluded;
        add(&mut self.totals.discarded, other.totals.discarded);
        merge(&mut self.totals.executions, other.totals.executions, |slot, e| {
            slot.ok += e.ok;
            slot.refused += e.refused;
            slot.crashed += e.crashed;
            slot.timed_out += e.timed_out;
            slot.undone += e.undone;
            slot.cannot += e.cannot;
        });
        merge(&mut self.totals.verdicts, other.totals.verdicts, add);
        add(&mut self.coverage.operators, other.coverage.operators);
        merge(&mut self.pairs, other.pairs, add);
        add(&mut self.coverage.ranks, other.coverage.ranks);
        add(&mut self.coverage.dtypes, other.coverage.dtypes);
        add(&mut self.coverage.sizes, other.coverage.sizes);
        add(&mut self.coverage.inputs, other.coverage.inputs);
        merge(&mut self.makes, other.makes, |mine, types| mine.extend(types));
        merge(&mut self.reads, other.reads, |mine, types| mine.extend(types));
        add(&mut self.findings, other.findings);
        add(&mut self.refusals, other.refusals);
        merge(&mut self.scouted, other.scouted, |slot, tried| {
            slot.tests += tried.tests;
            slot.converted += tried.converted;
        });
        merge(&mut self.stages, other.stages, |slot, (time, n)| {
            slot.0 += time;
            slot.1 += n;
        });
        merge_fields(&mut self.cells, other.cells, add);
        merge_fields(&mut self.losses, other.losses, |mine, theirs| mine.merge(&theirs));
        self.outputs.extend(other.outputs);
    }

    /// Writes the counts into a run; `operators` are all that the generator has.
    pub fn fill(self, run: &mut Run, operators: &[&str]) {
        run.totals = self.totals;
        run.coverage = self.coverage;
        run.coverage.missing = operators
            .iter()
            .filter(|o| !run.coverage.operators.contains_key(**o))
            .map(ToString::to_string)
            .collect();
        run.coverage.possible_pairs = possible_pairs(&self.makes, &self.reads);
        let named = |(from, to): (String, BTreeMap<String, u64>)| {
            to.into_iter().map(move |(to, n)| (format!("{from}>{to}"), n))
        };
        run.coverage.pairs = self.pairs.into_iter().flat_map(named).collect();
        run.cells = flat(self.cells)
            .into_iter()
            .map(|(operator, precision, system, verdicts)| Cell { operator, precision, system, verdicts })
            .collect();
        run.losses = Losses {
            operators: flat(self.losses)
                .iter()
                .filter_map(|(op, precision, system, tally)| tally.finish(op, *precision, system))
                .collect(),
            outputs: self.outputs,
        };
        run.timings.stages = self
            .stages
            .into_iter()
            .map(|(name, (time, tests))| Stage {
                name,
                us_per_test: time.as_secs_f64() * 1e6 / tests.max(1) as f64,
                tests,
            })
            .collect();
    }
}

/// Tests whose outputs are kept one by one.
pub(crate) const KEPT: u64 = 300;

/// Pairs of operators of which the second reads an element type that the first makes.
fn possible_pairs(
    makes: &BTreeMap<String, BTreeSet<DType>>,
    reads: &BTreeMap<String, BTreeSet<DType>>,
) -> u64 {
    let fits = |made: &BTreeSet<DType>| reads.values().filter(|read| !read.is_disjoint(made)).count() as u64;
    makes.values().map(fits).sum()
}

/// The slot of an operator with a system in a strategy.
fn field<'m, V: Default>(
    fields: &'m mut Fields<V>,
    system: &str,
    precision: Precision,
    operator: &str,
) -> &'m mut V {
    entry(entry(fields, system).entry(precision).or_default(), operator)
}

/// Operator, strategy, system and what is counted of them, in that order.
fn flat<V>(fields: Fields<V>) -> Vec<(String, Precision, String, V)> {
    let mut all = vec![];
    for (system, strategies) in fields {
        for (precision, operators) in strategies {
            all.extend(operators.into_iter().map(|(operator, v)| (operator, precision, system.clone(), v)));
        }
    }
    all.sort_by(|a, b| (&a.0, a.1, &a.2).cmp(&(&b.0, b.1, &b.2)));
    all
}

/// The slot of a name; the name is copied only when it is new.
fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.to_string(), V::default());
    }
    map.get_mut(name).expect("it was just put there")
}

fn count(map: &mut BTreeMap<String, u64>, name: &str) {
    *entry(map, name) += 1;
}

fn add<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    merge(into, from, |mine, n| *mine += n);
}

/// Merges counts by key; `join` adds those of one key.
fn merge<K: Ord, V: Default>(into: &mut BTreeMap<K, V>, from: BTreeMap<K, V>, join: impl Fn(&mut V, V)) {
    for (key, v) in from {
        join(into.entry(key).or_default(), v);
    }
}

fn merge_fields<V: Default>(into: &mut Fields<V>, from: Fields<V>, join: impl Fn(&mut V, V)) {
    merge(into, from, |mine, strategies| {
        merge(mine, strategies, |mine, operators| merge(mine, operators, &join));
    });
}
