//! Convolutions, pools, products, normalizations and reductions in TensorFlow's words.

use crate::emit::window::{Window, or_ones};
use crate::emit::writer::{Reduced, Writer};
use crate::emit::{flag, float, from_front, list, scaled};
use halfproof_ir::ops;
use halfproof_ir::{Node, Op};

/// The order of axes that puts channels last, and the one that undoes it, for that many spatial axes.
fn orders(spatial: usize) -> (String, String) {
    let last: Vec<usize> = [vec![0], (2..spatial + 2).collect(), vec![1]].concat();
    let first: Vec<usize> = [vec![0, spatial + 1], (1..=spatial).collect()].concat();
    (list(last), list(first))
}

pub(super) fn channels_last(x: &str, spatial: usize) -> String {
    format!("tf.transpose({x}, {})", orders(spatial).0)
}

pub(super) fn channels_first(x: &str, spatial: usize) -> String {
    format!("tf.transpose({x}, {})", orders(spatial).1)
}

/// `[[0, 0], [1, 2], [0, 0]]`: spatial padding of a tensor with channels last.
fn spatial_pads(padding: &[(i64, i64)]) -> String {
    let inner = padding.iter().map(|(a, b)| format!("[{a}, {}]", b.max(&0)));
    let edge = || std::iter::once("[0, 0]".to_string());
    list(edge().chain(inner).chain(edge()))
}

fn is_padded(padding: &[(i64, i64)]) -> bool {
    padding.iter().any(|&(a, b)| a != 0 || b > 0)
}

