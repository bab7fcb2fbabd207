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

impl Class {
    /// True for the classes that are not faults: `pass`, `explained` and `undecidable`.
    pub fn is_fine(self) -> bool {
        matches!(self, Class::Pass | Class::Explained | Class::Undecidable)
    }
}
