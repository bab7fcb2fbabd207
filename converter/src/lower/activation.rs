//! Lowers activations. Where TFLite has no builtin, the formula of the ONNX definition is spelt out in operators that
//! also run in float16; none is approximated.

use super::binary::{add, combine, div, mul, sub};
use super::context::Context;
use super::fuse::clip_activation;
use super::unary::map;
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::ops::GeluMode;
use halfproof_ir::{DType, Op, Role};
use halfproof_wire::tflite::{Activation, Builtin, Options, options};

const NONE: Activation = Activation::None;

/// The operators that the formulas are written in, on tensors of one shape and literals.
pub(super) struct Formula<'a, 'g> {
    pub(super) cx: &'a mut Context<'g>,
    pub(super) shape: Vec<usize>,
}

impl Formula<'_, '_> {
    pub(super) fn two(
        &mut self,
        builtin: Builtin,
        a: TensorId,
        b: TensorId,
        options: impl Into<Options>,
    ) -> TensorId {
        self.cx.emit_as(builtin, &[a, b], options, self.shape.clone(), DType::F32)
    }
    pub(super) fn add(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Add, a, b, add(NONE))
    }
    pub(super) fn sub(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Sub, a, b, sub(NONE))
    }
    pub(super) fn mul(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Mul, a, b, mul(NONE))
    }
    pub(super) fn div(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Div, a, b, div(NONE))
    }
    pub(super) fn max(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Maximum, a, b, options::MaximumMinimum {})
    }
    pub(super) fn min(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.two(Builtin::Minimum, a, b, options::MaximumMinimum {})
    }
    pub(super) fn one(&mut self, builtin: Builtin, x: TensorId) -> TensorId {
        self.cx.map(builtin, x, options_of(builtin))
    }
    /// x times a factor; x itself for 1.
    pub(super) fn scaled(&mut self, x: TensorId, factor: f64) -> TensorId {
        if factor == 1.0 {
            return x;
        }
        let factor = self.cx.float(factor, Role::Scale);
        self.mul(x, factor)
    }
    pub(super) fn bound(&mut self, value: f64) -> TensorId {
        self.cx.float(value, Role::Bound)
    }
    pub(super) fn plain(&mut self, value: f64) -> TensorId {
        self.cx.float(value, Role::Plain)
    }
    /// `max(x, 0) * above + (exp(min(x, 0) / width) - 1) * below`.
    fn elu(&mut self, x: TensorId, above: f64, below: f64, width: f64) -> TensorId {
        let positive = self.one(Builtin::Relu, x);
        let positive = self.scaled(positive, above);
        let zero = self.bound(0.0);
        let negative = self.min(x, zero);
        let negative = if width == 1.0 {
            negative
        } else {
            let width = self.cx.float(width, Role::Scale);
            self.div(negative, width)
        };
        let negative = self.one(Builtin::Elu, negative);
        let negative = self.scaled(negative, below);
        self.add(positive, negative)
    }
    /// `log(1 + exp(x))` without overflow: `max(x, 0) + log(1 + exp(-|x|))`.
    fn softplus(&mut self, x: TensorId) -> TensorId {
        let positive = self.one(Builtin::Relu, x);
        let size = self.one(Builtin::Abs, x);
        let size = self.one(Builtin::Neg, size);
        let e = self.one(Builtin::Exp, size);
        let one = self.plain(1.0);
        let e = self.add(e, one);
        let rest = self.one(Builtin::Log, e);
        self.add(positive, rest)
    }
}

fn options_of(builtin: Builtin) -> Options {
    match builtin {
        Builtin::Abs => options::Abs {}.into(),
        Builtin::Neg => options::Neg {}.into(),
        Builtin::Exp => options::Exp {}.into(),
        Builtin::Cos => options::Cos {}.into(),
        Builtin::Sign => options::Sign {}.into(),
        Builtin::Square => options::Square {}.into(),
        Builtin::HardSwish => options::HardSwish {}.into(),
        _ => Options::None,
    }
}

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let dtype = cx.ty(x)?.dtype;
    match &node.op {
        Op::Clip => return clip(cx, index),
        Op::PRelu => return prelu(cx, index),
        Op::Relu if !dtype.is_float() => {
            super::binary::supported(Builtin::Maximum, dtype)?;
            return Err(format!("TFLite RELU has no {dtype} kernel"));
        }
        _ if !dtype.is_float() => return Err(format!("{} of {dtype} has no TFLite kernel", node.op.name())),
        _ => {}
    }
    if let Op::Celu(c) = &node.op
        && c.alpha == 0.0
    {
        return Err("alpha is 0, which divides by zero".into());
    }
    let op = node.op.clone();
    map(cx, x, y, |cx, t| {
        let shape = cx.extents(t);
        formula(&op, &mut Formula { cx, shape }, t)
    })
}

