//! Which operators the user names by `keep_fp32`.

use crate::target::{Target, TargetOperator, TensorId};
use halfproof_ir::{Refusal, RefusedNode, Request};
use regex::Regex;

/// Whether a pattern for [`Request::keep_fp32`] matches one of these names.
///
/// # Errors
/// Why it is no regular expression, in one line.
pub fn matches<'a>(pattern: &str, names: impl IntoIterator<Item = &'a str>) -> Result<bool, String> {
    let regex = compiled(pattern)?;
    Ok(names.into_iter().any(|name| regex.is_match(name)))
}

/// By operator: the user named it.
pub(super) fn kept_operators(target: &Target, request: &Request) -> Result<Vec<bool>, Refusal> {
    let Some(pattern) = &request.keep_fp32 else { return Ok(vec![false; target.operators.len()]) };
    let regex = compiled(pattern).map_err(|reason| Refusal {
        nodes: vec![RefusedNode {
            op: "keep-fp32".to_string(),
            node: pattern.clone(),
            dtype: None,
            reason: format!("not a regular expression over names: {reason}"),
        }],
    })?;
    Ok(target.operators.iter().map(|op| is_named(target, op, &regex)).collect())
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| e.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// True when the user named an operator: one of its nodes, a tensor that it makes, or a constant that it reads.
fn is_named(target: &Target, op: &TargetOperator, regex: &Regex) -> bool {
    let named = |id: TensorId| {
        let origin = target.tensor(id).origin.as_ref();
        super::is_narrowable(target.tensor(id)) && origin.is_some_and(|o| regex.is_match(&o.source))
    };
    let constants = || op.inputs.iter().flatten().filter(|&&id| target.tensor(id).constant.is_some());
    op.nodes.iter().any(|n| regex.is_match(n))
        || op.outputs.iter().any(|&id| named(id))
        || constants().any(|&id| named(id))
}
