//! One conversion, read back and planned once; and one set of inputs for it.

use super::kernels::{either, widened_constants};
use super::layout::{permuted_shape, source_order};
use super::legality;
use super::plain::{Held, Runs, every, same_number};
use crate::arith::{Arith, Bound, Enclosure};
use crate::contract::Runtime;
use crate::half as binary16;
use crate::onnx::{self, EvalError, Evaluation};
use crate::tflite::{Constants, Kind, Program, ProgramError, Run, value};
use crate::value::{Array, Value};
use crate::verdict::{Blame, Class, Strength, Verdict};
use half::f16;
use halfproof_ir::{
    Conversion, DType, Data, Elements, Graph, IoLayout, Provenance, Request, Tensor, TensorOrigin, ValueId,
};
use halfproof_wire::tflite::{self, Model, ReadError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// A converted model with its source, ready to be asked about.
#[derive(Debug)]
pub struct Subject<'a> {
    pub(super) graph: &'a Graph,
    /// The source graph with exact constants where the converter says that it recognised one behind its float32
    /// rounding; `None` when it says so nowhere.
    restated: Option<Graph>,
    pub(super) request: &'a Request,
    pub(super) provenance: &'a Provenance,
    pub(super) bytes: usize,
    /// The converted model without its constants.
    pub(super) model: Model,
    /// The converted program.
    pub program: Program,
    /// Unrounded elements of the float constants that the provenance lists.
    pub(super) exact: BTreeMap<u32, Elements>,
    /// Those of them that float16 has rounded.
    pub(super) rounded: BTreeSet<u32>,
    /// Constants behind a DEQUANTIZE, by its result, and the operator.
    pub(super) widened: BTreeMap<u32, usize>,
    /// Source values by the tensor that carries them.
    pub(super) origins: Vec<(ValueId, &'a TensorOrigin)>,
    /// By tensor: the operator that writes it.
    producers: Vec<Option<usize>>,
    /// The smaller constants in f64; made when somebody asks.
    held: OnceLock<Held>,
}

/// The source graph evaluated in f64.
#[derive(Debug)]
pub struct Reference {
    /// The inputs that it was evaluated on.
    pub inputs: Vec<Tensor>,
    /// Every tensor of the source graph.
    pub plain: Evaluation<f64>,
    /// The same with what the rounding of f64 may do to them; made when somebody asks.
    enclosed: OnceLock<Result<Evaluation<Enclosure>, Box<Verdict>>>,
}

impl Reference {
    /// Evaluates a source graph.
    ///
    /// # Errors
    /// A verdict of class `undecidable` when the reference does not know an operator or the inputs do not fit.
    pub fn new(graph: &Graph, inputs: &[Tensor]) -> Result<Reference, Box<Verdict>> {
        let plain = onnx::ideal(graph, inputs).map_err(|e| unknown_source(&e))?;
        Ok(Reference { inputs: inputs.to_vec(), plain, enclosed: OnceLock::new() })
    }

    /// Every tensor of the source graph with what the rounding of f64 may do to it. `graph` is the one that the reference
    /// was made of.
    ///
    /// # Errors
    /// As [`Reference::new`].
    pub fn enclosed(&self, graph: &Graph) -> Result<&Evaluation<Enclosure>, Box<Verdict>> {
        let made = self.enclosed.get_or_init(|| {
            onnx::evaluate(graph, &self.inputs, &Bound::new(Runtime::Double)).map_err(|e| unknown_source(&e))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// A subject on one set of inputs.
#[derive(Debug)]
pub struct Point<'s> {
    pub(super) subject: &'s Subject<'s>,
    /// Inputs of the converted model.
    pub inputs: Vec<Tensor>,
    pub(super) reference: Arc<Reference>,
    /// How much is worked out.
    pub(super) depth: Depth,
    /// The converted model in f64; made when somebody asks, `None` where it cannot be run.
    runs: OnceLock<Option<Runs<'s>>>,
    /// Bounds around the exact result with rounded constants, by runtime.
    bounds: BTreeMap<Runtime, Arc<Run<Enclosure>>>,
}

/// How much is worked out beside the verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Bounds only where exact results alone settle nothing: an operator whose result is the exact one, rounded, is inside
    /// any bound. Accuses whom [`Depth::Bounds`] accuses, in a fraction of its time.
    Verdicts,
    /// Every bound: for how wide they are, and for how many elements they decide nothing.
    Bounds,
}

fn unknown_source(error: &EvalError) -> Box<Verdict> {
    undecidable("the reference cannot evaluate the source graph", error.to_string())
}

/// A verdict of class `undecidable` with its reason.
pub(super) fn undecidable(text: &str, why: String) -> Box<Verdict> {
    let mut verdict = Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, text);
    verdict.notes.push(why);
    Box::new(verdict)
}

impl<'a> Subject<'a> {
    /// Reads a converted model back and plans it.
    ///
    /// # Errors
    /// A verdict: `invalid-model` when the bytes are no model or contradict themselves, `impure` when tensors are
    /// quantized, `undecidable` when the model needs something else that the reader or the interpreter does not know.
    pub fn new(
        graph: &'a Graph,
        request: &'a Request,
        conversion: &'a Conversion,
    ) -> Result<Subject<'a>, Box<Verdict>> {
        let invalid = |text: &str, why: String| {
            let mut verdict = Verdict::new(Class::InvalidModel, Blame::Converter, Strength::Certified, text);
            verdict.notes.push(why);
            Box::new(verdict)
        };
        let mut model = tflite::read(&conversion.model).map_err(|e| match e {
            // Our reader's limit, not the file's fault: STABLEHLO_SCATTER keeps its options in a second table.
            ReadError::Unsupported { .. } => {
                undecidable("the file holds a part of the schema that is not read", e.to_string())
            }
            _ => invalid("the file is no valid .tflite", e.to_string()),
        })?;
        let program = Program::new(&model).map_err(|e| match e.kind() {
            Kind::Malformed => {
                let mut verdict = invalid("the model contradicts itself", e.to_string());
                if let ProgramError::Operator { operator, name, .. } = &e {
                    verdict.place.operator_index = u32::try_from(*operator).ok();
                    verdict.place.operator = Some(name.clone());
                }
                verdict
            }
            Kind::Unwritten => invalid("a tensor is read that no operator has written", e.to_string()),
            // Quantized tensors are no open question: they are not what was asked for.
            Kind::Unsupported => legality::quantized(&model).map_or_else(
                || undecidable("the interpreter does not know the model", e.to_string()),
                Box::new,
            ),
        })?;
        // The program holds the constants that are read; of the model only structure and names are asked for.
        model.buffers.iter_mut().for_each(|bytes| *bytes = Arc::default());
        let provenance = &conversion.provenance;
        let exact = provenance
            .constants
            .iter()
            .filter(|c| {
                program.is_constant(c.tensor) && program.form(c.tensor).is_some_and(|(d, _)| d.is_float())
            })
            .filter(|c| {
                program.form(c.tensor).is_some_and(|(_, s)| s.iter().product::<usize>() == c.exact.len())
            })
            .map(|c| (c.tensor, c.exact.clone()))
            .collect();
        let rounded = rounded(&program, &exact);
        let widened = widened_constants(&program);
        let names: BTreeMap<&str, ValueId> =
            (0u32..).zip(&graph.values).map(|(i, v)| (v.name.as_str(), ValueId(i))).collect();
        let origins = provenance
            .tensors
            .iter()
            .filter_map(|o| names.get(o.source.as_str()).map(|&id| (id, o)))
            .collect();
        let bytes = conversion.model.len();
        let restated = restated(graph, provenance);
        let mut producers = vec![None; model.subgraphs.first().map_or(0, |g| g.tensors.len())];
        for (index, op) in program.operators().enumerate() {
            for &t in op.results {
                producers[t as usize].get_or_insert(index);
            }
        }
        Ok(Subject {
            graph,
            restated,
            request,
            provenance,
            bytes,
            model,
            program,
            exact,
            rounded,
            widened,
            origins,
            producers,
            held: OnceLock::new(),
        })
    }

    /// The smaller constants in f64.
    pub(super) fn held_constants(&self) -> &Held {
        self.held.get_or_init(|| Held::new(self))
    }

    /// The number of tensors of the converted model.
    pub(super) fn tensor_count(&self) -> usize {
        self.model.subgraphs.first().map_or(0, |g| g.tensors.len())
    }

    /// By tensor: a runtime may read it before it is rounded to float16.
    pub(super) fn unrounded(&self, runtime: Runtime) -> Vec<bool> {
        super::region::unrounded(&self.program, runtime, self.tensor_count())
    }

    /// How the interface tensor `tensor` holds the source value `id`.
    pub(super) fn interface_permutation(
        &self,
        id: ValueId,
        tensor: u32,
        shape: &[usize],
    ) -> Option<Vec<usize>> {
        let origin = self.origins.iter().find(|(v, o)| *v == id && o.tensor == tensor);
        match origin {
            Some((_, o)) => o.permutation.clone(),
            None if self.request.io_layout == IoLayout::Nhwc && shape.len() == 4 => Some(vec![0, 2, 3, 1]),
            None => None,
        }
    }

    /// Unrounded elements of the float constants, by tensor, as far as the converter says them.
    pub fn exact_constants(&self) -> &BTreeMap<u32, Elements> {
        &self.exact
    }

    /// The inputs that the converted model gets for those of the source graph: same values, rounded to the types of its
    /// interface and in its layout.
    ///
    /// # Errors
    /// A verdict of class `impure` when the interfaces do not fit each other.
    pub fn model_inputs(&self, source: &[Tensor]) -> Result<Vec<Tensor>, Box<Verdict>> {
        let mismatch = |why: String| {
            let text = "the interface is not that of the source";
            let mut verdict = Verdict::new(Class::Impure, Blame::Converter, Strength::Certified, text);
            verdict.notes.push(why);
            Box::new(verdict)
        };
        let tensors = self.program.inputs();
        if tensors.len() != source.len() || self.graph.inputs.len() != source.len() {
            return Err(mismatch(format!("{} inputs for {} of the source", tensors.len(), source.len())));
        }
        tensors
            .iter()
            .zip(source)
            .zip(&self.graph.inputs)
            .map(|((&tensor, input), &id)| {
                let (dtype, shape) = self
                    .program
                    .form(tensor)
                    .ok_or_else(|| mismatch(format!("input {tensor} has no type")))?;
                let permutation = self.interface_permutation(id, tensor, &input.shape);
                let wanted = permuted_shape(&input.shape, permutation.as_deref());
                if wanted != shape {
                    return Err(mismatch(format!("input {tensor} is {shape:?}, the source has {wanted:?}")));
                }
                let order = source_order(&input.shape, permutation.as_deref());
                let data = converted(&input.data, dtype, order.as_deref()).ok_or_else(|| {
                    mismatch(format!("input {tensor} is {dtype}, the source has {}", input.dtype()))
                })?;
                Ok(Tensor { shape: wanted, data })
            })
            .collect()
    }

    /// The source graph as the semantics are judged against it.
    pub fn source(&self) -> &Graph {
        self.restated.as_ref().unwrap_or(self.graph)
    }

    /// The source's inputs with the values that the model sees: rounded to float16 where its interface is.
    pub(super) fn seen(&self, source: &[Tensor]) -> Vec<Tensor> {
        self.program
            .inputs()
            .iter()
            .zip(source)
            .map(|(&tensor, input)| {
                let narrow = self.program.form(tensor).is_some_and(|(dtype, _)| dtype == DType::F16);
                let data = match &input.data {
                    Data::F32(v) if narrow => Data::F32(v.iter().map(|&x| binary16::round_f32(x)).collect()),
                    Data::F64(v) if narrow => Data::F64(v.iter().map(|&x| binary16::round(x)).collect()),
                    data => data.clone(),
                };
                Tensor { shape: input.shape.clone(), data }
            })
            .collect()
    }

    /// The subject on one set of source inputs. A `reference` for the same inputs is used again.
    ///
    /// # Errors
    /// A verdict when the interfaces do not fit or the source graph cannot be evaluated.
    pub fn at(
        &self,
        source: &[Tensor],
        reference: Option<&Arc<Reference>>,
    ) -> Result<Point<'_>, Box<Verdict>> {
        let inputs = self.model_inputs(source)?;
        let seen = self.seen(source);
        let reference = match reference {
            Some(r) if same_bits(&r.inputs, &seen) => Arc::clone(r),
            _ => Arc::new(Reference::new(self.source(), &seen)?),
        };
        let bounds = BTreeMap::new();
        Ok(Point { subject: self, inputs, reference, depth: Depth::Bounds, runs: OnceLock::new(), bounds })
    }

    /// Name of a tensor of the converted model.
    pub(super) fn tensor_name(&self, tensor: u32) -> Option<String> {
        self.model.subgraphs.first()?.tensors.get(tensor as usize).map(|t| t.name.clone())
    }

    /// The source value that a tensor carries, by name.
    pub(super) fn source_name(&self, tensor: u32) -> Option<String> {
        self.origins.iter().find(|(_, o)| o.tensor == tensor).map(|(_, o)| o.source.clone())
    }

    /// The operator that writes a tensor.
    pub(super) fn producer(&self, tensor: u32) -> Option<usize> {
        self.producers.get(tensor as usize).copied().flatten()
    }

    /// The source nodes of an operator, or the value that its first result carries.
    pub(super) fn source_of_operator(&self, operator: usize) -> Option<String> {
        let listed = self.provenance.operators.iter().find(|o| o.operator as usize == operator);
        if let Some(origin) = listed.filter(|o| !o.nodes.is_empty()) {
            return Some(origin.nodes.join(", "));
        }
        let result = *self.program.operators().nth(operator)?.results.first()?;
        self.source_name(result)
    }
}

