//! What each node of a file becomes: the operator in its newest form, whatever opset the file has.

use super::attribute::{self, Failure};
use super::error::{ReadError, ReadErrorKind};
use super::opset::{self, Moved};
use super::proto::NodeProto;
use super::read::{Reader, is_default, subject, unknown};
use super::tensor::type_name;
use half::f16;
use halfproof_ir::ops::{
    Attr, Attrs, CoordinateMode, GeluMode, GroupNormalization, NearestMode, Resize, ResizeMode,
    ScatterElements, Split,
};
use halfproof_ir::{DType, Data, Node, Op, Tensor, ValueId};
use std::sync::Arc;

type Operands = Vec<Option<ValueId>>;

/// Attributes that say nothing about inference: operator and attribute.
const WITHOUT_MEANING: &[(&str, &str)] = &[
    ("BatchNormalization", "momentum"),
    // Only for float8e8m0 targets.
    ("Cast", "round_mode"),
    ("CastLike", "round_mode"),
    // The type of intermediate values, which is exact here.
    ("Range", "stash_type"),
];

/// Fields of operators that the readers set themselves.
const NOT_IN_FILES: [&str; 2] = ["coerce_2d", "per_group_scale"];

/// Brings one node to canonical form; `Ok(None)` for a node that is a constant.
pub(super) fn node(
    reader: &mut Reader<'_>,
    proto: &NodeProto,
    mut inputs: Operands,
    mut outputs: Operands,
) -> Result<Option<Node>, ReadError> {
    let domain = if is_default(&proto.domain) { "" } else { proto.domain.as_str() };
    let known = match (domain, proto.op_type.as_str()) {
        ("", "Constant") => {
            constant(reader, proto, &outputs)?;
            return Ok(None);
        }
        ("", "Dropout") => Some("Dropout"),
        ("", "Scatter") => Some("Scatter"),
        ("", "Upsample") => Some("Upsample"),
        ("", op) | ("com.microsoft", op @ "Gelu") => {
            halfproof_ir::ops::OPS.iter().map(|row| row.name).find(|n| *n == op)
        }
        _ => None,
    };
    let op = match known {
        None => unknown(proto, ""),
        Some(name) => {
            let attrs = attributes(reader, proto)?;
            known_operator(reader, proto, name, attrs, &mut inputs, &mut outputs)?
        }
    };
    while inputs.last() == Some(&None) {
        inputs.pop();
    }
    while outputs.last() == Some(&None) {
        outputs.pop();
    }
    Ok(Some(Node { name: proto.name.clone(), op, inputs, outputs }))
}

fn attributes(reader: &Reader<'_>, proto: &NodeProto) -> Result<Attrs, ReadError> {
    let mut attrs = Attrs::new();
    for a in &proto.attribute {
        let fail = |reason: &str| {
            let reason = format!("attribute \"{}\" {reason}", a.name);
            ReadError::new(ReadErrorKind::Attribute, subject(proto), reason)
        };
        let value = match attribute::read(a, reader.folder) {
            Ok(Some(value)) => value,
            Ok(None) => return Err(fail("is of a kind that the operator does not have")),
            Err(Failure::NotText) => return Err(fail("is no UTF-8 text")),
            Err(Failure::Missing) => return Err(fail("holds no tensor")),
            Err(Failure::Tensor(e)) => {
                return Err(ReadError { subject: format!("{}, {}", subject(proto), e.subject), ..e });
            }
        };
        if attrs.insert(a.name.clone(), value).is_some() {
            return Err(fail("is there twice"));
        }
    }
    Ok(attrs)
}

