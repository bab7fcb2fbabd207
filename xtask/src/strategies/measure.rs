//! How much a converted model loses to float16, measured in the reference interpreter.

use super::samples::elements;
use halfproof_converter::size;
use halfproof_ir::{Conversion, DType, Data, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::half;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_wire::tflite::{self, Builtin, Model, OpCode, TensorType};

/// What an execution with float16 storage and float32 sums loses against the exact result with the same constants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    /// Bits of float16, by the unit in the last place of the largest element of each output: what matters to a user.
    pub(crate) bits: f64,
    /// Bits by the unit in the last place of each element: what the judge reports; large next to a cancellation.
    pub(crate) worst: f64,
    /// Elements that are not finite though the exact ones are and float16 holds them.
    pub(crate) nonfinite: usize,
}

impl Loss {
    /// The bits lost; infinity when something is not finite.
    pub(crate) fn charged(&self) -> f64 {
        if self.nonfinite > 0 { f64::INFINITY } else { self.bits }
    }
}

/// One execution of a model on a sample.
struct Execution<'a> {
    program: &'a Program,
    inputs: Vec<Tensor>,
    outputs: Vec<Value<f32>>,
}

impl Execution<'_> {
    /// The exact results with the same constants.
    fn exact(&self) -> Result<Vec<Vec<f64>>, String> {
        let run = self.program.results(&self.inputs, Constants::Stored, &Ideal).map_err(|e| e.to_string())?;
        Ok(run.iter().map(elements).collect())
    }

    /// Adds what the float outputs lose.
    fn charge(&self, loss: &mut Loss, exact: &[Vec<f64>]) {
        for (exact, actual) in exact.iter().zip(&self.outputs) {
            if let Value::Float(_, a) = actual {
                loss.add(exact, &a.data.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
            }
        }
    }
}

/// Runs a model on every sample, which are the source's inputs in interface order.
fn executions(
    model: &[u8],
    samples: &[Vec<Tensor>],
    mut each: impl FnMut(usize, &Execution<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let model = tflite::read(model).map_err(|e| e.to_string())?;
    size::model(&model).map_err(|e| e.to_string())?;
    let program = Program::new(&model).map_err(|e| e.to_string())?;
    let half = Half::new(ExecutionModel::HALF);
    for (i, set) in samples.iter().enumerate() {
        let forms = program.inputs().iter().map(|&t| program.form(t));
        let inputs: Option<Vec<Tensor>> = set.iter().zip(forms).map(|(t, form)| fitted(t, form?)).collect();
        let inputs = inputs.ok_or("the interface is not that of the samples")?;
        let outputs = program.results(&inputs, Constants::Stored, &half).map_err(|e| e.to_string())?;
        each(i, &Execution { program: &program, inputs, outputs })?;
    }
    Ok(())
}

/// Measures on samples; the worst of all samples counts.
pub(crate) fn loss(model: &[u8], samples: &[Vec<Tensor>]) -> Result<Loss, String> {
    let mut total = Loss::default();
    executions(model, samples, |_, run| {
        run.charge(&mut total, &run.exact()?);
        Ok(())
    })?;
    Ok(total)
}

/// The same execution against the exact results of the source, by sample and output: what rounding and rewriting constants
/// costs is then counted as well.
pub(crate) fn from_source(
    model: &[u8],
    samples: &[Vec<Tensor>],
    exact: &[Vec<Vec<f64>>],
) -> Result<Loss, String> {
    let mut total = Loss::default();
    executions(model, samples, |i, run| {
        run.charge(&mut total, &exact[i]);
        Ok(())
    })?;
    Ok(total)
}

/// [`loss`] and [`from_source`] of the same executions.
pub(crate) fn both(
    model: &[u8],
    samples: &[Vec<Tensor>],
    exact: &[Vec<Vec<f64>>],
) -> Result<(Loss, Loss), String> {
    let (mut own, mut source) = (Loss::default(), Loss::default());
    executions(model, samples, |i, run| {
        run.charge(&mut own, &run.exact()?);
        run.charge(&mut source, &exact[i]);
        Ok(())
    })?;
    Ok((own, source))
}

impl Loss {
    /// Adds one output.
    pub(crate) fn add(&mut self, exact: &[f64], actual: &[f64]) {
        let largest = exact.iter().map(|x| x.abs()).filter(|x| *x < half::OVERFLOW).fold(0.0, f64::max);
        for (&e, &a) in exact.iter().zip(actual) {
            if !a.is_finite() {
                self.nonfinite += usize::from(e.is_finite() && e.abs() < half::OVERFLOW);
                continue;
            }
            let bits =
                |ulp: f64| if (e - a).abs() > 0.5 * ulp { ((e - a).abs() / (0.5 * ulp)).log2() } else { 0.0 };
            self.bits = self.bits.max(bits(half::ulp(largest)));
            self.worst = self.worst.max(bits(half::ulp(e)));
        }
    }
}

/// A sample in the type and layout of the model's interface: NHWC where the model has dropped its edge transposes.
fn fitted(tensor: &Tensor, (dtype, shape): (DType, &[usize])) -> Option<Tensor> {
    let mut tensor = tensor.clone();
    if tensor.shape != shape {
        let &[n, c, h, w] = &tensor.shape[..] else { return None };
        if shape != [n, h, w, c] {
            return None;
        }
        let size = tensor.dtype().size();
        let bytes = tensor.data.to_le_bytes();
        let mut moved = Vec::with_capacity(bytes.len());
        for i in 0..n {
            for pixel in 0..h * w {
                for channel in 0..c {
                    let at = ((i * c + channel) * h * w + pixel) * size;
                    moved.extend_from_slice(&bytes[at..at + size]);
                }
            }
        }
        tensor = Tensor::new(shape, Data::from_le_bytes(tensor.dtype(), &moved)?);
    }
    if tensor.dtype() != dtype && dtype.is_float() {
        let values = tensor.floats()?;
        let data = match dtype {
            DType::F16 => {
                let bytes: Vec<u8> = values.iter().flat_map(|&x| half::to_bits(x).to_le_bytes()).collect();
                Data::from_le_bytes(DType::F16, &bytes)?
            }
            DType::F32 => Data::F32(values.iter().map(|&x| x as f32).collect()),
            _ => Data::F64(values),
        };
        tensor = Tensor::new(shape, data);
    }
    (tensor.dtype() == dtype).then_some(tensor)
}

/// What can be counted in a converted model.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Operators that compute in float32.
    pub(crate) single: usize,
    /// All operators with floats, without casts.
    pub(crate) floats: usize,
    /// CASTs between float16 and float32.
    pub(crate) casts: usize,
    /// Connected float32 regions.
    pub(crate) islands: usize,
}

