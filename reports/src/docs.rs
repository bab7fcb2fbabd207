//! `docs/run-json.md`, made from the types of the schema and their documentation.

use crate::schema;
use serde_json::Value;

/// The text of `docs/run-json.md`.
pub fn run_json() -> String {
    let schema = schema::json_schema();
    let mut text = String::from(
        "<!-- Made from reports/src/schema.rs by `UPDATE_DOCS=1 cargo test -p halfproof-reports --test docs`. Do not edit. -->\n\n\
         # run.json\n\n\
         Every campaign (`fuzz`) and triage writes one `run.json`; `matrix` writes a matrix.json of its own, `regress` prints only.\n\
         The same in machine-readable form is\n\
         [`run.schema.json`](run.schema.json) (JSON Schema).\n\n\
         With the same seed, options, versions and kind of processor, everything but `timings` and `host` is byte-identical, whatever\n\
         `--jobs` was. Lists are sorted. Fields may be added without a new version: ignore what you don't know.\n",
    );
    text += &format!("The version described here is {}.\n", schema::SCHEMA_VERSION);
    text += &table("Run", &schema);
    let parts = schema.get("$defs").and_then(Value::as_object);
    for (name, part) in parts.into_iter().flatten() {
        if part.get("properties").is_some() {
            text += &table(name, part);
        } else {
            text += &words(name, part);
        }
    }
    text
}

/// One object: its description and its fields.
fn table(name: &str, object: &Value) -> String {
    let mut text = format!("\n## {name}\n\n{}\n", description(object));
    text += "\n| field | type | meaning |\n| --- | --- | --- |\n";
    for (field, of) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        text += &format!("| `{field}` | {} | {} |\n", kind(of), description(of).replace('|', "\\|"));
    }
    text
}

/// A type of words rather than fields.
fn words(name: &str, of: &Value) -> String {
    let mut text = format!("\n## {name}\n\n{}\n", description(of));
    let variants: Vec<&Value> = of.get("oneOf").and_then(Value::as_array).into_iter().flatten().collect();
    if !variants.is_empty() {
        text.push('\n');
    }
    for variant in variants {
        let word = variant.get("const").or_else(|| variant.pointer("/enum/0")).and_then(Value::as_str);
        text += &format!("- `{}`: {}\n", word.unwrap_or_default(), description(variant));
    }
    text
}

/// The description on one line, with links to Rust items made plain.
fn description(of: &Value) -> String {
    let text = of.get("description").and_then(Value::as_str).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut plain = String::new();
    let mut rest = line.as_str();
    while let Some((before, item)) = rest.split_once("[`") {
        let (name, after) = item.split_once("`]").unwrap_or((item, ""));
        plain += &format!("{before}`{name}`");
        rest = match after.strip_prefix('(').and_then(|path| path.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

/// The type of a field in a few words.
fn kind(of: &Value) -> String {
    if let Some(name) = of.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(any) = of.get("anyOf").and_then(Value::as_array) {
        let kinds: Vec<String> = any.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    if let Some(words) = of.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().map(|w| format!("`{}`", w.as_str().unwrap_or("null"))).collect();
        let or_null = if of.get("type").is_some_and(Value::is_array) { " or null" } else { "" };
        return words.join(", ") + or_null;
    }
    match of.get("type") {
        Some(Value::String(one)) => match one.as_str() {
            "array" => format!("list of {}", of.get("items").map_or("anything".into(), kind)),
            "object" => {
                match of.get("additionalProperties").filter(|p| p.is_object()).or_else(|| pattern(of)) {
                    Some(inner) => format!("object of {}", kind(inner)),
                    None => "object".into(),
                }
            }
            one => one.into(),
        },
        Some(Value::Array(several)) => {
            let inner = |one: &Value| match one.as_str() {
                Some("array") => format!("list of {}", of.get("items").map_or("anything".into(), kind)),
                Some(one) => one.to_string(),
                None => String::new(),
            };
            several.iter().map(inner).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".into(),
    }
}

/// The type of the values of an object whose keys are numbers.
fn pattern(of: &Value) -> Option<&Value> {
    of.get("patternProperties")?.as_object()?.values().next()
}