/// A function of recurrent cells applied to a tensor.
pub(super) fn apply(cx: &mut Context<'_>, op: &Op, x: TensorId) -> TensorId {
    match op {
        Op::Sigmoid => cx.map(Builtin::Logistic, x, Options::None),
        Op::Tanh => cx.map(Builtin::Tanh, x, Options::None),
        op => {
            let shape = cx.extents(x);
            formula(op, &mut Formula { cx, shape }, x)
        }
    }
}

fn formula(op: &Op, f: &mut Formula<'_, '_>, x: TensorId) -> TensorId {
    match op {
        Op::Relu => f.one(Builtin::Relu, x),
        Op::HardSwish => f.one(Builtin::HardSwish, x),
        Op::Gelu(g) => {
            f.cx.map(Builtin::Gelu, x, options::Gelu { approximate: g.approximate == GeluMode::Tanh })
        }
        Op::LeakyRelu(l) => f.cx.map(Builtin::LeakyRelu, x, options::LeakyRelu { alpha: l.alpha }),
        Op::Elu(e) if e.alpha == 1.0 => f.one(Builtin::Elu, x),
        Op::Elu(e) => f.elu(x, 1.0, e.alpha.into(), 1.0),
        Op::Selu(s) => {
            let gamma = f64::from(s.gamma);
            f.elu(x, gamma, gamma * f64::from(s.alpha), 1.0)
        }
        Op::Celu(c) if c.alpha > 0.0 => f.elu(x, 1.0, c.alpha.into(), c.alpha.into()),
        Op::Celu(c) => {
            // max(0, x) + min(0, alpha (exp(x / alpha) - 1)), as it stands: the cases do not split at 0.
            let alpha = f.cx.float(c.alpha.into(), Role::Scale);
            let (zero, one) = (f.bound(0.0), f.plain(1.0));
            let e = f.div(x, alpha);
            let e = f.one(Builtin::Exp, e);
            let e = f.sub(e, one);
            let e = f.mul(e, alpha);
            let e = f.min(e, zero);
            let positive = f.one(Builtin::Relu, x);
            f.add(positive, e)
        }
        Op::HardSigmoid(h) => {
            let y = f.scaled(x, h.alpha.into());
            let beta = f.cx.float(h.beta.into(), Role::Bias);
            let y = f.add(y, beta);
            let (low, high) = (f.bound(0.0), f.bound(1.0));
            let y = f.min(y, high);
            f.max(y, low)
        }
        Op::Softplus => f.softplus(x),
        Op::Mish => {
            let s = f.softplus(x);
            let t = f.one(Builtin::Tanh, s);
            f.mul(x, t)
        }
        Op::Softsign => {
            let size = f.one(Builtin::Abs, x);
            let one = f.plain(1.0);
            let size = f.add(size, one);
            f.div(x, size)
        }
        Op::ThresholdedRelu(t) => {
            let (alpha, zero) = (f.bound(t.alpha.into()), f.plain(0.0));
            let above = f.cx.emit_as(
                Builtin::Greater,
                &[x, alpha],
                options::Greater {},
                f.shape.clone(),
                DType::Bool,
            );
            f.cx.emit_as(
                Builtin::SelectV2,
                &[above, x, zero],
                options::SelectV2 {},
                f.shape.clone(),
                DType::F32,
            )
        }
        Op::Swish(s) => {
            let gate = f.scaled(x, s.alpha.into());
            let gate = f.one(Builtin::Logistic, gate);
            f.mul(x, gate)
        }
        Op::Shrink(s) => {
            let (above, below) = (f.bound(s.lambd.into()), f.bound(-f64::from(s.lambd)));
            let zero = f.plain(0.0);
            let bias = f.cx.float(s.bias.into(), Role::Bias);
            let (raised, lowered) = (f.add(x, bias), f.sub(x, bias));
            let test = |f: &mut Formula<'_, '_>, builtin, limit, options: Options| {
                f.cx.emit_as(builtin, &[x, limit], options, f.shape.clone(), DType::Bool)
            };
            let high = test(f, Builtin::Greater, above, options::Greater {}.into());
            let low = test(f, Builtin::Less, below, options::Less {}.into());
            let mut select = |mask, yes, no| {
                f.cx.emit_as(
                    Builtin::SelectV2,
                    &[mask, yes, no],
                    options::SelectV2 {},
                    f.shape.clone(),
                    DType::F32,
                )
            };
            let outer = select(high, lowered, zero);
            select(low, raised, outer)
        }
        // Not an activation of the table: leave the tensor; `lower` has refused it.
        _ => x,
    }
}

