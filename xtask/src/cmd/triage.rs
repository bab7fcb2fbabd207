//! `triage MODEL`: converts (or takes a converted model), runs and judges it, and says whose fault it is, where, and why.

mod files;
mod issue;
mod record;
mod screen;

use super::{convert, systems};
use crate::exit::{Exit, Failure, Outcome};
use halfproof_converter::size;
use halfproof_fuzz::campaign::Tally;
use halfproof_fuzz::generate::InputKind;
use halfproof_fuzz::localise::{
    Examination, On, Set, SourceModel, Systems, bisect, examine as locate, interpreter, recognised, sets,
    strategy,
};
use halfproof_fuzz::pipeline::{Pipeline, Report, Trial, Turn};
use halfproof_ir::{Conversion, DType, Graph, Io, Precision, Provenance, Request, Tensor};
use halfproof_oracle::arith::half::Half;
use halfproof_oracle::verdict::Class;
use halfproof_systems::{Converter, Outcome as Converted, Runtime, Source};
use halfproof_wire::{file, npz, onnx, onnx::Opset, tflite};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Options of `triage`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  cargo xtask triage model.onnx --inputs in.npz --precision full\n  \
    cargo xtask triage model.onnx --converted model_float16.tflite\n  \
    cargo xtask triage model.onnx --precision full --bisect-precision --max-bits-lost 4")]
pub(crate) struct Args {
    /// The source model: .onnx, a float32 .tflite, or the folder of a case of the corpus, which brings its inputs.
    model: PathBuf,
    /// A converted model, made by anybody; without it the converter makes one.
    #[arg(long)]
    converted: Option<PathBuf>,
    /// Inputs by name (.npz), or the only input (.npy); found where absent.
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// The float16 strategy: weights, full, mixed or all; absent, all, or `full` of a model above 32 MB; of a given converted model read from its types.
    #[arg(long)]
    precision: Option<String>,
    /// The converter.
    #[arg(long, default_value = "in-tree")]
    converter: String,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// A value for a symbolic dimension: batch=1.
    #[arg(long = "dim", value_name = "NAME=VALUE")]
    dims: Vec<String>,
    /// Regular expression over node names; what matches stays float32.
    #[arg(long, value_name = "REGEX")]
    keep_fp32: Option<String>,
    /// Where the small case, its inputs, the repro and the issue text go; reports/triage/NAME by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Writes nothing but the answer.
    #[arg(long)]
    no_files: bool,
    /// Draws the graph around the first bad operator.
    #[arg(long, value_name = "FILE.svg")]
    draw: Option<PathBuf>,
    /// Finds the smallest set of nodes to keep in float32.
    #[arg(long)]
    bisect_precision: bool,
    /// Bits that an output may lose (of float16's 11), for --bisect-precision.
    #[arg(long, default_value_t = 4.0, allow_negative_numbers = true)]
    max_bits_lost: f64,
    /// Rows of the operator table; the whole table is in operators.tsv.
    #[arg(long, default_value_t = 16)]
    rows: usize,
}

/// Bytes from which on only two input sets are tried.
const LARGE: u64 = 32_000_000;

/// What is triaged.
pub(crate) struct Case {
    pub(crate) source: SourceModel,
    pub(crate) onnx: Vec<u8>,
    pub(crate) request: Request,
    pub(crate) conversion: Conversion,
    pub(crate) converter: String,
    /// Somebody else's file, which cannot be made again.
    pub(crate) given: bool,
}

