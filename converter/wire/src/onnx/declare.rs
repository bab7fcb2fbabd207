//! What a file declares about a tensor: among its inputs, its outputs and in `value_info`, which must not contradict each
//! other.

use super::error::{ReadError, ReadErrorKind};
use super::proto::{Dimension, ValueInfo};
use super::tensor;
use halfproof_ir::{DType, Dim, Tensor, Value};
use std::sync::Arc;

/// Takes over what is declared; what an earlier declaration leaves open is filled in.
///
/// # Errors
/// When it is no tensor of ours, or when it is declared otherwise, or has other elements, elsewhere in the file.
pub(super) fn declare(value: &mut Value, info: &ValueInfo) -> Result<(), ReadError> {
    let Some(t) = &info.r#type else { return Ok(()) };
    let Some(t) = &t.tensor_type else {
        let other = [
            ("a sequence", t.sequence_type.is_some()),
            ("a map", t.map_type.is_some()),
            ("an optional", t.optional_type.is_some()),
            ("a sparse tensor", t.sparse_tensor_type.is_some()),
            ("opaque", t.opaque_type.is_some()),
        ];
        return match other.iter().find(|(_, there)| *there) {
            None => Ok(()),
            Some((what, _)) => Err(ReadError::tensor(
                ReadErrorKind::Unsupported,
                &info.name,
                format!("is {what}, which is not supported"),
            )),
        };
    };
    let dtype = if t.elem_type == 0 { None } else { Some(tensor::dtype(t.elem_type, &info.name)?) };
    let shape: Option<Vec<Dim>> = t.shape.as_ref().map(|shape| shape.dim.iter().map(dim).collect());
    merge(value, dtype, shape)
        .map_err(|reason| ReadError::tensor(ReadErrorKind::Structure, &info.name, reason))
}

/// Makes a tensor of the graph a constant, of which something may have been declared.
///
/// # Errors
/// When it was declared otherwise.
pub(super) fn define(value: &mut Value, constant: Arc<Tensor>) -> Result<(), ReadError> {
    let (dtype, shape) = (value.dtype, value.shape.take());
    value.dtype = Some(constant.dtype());
    value.shape = Some(constant.shape.iter().map(|&d| Dim::Fixed(d)).collect());
    value.constant = Some(constant);
    merge(value, dtype, shape)
        .map_err(|reason| ReadError::tensor(ReadErrorKind::Structure, &value.name, reason))
}

fn dim(d: &Dimension) -> Dim {
    match (d.dim_value, &d.dim_param) {
        (Some(n), _) => usize::try_from(n).map_or(Dim::Named(String::new()), Dim::Fixed),
        (None, Some(name)) => Dim::Named(name.clone()),
        (None, None) => Dim::Named(String::new()),
    }
}

fn merge(value: &mut Value, dtype: Option<DType>, shape: Option<Vec<Dim>>) -> Result<(), String> {
    let what = if value.constant.is_some() { "holds" } else { "is declared as" };
    if let (Some(old), Some(new)) = (value.dtype, dtype)
        && old != new
    {
        return Err(format!("{what} {old}, and is declared as {new}"));
    }
    value.dtype = value.dtype.or(dtype);
    let Some(new) = shape else { return Ok(()) };
    let Some(old) = &mut value.shape else {
        value.shape = Some(new);
        return Ok(());
    };
    let differ = |(old, new): (&Dim, &Dim)| matches!((old, new), (Dim::Fixed(a), Dim::Fixed(b)) if a != b);
    if old.len() != new.len() || old.iter().zip(&new).any(differ) {
        return Err(format!("{what} {}, and is declared as {}", shown(old), shown(&new)));
    }
    for (old, new) in old.iter_mut().zip(new) {
        if matches!((&old, &new), (Dim::Named(_), Dim::Fixed(_))) {
            *old = new;
        }
    }
    Ok(())
}

fn shown(dims: &[Dim]) -> String {
    let one = |d: &Dim| match d {
        Dim::Fixed(n) => n.to_string(),
        Dim::Named(name) if name.is_empty() => "?".to_string(),
        Dim::Named(name) => name.clone(),
    };
    format!("[{}]", dims.iter().map(one).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(old: &[Dim], new: &[Dim]) -> Result<Option<Vec<Dim>>, String> {
        let shape = Some(old.to_vec());
        let mut value = Value { name: "x".into(), dtype: Some(DType::F32), shape, constant: None };
        merge(&mut value, None, Some(new.to_vec()))?;
        Ok(value.shape)
    }

    #[test]
    fn declarations_of_one_tensor_fill_each_other_in_and_must_agree() {
        let (n, two, three) = (Dim::Named("n".into()), Dim::Fixed(2), Dim::Fixed(3));
        let both = merged(&[n.clone(), two.clone()], &[three.clone(), n.clone()]);
        assert_eq!(both, Ok(Some(vec![three.clone(), two.clone()])));
        let text = merged(&[two.clone(), n.clone()], &[three.clone(), n]).unwrap_err();
        assert_eq!(text, "is declared as [2, n], and is declared as [3, n]");
        assert!(merged(std::slice::from_ref(&two), &[two.clone(), two.clone()]).is_err());
    }

    #[test]
    fn another_element_type_is_refused() {
        let mut value = Value { name: "x".into(), dtype: Some(DType::F32), shape: None, constant: None };
        assert!(merge(&mut value, Some(DType::I64), None).is_err());
        assert_eq!(merge(&mut value, Some(DType::F32), None), Ok(()));
    }
}
