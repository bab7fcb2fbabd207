//! Operators that select, move or join elements, in PyTorch's words.

use super::Writer;
use crate::emit::{flag, float, from_front, list};
use halfproof_ir::ops::{self, CoordinateMode, D2sMode, NearestMode, PadMode, ResizeMode};
use halfproof_ir::{Node, Op};

impl Writer<'_> {
    pub(super) fn movement(&mut self, node: &Node) -> Result<Option<String>, String> {
        Ok(Some(match &node.op {
            Op::Concat(op) => {
                format!("torch.cat([{}], dim={})", self.operands(node)?, op.axis)
            }
            Op::Split(op) => format!("{}[0]", self.split(node, op)?),
            Op::TopK(op) => {
                let at = usize::from(node.outputs.first().copied().flatten().is_none());
                format!("{}[{at}]", self.top_k(node, op)?)
            }
            Op::ArgMax(ops::ArgMax { axis, keepdims, select_last_index: false }) => {
                format!("torch.argmax({}, dim={axis}, keepdim={})", self.operand(node, 0)?, flag(*keepdims))
            }
            Op::ArgMin(ops::ArgMin { axis, keepdims, select_last_index: false }) => {
                format!("torch.argmin({}, dim={axis}, keepdim={})", self.operand(node, 0)?, flag(*keepdims))
            }
            Op::CumSum(ops::CumSum { exclusive: false, reverse: false }) => {
                let axis = *self.needed(node, 1)?.first().ok_or("no axis")?;
                format!("torch.cumsum({}, dim={axis})", self.operand(node, 0)?)
            }
            Op::Slice => self.slice(node)?,
            Op::Pad(op) => self.pad(node, op)?,
            Op::Gather(op) => {
                let before = from_front(op.axis, self.shape(node, 0)?.len());
                let all = ":, ".repeat(usize::try_from(before).unwrap_or(0));
                format!("{}[{all}{}]", self.operand(node, 0)?, self.operand(node, 1)?)
            }
            Op::GatherElements(op) => {
                let (x, index) = (self.operand(node, 0)?, self.operand(node, 1)?);
                format!("torch.gather({x}, {}, {index})", op.axis)
            }
            Op::GatherND(ops::GatherND { batch_dims: 0 }) => {
                let (x, index) = (self.operand(node, 0)?, self.operand(node, 1)?);
                format!("{x}[{index}.unbind(-1)]")
            }
            Op::ScatterElements(op) => {
                let (x, index, updates) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.operand(node, 2)?);
                match op.reduction.as_str() {
                    "none" => format!("torch.scatter({x}, {}, {index}, {updates})", op.axis),
                    "add" => format!("torch.scatter_add({x}, {}, {index}, {updates})", op.axis),
                    _ => return Err("a reduction".into()),
                }
            }
            Op::Trilu(op) => {
                let k = self.integers(node, 1)?.and_then(|v| v.first().copied()).unwrap_or(0);
                format!("torch.{}({}, {k})", if op.upper { "triu" } else { "tril" }, self.operand(node, 0)?)
            }
            Op::Reshape(op) => {
                let wanted = self.needed(node, 1)?;
                let shape = if op.allowzero { vec![] } else { self.shape(node, 0)? };
                let extent = |(i, &d): (usize, &i64)| match d {
                    0 if !op.allowzero => shape.get(i).map_or(d, |&s| s as i64),
                    _ => d,
                };
                let wanted: Vec<i64> = wanted.iter().enumerate().map(extent).collect();
                format!("torch.reshape({}, {})", self.operand(node, 0)?, list(wanted))
            }
            Op::Flatten(op) => {
                let shape = self.shape(node, 0)?;
                let at = usize::try_from(from_front(op.axis, shape.len())).unwrap_or(0);
                let x = self.operand(node, 0)?;
                match at {
                    1 => format!("torch.flatten({x}, 1)"),
                    _ => {
                        let (a, b) = shape.split_at(at.min(shape.len()));
                        let extents: [usize; 2] = [a.iter().product(), b.iter().product()];
                        format!("torch.reshape({x}, {})", list(extents))
                    }
                }
            }
            Op::Squeeze => match self.integers(node, 1)? {
                Some(axes) => format!("torch.squeeze({}, {})", self.operand(node, 0)?, tuple(&axes)),
                None => format!("torch.squeeze({})", self.operand(node, 0)?),
            },
            Op::Unsqueeze => {
                let mut axes = self.needed(node, 1)?;
                let rank = self.shape(node, 0)?.len() + axes.len();
                axes.iter_mut().for_each(|a| *a = from_front(*a, rank));
                axes.sort_unstable();
                let mut text = self.operand(node, 0)?;
                axes.iter().for_each(|a| text = format!("torch.unsqueeze({text}, {a})"));
                text
            }
            Op::Expand => {
                let wanted = self.needed(node, 1)?;
                let x = self.operand(node, 0)?;
                format!("{x}.expand(torch.broadcast_shapes({x}.shape, {}))", tuple(&wanted))
            }
            Op::Tile => {
                let repeats = self.needed(node, 1)?;
                format!("torch.tile({}, {})", self.operand(node, 0)?, tuple(&repeats))
            }
            Op::Transpose(op) => {
                let rank = self.shape(node, 0)?.len() as i64;
                let order = if op.perm.is_empty() { (0..rank).rev().collect() } else { op.perm.clone() };
                format!("torch.permute({}, {})", self.operand(node, 0)?, tuple(&order))
            }
            Op::DepthToSpace(op) => match op.mode {
                D2sMode::Crd => format!("F.pixel_shuffle({}, {})", self.operand(node, 0)?, op.blocksize),
                D2sMode::Dcr => return Err("mode DCR".into()),
            },
            Op::Resize(op) => self.resize(node, op)?,
            Op::GridSample(op) if self.shape(node, 0)?.len() == 4 => {
                let mode = match op.mode.as_str() {
                    "linear" => "bilinear",
                    "cubic" => "bicubic",
                    other => other,
                };
                format!(
                    "F.grid_sample({}, {}, mode='{mode}', padding_mode='{}', align_corners={})",
                    self.operand(node, 0)?,
                    self.operand(node, 1)?,
                    op.padding_mode,
                    flag(op.align_corners)
                )
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn split(&mut self, node: &Node, op: &ops::Split) -> Result<String, String> {
        let x = self.operand(node, 0)?;
        let sizes = match self.integers(node, 1)? {
            Some(sizes) => sizes,
            None => {
                let shape = self.shape(node, 0)?;
                let axis = from_front(op.axis, shape.len());
                let extent = usize::try_from(axis).ok().and_then(|a| shape.get(a)).ok_or("no such axis")?;
                let (extent, parts) = (*extent as i64, node.outputs.len() as i64);
                let part = (extent + parts - 1) / parts;
                (0..parts).map(|i| part.min(extent - i * part)).collect()
            }
        };
        Ok(format!("torch.split({x}, {}, dim={})", list(sizes), op.axis))
    }

    pub(super) fn top_k(&mut self, node: &Node, op: &ops::TopK) -> Result<String, String> {
        let k = *self.needed(node, 1)?.first().ok_or("no k")?;
        let x = self.operand(node, 0)?;
        let (largest, sorted) = (flag(op.largest), flag(op.sorted));
        Ok(format!("torch.topk({x}, {k}, dim={}, largest={largest}, sorted={sorted})", op.axis))
    }

    fn slice(&mut self, node: &Node) -> Result<String, String> {
        let (starts, ends) = (self.needed(node, 1)?, self.needed(node, 2)?);
        let rank = self.shape(node, 0)?.len();
        let axes = self.integers(node, 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.integers(node, 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if steps.iter().any(|&s| s < 1) {
            return Err("a negative step".into());
        }
        let mut parts = vec![":".to_string(); rank];
        for (i, &axis) in axes.iter().enumerate() {
            let at = usize::try_from(from_front(axis, rank)).unwrap_or(0);
            // ONNX clamps like Python does, from the largest integers too.
            parts[at] = match steps[i] {
                1 => format!("{}:{}", starts[i], ends[i]),
                step => format!("{}:{}:{step}", starts[i], ends[i]),
            };
        }
        Ok(format!("{}[{}]", self.operand(node, 0)?, parts.join(", ")))
    }

    fn pad(&mut self, node: &Node, op: &ops::Pad) -> Result<String, String> {
        let pads = self.needed(node, 1)?;
        let rank = self.shape(node, 0)?.len();
        let axes = self.integers(node, 3)?.unwrap_or_else(|| (0..rank as i64).collect());
        let mut both = vec![(0, 0); rank];
        for (i, &axis) in axes.iter().enumerate() {
            let at = usize::try_from(from_front(axis, rank)).unwrap_or(0);
            both[at] = (pads[i], pads[i + axes.len()]);
        }
        let spatial = rank.saturating_sub(2);
        let (mode, upto) = match op.mode {
            PadMode::Constant => ("constant", rank),
            PadMode::Reflect => ("reflect", spatial),
            PadMode::Edge => ("replicate", spatial),
            PadMode::Wrap => ("circular", spatial),
        };
        if mode != "constant"
            && (!(3..=5).contains(&rank) || both[..rank - upto].iter().any(|p| *p != (0, 0)))
        {
            return Err("padding of other than spatial axes".into());
        }
        // The last axis comes first.
        let flat: Vec<i64> = both.iter().rev().take(upto).flat_map(|&(a, b)| [a, b]).collect();
        let value = match mode {
            "constant" => format!(", value={}", float(self.scalar(node, 2)?.unwrap_or(0.0))),
            _ => String::new(),
        };
        Ok(format!("F.pad({}, {}, mode='{mode}'{value})", self.operand(node, 0)?, list(flat)))
    }

    fn resize(&mut self, node: &Node, op: &ops::Resize) -> Result<String, String> {
        let shape = self.shape(node, 0)?;
        let result = node.outputs[0].and_then(|id| self.graph.value(id).static_shape());
        let result = result.ok_or("the shape of the result is not declared")?;
        if shape.len() < 3 || shape[..2] != result[..2] || op.antialias || op.exclude_outside {
            return Err("other than spatial axes, or antialias".into());
        }
        let spatial = shape.len() - 2;
        // PyTorch takes the scale from the sizes, as ONNX does where it divides evenly.
        if shape.iter().zip(&result).any(|(&a, &b)| !b.is_multiple_of(a)) {
            return Err("a scale that is no whole number".into());
        }
        let (mode, corners) = match (op.mode, op.coordinate_transformation_mode) {
            (ResizeMode::Nearest, CoordinateMode::Asymmetric) if op.nearest_mode == NearestMode::Floor => {
                ("nearest", "")
            }
            (ResizeMode::Linear, CoordinateMode::HalfPixel | CoordinateMode::PytorchHalfPixel) => {
                (["linear", "bilinear", "trilinear"][spatial.min(3) - 1], ", align_corners=False")
            }
            (ResizeMode::Linear, CoordinateMode::AlignCorners) => {
                (["linear", "bilinear", "trilinear"][spatial.min(3) - 1], ", align_corners=True")
            }
            (ResizeMode::Cubic, CoordinateMode::HalfPixel) if spatial == 2 && op.cubic_coeff_a == -0.75 => {
                ("bicubic", ", align_corners=False")
            }
            _ => return Err("a way of rounding coordinates that PyTorch has not".into()),
        };
        Ok(format!(
            "F.interpolate({}, size={}, mode='{mode}'{corners})",
            self.operand(node, 0)?,
            list(&result[2..])
        ))
    }
}

/// `(1,)`.
fn tuple(items: &[i64]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("({},)", items.join(", "))
}