/// Judges a model; exit code 1 when something is wrong with it.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let (source, size, given) = read_source(args)?;
    if args.bisect_precision && (args.converted.is_some() || source.tflite.is_some()) {
        return Err(Failure::bad_input(
            "--bisect-precision converts an .onnx model; it cannot change a given file",
        ));
    }
    if args.max_bits_lost.is_nan() || args.max_bits_lost < 0.0 {
        return Err(Failure::bad_input("--max-bits-lost is a number of bits, 0 or more"));
    }
    let folder = (!args.no_files).then(|| folder(args));
    folder.iter().try_for_each(|out| files::check(out, args))?;
    let large = size > LARGE;
    let tried = match (&args.inputs, given) {
        (Some(path), _) => vec![Set::given(read_inputs(path, &source.graph)?)],
        // Each set walks the whole model: large ones are tried on the first few.
        (None, _) if large => sets(&source.graph).into_iter().take(2).collect(),
        (None, Some(given)) => given,
        (None, None) => sets(&source.graph),
    };
    let mut converter = systems::converter(&args.converter)?;
    let opened = systems::open(&args.runtime);
    opened.warn();
    let mut run = record::begin(args, &opened, converter.as_ref());
    let mut tally = Tally::default();
    let mut outside = opened.outside;
    let ours: Vec<_> = args.runtime.iter().filter_map(|name| interpreter(name)).collect();
    let bar = progress();
    // Of what others show a line is kept: a conversion of a large model is not held for each strategy.
    let (mut worst, mut others, mut faults): (Option<(Case, Examination)>, Vec<String>, usize) =
        (None, vec![], 0);
    for case in cases(args, source, converter.as_mut(), large)? {
        let mut case = case?;
        // Of a large model with a fault the other strategies are asked one thing: do they avoid it?
        let again = worst.as_ref().filter(|_| large).and_then(|(_, found)| shown(found));
        let (tried, mut systems) = match &again {
            Some((system, set)) => (std::slice::from_ref(set), only(system, &ours, &mut outside)),
            None => (tried.as_slice(), Systems { ours: ours.clone(), outside: &mut outside }),
        };
        let precision = case.request.precision;
        let mut say = |what: &str, at: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(at as u64);
            bar.set_message(format!("{precision}: {what}"));
        };
        let mut found = locate(&case.source, &case.request, &case.conversion, tried, &mut systems, &mut say);
        tally.merge(std::mem::take(&mut found.tally));
        // What follows cuts out of the model and asks nothing more of it: the exact constants of a large one are let go.
        case.conversion.provenance.constants = vec![];
        faults += usize::from(!found.diagnosis.verdict.class.is_fine());
        if worst.as_ref().is_none_or(|(_, w)| severity(&found) < severity(w)) {
            let before = worst.replace((case, found));
            others.extend(before.map(|(case, found)| screen::other(&case, &found, None)));
        } else {
            others.push(screen::other(&case, &found, again.as_ref().map(|(system, _)| system.as_str())));
        }
    }
    bar.finish_and_clear();
    if large && args.precision.is_none() && args.converted.is_none() {
        others.push("the model is large, so one strategy was tried: --precision all tries the others".into());
    }
    let Some((case, found)) = &worst else {
        return Err(Failure::bad_input("there is nothing to triage"));
    };
    screen::first(&args.model, size, case, found);
    for line in others {
        anstream::println!("\n  {line}");
    }
    screen::table(case, found, args.rows);
    if args.bisect_precision {
        let set = found.set.clone().or_else(|| tried.first().cloned());
        if let Some(set) = set {
            keep_what_is_needed(args, (case, found), converter.as_mut(), &mut outside, &set)?;
        }
    }
    if let Some(path) = &args.draw {
        files::draw(path, case, found)?;
    }
    record::fill(&mut run, tally, case);
    let worth = faults > 0 || found.diagnosis.verdict.class == Class::Explained;
    match folder {
        Some(out) if worth => {
            files::write(&out, args, run, (case, found), converter.as_mut(), &mut outside, &ours)?;
        }
        // An older accusation must not stand where a new answer was asked for.
        Some(out) if args.out.is_some() || out.join("run.json").exists() => files::write_clean(&out, &run)?,
        _ => {}
    }
    Ok(if faults > 0 { Exit::NewFindings } else { Exit::Clean })
}

/// Where the results go.
fn folder(args: &Args) -> PathBuf {
    let name = args.model.file_stem().map_or_else(|| "model".into(), |n| n.to_string_lossy().into_owned());
    args.out.clone().unwrap_or_else(|| Path::new("reports/triage").join(name))
}

