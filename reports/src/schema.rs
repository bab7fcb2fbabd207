//! What `run.json` holds: everything that one command learnt, in the order in which a reader wants it.
//!
//! Three rules. Everything but [`Run::timings`] and [`Run::host`] follows from the seed and the versions, so that two
//! runs compare. Lists are sorted ([`Run::sort`]) by keys that do not depend on how work was shared out. Numbers
//! that may be infinite or NaN are [`Figure`]s, because JSON has no word for them.

mod arrivals;
mod figure;
mod figures;
mod finding;
mod words;

pub use arrivals::Arrivals;
pub use figure::Figure;
pub use figures::{Cell, Coverage, Executions, Loss, Losses, OutputLoss, Stage, Timings, Totals};
pub use finding::{
    Control, Drawing, Edge, Evidence, Files, Finding, KnownIssue, NodeBox, Outcome, Point, Spot,
};

use crate::table::thousands;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the schema that this crate writes, and the newest that it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// One run of `fuzz` or `triage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Version of this schema. Fields may be added without changing it; readers ignore what they don't know.
    pub schema: u32,
    /// Version of halfproof.
    pub halfproof: String,
    /// The command line that repeats this run; of an interrupted one, the tests that it made.
    pub command: String,
    /// True when the run was interrupted (Ctrl-C) before the end that `options` asked for.
    #[serde(default)]
    pub interrupted: bool,
    /// The seed from which every test follows.
    pub seed: u64,
    /// Every option by its name on the command line, defaults included; `jobs` and `out`, which change no result,
    /// are left out.
    pub options: BTreeMap<String, String>,
    /// The converters and runtimes that took part, by name.
    pub systems: Vec<System>,
    /// Systems that were asked for and could not take part. Reports say so loudly: what did not run, did not pass.
    pub skipped: Vec<Skipped>,
    /// Counts of everything.
    pub totals: Totals,
    /// What the tests reached.
    pub coverage: Coverage,
    /// Verdicts by operator, strategy and system: the heat map.
    pub cells: Vec<Cell>,
    /// One entry per distinct fault, worst first.
    pub findings: Vec<Finding>,
    /// When the new findings of a campaign came, and an estimate of how many are still to come.
    #[serde(default)]
    pub arrivals: Option<Arrivals>,
    /// Precision as a quantity: bits lost to rounding.
    pub losses: Losses,
    /// Time and speed; the only part, with `host`, that differs between two runs of the same seed.
    pub timings: Timings,
    /// Operating system and processor, as a short text.
    pub host: String,
}

/// A converter or runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// Its name on the command line: `in-tree`, `litert-xnnpack-fp16`…
    pub name: String,
    /// What it is.
    pub kind: SystemKind,
    /// Its version, with that of the library underneath where there is one.
    pub version: String,
}

/// Which side of a conversion a system is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SystemKind {
    /// Makes a .tflite.
    Converter,
    /// Runs one.
    Runtime,
}

/// A system that was asked for and could not take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its name.
    pub system: String,
    /// Why.
    pub reason: String,
    /// The command that would make it take part, if there is one.
    pub remedy: Option<String>,
}

/// Why a `run.json` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not of this schema.
    #[error("not a run.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a newer halfproof.
    #[error(
        "run.json has schema {found}, this halfproof reads up to {SCHEMA_VERSION}: use the version that wrote it"
    )]
    Newer {
        /// The version in the file.
        found: u64,
    },
}

impl Run {
    /// A run in which nothing has happened yet.
    pub fn new(command: impl Into<String>, seed: u64) -> Run {
        Run {
            schema: SCHEMA_VERSION,
            halfproof: env!("CARGO_PKG_VERSION").to_string(),
            command: command.into(),
            interrupted: false,
            seed,
            options: BTreeMap::new(),
            systems: vec![],
            skipped: vec![],
            totals: Totals::default(),
            coverage: Coverage::default(),
            cells: vec![],
            findings: vec![],
            arrivals: None,
            losses: Losses::default(),
            timings: Timings::default(),
            host: String::new(),
        }
    }

    /// A run from the text of a `run.json`.
    ///
    /// # Errors
    /// When the text is not of this schema, or of a newer version of it.
    pub fn from_json(text: &str) -> Result<Run, ReadError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(found) if found > SCHEMA_VERSION.into() => Err(ReadError::Newer { found }),
            _ => Ok(serde_json::from_value(value)?),
        }
    }

    /// The text of the `run.json`, sorted.
    pub fn to_json(&self) -> String {
        let mut sorted = self.clone();
        sorted.sort();
        pretty(&sorted)
    }

    /// The findings alone as JSON, sorted: byte-identical for the same seed and versions, whatever ran them.
    pub fn findings_json(&self) -> String {
        let mut findings = self.findings.clone();
        finding::sort(&mut findings);
        pretty(&findings)
    }

    /// Puts every list in its order: findings by class, then by how often, then by id; the rest by name.
    pub fn sort(&mut self) {
        self.systems.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        self.skipped.sort_by(|a, b| a.system.cmp(&b.system));
        self.cells.sort_by(|a, b| a.key().cmp(&b.key()));
        finding::sort(&mut self.findings);
        self.losses.sort();
    }

    /// What readers must know of a run that was interrupted.
    pub fn interruption(&self) -> Option<String> {
        let wanted = ["runs", "time"].into_iter().find_map(|name| Some((name, self.options.get(name)?)));
        let wanted = wanted.map(|(name, value)| format!(" of --{name} {value}")).unwrap_or_default();
        self.interrupted
            .then(|| format!("before the end{wanted}, after {} tests", thousands(self.totals.tests)))
    }

    /// Findings that are not known issues.
    pub fn new_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.known_issue.is_none())
    }

    /// True when something new is certain enough to turn CI red (exit code 1): certified and not a known issue.
    pub fn is_red(&self) -> bool {
        self.new_findings().any(Finding::is_certified)
    }
}

/// JSON of two spaces with a final newline. Every type here serializes: keys are strings, numbers finite or figures.
fn pretty<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The JSON Schema of `run.json`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Run).to_value()
}
