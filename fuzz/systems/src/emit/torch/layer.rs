//! Convolutions, pools, products, normalizations and reductions in PyTorch's words.

use crate::emit::window::{Window, or_ones};
use crate::emit::writer::{Reduced, Writer};
use crate::emit::{flag, float, from_front, list, scaled};
use halfproof_ir::ops::{self, AutoPad};
use halfproof_ir::{Node, Op};

/// Begin and end of every spatial axis, as far as PyTorch can say it: the same on both sides.
fn symmetric(auto: AutoPad, pads: &[i64], rank: usize) -> Result<Vec<i64>, String> {
    match (auto, pads) {
        (AutoPad::SameUpper | AutoPad::SameLower, _) => Err("SAME padding".into()),
        (_, []) | (AutoPad::Valid, _) => Ok(vec![0; rank]),
        (AutoPad::NotSet, pads) if pads[..rank] == pads[rank..] => Ok(pads[..rank].to_vec()),
        _ => Err("padding that is not the same on both sides".into()),
    }
}

/// An operand with its spatial axes padded (or cut) in a step of its own.
pub(super) fn padded(x: &str, padding: &[(i64, i64)], value: f64) -> String {
    // PyTorch says the last axis first.
    let flat: Vec<i64> = padding.iter().rev().flat_map(|&(a, b)| [a, b.max(0)]).collect();
    match flat.iter().all(|&p| p == 0) {
        true => x.to_string(),
        false => format!("F.pad({x}, {}, value={})", list(flat), float(value)),
    }
}