/// The system and the inputs that showed a fault; `None` where there is none, or where it is one of the file.
fn shown(found: &Examination) -> Option<(String, Set)> {
    if severity(found) > 0 {
        return None;
    }
    Some((found.diagnosis.system.clone()?, found.set.clone()?))
}

/// One system alone.
fn only<'r>(system: &str, ours: &[(&'static str, Half)], outside: &'r mut [Box<dyn Runtime>]) -> Systems<'r> {
    let ours: Vec<_> = ours.iter().copied().filter(|(name, _)| *name == system).collect();
    let outside = match outside.iter().position(|r| r.name() == system) {
        Some(at) => &mut outside[at..=at],
        None => &mut outside[..0],
    };
    Systems { ours, outside }
}

fn severity(found: &Examination) -> u8 {
    match found.diagnosis.verdict.class {
        Class::Pass => 3,
        Class::Undecidable => 2,
        Class::Explained => 1,
        _ => 0,
    }
}

fn progress() -> ProgressBar {
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{bar:24} {elapsed:>5}  {pos} of {len} operators  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar
}

/// The source, its bytes, and the input sets that it brings where it is a case of the corpus.
fn read_source(args: &Args) -> Result<(SourceModel, u64, Option<Vec<Set>>), Failure> {
    let bound = |graph: &Graph| -> Result<SourceModel, Failure> {
        let graph = convert::bound(&args.model, graph, &args.dims)?;
        convert::held_to_limit(&args.model, || size::graph(&graph))?;
        Ok(SourceModel::onnx(graph))
    };
    if args.model.is_dir() {
        let (case, size) = convert::case(&args.model)?;
        let named = |set: halfproof_corpus::InputSet| Set { name: set.name, ..Set::given(set.tensors) };
        return Ok((bound(&case.graph)?, size, Some(case.inputs.into_iter().map(named).collect())));
    }
    let (source, bytes) = convert::read(&args.model)?;
    convert::keeps(&args.model, &source, args.keep_fp32.as_deref())?;
    let named = |e: String| Failure::bad_input(format!("{}: {e}", args.model.display()));
    let source = match source {
        convert::Source::Onnx(graph) => bound(&graph)?,
        convert::Source::Tflite(model) => {
            convert::held_to_limit(&args.model, || size::model(&model))?;
            SourceModel::tflite(*model).map_err(named)?
        }
    };
    Ok((source, bytes, None))
}

