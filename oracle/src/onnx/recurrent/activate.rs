//! The activation functions that recurrent operators name, with their parameters.
//!
//! Source: the list in ONNX RNN-14. `activation_alpha` and `activation_beta` are consumed in the order of the functions, by those functions that
//! have such a parameter; missing ones have the default of the ONNX operator of that name. Affine and ScaledTanh have none.

use super::super::activation::{hard_sigmoid_of, softsign_of};
use super::super::error::{OpError, attribute};
use crate::arith::{Arith, Comparison, Function};

#[derive(Clone, Copy)]
enum Kind {
    Plain(Function),
    Affine { alpha: f32, beta: f32 },
    ThresholdedRelu { alpha: f32 },
    ScaledTanh { alpha: f32, beta: f32 },
    HardSigmoid { alpha: f32, beta: f32 },
    Softsign,
}

/// One activation function.
#[derive(Clone, Copy)]
pub(super) struct Activation {
    kind: Kind,
    clip: Option<f32>,
}

/// The functions of every direction; `defaults` are those of one direction.
pub(super) fn activations(
    names: &[String],
    defaults: &[&str],
    directions: usize,
    alphas: &[f32],
    betas: &[f32],
    clip: Option<f32>,
) -> Result<Vec<Vec<Activation>>, OpError> {
    let each = defaults.len();
    if !names.is_empty() && names.len() != each * directions {
        return Err(attribute(format!("{} activations, {} are needed", names.len(), each * directions)));
    }
    let (mut alphas, mut betas) = (alphas.iter().copied(), betas.iter().copied());
    let mut result = Vec::with_capacity(directions);
    for d in 0..directions {
        let mut functions = Vec::with_capacity(each);
        for (i, default) in defaults.iter().enumerate() {
            let name = names.get(d * each + i).map_or(*default, String::as_str);
            let missing = || attribute(format!("activation {name} lacks a parameter"));
            let kind = match name {
                "Relu" => Kind::Plain(Function::Relu),
                "Tanh" => Kind::Plain(Function::Tanh),
                "Sigmoid" => Kind::Plain(Function::Logistic),
                "Softplus" => Kind::Plain(Function::Softplus),
                "Softsign" => Kind::Softsign,
                "LeakyRelu" => {
                    Kind::Plain(Function::LeakyRelu { alpha: alphas.next().unwrap_or(0.01).into() })
                }
                "Elu" => Kind::Plain(Function::Elu { alpha: alphas.next().unwrap_or(1.0).into() }),
                "ThresholdedRelu" => Kind::ThresholdedRelu { alpha: alphas.next().unwrap_or(1.0) },
                "HardSigmoid" => Kind::HardSigmoid {
                    alpha: alphas.next().unwrap_or(0.2),
                    beta: betas.next().unwrap_or(0.5),
                },
                "Affine" => Kind::Affine {
                    alpha: alphas.next().ok_or_else(missing)?,
                    beta: betas.next().ok_or_else(missing)?,
                },
                "ScaledTanh" => Kind::ScaledTanh {
                    alpha: alphas.next().ok_or_else(missing)?,
                    beta: betas.next().ok_or_else(missing)?,
                },
                other => return Err(attribute(format!("activation \"{other}\""))),
            };
            functions.push(Activation { kind, clip });
        }
        result.push(functions);
    }
    Ok(result)
}

impl Activation {
    /// The function of the clipped argument.
    pub(super) fn apply<A: Arith>(&self, arith: &A, x: A::E) -> A::E {
        let x = match self.clip {
            None => x,
            Some(c) => arith.min(arith.max(x, arith.exact((-c).into())), arith.exact(c.into())),
        };
        let number = |v: f32| arith.exact(v.into());
        arith.intermediate(match self.kind {
            Kind::Plain(f) => arith.apply(f, x),
            Kind::Softsign => softsign_of(arith, x),
            Kind::Affine { alpha, beta } => {
                arith.add(arith.intermediate(arith.mul(number(alpha), x)), number(beta))
            }
            Kind::HardSigmoid { alpha, beta } => hard_sigmoid_of(arith, x, alpha, beta),
            Kind::ScaledTanh { alpha, beta } => {
                let inner = arith.intermediate(arith.mul(number(beta), x));
                arith.mul(number(alpha), arith.intermediate(arith.apply(Function::Tanh, inner)))
            }
            // Here the threshold itself passes (the operator of that name excludes it).
            Kind::ThresholdedRelu { alpha } => {
                let (order, decided) = arith.compare(x, number(alpha));
                let passes = matches!(order, Comparison::Greater | Comparison::Equal);
                let zero = arith.exact(0.0);
                match (passes, decided) {
                    (true, true) => x,
                    (false, true) => zero,
                    (true, false) => arith.either(x, zero),
                    (false, false) => arith.either(zero, x),
                }
            }
        })
    }
}