fn known_operator(
    reader: &mut Reader<'_>,
    proto: &NodeProto,
    name: &'static str,
    mut attrs: Attrs,
    inputs: &mut Operands,
    outputs: &mut Operands,
) -> Result<Op, ReadError> {
    let old = reader.opset;
    if name == "DFT" && old.0 < 20 {
        attrs.entry("axis".to_string()).or_insert(Attr::Int(1));
    }
    for (attr, operand, contents) in opset::moved(name, old) {
        if let Some(value) = attrs.remove(attr) {
            let tensor = moved_tensor(reader, inputs.first().copied().flatten(), &value, contents)
                .ok_or_else(|| bad_value(proto, attr))?;
            let id = reader.make_constant(&format!("{}.{attr}", first_name(proto)), tensor);
            if inputs.len() <= operand {
                inputs.resize(operand + 1, None);
            }
            inputs[operand] = Some(id);
        }
    }
    if let Some(op) = special(reader, proto, name, &mut attrs, inputs, outputs)? {
        return Ok(op);
    }
    let mut op = Op::from_attributes(name, &attrs)
        .map_err(|e| ReadError::new(ReadErrorKind::Attribute, subject(proto), e.to_string()))?;
    for attr in attrs.keys() {
        let listed = op.info().is_some_and(|row| row.attributes.contains(&attr.as_str()));
        let ignored = WITHOUT_MEANING.contains(&(name, attr.as_str()));
        if !ignored && (!listed || NOT_IN_FILES.contains(&attr.as_str())) {
            let reason = format!("has no attribute \"{attr}\"");
            return Err(ReadError::new(ReadErrorKind::Attribute, subject(proto), reason));
        }
    }
    if let Some((attr, _)) = opset::required(&op)
        && !attrs.contains_key(attr)
    {
        return Err(ReadError::new(
            ReadErrorKind::Attribute,
            subject(proto),
            format!("attribute \"{attr}\" is missing"),
        ));
    }
    meaning(reader, &mut op, &attrs, inputs, outputs);
    Ok(op)
}