pub(super) fn layer(w: &mut Writer<'_>, node: &Node) -> Result<Option<String>, String> {
    Ok(Some(match &node.op {
        Op::MatMul => product(w, node)?,
        Op::Conv(op) => conv(w, node, op)?,
        Op::ConvTranspose(op) => conv_transpose(w, node, op)?,
        Op::MaxPool(op) => {
            let window = Window::from(op);
            let padding = window.padding(&w.shape(node, 0)?[2..], &w.result(node)?[2..]);
            let x = prepared(w, node, &padding, ", constant_values=float('-inf')")?;
            channels_first(&pool("MAX", &x, &window), window.kernel.len())
        }
        Op::AveragePool(op) => {
            let window = Window::from(op);
            let padding = window.padding(&w.shape(node, 0)?[2..], &w.result(node)?[2..]);
            let x = prepared(w, node, &padding, "")?;
            let average = pool("AVG", &x, &window);
            let rank = window.kernel.len();
            if op.count_include_pad && window.beyond(&padding) {
                return Err("padding that counts and ceil_mode".into());
            }
            if op.count_include_pad || !is_padded(&padding) {
                channels_first(&average, rank)
            } else {
                let x = w.operand(node, 0)?;
                let ones = channels_last(&format!("tf.ones_like({x})"), rank);
                let ones = format!("tf.pad({ones}, {})", spatial_pads(&padding));
                channels_first(&format!("({average}) / {}", pool("AVG", &ones, &window)), rank)
            }
        }
        Op::GlobalAveragePool => {
            format!("tf.reduce_mean({}, axis={}, keepdims=True)", w.operand(node, 0)?, spatial(w, node)?)
        }
        Op::GlobalMaxPool => {
            format!("tf.reduce_max({}, axis={}, keepdims=True)", w.operand(node, 0)?, spatial(w, node)?)
        }
        Op::GlobalLpPool(op) => {
            let (x, axes, p) = (w.operand(node, 0)?, spatial(w, node)?, op.p);
            format!(
                "tf.pow(tf.reduce_sum(tf.pow(tf.abs({x}), {p}.0), axis={axes}, keepdims=True), 1.0 / {p}.0)"
            )
        }
        Op::Gemm(op) => gemm(w, node, op)?,
        Op::Einsum(op) => format!("tf.einsum('{}', {})", op.equation.replace(' ', ""), w.operands(node)?),
        Op::BatchNormalization(op) => {
            let rank = w.shape(node, 0)?.len();
            let x = w.operand(node, 0)?;
            let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|i| per_channel(w, node, i, rank));
            format!(
                "tf.nn.batch_normalization({x}, {}, {}, {}, {}, {})",
                mean?,
                variance?,
                bias?,
                scale?,
                float(op.epsilon)
            )
        }
        Op::InstanceNormalization(op) => {
            let rank = w.shape(node, 0)?.len();
            let (x, axes) = (w.operand(node, 0)?, spatial(w, node)?);
            let normal = moments(w, &x, &axes, op.epsilon);
            let (scale, bias) = (per_channel(w, node, 1, rank)?, per_channel(w, node, 2, rank)?);
            format!("{normal} * {scale} + {bias}")
        }
        Op::GroupNormalization(op) if !op.per_group_scale => {
            let shape = w.shape(node, 0)?;
            let x = w.operand(node, 0)?;
            let grouped: Vec<i64> =
                [vec![shape[0] as i64, op.num_groups, -1], shape[2..].iter().map(|&d| d as i64).collect()]
                    .concat();
            let x = w.bind(&format!("tf.reshape({x}, {})", list(&grouped)));
            let normal = moments(w, &x, &list(2..grouped.len()), op.epsilon);
            let (scale, bias) =
                (per_channel(w, node, 1, shape.len())?, per_channel(w, node, 2, shape.len())?);
            format!("tf.reshape({normal}, {}) * {scale} + {bias}", list(&shape))
        }
        Op::LayerNormalization(op) => {
            let rank = w.shape(node, 0)?.len();
            let from = from_front(op.axis, rank);
            let x = w.operand(node, 0)?;
            let normal = moments(w, &x, &list(from..rank as i64), op.epsilon);
            let (scale, bias) = (w.operand(node, 1)?, w.optional(node, 2)?);
            match bias.as_str() {
                "None" => format!("{normal} * {scale}"),
                bias => format!("{normal} * {scale} + {bias}"),
            }
        }
        Op::RMSNormalization(op) => {
            let rank = w.shape(node, 0)?.len();
            let axes = list(from_front(op.axis, rank)..rank as i64);
            let (x, scale) = (w.operand(node, 0)?, w.operand(node, 1)?);
            format!(
                "{x} * tf.math.rsqrt(tf.reduce_mean(tf.square({x}), axis={axes}, keepdims=True) + {}) * {scale}",
                float(op.epsilon)
            )
        }
        Op::LRN(op) if op.size % 2 == 1 && w.shape(node, 0)?.len() == 4 => {
            // TensorFlow does not divide by the size; the quotient must be a float32.
            if op.alpha / op.size as f32 * op.size as f32 != op.alpha {
                return Err("an alpha that is not exact once divided by the size".into());
            }
            let x = channels_last(&w.operand(node, 0)?, 2);
            let (radius, alpha) = ((op.size - 1) / 2, float(f64::from(op.alpha) / op.size as f64));
            let (bias, beta) = (float(op.bias), float(op.beta));
            channels_first(
                &format!(
                    "tf.nn.local_response_normalization({x}, {radius}, bias={bias}, alpha={alpha}, beta={beta})"
                ),
                2,
            )
        }
        Op::LpNormalization(op) => {
            let x = w.operand(node, 0)?;
            // Where all is zero, the result is.
            format!("tf.math.divide_no_nan({x}, tf.norm({x}, ord={}, axis={}, keepdims=True))", op.p, op.axis)
        }
        Op::MeanVarianceNormalization(op) => {
            let x = w.operand(node, 0)?;
            let mean = w.bind(&format!("tf.reduce_mean({x}, axis={}, keepdims=True)", list(&op.axes)));
            let variance = w.bind(&format!(
                "tf.reduce_mean(tf.square({x} - {mean}), axis={}, keepdims=True)",
                list(&op.axes)
            ));
            format!("({x} - {mean}) / (tf.sqrt({variance}) + 1e-9)")
        }
        _ => return Ok(None),
    }))
}

/// `(x - mean) / sqrt(variance + epsilon)`, over those axes.
fn moments(w: &mut Writer<'_>, x: &str, axes: &str, epsilon: f32) -> String {
    let both = w.bind(&format!("tf.nn.moments({x}, {axes}, keepdims=True)"));
    format!("({x} - {both}[0]) * tf.math.rsqrt({both}[1] + {})", float(epsilon))
}

fn spatial(w: &Writer<'_>, node: &Node) -> Result<String, String> {
    Ok(list(2..w.shape(node, 0)?.len()))
}

/// One number per channel, so that it broadcasts.
fn per_channel(w: &mut Writer<'_>, node: &Node, slot: usize, rank: usize) -> Result<String, String> {
    let mut shape = vec![1i64; rank];
    if let Some(channels) = shape.get_mut(1) {
        *channels = -1;
    }
    Ok(format!("tf.reshape({}, {})", w.operand(node, slot)?, list(shape)))
}