impl Point<'_> {
    /// The evaluation of the source, to be used again for the same inputs.
    pub fn reference(&self) -> &Arc<Reference> {
        &self.reference
    }

    /// The same point, with another depth than [`Depth::Bounds`].
    #[must_use]
    pub fn with(self, depth: Depth) -> Self {
        Point { depth, ..self }
    }

    /// The converted model in f64; `None` where it cannot be run.
    pub(super) fn runs(&self) -> Option<&Runs<'_>> {
        self.runs.get_or_init(|| Runs::new(self.subject, &self.inputs).ok()).as_ref()
    }

    /// The bound of a runtime around the exact result with rounded constants.
    pub(super) fn bound(&mut self, runtime: Runtime) -> Result<Arc<Run<Enclosure>>, Box<Verdict>> {
        if let Some(run) = self.bounds.get(&runtime) {
            return Ok(Arc::clone(run));
        }
        let failed = |e: crate::tflite::RunError| {
            undecidable("the interpreter cannot run the converted model", e.to_string())
        };
        let run = Arc::new(self.evaluate(&Bound::new(runtime)).map_err(failed)?);
        self.bounds.insert(runtime, Arc::clone(&run));
        Ok(run)
    }

    /// The converted program in a bound arithmetic, with the constants and inputs that such a runtime holds.
    pub(super) fn evaluate(&self, bound: &Bound) -> Result<Run<Enclosure>, crate::tflite::RunError> {
        if !bound.contract.force_f16 {
            return self.subject.program.run(&self.inputs, Constants::Stored, bound);
        }
        let inputs: Vec<Tensor> = self.inputs.iter().map(narrowed).collect();
        let constants = self.subject.narrowed_constants(bound.runtime.unwrap_or(Runtime::AnyHalf));
        if matches!(bound.runtime, Some(Runtime::XnnpackHalfX86 { unrounded: true, .. })) {
            return self.evaluate_partly(&inputs, &constants, bound);
        }
        self.subject.program.run(&inputs, Constants::Exact(&constants), bound)
    }

    /// The same where some of the program is not rounded: whether that reads inputs and constants as they are or rounded
    /// depends on where the delegate cuts the graph, so they are either.
    fn evaluate_partly(
        &self,
        inputs: &[Tensor],
        constants: &BTreeMap<u32, Elements>,
        bound: &Bound,
    ) -> Result<Run<Enclosure>, crate::tflite::RunError> {
        let program = &self.subject.program;
        let mut tensors: Vec<Option<Value<Enclosure>>> = vec![None; self.subject.tensor_count()];
        for (&t, (rounded, given)) in program.inputs().iter().zip(inputs.iter().zip(&self.inputs)) {
            tensors[t as usize] = Some(either(value(rounded, bound), value(given, bound)));
        }
        for (&t, held) in constants {
            let rounded = program
                .form(t)
                .map(|(dtype, shape)| Value::Float(dtype, Array::new(shape, held.map(|x| bound.exact(x)))));
            let both = rounded.zip(program.stored(t, bound)).map(|(rounded, stored)| either(rounded, stored));
            tensors[t as usize] = both;
        }
        for (index, op) in program.operators().enumerate() {
            let operands: Vec<Option<&Value<Enclosure>>> =
                op.operands.iter().map(|t| tensors[(*t)? as usize].as_ref()).collect();
            let results = program.step(index, &operands, bound)?;
            for (&t, result) in op.results.iter().zip(results) {
                tensors[t as usize] = Some(result);
            }
        }
        for t in constants.keys().filter(|t| !program.outputs().contains(t)) {
            tensors[*t as usize] = None;
        }
        for &t in program.outputs() {
            let slot = &mut tensors[t as usize];
            *slot = slot.take().or_else(|| program.stored(t, bound));
        }
        Ok(Run::new(tensors, program.outputs()))
    }
}

