//! Numbers that may be infinite or NaN, which JSON cannot say.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// A binary64 number; in JSON a number, or one of `"inf"`, `"-inf"`, `"nan"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figure(pub f64);

/// Equal as reports show them: NaN equals NaN, and 0 is not −0.
impl PartialEq for Figure {
    fn eq(&self, other: &Figure) -> bool {
        self.0.to_bits() == other.0.to_bits() || (self.0.is_nan() && other.0.is_nan())
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Figure {
        Figure(value)
    }
}

impl Figure {
    /// The word for what JSON cannot say.
    fn word(self) -> Option<&'static str> {
        match self.0 {
            x if x.is_nan() => Some("nan"),
            f64::INFINITY => Some("inf"),
            f64::NEG_INFINITY => Some("-inf"),
            _ => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.pad(word),
            None => f.pad(&decimal(self.0)),
        }
    }
}

/// Six significant digits, in plain form where that is short.
fn decimal(x: f64) -> String {
    let magnitude = x.abs();
    if x == 0.0 {
        return if x.is_sign_negative() { "-0.0".into() } else { "0.0".into() };
    }
    if !(1e-5..1e7).contains(&magnitude) {
        return format!("{x:.5e}");
    }
    let digits_before = magnitude.log10().floor() as i32 + 1;
    let text = format!("{x:.*}", (6 - digits_before).max(1) as usize);
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.into() }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.word() {
            Some(word) => serializer.serialize_str(word),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Figure, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Figure;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"inf\", \"-inf\" or \"nan\"")
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Figure, E> {
                Ok(Figure(v))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Figure, E> {
                Ok(Figure(v as f64))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Figure, E> {
                Ok(Figure(v as f64))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Figure, E> {
                match v {
                    "inf" => Ok(Figure(f64::INFINITY)),
                    "-inf" => Ok(Figure(f64::NEG_INFINITY)),
                    "nan" => Ok(Figure(f64::NAN)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Figure {
    fn schema_name() -> Cow<'static, str> {
        "Figure".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or \"inf\", \"-inf\" or \"nan\".",
            "anyOf": [{ "type": "number" }, { "enum": ["inf", "-inf", "nan"] }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_json_bit_for_bit() {
        for x in [0.0, -0.0, 1.0, 0.1, 65504.0, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
        {
            let text = serde_json::to_string(&Figure(x)).expect("a figure");
            assert_eq!(serde_json::from_str::<Figure>(&text).expect("a figure"), Figure(x), "{text}");
        }
        assert!(serde_json::from_str::<Figure>("\"infinite\"").is_err());
    }

    #[test]
    fn figures_print_with_six_digits() {
        let shown = |x: f64| Figure(x).to_string();
        assert_eq!(shown(0.000_122_070_312_5), "0.00012207");
        assert_eq!(shown(65504.0), "65504.0");
        assert_eq!(shown(-1.0), "-1.0");
        assert_eq!(shown(1e-8), "1.00000e-8");
        assert_eq!(shown(1e30), "1.00000e30");
        assert_eq!(shown(-0.0), "-0.0");
        assert_eq!(shown(f64::NAN), "nan");
    }
}