/// The first operand with channels last, padded.
fn prepared(w: &mut Writer<'_>, node: &Node, padding: &[(i64, i64)], value: &str) -> Result<String, String> {
    let x = channels_last(&w.operand(node, 0)?, padding.len());
    let x = if is_padded(padding) { format!("tf.pad({x}, {}{value})", spatial_pads(padding)) } else { x };
    Ok(w.bind(&x))
}

fn pool(kind: &str, x: &str, window: &Window<'_>) -> String {
    let rank = window.kernel.len();
    let (size, strides) = (list(window.kernel), list(or_ones(window.strides, rank)));
    if window.dilations.iter().any(|&d| d != 1) {
        let dilations = list(window.dilations);
        return format!(
            "tf.nn.pool({x}, {size}, '{kind}', strides={strides}, padding='VALID', dilations={dilations})"
        );
    }
    let function = if kind == "MAX" { "max_pool" } else { "avg_pool" };
    format!("tf.nn.{function}{rank}d({x}, {size}, {strides}, 'VALID')")
}

fn conv(w: &mut Writer<'_>, node: &Node, op: &ops::Conv) -> Result<String, String> {
    let (input, weight) = (w.shape(node, 0)?, w.shape(node, 1)?);
    let rank = weight.len().saturating_sub(2);
    let kernel: Vec<i64> = weight[2..].iter().map(|&d| d as i64).collect();
    let window = Window {
        auto: op.auto_pad,
        pads: &op.pads,
        kernel: &kernel,
        strides: &op.strides,
        dilations: &op.dilations,
    };
    let padding = window.padding(&input[2..], &w.result(node)?[2..]);
    let x = prepared(w, node, &padding, "")?;
    let filter = w.operand(node, 1)?;
    // A kernel of one element has nothing to spread.
    let spread: Vec<i64> =
        or_ones(&op.dilations, rank).iter().zip(&kernel).map(|(&d, &k)| if k == 1 { 1 } else { d }).collect();
    // TensorFlow's text allows a depthwise convolution one of the two, and its kernel does not look.
    let is_plain = spread.iter().all(|&d| d == 1) || op.strides.iter().all(|&s| s == 1);
    let (strides, dilations) = (list(or_ones(&op.strides, rank)), list(&spread));
    // From output, input, space to space, input, output.
    let order = list([(2..rank + 2).collect(), vec![1, 0]].concat());
    let filter = format!("tf.transpose({filter}, {order})");
    let mut y = match (rank, op.group) {
        (2, group)
            if group > 1
                && group as usize == input[1]
                && is_plain
                && op.strides.iter().all(|s| *s == op.strides[0]) =>
        {
            let multiplier = weight[0] / input[1];
            let shape = list([kernel[0], kernel[1], input[1] as i64, multiplier as i64]);
            // The channels of the result count the multiplier last, as ONNX does.
            let filter = format!("tf.reshape({filter}, {shape})");
            let stride = op.strides.first().unwrap_or(&1);
            format!(
                "tf.nn.depthwise_conv2d({x}, {filter}, [1, {stride}, {stride}, 1], 'VALID', dilations={dilations})"
            )
        }
        (1, 1) => {
            let (stride, dilation) = (op.strides.first().unwrap_or(&1), op.dilations.first().unwrap_or(&1));
            format!("tf.nn.conv1d({x}, {filter}, {stride}, 'VALID', dilations={dilation})")
        }
        (2, _) => format!("tf.nn.conv2d({x}, {filter}, {strides}, 'VALID', dilations={dilations})"),
        (3, 1) => {
            let wide = |given: &[i64]| list([vec![1], or_ones(given, rank), vec![1]].concat());
            let (strides, dilations) = (wide(&op.strides), wide(&op.dilations));
            format!("tf.nn.conv3d({x}, {filter}, {strides}, 'VALID', dilations={dilations})")
        }
        _ => return Err("groups of other than two spatial axes".into()),
    };
    if w.id(node, 2).is_some() {
        y = format!("tf.nn.bias_add({y}, {})", w.operand(node, 2)?);
    }
    Ok(channels_first(&y, rank))
}