impl Subject<'_> {
    /// FLOAT32 constants as a runtime holds them that computes everything in float16: those that it reads itself.
    pub(super) fn narrowed_constants(&self, runtime: Runtime) -> BTreeMap<u32, Elements> {
        let Some(graph) = self.model.subgraphs.first() else { return BTreeMap::new() };
        let forced = |t: u32| {
            let reads = |op: &crate::tflite::Operation<'_>| op.operands.contains(&Some(t));
            self.program.operators().any(|op| reads(&op) && runtime.forces(op.builtin))
        };
        (0u32..)
            .zip(&graph.tensors)
            .filter(|(t, tensor)| self.program.is_constant(*t) && tensor.dtype == tflite::TensorType::Float32)
            .filter(|(t, _)| forced(*t))
            .filter_map(|(t, _)| {
                let Data::F32(v) = self.program.float_constant(t)? else { return None };
                let held: Vec<f32> = v.iter().map(|&x| binary16::round_f32(x)).collect();
                Some((t, held.into()))
            })
            .collect()
    }
}

/// The constants whose unrounded elements are others than the stored ones.
fn rounded(program: &Program, exact: &BTreeMap<u32, Elements>) -> BTreeSet<u32> {
    let is_other = |(&tensor, exact): (&u32, &Elements)| {
        let stored = program.float_constant(tensor)?;
        (!every(exact.iter(), stored, same_number)).then_some(tensor)
    };
    exact.iter().filter_map(is_other).collect()
}