impl Writer<'_> {
    pub(super) fn layer(&mut self, node: &Node) -> Result<Option<String>, String> {
        if let Some(expression) = self.reduction(node)? {
            return Ok(Some(expression));
        }
        Ok(Some(match &node.op {
            Op::Conv(op) => self.conv(node, op)?,
            Op::ConvTranspose(op) => self.conv_transpose(node, op)?,
            Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::GlobalMaxPool => {
                self.pool(node)?
            }
            Op::Gemm(op) => self.gemm(node, op)?,
            Op::Einsum(op) => {
                format!("torch.einsum('{}', {})", op.equation.replace(' ', ""), self.operands(node)?)
            }
            Op::BatchNormalization(op) => {
                let [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map(|i| self.operand(node, i));
                let (x, scale, bias, mean, variance) = (x?, scale?, bias?, mean?, variance?);
                format!(
                    "F.batch_norm({x}, {mean}, {variance}, {scale}, {bias}, False, 0.0, {})",
                    float(op.epsilon)
                )
            }
            Op::InstanceNormalization(op) => {
                let (x, scale, bias) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.operand(node, 2)?);
                format!("F.instance_norm({x}, weight={scale}, bias={bias}, eps={})", float(op.epsilon))
            }
            Op::LayerNormalization(op) => {
                let weight = self.shape(node, 1)?;
                self.last_axes(node, op.axis, &weight)?;
                let (x, scale, bias) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.optional(node, 2)?);
                format!("F.layer_norm({x}, {}, {scale}, {bias}, {})", list(weight), float(op.epsilon))
            }
            Op::RMSNormalization(op) => {
                let weight = self.shape(node, 1)?;
                self.last_axes(node, op.axis, &weight)?;
                let (x, scale) = (self.operand(node, 0)?, self.operand(node, 1)?);
                format!("F.rms_norm({x}, {}, {scale}, {})", list(weight), float(op.epsilon))
            }
            Op::GroupNormalization(op) if !op.per_group_scale => {
                let (x, scale, bias) =
                    (self.operand(node, 0)?, self.operand(node, 1)?, self.operand(node, 2)?);
                format!("F.group_norm({x}, {}, {scale}, {bias}, {})", op.num_groups, float(op.epsilon))
            }
            Op::LRN(op) if op.size % 2 == 1 => {
                let x = self.operand(node, 0)?;
                format!(
                    "F.local_response_norm({x}, {}, {}, {}, {})",
                    op.size,
                    float(op.alpha),
                    float(op.beta),
                    float(op.bias)
                )
            }
            Op::LpNormalization(op) => {
                let x = self.operand(node, 0)?;
                // Where all is zero, the result is.
                let norm = self
                    .bind(&format!("torch.linalg.vector_norm({x}, {}, dim={}, keepdim=True)", op.p, op.axis));
                format!("{x} / torch.where({norm} == 0, torch.ones_like({norm}), {norm})")
            }
            Op::Attention(op) => self.attention(node, op)?,
            _ => return Ok(None),
        }))
    }

    /// PyTorch normalizes over the shape of the weights, which must be that of the last axes.
    fn last_axes(&self, node: &Node, axis: i64, weight: &[usize]) -> Result<(), String> {
        let shape = self.shape(node, 0)?;
        let from = from_front(axis, shape.len());
        let last = usize::try_from(from).ok().and_then(|from| shape.get(from..));
        if last == Some(weight) { Ok(()) } else { Err("weights that are broadcast".into()) }
    }

    fn conv(&mut self, node: &Node, op: &ops::Conv) -> Result<String, String> {
        let weight = self.shape(node, 1)?;
        let rank = weight.len().saturating_sub(2);
        let (stride, dilation) = (list(or_ones(&op.strides, rank)), list(or_ones(&op.dilations, rank)));
        let (mut x, w, b) = (self.operand(node, 0)?, self.operand(node, 1)?, self.optional(node, 2)?);
        let padding = match symmetric(op.auto_pad, &op.pads, rank) {
            Ok(padding) => padding,
            Err(_) => {
                let kernel: Vec<i64> = weight[2..].iter().map(|&d| d as i64).collect();
                let window = Window {
                    auto: op.auto_pad,
                    pads: &op.pads,
                    kernel: &kernel,
                    strides: &op.strides,
                    dilations: &op.dilations,
                };
                x = padded(&x, &window.padding(&self.shape(node, 0)?[2..], &self.result(node)?[2..]), 0.0);
                vec![0; rank]
            }
        };
        let padding = list(padding);
        Ok(format!(
            "F.conv{rank}d({x}, {w}, {b}, stride={stride}, padding={padding}, dilation={dilation}, groups={})",
            op.group
        ))
    }

    fn conv_transpose(&mut self, node: &Node, op: &ops::ConvTranspose) -> Result<String, String> {
        if !op.output_shape.is_empty() {
            return Err("output_shape".into());
        }
        let rank = self.shape(node, 1)?.len().saturating_sub(2);
        let padding = list(symmetric(op.auto_pad, &op.pads, rank)?);
        let more = if op.output_padding.is_empty() { vec![0; rank] } else { op.output_padding.clone() };
        let (stride, dilation) = (list(or_ones(&op.strides, rank)), list(or_ones(&op.dilations, rank)));
        let (x, w, b) = (self.operand(node, 0)?, self.operand(node, 1)?, self.optional(node, 2)?);
        Ok(format!(
            "F.conv_transpose{rank}d({x}, {w}, {b}, stride={stride}, padding={padding}, \
             output_padding={}, groups={}, dilation={dilation})",
            list(more),
            op.group
        ))
    }

    fn pool(&mut self, node: &Node) -> Result<String, String> {
        let rank = self.shape(node, 0)?.len().saturating_sub(2);
        let x = self.operand(node, 0)?;
        let all = list(2..rank + 2);
        match &node.op {
            Op::GlobalAveragePool => Ok(format!("torch.mean({x}, dim={all}, keepdim=True)")),
            Op::GlobalMaxPool => Ok(format!("torch.amax({x}, dim={all}, keepdim=True)")),
            Op::MaxPool(op) => {
                let window = Window::from(op);
                let (x, padding, ceil) = self.windows(node, &x, &window, op.ceil_mode, f64::NEG_INFINITY)?;
                Ok(format!(
                    "F.max_pool{rank}d({x}, {}, stride={}, padding={}, dilation={}{ceil})",
                    list(&op.kernel_shape),
                    list(or_ones(&op.strides, rank)),
                    list(padding),
                    list(or_ones(&op.dilations, rank))
                ))
            }
            Op::AveragePool(op) if op.dilations.iter().all(|&d| d == 1) => {
                let window = Window::from(op);
                let plain = symmetric(op.auto_pad, &op.pads, rank).is_ok();
                let (kernel, stride) = (list(&op.kernel_shape), list(or_ones(&op.strides, rank)));
                let count = flag(op.count_include_pad);
                let (inner, padding, ceil) = self.windows(node, &x, &window, op.ceil_mode, 0.0)?;
                let pool = |x: &str| {
                    format!(
                        "F.avg_pool{rank}d({x}, {kernel}, stride={stride}, padding={}{ceil}, count_include_pad={count})",
                        list(&padding)
                    )
                };
                if plain || op.count_include_pad && !op.ceil_mode {
                    return Ok(pool(&inner));
                }
                if op.count_include_pad {
                    return Err("padding that counts and ceil_mode".into());
                }
                // What is padded does not count: divided by the share of each window that is not.
                let (ones, ..) =
                    self.windows(node, &format!("torch.ones_like({x})"), &window, op.ceil_mode, 0.0)?;
                Ok(format!("{} / {}", pool(&inner), pool(&ones)))
            }
            _ => Err("dilations".into()),
        }
    }

    /// The operand, the padding and the rounding of a pool: PyTorch's own where it has them, else padded beforehand.
    fn windows(
        &self,
        node: &Node,
        x: &str,
        window: &Window<'_>,
        ceil: bool,
        value: f64,
    ) -> Result<(String, Vec<i64>, &'static str), String> {
        let rank = window.kernel.len();
        if let Ok(padding) = symmetric(window.auto, window.pads, rank) {
            return Ok((x.to_string(), padding, if ceil { ", ceil_mode=True" } else { "" }));
        }
        let padding = window.padding(&self.shape(node, 0)?[2..], &self.result(node)?[2..]);
        Ok((padded(x, &padding, value), vec![0; rank], ""))
    }

    fn gemm(&mut self, node: &Node, op: &ops::Gemm) -> Result<String, String> {
        let turned = |name: String, turn: bool| if turn { format!("{name}.t()") } else { name };
        let a = turned(self.operand(node, 0)?, op.transA);
        let b = self.operand(node, 1)?;
        // The usual spelling of a dense layer.
        if op.transB && op.alpha == 1.0 && op.beta == 1.0 {
            let bias = self.optional(node, 2)?;
            if bias == "None" || self.shape(node, 2)?.len() == 1 {
                return Ok(format!("F.linear({a}, {b}, {bias})"));
            }
        }
        let product = scaled(op.alpha, format!("torch.matmul({a}, {})", turned(b, op.transB)));
        Ok(match self.id(node, 2) {
            None => product,
            Some(id) => format!("{product} + {}", scaled(op.beta, self.value(id)?)),
        })
    }

    fn attention(&mut self, node: &Node, op: &ops::Attention) -> Result<String, String> {
        let heads = self.shape(node, 0)?.len() == 4;
        if !heads || node.inputs.iter().skip(4).any(Option::is_some) || op.softcap != 0.0 {
            return Err("more than queries, keys, values and a mask of rank 4".into());
        }
        if op.left_window_size != -1 || op.right_window_size != -1 {
            return Err("windows".into());
        }
        let grouped =
            if self.shape(node, 0)?[1] == self.shape(node, 1)?[1] { "" } else { ", enable_gqa=True" };
        let (q, k, v) = (self.operand(node, 0)?, self.operand(node, 1)?, self.operand(node, 2)?);
        let mask = self.optional(node, 3)?;
        let causal = flag(op.is_causal);
        let scale = op.scale.map_or("None".to_string(), float);
        Ok(format!(
            "F.scaled_dot_product_attention({q}, {k}, {v}, attn_mask={mask}, is_causal={causal}, scale={scale}{grouped})"
        ))
    }

    fn reduction(&mut self, node: &Node) -> Result<Option<String>, String> {
        let Some(Reduced { keep, axes }) = self.reduced(node)? else { return Ok(None) };
        let axes = match axes {
            Some(axes) => axes,
            None => (0..self.shape(node, 0)?.len() as i64).collect(),
        };
        let x = self.operand(node, 0)?;
        let (dim, tail) = (list(&axes), format!("keepdim={})", flag(keep)));
        Ok(Some(match &node.op {
            Op::ReduceSum(_) => format!("torch.sum({x}, dim={dim}, {tail}"),
            Op::ReduceMean(_) => format!("torch.mean({x}, dim={dim}, {tail}"),
            Op::ReduceMax(_) => format!("torch.amax({x}, dim={dim}, {tail}"),
            Op::ReduceMin(_) => format!("torch.amin({x}, dim={dim}, {tail}"),
            Op::ReduceL1(_) => format!("torch.sum(torch.abs({x}), dim={dim}, {tail}"),
            Op::ReduceL2(_) => format!("torch.linalg.vector_norm({x}, 2, dim={dim}, {tail}"),
            Op::ReduceSumSquare(_) => format!("torch.sum({x} * {x}, dim={dim}, {tail}"),
            Op::ReduceLogSum(_) => format!("torch.log(torch.sum({x}, dim={dim}, {tail})"),
            Op::ReduceLogSumExp(_) => format!("torch.logsumexp({x}, dim={dim}, {tail}"),
            Op::ReduceProd(_) => match axes.as_slice() {
                [axis] => format!("torch.prod({x}, dim={axis}, {tail}"),
                _ => {
                    // One axis at a time, from the last.
                    let rank = self.shape(node, 0)?.len();
                    let mut axes: Vec<i64> = axes.iter().map(|&a| from_front(a, rank)).collect();
                    axes.sort_unstable_by(|a, b| b.cmp(a));
                    axes.iter().fold(x, |x, axis| format!("torch.prod({x}, dim={axis}, {tail}"))
                }
            },
            _ => return Ok(None),
        }))
    }
}
