//! The elements of a constant: written out, by recipe, or from the weights.

use super::parse::{Parser, TextError};
use crate::recipe::Recipe;
use crate::{DType, Data, Dim, Tensor};
use half::f16;
use std::str::FromStr;
use std::sync::Arc;

impl Parser<'_> {
    /// `f32[2] {1, 2}`, or with a recipe, or from the weights.
    pub(super) fn constant(&mut self) -> Result<Arc<Tensor>, TextError> {
        let at = self.scan.here();
        let (dtype, shape) = self.declared()?;
        let shape: Option<Vec<usize>> = shape.and_then(|dims| {
            let fixed = |d| if let Dim::Fixed(n) = d { Some(n) } else { None };
            dims.into_iter().map(fixed).collect()
        });
        let (Some(dtype), Some(shape)) = (dtype, shape) else {
            return Err(self.scan.error_at(at, "a constant has an element type and a static shape"));
        };
        let at = self.scan.here();
        if self.scan.peek() == Some('{') {
            return self.elements(dtype, shape).map(Arc::new);
        }
        let recipe = match self.scan.word() {
            "npz" => return self.weight(dtype, &shape),
            "lattice" => Recipe::Lattice(self.argument("a seed")?),
            "gaussian" => Recipe::Gaussian(self.argument("a seed")?),
            "fill" => Recipe::Fill(self.argument("a number")?),
            _ => {
                let what = "elements in braces, lattice(seed), gaussian(seed), fill(value) or npz(\"name\")";
                return Err(self.scan.error_at(at, format!("expected {what}")));
            }
        };
        match recipe.make(dtype, &shape) {
            Some(tensor) => Ok(Arc::new(tensor)),
            None => {
                Err(self.scan.error_at(at, format!("there is no such constant of type {}", dtype.short())))
            }
        }
    }

    fn argument<T: FromStr>(&mut self, what: &str) -> Result<T, TextError> {
        self.scan.need('(')?;
        let at = self.scan.here();
        let value =
            self.scan.word().parse().map_err(|_| self.scan.error_at(at, format!("expected {what}")))?;
        self.scan.need(')')?;
        Ok(value)
    }

    fn weight(&mut self, dtype: DType, shape: &[usize]) -> Result<Arc<Tensor>, TextError> {
        self.scan.need('(')?;
        let at = self.scan.here();
        let name = self.scan.quoted("a name in quotes")?;
        self.scan.need(')')?;
        let Some((_, tensor)) = self.weights.iter().find(|(n, _)| *n == name) else {
            return Err(self.scan.error_at(at, format!("the weights hold no \"{name}\"")));
        };
        if tensor.dtype() != dtype || tensor.shape != shape {
            let (has, shape) = (tensor.dtype().short(), &tensor.shape);
            return Err(self.scan.error_at(at, format!("\"{name}\" is {has}{shape:?} in the weights")));
        }
        Ok(tensor.clone())
    }

    /// `{1, 2, nan, -inf}`: as many as the shape has.
    fn elements(&mut self, dtype: DType, shape: Vec<usize>) -> Result<Tensor, TextError> {
        let at = self.scan.here();
        self.scan.need('{')?;
        let data = match dtype {
            DType::F16 => Data::F16(self.floats(
                |t| Some(f16::from_f32(t.parse().ok()?)),
                |b| Some(f16::from_bits(b.try_into().ok()?)),
            )?),
            DType::F32 => {
                Data::F32(self.floats(|t| t.parse().ok(), |b| Some(f32::from_bits(b.try_into().ok()?)))?)
            }
            DType::F64 => Data::F64(self.floats(|t| t.parse().ok(), |b| Some(f64::from_bits(b)))?),
            DType::I8 => Data::I8(self.integers(dtype)?),
            DType::I16 => Data::I16(self.integers(dtype)?),
            DType::I32 => Data::I32(self.integers(dtype)?),
            DType::I64 => Data::I64(self.integers(dtype)?),
            DType::U8 => Data::U8(self.integers(dtype)?),
            DType::U16 => Data::U16(self.integers(dtype)?),
            DType::U32 => Data::U32(self.integers(dtype)?),
            DType::U64 => Data::U64(self.integers(dtype)?),
            DType::Bool => {
                let bits: Vec<u8> = self.integers(dtype)?;
                if bits.iter().any(|&b| b > 1) {
                    return Err(self.scan.error_at(at, "elements of type bool are 0 and 1"));
                }
                Data::Bool(bits.into_iter().map(|b| b == 1).collect())
            }
        };
        // Extents of zero are left out so that no product can overflow, in whatever order it is taken later.
        let product = shape.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d));
        match product {
            Some(n) if data.len() == (if shape.contains(&0) { 0 } else { n }) => Ok(Tensor::new(shape, data)),
            _ => {
                let found = data.len();
                Err(self.scan.error_at(at, format!("{found} elements do not fill the shape {shape:?}")))
            }
        }
    }

    fn integers<T: FromStr>(&mut self, dtype: DType) -> Result<Vec<T>, TextError> {
        self.list('}', |p| {
            let at = p.scan.here();
            let word = p.scan.word();
            let short = dtype.short();
            word.parse().map_err(|_| p.scan.error_at(at, format!("\"{word}\" is no element of type {short}")))
        })
    }

    fn floats<T>(
        &mut self,
        digits: impl Fn(&str) -> Option<T>,
        bits: impl Fn(u64) -> Option<T>,
    ) -> Result<Vec<T>, TextError> {
        self.list('}', |p| {
            let at = p.scan.here();
            let word = p.exponent();
            let value = if word == "nan" && p.scan.eat('(') {
                let code = p.scan.word();
                p.scan.need(')')?;
                code.strip_prefix("0x").and_then(|c| u64::from_str_radix(c, 16).ok()).and_then(&bits)
            } else {
                digits(&word)
            };
            value.ok_or_else(|| p.scan.error_at(at, format!("\"{word}\" is no number")))
        })
    }

    /// A number as a word: `+` is no character of names but of exponents.
    pub(super) fn exponent(&mut self) -> String {
        let mut word = self.scan.word().to_string();
        if word.ends_with(['e', 'E']) && self.scan.eat('+') {
            word.push_str(self.scan.word());
        }
        word
    }
}