/// The conversions to judge: the given one, or one per strategy.
fn cases<'a>(
    args: &'a Args,
    source: SourceModel,
    converter: &'a mut dyn Converter,
    large: bool,
) -> Result<Box<dyn Iterator<Item = Result<Case, Failure>> + 'a>, Failure> {
    let strategies = args.precision.as_deref().map(super::fuzz::precisions).transpose()?;
    let request = |precision: Precision, io: Io| Request {
        io,
        keep_fp32: args.keep_fp32.clone(),
        ..Request::new(precision)
    };
    if let Some(path) = &args.converted {
        let bytes = file::read(path).map_err(Failure::bad_input)?;
        let model =
            tflite::read(&bytes).map_err(|e| Failure::bad_input(format!("{}: {e}", path.display())))?;
        convert::held_to_limit(path, || size::model(&model))?;
        let precision = match strategies.as_deref() {
            None => strategy(&model),
            Some([one]) => *one,
            Some(_) => return Err(Failure::bad_input("a converted model follows one strategy, not several")),
        };
        let io = edges(&model, precision);
        let conversion = Conversion { model: bytes, provenance: Provenance::default(), notes: vec![] };
        let conversion = recognised(&source, conversion);
        let name = if args.converter == "in-tree" { "(given)" } else { &args.converter };
        let case = Case {
            source,
            onnx: vec![],
            request: request(precision, io),
            conversion,
            converter: name.to_string(),
            given: true,
        };
        return Ok(Box::new(std::iter::once(Ok(case))));
    }
    // Of a large model one strategy is enough to wait for: the one that most often fails.
    let unasked = if large { vec![Precision::Full] } else { Precision::ALL.to_vec() };
    let strategies = strategies.unwrap_or(unasked);
    let strategies = systems::followed(converter, strategies)?;
    if source.tflite.is_some() && converter.is_outside() {
        return Err(Failure::bad_input("an outside converter is triaged from .onnx sources"));
    }
    let onnx = match source.tflite {
        None if args.converter != "in-tree" => {
            onnx::write(&source.graph, Opset::of(&source.graph)).map_err(Failure::bad_input)?
        }
        _ => vec![],
    };
    let path = args.model.clone();
    Ok(Box::new(strategies.into_iter().map(move |precision| {
        let request = request(precision, Io::Strategy);
        let outcome = match &source.tflite {
            Some((_, model)) => match halfproof_converter::retype::convert_tflite(model, &request) {
                Ok(conversion) => Converted::Converted(conversion),
                Err(refusal) => Converted::Refused(refusal),
            },
            None => converter.convert(Source { graph: &source.graph, onnx: &onnx }, &request),
        };
        let failed = |why: String| Failure::bad_input(format!("{}: {why}", path.display()));
        let conversion = match outcome {
            Converted::Converted(conversion) => recognised(&source, conversion),
            Converted::Refused(refusal) => return Err(convert::refused(&path, &refusal)),
            Converted::Failed(text) | Converted::Cannot { why: text } => return Err(failed(text)),
            Converted::Crashed { how } => return Err(failed(format!("the converter died: {how}"))),
            Converted::TimedOut => return Err(failed("the converter gave no answer in time".to_string())),
        };
        Ok(Case {
            source: source.clone(),
            onnx: onnx.clone(),
            request,
            conversion,
            converter: converter.name().to_string(),
            given: false,
        })
    })))
}

/// Whether the interface of somebody else's file was kept in float32.
fn edges(model: &tflite::Model, precision: Precision) -> Io {
    let graph = model.main();
    let edge = graph.inputs.iter().chain(&graph.outputs).filter_map(|&t| graph.tensors.get(t as usize));
    let single = edge.filter(|t| t.dtype == tflite::TensorType::Float32).count() > 0;
    if single && precision != Precision::Weights { Io::Float32 } else { Io::Strategy }
}

/// Measures where the verdict was reached: another system loses other bits. Where nothing ran, our interpreter does.
fn keep_what_is_needed(
    args: &Args,
    (case, found): (&Case, &Examination),
    converter: &mut dyn Converter,
    outside: &mut [Box<dyn Runtime>],
    set: &Set,
) -> Result<(), Failure> {
    let trace = screen::main_trace(found);
    let system = trace.map_or("interp-f16", |t| t.system.as_str());
    let mut on = match (named(outside, system), interpreter(system)) {
        (Some(runtime), _) => On::Outside(runtime.as_mut()),
        (None, Some((name, arith))) => On::Ours(name, arith),
        (None, None) => return Ok(()),
    };
    let request = Request { keep_fp32: None, ..case.request.clone() };
    let result = bisect(&case.source, &case.onnx, converter, &request, set, &mut on, args.max_bits_lost)
        .map_err(Failure::bad_input)?;
    let place = match trace {
        Some(_) => system.to_string(),
        None => format!("{system}, since nothing that was asked for ran it"),
    };
    screen::bisection(&result, (&place, args.max_bits_lost), case.source.operators());
    Ok(())
}

/// A pipeline in which every runtime runs every test.
pub(crate) fn open(converter: &str, runtimes: &[String]) -> Result<Pipeline, Failure> {
    let converter = systems::converter(converter)?;
    let opened = systems::open(runtimes);
    opened.warn();
    Ok(Pipeline { converter, interpreters: opened.interpreters, runtimes: opened.outside, share: 1 })
}

