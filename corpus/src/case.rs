//! A case: a graph, the inputs it is run on, where it comes from and what is expected of it.

use crate::Expectation;
use halfproof_ir::{Graph, Precision, Tensor};
use serde::{Deserialize, Serialize};

/// One graph with everything that a replay needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The source program.
    pub graph: Graph,
    /// What it is run on, in the order of the file.
    pub inputs: Vec<InputSet>,
    /// What `case.toml` says.
    pub about: About,
}

/// One tensor per input of the graph, in interface order.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSet {
    /// Of letters, digits, `-`, `_` and `.`: `lattice`, `gaussian`, `edges-2`.
    pub name: String,
    /// The tensors.
    pub tensors: Vec<Tensor>,
}

/// The contents of `case.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What the case is about, in one line.
    pub title: String,
    /// The strategies to replay; all of them where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precisions: Vec<Precision>,
    /// The systems to replay on, by name or beginning and star; all of them where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    /// The converters that the case is about, by name; every one where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub converters: Vec<String>,
    /// Anything a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What verdicts must be; where none applies, no fault is expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
}

/// Where a case comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Who made it.
    pub kind: OriginKind,
    /// The seed, for generated cases: a note, the case does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The signature of the finding that it was minimised from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Where the report or model is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The licence of what was taken over from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// Who made a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginKind {
    /// Our generator, then the minimiser.
    Generated,
    /// A person, for this corpus.
    #[default]
    Written,
    /// A person, after a published report.
    Report,
    /// A model that somebody uses.
    Model,
}

impl Case {
    /// A written case without inputs and expectations.
    pub fn new(title: impl Into<String>, graph: Graph) -> Case {
        Case { graph, inputs: vec![], about: About { title: title.into(), ..About::default() } }
    }

    /// True when the case is to be replayed on this system.
    pub fn wants_system(&self, system: &str) -> bool {
        self.about.systems.is_empty()
            || self.about.systems.iter().any(|p| crate::expect::is_system(p, system))
    }

    /// True when the case is to be replayed with this converter.
    pub fn wants_converter(&self, converter: &str) -> bool {
        self.about.converters.is_empty() || self.about.converters.iter().any(|c| c == converter)
    }

    /// The strategies to replay.
    pub fn precisions(&self) -> &[Precision] {
        if self.about.precisions.is_empty() { &Precision::ALL } else { &self.about.precisions }
    }

    /// Whether input sets, expectations and graph fit each other.
    ///
    /// # Errors
    /// The reason, as a fragment that names the set and the input.
    pub fn check_inputs(&self) -> Result<(), String> {
        for (i, set) in self.inputs.iter().enumerate() {
            let named = !set.name.is_empty()
                && set.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            if !named {
                return Err(format!("\"{}\" is no name of an input set", set.name));
            }
            if self.inputs[..i].iter().any(|other| other.name == set.name) {
                return Err(format!("two input sets are called \"{}\"", set.name));
            }
            if set.tensors.len() != self.graph.inputs.len() {
                let (has, wants) = (set.tensors.len(), self.graph.inputs.len());
                return Err(format!("set \"{}\" has {has} tensors for {wants} inputs", set.name));
            }
            for (&id, tensor) in self.graph.inputs.iter().zip(&set.tensors) {
                let value = self.graph.value(id);
                let dtype = value.dtype.is_none_or(|d| d == tensor.dtype());
                if !dtype || !fits(value, &tensor.shape) {
                    let (dtype, shape) = (tensor.dtype().short(), &tensor.shape);
                    return Err(format!(
                        "\"{}\" of set \"{}\" is {dtype}{shape:?}, which its declaration does not allow",
                        value.name, set.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the expectations speak of what is there.
    ///
    /// # Errors
    /// The reason, as a fragment.
    pub fn check_expectations(&self) -> Result<(), String> {
        for expectation in &self.about.expect {
            if expectation.class.is_empty() {
                return Err("an expectation without a class expects nothing".to_string());
            }
            if let Some(inputs) = &expectation.inputs
                && !self.inputs.iter().any(|set| set.name == *inputs)
            {
                return Err(format!("an expectation speaks of inputs \"{inputs}\", which are not there"));
            }
        }
        Ok(())
    }
}

/// True when a shape is one that the value's declaration allows.
fn fits(value: &halfproof_ir::Value, shape: &[usize]) -> bool {
    value.shape.as_ref().is_none_or(|declared| {
        declared.len() == shape.len()
            && declared.iter().zip(shape).all(|(d, &n)| match d {
                halfproof_ir::Dim::Fixed(fixed) => *fixed == n,
                halfproof_ir::Dim::Named(_) => true,
            })
    })
}
