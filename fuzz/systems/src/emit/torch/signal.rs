//! Transforms, windows, losses and what else has a function of its own in PyTorch.

use super::dtype;
use crate::emit::window::{Window, or_ones};
use crate::emit::writer::Writer;
use crate::emit::{flag, float, from_front, list};
use halfproof_ir::{DType, Node, Op};

impl Writer<'_> {
    pub(super) fn signal(&mut self, node: &Node) -> Result<Option<String>, String> {
        Ok(Some(match &node.op {
            Op::DFT(op) => {
                let rank = self.shape(node, 0)?.len();
                let axis = match self.integers(node, 2)? {
                    Some(axis) => *axis.first().ok_or("no axis")?,
                    None => rank as i64 - 2,
                };
                let axis = from_front(axis, rank);
                let length = self.integers(node, 1)?.and_then(|n| n.first().copied());
                let length = length.map_or("None".to_string(), |n| n.to_string());
                let complex = self.shape(node, 0)?.last() == Some(&2);
                let x = self.operand(node, 0)?;
                let (x, function) = match (complex, op.inverse, op.onesided) {
                    (true, false, false) => (format!("torch.complex({x}[..., 0], {x}[..., 1])"), "fft"),
                    (true, true, false) => (format!("torch.complex({x}[..., 0], {x}[..., 1])"), "ifft"),
                    (false, false, false) => (format!("{x}[..., 0]"), "fft"),
                    (false, true, false) => (format!("{x}[..., 0]"), "ifft"),
                    (false, false, true) => (format!("{x}[..., 0]"), "rfft"),
                    _ => return Err("half of an inverse".into()),
                };
                format!("torch.view_as_real(torch.fft.{function}({x}, n={length}, dim={axis}))")
            }
            Op::HannWindow(op) => self.window(node, "hann_window", op.periodic, op.output_datatype, "")?,
            Op::HammingWindow(op) => {
                let shape = ", alpha=25.0 / 46.0, beta=21.0 / 46.0";
                self.window(node, "hamming_window", op.periodic, op.output_datatype, shape)?
            }
            Op::BlackmanWindow(op) => {
                self.window(node, "blackman_window", op.periodic, op.output_datatype, "")?
            }
            Op::NegativeLogLikelihoodLoss(op) => {
                let (x, target, weight) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.optional(node, 2)?);
                let ignored = op.ignore_index.unwrap_or(-100);
                format!(
                    "F.nll_loss({x}, {target}, {weight}, ignore_index={ignored}, reduction='{}')",
                    op.reduction
                )
            }
            Op::SoftmaxCrossEntropyLoss(op) => {
                let (x, target, weight) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.optional(node, 2)?);
                let ignored = op.ignore_index.unwrap_or(-100);
                format!(
                    "F.cross_entropy({x}, {target}, {weight}, ignore_index={ignored}, reduction='{}')",
                    op.reduction
                )
            }
            Op::Col2Im(op) => {
                let (size, kernel) = (self.needed(node, 1)?, self.needed(node, 2)?);
                if size.len() != 2 || op.pads.len() == 4 && op.pads[..2] != op.pads[2..] {
                    return Err("other than two axes, or padding that is not the same on both sides".into());
                }
                let pads = if op.pads.is_empty() { vec![0, 0] } else { op.pads[..2].to_vec() };
                format!(
                    "F.fold({}, {}, {}, dilation={}, padding={}, stride={})",
                    self.operand(node, 0)?,
                    list(size),
                    list(kernel),
                    list(or_ones(&op.dilations, 2)),
                    list(pads),
                    list(or_ones(&op.strides, 2))
                )
            }
            Op::LpPool(op) if op.dilations.iter().all(|&d| d == 1) && !op.ceil_mode => {
                let window = Window::from(op);
                let rank = window.kernel.len();
                let padding = window.padding(&self.shape(node, 0)?[2..], &self.result(node)?[2..]);
                let x = super::layer::padded(&self.operand(node, 0)?, &padding, 0.0);
                let (kernel, strides) = (list(window.kernel), list(or_ones(window.strides, rank)));
                let count: i64 = window.kernel.iter().product();
                format!(
                    "(F.avg_pool{rank}d(torch.abs({x}) ** {}, {kernel}, {strides}) * {count}) ** (1.0 / {})",
                    op.p, op.p
                )
            }
            Op::GlobalLpPool(op) => {
                let all = list(2..self.shape(node, 0)?.len());
                format!(
                    "torch.linalg.vector_norm({}, {}, dim={all}, keepdim=True)",
                    self.operand(node, 0)?,
                    op.p
                )
            }
            Op::MeanVarianceNormalization(op) => {
                let (x, axes) = (self.operand(node, 0)?, list(&op.axes));
                let mean = self.bind(&format!("torch.mean({x}, dim={axes}, keepdim=True)"));
                let deviation =
                    format!("torch.sqrt(torch.mean(({x} - {mean}) ** 2, dim={axes}, keepdim=True))");
                format!("({x} - {mean}) / ({deviation} + 1e-9)")
            }
            Op::Hardmax(op) if !op.coerce_2d => {
                self.uses_float = true;
                let extent = self.extent(node, op.axis)?;
                let x = self.operand(node, 0)?;
                format!(
                    "F.one_hot(torch.argmax({x}, dim={}), {extent}).movedim(-1, {}).to(self.one.dtype)",
                    op.axis, op.axis
                )
            }
            Op::OneHot(op) => {
                let depth = *self.needed(node, 1)?.first().ok_or("no depth")?;
                let (i, values) = (self.operand(node, 0)?, self.operand(node, 2)?);
                format!(
                    "torch.where(F.one_hot(torch.remainder({i}, {depth}).long(), {depth}).movedim(-1, {}).bool(), {values}[1], {values}[0])",
                    op.axis
                )
            }
            Op::EyeLike(op) => {
                let shape = self.shape(node, 0)?;
                let [rows, columns] = shape.as_slice() else { return Err("no matrix".into()) };
                let given = op.dtype.or_else(|| self.id(node, 0).and_then(|id| self.graph.value(id).dtype));
                let to = self.cast_type(given.unwrap_or(DType::F32))?;
                format!("(torch.arange({columns}) == torch.arange({rows})[:, None] + {}).to({to})", op.k)
            }
            Op::Shape(op) => {
                let shape: Vec<i64> = self.shape(node, 0)?.into_iter().map(|n| n as i64).collect();
                let end = op.end.map_or(String::new(), |e| e.to_string());
                format!("torch.tensor({}[{}:{end}])", list(shape), op.start)
            }
            Op::Size => format!("torch.tensor({})", self.shape(node, 0)?.iter().product::<usize>()),
            Op::Range => {
                let to = self.id(node, 0).and_then(|id| self.graph.value(id).dtype).unwrap_or(DType::F32);
                let to = self.cast_type(to)?;
                let bound = |w: &Self, slot: usize| -> Result<String, String> {
                    match (w.integers(node, slot).ok().flatten(), w.scalar(node, slot)) {
                        (Some(given), _) if given.len() == 1 => Ok(given[0].to_string()),
                        (_, Ok(Some(x))) => Ok(float(x)),
                        _ => Err("bounds that are not constant".to_string()),
                    }
                };
                format!(
                    "torch.arange({}, {}, {}).to({to})",
                    bound(self, 0)?,
                    bound(self, 1)?,
                    bound(self, 2)?
                )
            }
            Op::ConstantOfShape(op) => {
                let shape = list(self.needed(node, 0)?);
                let value = match &op.value {
                    Some(tensor) => super::constant(tensor)?,
                    None => "torch.zeros(1)".to_string(),
                };
                let to = self.cast_type(op.value.as_ref().map_or(DType::F32, |t| t.dtype()))?;
                format!("{value}.reshape(()).expand({shape}).to({to})")
            }
            _ => return Ok(None),
        }))
    }

    fn window(
        &mut self,
        node: &Node,
        function: &str,
        periodic: bool,
        to: DType,
        shape: &str,
    ) -> Result<String, String> {
        dtype(to).ok_or("PyTorch has no such type")?;
        let size = *self.needed(node, 0)?.first().ok_or("no size")?;
        let to = self.cast_type(to)?;
        Ok(format!("torch.{function}({size}, periodic={}{shape}).to({to})", flag(periodic)))
    }
}
