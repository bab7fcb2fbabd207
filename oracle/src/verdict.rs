//! What the judge says: the class, the blame and the strength, with the strings of every JSON and report.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $( $(#[$vmeta])* #[serde(rename = $text)] $variant, )* }

        impl $name {
            /// Every value, in the order of tables and reports.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The word used in JSON and reports.
            pub fn name(self) -> &'static str {
                match self { $( $name::$variant => $text, )* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.name()) }
        }
    };
}

words! {
    /// What happened.
    Class {
        /// Right, and within half a unit of the exact result almost everywhere.
        Pass = "pass",
        /// Different from the exact result, but inside the rigorous rounding bound.
        Explained = "explained",
        /// Refused: the converter could not express an operator.
        Legalization = "legalization",
        /// The file is not what was asked for: a stray float32, an int8, a constant that was not narrowed.
        Impure = "impure",
        /// The file breaks the format or is refused by the runtime.
        InvalidModel = "invalid-model",
        /// A constant is not the round-to-nearest-even float16 of its source.
        Constant = "constant",
        /// Source and converted graph differ in ideal arithmetic.
        Semantics = "semantics",
        /// A float16 result outside its rigorous bound.
        Precision = "precision",
        /// An inf or NaN where the source has a finite value.
        Nonfinite = "nonfinite",
        /// One operator of a runtime is outside its own bound, computed from its own inputs.
        Kernel = "kernel",
        /// Two runs on the same input differ.
        Nondeterminism = "nondeterminism",
        /// The process died.
        Crash = "crash",
        /// No answer in time.
        Timeout = "timeout",
        /// The judge cannot say, and says why.
        Undecidable = "undecidable",
    }
}

words! {
    /// Whose fault it is.
    Blame {
        /// The conversion.
        Converter = "converter",
        /// The choice of float16 for these values.
        Policy = "precision policy",
        /// The runtime's kernel.
        Kernel = "runtime kernel",
        /// Nobody's: rounding explains it.
        Explained = "explained",
        /// Nobody's: nothing is wrong.
        Nobody = "nobody",
    }
}

words! {
    /// What a verdict rests on.
    Strength {
        /// A worst-case bound under a contract that the runtime is known to honour, or no bound at all (legality, constants).
        Certified = "certified",
        /// A statistical bound.
        Statistical = "statistical",
        /// A contract that nobody has verified.
        Unknown = "unknown",
    }
}

/// Where in a case something was seen. Every field is optional because every question sees a different part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The source node or value, by name.
    pub source: Option<String>,
    /// Operator of the converted model, as TFLite prints it.
    pub operator: Option<String>,
    /// Its index in subgraph 0.
    pub operator_index: Option<u32>,
    /// Tensor of the converted model, by name.
    pub tensor: Option<String>,
    /// Its index in subgraph 0.
    pub tensor_index: Option<u32>,
    /// Row-major index of the worst element.
    pub element: Option<u64>,
}

/// The numbers behind a verdict about one element. Printed in decimal, hexadecimal and bits by the reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// The exact result.
    pub expected: f64,
    /// What the system gave.
    pub actual: f64,
    /// Least value that rounding can explain.
    pub low: f64,
    /// Greatest value that rounding can explain.
    pub high: f64,
    /// |actual - expected| over the distance from `expected` to the bound on that side; above 1 is outside.
    pub ratio: f64,
}

/// The answer to one question about one case and, where one ran, one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What happened.
    pub class: Class,
    /// Whose fault it is.
    pub blame: Blame,
    /// What the verdict rests on.
    pub strength: Strength,
    /// One primary line that stands alone, without numbers that vary from case to case (it is part of the signature).
    pub text: String,
    /// Where.
    pub place: Place,
    /// The numbers of the worst element.
    pub numbers: Option<Numbers>,
    /// Bits of the significand lost per output: log2 of the largest error in units of half an ulp, 0 for none.
    pub bits_lost: Vec<f64>,
    /// Elements compared.
    pub judged: u64,
    /// Elements left out because they are undecidable or possibly non-finite.
    pub excluded: u64,
    /// Fine distinctions: `result not representable`, `accumulator`…
    pub notes: Vec<String>,
}

impl Verdict {
    /// A verdict of that class with nothing else said.
    pub fn new(class: Class, blame: Blame, strength: Strength, text: impl Into<String>) -> Verdict {
        Verdict {
            class,
            blame,
            strength,
            text: text.into(),
            place: Place::default(),
            numbers: None,
            bits_lost: vec![],
            judged: 0,
            excluded: 0,
            notes: vec![],
        }
    }

    /// True when float16 was asked for and does not hold the values: the doing of the strategy, and nobody's fault.
    pub fn is_of_policy(&self) -> bool {
        self.class == Class::Nonfinite && self.blame == Blame::Policy
    }

    /// True when it says that somebody did something wrong.
    pub fn accuses(&self) -> bool {
        !(self.class.is_fine() || self.is_of_policy())
    }
}

impl Class {
    /// True for the classes that are not faults: `pass`, `explained` and `undecidable`.
    pub fn is_fine(self) -> bool {
        matches!(self, Class::Pass | Class::Explained | Class::Undecidable)
    }
}