/// All answers about one strategy and input set.
pub(crate) fn examine(
    pipeline: &mut Pipeline,
    graph: &Graph,
    precision: Precision,
    kind: InputKind,
    set: &[Tensor],
) -> Report {
    let request = Request::new(precision);
    let opset = Opset::of(graph);
    let trial = Trial { graph: graph.clone(), request, kind, inputs: set.to_vec(), opset };
    pipeline.examine(&trial, Turn::ALL)
}

fn read_inputs(path: &Path, graph: &Graph) -> Result<Vec<Tensor>, Failure> {
    let named = |e: String| Failure::bad_input(format!("{}: {e}", path.display()));
    let bytes = file::read(path).map_err(Failure::bad_input)?;
    if path.extension().is_some_and(|e| e == "npy") {
        let [id] = graph.inputs.as_slice() else {
            return Err(named(format!("the model has {} inputs; give them in an .npz", graph.inputs.len())));
        };
        let tensor = npz::read_npy(&bytes).map_err(|e| named(e.to_string()))?;
        return Ok(vec![fitting(graph, *id, tensor).map_err(named)?]);
    }
    let arrays = npz::read(&bytes).map_err(|e| named(e.to_string()))?;
    graph
        .inputs
        .iter()
        .map(|&id| {
            let value = graph.value(id);
            let found = arrays.iter().find(|(name, _)| *name == value.name);
            let (_, tensor) = found.ok_or_else(|| {
                let names: Vec<&str> = arrays.iter().map(|(n, _)| n.as_str()).collect();
                named(format!("has no array \"{}\" (it has: {})", value.name, names.join(", ")))
            })?;
            fitting(graph, id, tensor.clone()).map_err(named)
        })
        .collect()
}

/// The tensor, if it is what the model takes; float16 arrays widen exactly, and float64 ones, which numpy makes where nobody
/// says otherwise, are rounded to float32.
fn fitting(graph: &Graph, id: halfproof_ir::ValueId, tensor: Tensor) -> Result<Tensor, String> {
    let value = graph.value(id);
    if let Some(shape) = value.static_shape()
        && shape != tensor.shape
    {
        return Err(format!("\"{}\" has shape {:?}, the model needs {shape:?}", value.name, tensor.shape));
    }
    let tensor = match (value.dtype, &tensor.data) {
        (Some(DType::F32), halfproof_ir::Data::F16(v)) => {
            Tensor::f32(tensor.shape.clone(), v.iter().map(|x| x.to_f32()).collect())
        }
        (Some(DType::F32), halfproof_ir::Data::F64(v)) => {
            Tensor::f32(tensor.shape.clone(), v.iter().map(|&x| x as f32).collect())
        }
        _ => tensor,
    };
    if value.dtype.is_some_and(|d| d != tensor.dtype()) {
        let needed = value.dtype.map(|d| d.to_string()).unwrap_or_default();
        return Err(format!("\"{}\" is {}, the model needs {needed}", value.name, tensor.dtype()));
    }
    Ok(tensor)
}

/// The runtime of that name among those that are open.
pub(crate) fn named<'r>(outside: &'r mut [Box<dyn Runtime>], name: &str) -> Option<&'r mut Box<dyn Runtime>> {
    outside.iter_mut().find(|r| r.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::Data;

    #[test]
    fn floats_of_numpy_fit_a_float32_input_and_integers_do_not() {
        let mut graph = Graph::new("g");
        let id = graph.add_input("x", DType::F32, &[2]);
        let given = |data| fitting(&graph, id, Tensor::new(vec![2], data));
        let wide = given(Data::F64(vec![0.1, -2.0])).expect("rounded");
        assert_eq!(wide, Tensor::f32(vec![2], vec![0.1, -2.0]));
        let narrow =
            given(Data::from_le_bytes(DType::F16, &[0, 0x3c, 0, 0x3c]).expect("two ones")).expect("widened");
        assert_eq!(narrow, Tensor::f32(vec![2], vec![1.0; 2]));
        assert!(given(Data::I64(vec![1, 2])).is_err());
    }
}
