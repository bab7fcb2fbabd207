//! JSON Schemas of the words that other crates declare: classes, blames, strengths, strategies, element types.

use halfproof_ir::Precision;
use halfproof_oracle::verdict::{Blame, Class, Strength};
use schemars::{Schema, SchemaGenerator, json_schema};

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    json_schema!({ "type": "string", "enum": words })
}

pub(super) fn class(_: &mut SchemaGenerator) -> Schema {
    words(Class::ALL.iter().map(|c| c.name()))
}

pub(super) fn blame(_: &mut SchemaGenerator) -> Schema {
    words(Blame::ALL.iter().map(|b| b.name()))
}

pub(super) fn strength(_: &mut SchemaGenerator) -> Schema {
    words(Strength::ALL.iter().map(|s| s.name()))
}

pub(super) fn precision(_: &mut SchemaGenerator) -> Schema {
    words(Precision::ALL.iter().map(|p| p.name()))
}

pub(super) fn optional_precision(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = Precision::ALL.iter().map(|p| p.name()).collect();
    json_schema!({ "type": ["string", "null"], "enum": names })
}

pub(super) fn classes_counted(_: &mut SchemaGenerator) -> Schema {
    let classes: Vec<_> = Class::ALL.iter().map(|c| c.name()).collect();
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": classes },
        "additionalProperties": { "type": "integer" }
    })
}

pub(super) fn system_classes_counted(generator: &mut SchemaGenerator) -> Schema {
    let counts = classes_counted(generator);
    json_schema!({ "type": "object", "additionalProperties": counts })
}

pub(super) fn dtype(_: &mut SchemaGenerator) -> Schema {
    words(["f16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"])
}