/// `min(max(x, low), high)`, as a builtin activation where one has these limits.
fn clip(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let dtype = cx.ty(x)?.dtype;
    let (low, high) = (cx.optional(node, 1), cx.optional(node, 2));
    let known = |v: Option<halfproof_ir::ValueId>| v.map(|v| cx.scalar(v));
    if dtype.is_float()
        && let (None | Some(Some(_)), None | Some(Some(_))) = (known(low), known(high))
        && let Some(activation) = clip_activation(known(low).flatten(), known(high).flatten())
    {
        let builtin = match activation {
            Activation::Relu => Builtin::Relu,
            Activation::Relu6 => Builtin::Relu6,
            _ => Builtin::ReluN1To1,
        };
        return map(cx, x, y, |cx, t| cx.map(builtin, t, Options::None));
    }
    super::binary::supported(Builtin::Maximum, dtype)?;
    if low.is_none() && high.is_none() {
        return cx.alias_transposed(y, x, &super::perm::Perm::identity(cx.ty(x)?.rank()));
    }
    let mut limit = |v: Option<halfproof_ir::ValueId>| -> Result<Option<TensorId>, String> {
        let Some(v) = v else { return Ok(None) };
        // An infinite limit limits nothing.
        let none = if Some(v) == high && low != high { f64::INFINITY } else { f64::NEG_INFINITY };
        match cx.scalar(v) {
            Some(value) if dtype.is_float() && value == none => Ok(None),
            Some(value) if dtype.is_float() => Ok(Some(cx.float(value, Role::Bound))),
            _ => cx.plain(v).map(Some),
        }
    };
    let (low, high) = (limit(low)?, limit(high)?);
    map(cx, x, y, |cx, mut t| {
        let shape = cx.extents(t);
        for (builtin, limit) in [(Builtin::Maximum, low), (Builtin::Minimum, high)] {
            if let Some(limit) = limit {
                t = cx.emit(builtin, &[t, limit], options::MaximumMinimum {}, shape.clone());
            }
        }
        t
    })
}

/// PRELU multiplies by slopes that broadcast to its operand.
fn prelu(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, slope, y) = (cx.input(node, 0)?, cx.input(node, 1)?, cx.output(node)?);
    let ty = cx.ty(x)?;
    if !ty.dtype.is_float() {
        return Err(format!("TFLite PRELU has no {} kernel", ty.dtype));
    }
    let rank = ty.rank();
    let order = choose(cx, &[x], y, rank);
    let tensor = cx.ordered(x, &order)?;
    let slope = cx.broadcast(slope, &order, Role::Scale, false)?;
    let full: Vec<usize> =
        std::iter::repeat_n(1, rank - cx.extents(slope).len()).chain(cx.extents(slope)).collect();
    if rank == 0 || rank > 4 {
        // PRELU broadcasts four axes at most: max(x, 0) + slope * min(x, 0).
        let zero = cx.float(0.0, Role::Bound);
        let positive = cx.map(Builtin::Relu, tensor, Options::None);
        let shape = cx.extents(tensor);
        let negative = cx.emit(Builtin::Minimum, &[tensor, zero], options::MaximumMinimum {}, shape);
        let negative = combine(cx, Builtin::Mul, &[negative, slope], mul(NONE), None)?;
        let out = combine(cx, Builtin::Add, &[positive, negative], add(NONE), None)?;
        cx.bind(y, out, order);
        return Ok(());
    }
    // The batch axis is left out: kernels want one slope per element or per channel.
    let slope = match full.split_first() {
        Some((1, rest)) if rank > 1 => cx.reshape(slope, rest),
        _ => cx.reshape(slope, &full),
    };
    let shape = cx.extents(tensor);
    let out = cx.emit(Builtin::Prelu, &[tensor, slope], Options::None, shape);
    cx.bind(y, out, order);
    Ok(())
}