/// The rewrite that replaces the float32 root of two (or its inverse) in a spelled-out GELU by the exact one.
const EXACT_GELU_ROOT: &str = "exact-gelu-root";

/// The source graph with those constants replaced; each must be the float32 rounding of what replaces it, so that a
/// rewrite cannot hide a wrong constant.
fn restated(graph: &Graph, provenance: &Provenance) -> Option<Graph> {
    let mut restated: Option<Graph> = None;
    for rewrite in provenance.rewrites.iter().filter(|r| r.rule == EXACT_GELU_ROOT) {
        let at = graph.values.iter().position(|v| v.name == rewrite.at);
        let Some((at, tensor)) = at.and_then(|at| Some((at, graph.values[at].constant.as_ref()?))) else {
            continue;
        };
        let is_rounding = f64::from(rewrite.to as f32) == rewrite.from;
        if is_rounding && tensor.len() == 1 && tensor.floats() == Some(vec![rewrite.from]) {
            let exact = Tensor::new(tensor.shape.clone(), Data::F64(vec![rewrite.to]));
            let graph = restated.get_or_insert_with(|| graph.clone());
            graph.values[at].dtype = Some(DType::F32);
            graph.values[at].constant = Some(Arc::new(exact));
        }
    }
    restated
}

/// FLOAT32 elements rounded to binary16, type kept.
pub(super) fn narrowed(tensor: &Tensor) -> Tensor {
    let data = match &tensor.data {
        Data::F32(v) => Data::F32(v.iter().map(|&x| binary16::round_f32(x)).collect()),
        data => data.clone(),
    };
    Tensor { shape: tensor.shape.clone(), data }
}

