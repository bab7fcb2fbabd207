//! Operators that select, move or join elements, in PyTorch's words.

use crate::emit::window::shown;
use crate::emit::writer::Writer;
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
            Op::ArgMax(ops::ArgMax { axis, keepdims, select_last_index }) => {
                self.extreme(node, "argmax", *axis, *keepdims, *select_last_index)?
            }
            Op::ArgMin(ops::ArgMin { axis, keepdims, select_last_index }) => {
                self.extreme(node, "argmin", *axis, *keepdims, *select_last_index)?
            }
            Op::CumSum(op) => {
                let axis = *self.needed(node, 1)?.first().ok_or("no axis")?;
                let end = self.extent(node, axis)? - 1;
                let turn = |x: String| if op.reverse { format!("torch.flip({x}, [{axis}])") } else { x };
                let mut x = turn(self.operand(node, 0)?);
                if op.exclusive {
                    let zeros = format!("torch.zeros_like({x}.narrow({axis}, 0, 1))");
                    x = format!("torch.cat([{zeros}, {x}.narrow({axis}, 0, {end})], dim={axis})");
                }
                turn(format!("torch.cumsum({x}, dim={axis})"))
            }
            Op::Slice => self.slice(node)?,
            Op::Pad(op) => self.pad(node, op)?,
            Op::Gather(op) => {
                let before = from_front(op.axis, self.shape(node, 0)?.len());
                let all = ":, ".repeat(usize::try_from(before).unwrap_or(0));
                format!("{}[{all}{}]", self.operand(node, 0)?, self.operand(node, 1)?)
            }
            Op::GatherElements(op) => {
                let (x, index) = (self.operand(node, 0)?, self.counted_from_start(node, op.axis)?);
                format!("torch.gather({x}, {}, {index})", op.axis)
            }
            Op::GatherND(ops::GatherND { batch_dims: 0 }) => {
                let (x, index) = (self.operand(node, 0)?, self.operand(node, 1)?);
                format!("{x}[{index}.unbind(-1)]")
            }
            Op::ScatterElements(op) => {
                let (x, index, updates) =
                    (self.operand(node, 0)?, self.counted_from_start(node, op.axis)?, self.operand(node, 2)?);
                match op.reduction.as_str() {
                    "none" => format!("torch.scatter({x}, {}, {index}, {updates})", op.axis),
                    "add" => format!("torch.scatter_add({x}, {}, {index}, {updates})", op.axis),
                    other => {
                        let how = match other {
                            "mul" => "prod",
                            "max" => "amax",
                            _ => "amin",
                        };
                        format!("torch.scatter_reduce({x}, {}, {index}, {updates}, '{how}')", op.axis)
                    }
                }
            }
            Op::ScatterND(op) => {
                let add = match op.reduction.as_str() {
                    "none" => false,
                    "add" => true,
                    _ => return Err("a reduction other than a sum".into()),
                };
                let (x, index, updates) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.operand(node, 2)?);
                format!("torch.index_put({x}, {index}.unbind(-1), {updates}, accumulate={})", flag(add))
            }
            Op::Compress(op) => {
                let chosen = self.needed(node, 1)?;
                let places = chosen.iter().enumerate().filter(|(_, c)| **c != 0).map(|(i, _)| i);
                let places = format!("torch.tensor({}, dtype=torch.int64)", list(places));
                let x = self.operand(node, 0)?;
                match op.axis {
                    Some(axis) => format!("torch.index_select({x}, {axis}, {places})"),
                    None => format!("torch.index_select(torch.flatten({x}), 0, {places})"),
                }
            }
            Op::ReverseSequence(op) => {
                let shape = self.shape(node, 0)?;
                let (x, lengths) = (self.operand(node, 0)?, self.operand(node, 1)?);
                let extent = self.extent(node, op.time_axis)?;
                let axis = |at: i64, n: &str| {
                    list((0..shape.len() as i64).map(|i| if i == at { n.into() } else { "1".to_string() }))
                };
                let (time, batch) = (axis(op.time_axis, "-1"), axis(op.batch_axis, "-1"));
                let i = self.bind(&format!("torch.arange({extent}).reshape({time})"));
                let n = self.bind(&format!("{lengths}.reshape({batch})"));
                format!(
                    "torch.gather({x}, {}, torch.where({i} < {n}, {n} - 1 - {i}, {i}).expand({}))",
                    op.time_axis,
                    list(&shape)
                )
            }
            Op::CenterCropPad(_) => {
                let (shape, result) = (self.shape(node, 0)?, self.result(node)?);
                let cut: Vec<String> = shape
                    .iter()
                    .zip(&result)
                    .map(
                        |(&a, &b)| {
                            if a > b { format!("{}:{}", (a - b) / 2, (a - b) / 2 + b) } else { ":".into() }
                        },
                    )
                    .collect();
                let more = shape.iter().zip(&result).rev().flat_map(|(&a, &b)| {
                    let total = b.saturating_sub(a);
                    [total / 2, total - total / 2]
                });
                format!("F.pad({}[{}], {})", self.operand(node, 0)?, cut.join(", "), list(more))
            }
            Op::SpaceToDepth(op) => {
                let (s, b) = (self.shape(node, 0)?, usize::try_from(op.blocksize).map_err(|_| "no block")?);
                let apart = list([s[0], s[1], s[2] / b, b, s[3] / b, b]);
                let x = format!("torch.reshape({}, {apart})", self.operand(node, 0)?);
                format!("torch.reshape(torch.permute({x}, (0, 3, 5, 1, 2, 4)), {})", list(self.result(node)?))
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
                let axes = self.inserted(node)?;
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
                D2sMode::Dcr => {
                    let (s, b) =
                        (self.shape(node, 0)?, usize::try_from(op.blocksize).map_err(|_| "no block")?);
                    let apart = list([s[0], b, b, s[1] / (b * b), s[2], s[3]]);
                    let x = format!("torch.reshape({}, {apart})", self.operand(node, 0)?);
                    format!(
                        "torch.reshape(torch.permute({x}, (0, 3, 4, 1, 5, 2)), {})",
                        list(self.result(node)?)
                    )
                }
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
        let (mut parts, mut turned) = (vec![":".to_string(); rank], vec![]);
        for (i, &axis) in axes.iter().enumerate() {
            let at = usize::try_from(from_front(axis, rank)).unwrap_or(0);
            // ONNX clamps like Python does, from the largest integers too.
            parts[at] = match steps[i] {
                step if step < 0 => {
                    // PyTorch goes forward only: from the other end of the axis turned round.
                    let extent = self.extent(node, axis)?;
                    let count = self.result(node)?.get(at).copied().unwrap_or(0) as i64;
                    let start = if starts[i] < 0 { starts[i] + extent } else { starts[i] };
                    let start = extent - 1 - start.clamp(0, extent - 1);
                    turned.push(at);
                    format!("{start}:{}:{}", start - count * step, -step)
                }
                1 => format!("{}:{}", starts[i], ends[i]),
                step => format!("{}:{}:{step}", starts[i], ends[i]),
            };
        }
        let mut x = self.operand(node, 0)?;
        if !turned.is_empty() {
            x = format!("torch.flip({x}, {})", list(turned));
        }
        Ok(format!("{x}[{}]", parts.join(", ")))
    }

    fn extreme(
        &mut self,
        node: &Node,
        function: &str,
        axis: i64,
        keep: bool,
        last: bool,
    ) -> Result<String, String> {
        let (x, keep) = (self.operand(node, 0)?, flag(keep));
        if !last {
            return Ok(format!("torch.{function}({x}, dim={axis}, keepdim={keep})"));
        }
        let end = self.extent(node, axis)? - 1;
        Ok(format!("{end} - torch.{function}(torch.flip({x}, [{axis}]), dim={axis}, keepdim={keep})"))
    }

    /// Indices of the second operand, which may count from the end, from the start.
    fn counted_from_start(&mut self, node: &Node, axis: i64) -> Result<String, String> {
        let extent = self.extent(node, axis)?;
        let index = self.operand(node, 1)?;
        let given = self.integers(node, 1).ok().flatten();
        if given.is_some_and(|given| given.iter().all(|&i| i >= 0)) {
            return Ok(index);
        }
        Ok(format!("torch.where({index} < 0, {index} + {extent}, {index})"))
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
            let shape = self.shape(node, 0)?;
            let mut x = self.operand(node, 0)?;
            for (axis, &(begin, end)) in both.iter().enumerate().filter(|(_, b)| **b != (0, 0)) {
                let places = list(shown(op.mode, shape[axis] as i64, begin, end));
                x = format!("torch.index_select({x}, {axis}, torch.tensor({places}))");
            }
            return Ok(x);
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
        // PyTorch takes the scale from the sizes, as ONNX does where they are given or it divides evenly.
        let even = shape.iter().zip(&result).all(|(&a, &b)| b.is_multiple_of(a));
        if !even && self.integers(node, 3)?.is_none() || op.keep_aspect_ratio_policy != "stretch" {
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

/// `(1,)`, or `()`.
fn tuple(items: &[i64]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    // Python has no `(,)`.
    if items.is_empty() { "()".to_string() } else { format!("({},)", items.join(", ")) }
}