/// Counts the first subgraph.
pub(crate) fn counts(conversion: &Conversion) -> Result<Counts, String> {
    let model = tflite::read(&conversion.model).map_err(|e| e.to_string())?;
    Ok(counted(&model))
}

fn counted(model: &Model) -> Counts {
    let mut counts = Counts::default();
    let Some(g) = model.subgraphs.first() else { return counts };
    let dtype = |i: i32| usize::try_from(i).ok().and_then(|i| g.tensors.get(i)).map(|t| t.dtype);
    let computed =
        |i: i32| usize::try_from(i).is_ok_and(|i| g.tensors.get(i).is_some_and(|t| model.data(t).is_none()));
    // Every tensor starts as a region of its own; float32 operators join theirs.
    let mut region: Vec<usize> = (0..g.tensors.len()).collect();
    let mut in_island = vec![false; g.tensors.len()];
    for op in &g.operators {
        let types: Vec<TensorType> = op.inputs.iter().chain(&op.outputs).filter_map(|&i| dtype(i)).collect();
        let single = types.contains(&TensorType::Float32);
        let halves = types.contains(&TensorType::Float16);
        match op.code {
            OpCode::Builtin(Builtin::Cast) if single && halves => counts.casts += 1,
            OpCode::Builtin(Builtin::Dequantize) => {}
            _ => {
                counts.floats += usize::from(single || halves);
                counts.single += usize::from(single);
                if single {
                    let own: Vec<usize> = op
                        .inputs
                        .iter()
                        .chain(&op.outputs)
                        .filter(|&&i| computed(i) && dtype(i) == Some(TensorType::Float32))
                        .map(|&i| i.unsigned_abs() as usize)
                        .collect();
                    own.iter().for_each(|&t| in_island[t] = true);
                    for pair in own.windows(2) {
                        let (a, b) = (root(&region, pair[0]), root(&region, pair[1]));
                        region[a] = b;
                    }
                }
            }
        }
    }
    counts.islands = (0..region.len()).filter(|&t| in_island[t] && region[t] == t).count();
    counts
}

fn root(region: &[usize], mut at: usize) -> usize {
    while region[at] != at {
        at = region[at];
    }
    at
}