fn same_bits(a: &[Tensor], b: &[Tensor]) -> bool {
    let same = |x: &Tensor, y: &Tensor| match (&x.data, &y.data) {
        (Data::F32(p), Data::F32(q)) => {
            p.len() == q.len() && p.iter().zip(q).all(|(p, q)| p.to_bits() == q.to_bits())
        }
        _ => x.data.dtype() == y.data.dtype() && x.data.to_le_bytes() == y.data.to_le_bytes(),
    };
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.shape == y.shape && same(x, y))
}

/// Elements in another type and order; `None` between floats and integers.
fn converted(data: &Data, dtype: DType, order: Option<&[usize]>) -> Option<Data> {
    fn ordered<T: Copy>(v: &[T], order: Option<&[usize]>) -> Vec<T> {
        order.map_or_else(|| v.to_vec(), |order| order.iter().map(|&i| v[i]).collect())
    }
    if dtype.is_float() {
        let values = match data {
            Data::F16(v) => v.iter().map(|&x| binary16::value(x)).collect(),
            Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(v) => v.clone(),
            _ => return None,
        };
        let values = ordered(&values, order);
        return Some(match dtype {
            DType::F16 => {
                Data::F16(values.into_iter().map(|x| f16::from_bits(binary16::to_bits(x))).collect())
            }
            DType::F32 => Data::F32(values.into_iter().map(|x| x as f32).collect()),
            _ => Data::F64(values),
        });
    }
    let values = match data {
        Data::I8(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::I16(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::I32(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::I64(v) => v.clone(),
        Data::U8(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::U16(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::U32(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::U64(v) => v.iter().map(|&x| x.cast_signed()).collect(),
        Data::Bool(v) => v.iter().map(|&x| i64::from(x)).collect(),
        _ => return None,
    };
    let values = ordered(&values, order);
    Some(match dtype {
        DType::I8 => Data::I8(values.into_iter().map(|x| x as i8).collect()),
        DType::I16 => Data::I16(values.into_iter().map(|x| x as i16).collect()),
        DType::I32 => Data::I32(values.into_iter().map(|x| x as i32).collect()),
        DType::I64 => Data::I64(values),
        DType::U8 => Data::U8(values.into_iter().map(|x| x as u8).collect()),
        DType::U16 => Data::U16(values.into_iter().map(|x| x as u16).collect()),
        DType::U32 => Data::U32(values.into_iter().map(|x| x as u32).collect()),
        DType::U64 => Data::U64(values.into_iter().map(|x| x.cast_unsigned()).collect()),
        DType::Bool => Data::Bool(values.into_iter().map(|x| x != 0).collect()),
        DType::F16 | DType::F32 | DType::F64 => return None,
    })
}
