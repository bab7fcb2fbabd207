//! Why an operator loses what it loses: read from the values that went in and came out, never guessed from its name.

use super::row::Row;
use crate::half;
use halfproof_wire::tflite::Builtin;

/// Bits that one operator must lose, beyond its operands, to be worth a cause.
pub const LOSS: f64 = 3.0;

/// A constant that float16 made 0 or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Flushed {
    /// The operator that reads it.
    pub operator: usize,
    /// Its name.
    pub name: String,
    /// What it should be.
    pub exact: f64,
    /// What it is.
    pub stored: f64,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The result is beyond the largest number of the type.
    Overflow {
        /// The exact result.
        exact: f64,
    },
    /// The result is a number of the type, what comes before it inside of the operator is not.
    Intermediate {
        /// The exact result.
        exact: f64,
    },
    /// A constant became 0 or infinite, and this is what comes of it.
    Constant(Flushed),
    /// Rounding carried an operand over the border of where the operator is defined.
    Domain {
        /// Its name.
        operand: String,
        /// What it should be.
        exact: f64,
        /// What it became.
        stored: f64,
    },
    /// An operand became 0, and is divided by, or its root or logarithm is taken.
    Underflow {
        /// The operand.
        operand: String,
        /// What it should be.
        exact: f64,
    },
    /// Operands that are not finite meet: inf - inf, 0 · inf, inf / inf.
    Indeterminate,
    /// An operand is not finite already.
    Carried,
    /// Numbers much larger than the result cancel.
    Cancellation {
        /// Largest operand.
        operands: f64,
        /// Largest result.
        result: f64,
    },
    /// Errors of the operands grow, or many roundings add up.
    Amplification,
}

/// A fault in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What it is.
    pub fault: Fault,
    /// One line.
    pub text: String,
}

/// What went in.
pub(super) struct Operand {
    pub(super) name: String,
    /// What the execution holds.
    pub(super) stored: Vec<f64>,
    /// What it should hold; `None` for constants.
    pub(super) exact: Option<Vec<f64>>,
}

impl Operand {
    fn largest(&self) -> f64 {
        let values = self.exact.as_ref().unwrap_or(&self.stored);
        values.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()))
    }
}

pub(super) fn find(builtin: Builtin, row: &Row, operands: &[Operand], flushed: Option<&Flushed>) -> Cause {
    let fault =
        if row.ruined > 0 { ruin(builtin, row, operands, flushed) } else { loss(row, operands, flushed) };
    let text = words(&fault, row);
    Cause { fault, text }
}

fn ruin(builtin: Builtin, row: &Row, operands: &[Operand], flushed: Option<&Flushed>) -> Fault {
    let largest = if row.is_half { half::OVERFLOW } else { half::OVERFLOW_SINGLE };
    if let Some(flushed) = flushed {
        return Fault::Constant(flushed.clone());
    }
    let ruined = |o: &Operand| {
        let pairs = o.exact.as_ref().map(|e| e.iter().zip(&o.stored));
        pairs.is_some_and(|mut p| p.any(|(e, s)| e.is_finite() && !s.is_finite()))
    };
    if operands.iter().any(ruined) {
        return Fault::Carried;
    }
    if operands.iter().any(|o| o.stored.iter().any(|x| !x.is_finite())) {
        return Fault::Indeterminate;
    }
    let divides = match builtin {
        Builtin::Div => operands.get(1),
        Builtin::Rsqrt | Builtin::Log | Builtin::Pow => operands.first(),
        _ => None,
    };
    if let Some(o) = divides
        && let Some(exact) = &o.exact
        && let Some((&exact, _)) = exact.iter().zip(&o.stored).find(|(e, s)| **s == 0.0 && **e != 0.0)
    {
        return Fault::Underflow { operand: o.name.clone(), exact };
    }
    let rooted = matches!(builtin, Builtin::Sqrt | Builtin::Rsqrt | Builtin::Log);
    if let Some(o) = operands.first().filter(|_| rooted)
        && let Some(exact) = &o.exact
        && let Some((&exact, &stored)) = exact.iter().zip(&o.stored).find(|(e, s)| **s < 0.0 && **e >= 0.0)
    {
        return Fault::Domain { operand: o.name.clone(), exact, stored };
    }
    let exact = row.first_ruined.map_or(0.0, |(_, n)| n.expected);
    if exact.abs() >= largest { Fault::Overflow { exact } } else { Fault::Intermediate { exact } }
}

fn loss(row: &Row, operands: &[Operand], flushed: Option<&Flushed>) -> Fault {
    if let Some(flushed) = flushed.filter(|f| f.operator == row.operator) {
        return Fault::Constant(flushed.clone());
    }
    let went_in = operands.iter().map(Operand::largest).fold(0.0, f64::max);
    let came_out = row.least.abs().max(row.greatest.abs());
    if went_in > 4.0 * came_out && matches!(row.builtin, "ADD" | "SUB" | "SUM" | "MEAN" | "ADD_N") {
        return Fault::Cancellation { operands: went_in, result: came_out };
    }
    Fault::Amplification
}

fn words(fault: &Fault, row: &Row) -> String {
    let type_name = if row.is_half { "float16" } else { "float32" };
    let largest = if row.is_half { "65504" } else { "3.4e38" };
    match fault {
        Fault::Overflow { exact } => {
            format!("the exact result is {exact:.4e}, {type_name} ends at {largest}: it overflows")
        }
        Fault::Intermediate { exact } => format!(
            "the exact result is {exact:.4e}, which {type_name} holds, but something on the way to it overflows"
        ),
        Fault::Constant(f) if f.stored == 0.0 => {
            format!("the constant \"{}\" is {:e} and became 0 in float16", f.name, f.exact)
        }
        Fault::Constant(f) => {
            format!("the constant \"{}\" is {:e} and became {} in float16", f.name, f.exact, f.stored)
        }
        Fault::Domain { operand, exact, stored } => format!(
            "its operand \"{operand}\" should be {exact:.4e} and became {stored:.4e} by rounding: {} of it is not a number",
            row.builtin
        ),
        Fault::Underflow { operand, exact } => {
            format!("its operand \"{operand}\" should be {exact:.4e} and became 0 in {type_name}")
        }
        Fault::Indeterminate => {
            "operands that are not finite meet (0 · inf, inf - inf or inf / inf)".to_string()
        }
        Fault::Carried => "an operand is not finite already".to_string(),
        Fault::Cancellation { operands, result } => {
            format!("cancellation: operands up to {operands:.4e} leave a result of at most {result:.4e}")
        }
        Fault::Amplification => format!(
            "errors grow by {:.1} bits here: roundings add up, or small errors of the operands are amplified",
            row.jump()
        ),
    }
}