fn conv_transpose(w: &mut Writer<'_>, node: &Node, op: &ops::ConvTranspose) -> Result<String, String> {
    let (weight, result) = (w.shape(node, 1)?, w.result(node)?);
    let rank = weight.len().saturating_sub(2);
    if op.group != 1 || !op.output_shape.is_empty() || op.dilations.iter().any(|&d| d != 1) {
        return Err("groups, dilations or output_shape".into());
    }
    if !matches!(op.auto_pad, ops::AutoPad::NotSet | ops::AutoPad::Valid) {
        return Err("SAME padding".into());
    }
    let pads = if op.pads.is_empty() { vec![0; 2 * rank] } else { op.pads.clone() };
    let strides = or_ones(&op.strides, rank);
    let full: Vec<i64> = (0..rank).map(|i| result[2 + i] as i64 + pads[i] + pads[rank + i]).collect();
    let shape = list([vec![result[0] as i64], full, vec![weight[1] as i64]].concat());
    let x = prepared(w, node, &vec![(0, 0); rank], "")?;
    let order = list([(2..rank + 2).collect(), vec![1, 0]].concat());
    let filter = format!("tf.transpose({}, {order})", w.operand(node, 1)?);
    let mut y = format!("tf.nn.conv{rank}d_transpose({x}, {filter}, {shape}, {}, 'VALID')", list(strides));
    if pads.iter().any(|&p| p != 0) {
        let cut = (0..rank).map(|i| format!("{}:{}", pads[i], pads[i] + result[2 + i] as i64));
        let cut = list([":".to_string()].into_iter().chain(cut).chain([":".to_string()]));
        y = format!("{y}{cut}");
    }
    if w.id(node, 2).is_some() {
        y = format!("tf.nn.bias_add({y}, {})", w.operand(node, 2)?);
    }
    Ok(channels_first(&y, rank))
}

/// TensorFlow's products want matrices.
fn product(w: &mut Writer<'_>, node: &Node) -> Result<String, String> {
    let ranks = [w.shape(node, 0)?.len(), w.shape(node, 1)?.len()];
    let (a, b) = (w.operand(node, 0)?, w.operand(node, 1)?);
    Ok(match ranks {
        [1, 1] => format!("tf.tensordot({a}, {b}, 1)"),
        [1, _] => format!("tf.squeeze(tf.matmul(tf.expand_dims({a}, 0), {b}), [-2])"),
        [_, 1] => format!("tf.linalg.matvec({a}, {b})"),
        _ => format!("tf.matmul({a}, {b})"),
    })
}

fn gemm(w: &mut Writer<'_>, node: &Node, op: &ops::Gemm) -> Result<String, String> {
    let turned = |name, turn| if turn { format!(", transpose_{name}=True") } else { String::new() };
    let (a, b) = (w.operand(node, 0)?, w.operand(node, 1)?);
    let product = format!("tf.matmul({a}, {b}{}{})", turned("a", op.transA), turned("b", op.transB));
    let product = scaled(op.alpha, product);
    Ok(match w.id(node, 2) {
        None => product,
        Some(id) => format!("{product} + {}", scaled(op.beta, w.value(id)?)),
    })
}

pub(super) fn reduction(w: &mut Writer<'_>, node: &Node) -> Result<Option<String>, String> {
    let Some(Reduced { keep, axes }) = w.reduced(node)? else { return Ok(None) };
    let axes = axes.map_or("None".to_string(), list);
    let x = w.operand(node, 0)?;
    let tail = format!("axis={axes}, keepdims={})", flag(keep));
    Ok(Some(match &node.op {
        Op::ReduceSum(_) => format!("tf.reduce_sum({x}, {tail}"),
        Op::ReduceMean(_) => format!("tf.reduce_mean({x}, {tail}"),
        Op::ReduceMax(_) => format!("tf.reduce_max({x}, {tail}"),
        Op::ReduceMin(_) => format!("tf.reduce_min({x}, {tail}"),
        Op::ReduceProd(_) => format!("tf.reduce_prod({x}, {tail}"),
        Op::ReduceL1(_) => format!("tf.reduce_sum(tf.abs({x}), {tail}"),
        Op::ReduceL2(_) => format!("tf.sqrt(tf.reduce_sum(tf.square({x}), {tail})"),
        Op::ReduceSumSquare(_) => format!("tf.reduce_sum(tf.square({x}), {tail}"),
        Op::ReduceLogSum(_) => format!("tf.math.log(tf.reduce_sum({x}, {tail})"),
        Op::ReduceLogSumExp(_) => format!("tf.reduce_logsumexp({x}, {tail}"),
        _ => return Ok(None),
    }))
}