/// The operators whose newest form has another name or other attributes. `Ok(None)`: nothing special.
fn special(
    reader: &mut Reader<'_>,
    proto: &NodeProto,
    name: &str,
    attrs: &mut Attrs,
    inputs: &mut Operands,
    outputs: &mut Operands,
) -> Result<Option<Op>, ReadError> {
    let old = reader.opset.0;
    match name {
        "Gelu" if !is_default(&proto.domain) => {
            Ok(Some(Op::Gelu(halfproof_ir::ops::Gelu { approximate: GeluMode::None })))
        }
        "Dropout" => {
            let training = match inputs.get(2).copied().flatten() {
                None => false,
                Some(id) => reader.graph.constant(id).and_then(Tensor::integers) != Some(vec![0]),
            };
            if training {
                return Ok(Some(unknown(proto, "training_mode")));
            }
            let mask = outputs.get(1).copied().flatten().filter(|&id| reader.is_used(id));
            if let Some(mask) = mask {
                // Nothing is dropped: the mask is true everywhere. Before opset 10 it was of the type of the data.
                let x = inputs.first().copied().flatten();
                let shape = x.and_then(|x| reader.graph.value(x).static_shape()).filter(|_| old >= 10);
                let Some(shape) = shape else { return Ok(Some(unknown(proto, "mask"))) };
                let kept = vec![true; shape.iter().product()];
                reader.set_constant(mask, Arc::new(Tensor::new(shape, Data::Bool(kept))))?;
            }
            inputs.truncate(1);
            outputs.truncate(1);
            Ok(Some(Op::Identity))
        }
        "BatchNormalization" => {
            for (attr, inference) in [("training_mode", 0), ("spatial", 1)] {
                match attrs.remove(attr) {
                    Some(Attr::Int(v)) if v != inference => {
                        return Ok(Some(unknown(proto, &format!("{attr}={v}"))));
                    }
                    Some(Attr::Int(_)) | None => {}
                    Some(_) => return Err(bad_value(proto, attr)),
                }
            }
            let further: Vec<ValueId> = outputs.iter().skip(1).flatten().copied().collect();
            if further.into_iter().any(|id| reader.is_used(id)) {
                return Ok(Some(unknown(proto, "training outputs")));
            }
            outputs.truncate(1);
            Ok(None)
        }
        "Cast" => match attrs.get("to") {
            Some(Attr::Int(to)) if DType::from_onnx_code(*to).is_none() => {
                let target = i32::try_from(*to).ok().and_then(type_name);
                match target {
                    Some(target) => Ok(Some(unknown(proto, &format!("to={target}")))),
                    None => Err(bad_value(proto, "to")),
                }
            }
            _ => Ok(None),
        },
        "SpaceToDepth" => match attrs.remove("mode") {
            Some(Attr::Str(mode)) if mode != "DCR" => Ok(Some(unknown(proto, &format!("mode={mode}")))),
            Some(Attr::Str(_)) | None => Ok(None),
            Some(_) => Err(bad_value(proto, "mode")),
        },
        "Scatter" => match attrs.remove("axis").unwrap_or(Attr::Int(0)) {
            Attr::Int(axis) if attrs.is_empty() => {
                Ok(Some(Op::ScatterElements(ScatterElements { axis, ..ScatterElements::default() })))
            }
            _ => Err(bad_value(proto, "axis")),
        },
        "GridSample" => {
            // Names of opset 16.
            if let Some(Attr::Str(mode)) = attrs.get_mut("mode")
                && let Some(rest) = mode.strip_prefix("bi")
            {
                *mode = rest.to_string();
            }
            Ok(None)
        }
        "Upsample" => resize_by_scales(proto, attrs, inputs).map(Some),
        "Resize" if old == 10 => resize_by_scales(proto, attrs, inputs).map(Some),
        "Resize" => match attrs.get("coordinate_transformation_mode") {
            // Only opset 11 and 12 have it.
            Some(Attr::Str(mode)) if mode == "tf_half_pixel_for_nn" => {
                Ok(Some(unknown(proto, &format!("coordinate_transformation_mode={mode}"))))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// `Upsample` and `Resize` of opset 10: scales only, coordinates divided by them and, in nearest mode, cut.
fn resize_by_scales(proto: &NodeProto, attrs: &mut Attrs, inputs: &mut Operands) -> Result<Op, ReadError> {
    let mode = match attrs.remove("mode") {
        None => ResizeMode::Nearest,
        Some(Attr::Str(s)) if s == "nearest" => ResizeMode::Nearest,
        Some(Attr::Str(s)) if s == "linear" || s == "bilinear" => ResizeMode::Linear,
        Some(_) => return Err(bad_value(proto, "mode")),
    };
    if let Some(attr) = attrs.keys().next() {
        let reason = format!("has no attribute \"{attr}\"");
        return Err(ReadError::new(ReadErrorKind::Attribute, subject(proto), reason));
    }
    if inputs.len() != 2 {
        let reason = format!("has {} operands", inputs.len());
        return Err(ReadError::new(ReadErrorKind::Structure, subject(proto), reason));
    }
    inputs.insert(1, None);
    let nearest_mode = match mode {
        ResizeMode::Nearest => NearestMode::Floor,
        _ => Resize::default().nearest_mode,
    };
    let coordinate_transformation_mode = CoordinateMode::Asymmetric;
    Ok(Op::Resize(Resize { coordinate_transformation_mode, mode, nearest_mode, ..Resize::default() }))
}

/// Sets what the opset of the file, not an attribute, says.
fn meaning(
    reader: &Reader<'_>,
    op: &mut Op,
    attrs: &Attrs,
    inputs: &mut Operands,
    outputs: &[Option<ValueId>],
) {
    let old = reader.opset.0;
    match op {
        Op::Softmax(halfproof_ir::ops::Softmax { axis, coerce_2d })
        | Op::LogSoftmax(halfproof_ir::ops::LogSoftmax { axis, coerce_2d })
        | Op::Hardmax(halfproof_ir::ops::Hardmax { axis, coerce_2d })
            if old < 13 =>
        {
            if !attrs.contains_key("axis") {
                *axis = 1;
            }
            let rank = inputs.first().copied().flatten().and_then(|x| reader.graph.value(x).shape.as_ref());
            // Cut at the last axis, the rows of the matrix are that axis: both meanings are one.
            if rank.is_some_and(|s| *axis == s.len() as i64 - 1) {
                *axis = -1;
            }
            *coerce_2d = *axis != -1;
        }
        Op::GroupNormalization(GroupNormalization { per_group_scale, .. }) => *per_group_scale = old < 21,
        Op::Split(Split { num_outputs, .. }) if old < 18 && inputs.len() < 2 => {
            *num_outputs = Some(outputs.len() as i64);
        }
        Op::Resize(resize) => {
            // Opset 11 has no other way to leave an operand out than to make it empty.
            for i in [1, 2] {
                if let Some(slot) = inputs.get_mut(i)
                    && slot.is_some_and(|id| reader.graph.constant(id).is_some_and(Tensor::is_empty))
                {
                    *slot = None;
                }
            }
            if resize.coordinate_transformation_mode != CoordinateMode::TfCropAndResize && inputs.len() > 1 {
                inputs[1] = None;
            }
        }
        _ => {}
    }
}

/// The constant operand that an attribute of an older opset stands for.
fn moved_tensor(reader: &Reader<'_>, x: Option<ValueId>, value: &Attr, contents: Moved) -> Option<Tensor> {
    match (contents, value) {
        (Moved::Ints, Attr::Ints(v)) => Some(Tensor::ints(v.clone())),
        (Moved::Ints, Attr::Floats(v)) if v.is_empty() => Some(Tensor::ints(vec![])),
        (Moved::Int, Attr::Int(v)) => Some(Tensor::ints(vec![*v])),
        (Moved::Floats, Attr::Floats(v)) => Some(Tensor::f32(vec![v.len()], v.clone())),
        (Moved::Scalar, Attr::Float(v)) => {
            let data = match x.and_then(|x| reader.graph.value(x).dtype) {
                Some(DType::F16) => Data::F16(vec![f16::from_f32(*v)]),
                Some(DType::F64) => Data::F64(vec![f64::from(*v)]),
                _ => Data::F32(vec![*v]),
            };
            Some(Tensor::new(vec![], data))
        }
        _ => None,
    }
}

/// A `Constant` node: its result becomes a constant.
fn constant(reader: &mut Reader<'_>, proto: &NodeProto, outputs: &Operands) -> Result<(), ReadError> {
    let fail = |kind, reason: &str| ReadError::new(kind, subject(proto), reason.to_string());
    if let Some(a) = proto.attribute.iter().find(|a| a.name == "sparse_value") {
        return Err(fail(ReadErrorKind::Unsupported, &format!("{} is not supported", a.name)));
    }
    let [Some(output)] = outputs[..] else {
        return Err(fail(ReadErrorKind::Structure, "needs exactly one result"));
    };
    let attrs = attributes(reader, proto)?;
    let mut values = attrs.into_iter();
    let (Some((attr, value)), None) = (values.next(), values.next()) else {
        return Err(fail(ReadErrorKind::Attribute, "needs exactly one value"));
    };
    let tensor = match (attr.as_str(), value) {
        ("value", Attr::Tensor(t)) => t,
        ("value_float", Attr::Float(v)) => Arc::new(Tensor::f32(vec![], vec![v])),
        ("value_floats", Attr::Floats(v)) => Arc::new(Tensor::f32(vec![v.len()], v)),
        ("value_int", Attr::Int(v)) => Arc::new(Tensor::i64(vec![], vec![v])),
        ("value_ints", Attr::Ints(v)) => Arc::new(Tensor::ints(v)),
        // An empty list has no type in some writers.
        ("value_floats", Attr::Ints(v)) if v.is_empty() => Arc::new(Tensor::f32(vec![0], vec![])),
        ("value_ints", Attr::Floats(v)) if v.is_empty() => Arc::new(Tensor::ints(vec![])),
        ("value_string" | "value_strings", _) => {
            return Err(fail(ReadErrorKind::Unsupported, "elements of type STRING are not supported"));
        }
        (attr, _) => return Err(bad_value(proto, attr)),
    };
    reader.set_constant(output, tensor)
}

fn bad_value(proto: &NodeProto, attr: &str) -> ReadError {
    let reason = format!("attribute \"{attr}\" has no valid value");
    ReadError::new(ReadErrorKind::Attribute, subject(proto), reason)
}

fn first_name(proto: &NodeProto) -> &str {
    proto.output.iter().find(|o| !o.is_empty()).map_or(proto.name.as_str(), String::as_str)
}
