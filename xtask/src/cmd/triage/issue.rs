//! The texts that leave this project: an issue in the form that its readers use, and a script that needs nothing of ours.

use super::{Args, Case, files, screen};
use halfproof_fuzz::localise::{Examination, Piece, project};
use halfproof_fuzz::triage::shell;
use halfproof_ir::Tensor;
use halfproof_oracle::verdict::Class;
use halfproof_reports::schema::{Files, Finding};
use halfproof_systems::setup;

/// The issue.
pub(super) fn text(
    args: &Args,
    case: &Case,
    found: &Examination,
    finding: &Finding,
    written: &Files,
) -> String {
    let v = &found.diagnosis.verdict;
    let about = found.diagnosis.system.as_deref().filter(|_| files::is_runtime_fault(found));
    let to = project(v.blame, about.unwrap_or(&case.converter));
    let operator = finding.operator.as_deref().or(v.place.operator.as_deref()).unwrap_or("model");
    let system = about.unwrap_or(&case.converter);
    let mut out = format!("<!-- for {to} -->\n**{operator}: {} ({system})**\n\n", v.text);
    let mut section = |title: &str, body: String| out += &format!("### {title}\n{}\n\n", body.trim_end());
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let versions = match about {
        Some(_) => format!("ai-edge-litert {} ({system}), {platform}", setup::LITERT_VERSION),
        None => format!("{} ({}), {platform}", case.converter, case.request.precision),
    };
    section("Environment", versions);
    let mut what = screen::place(case, found).join("\n");
    if let Some(cause) = &found.diagnosis.cause {
        what += &format!("\n{}", cause.text);
    }
    for note in &v.notes {
        what += &format!("\n{note}");
    }
    section("What happens", what);
    if let Some(n) = &v.numbers {
        section("Expected and actual", screen::numbers(n));
    }
    let expected = match v.class {
        Class::Semantics => {
            "Evaluated in float64 with unrounded constants, the converted operator gives other values than the \
             operator of the source: rounding has no part in it."
        }
        Class::Constant => "A stored constant is not the float16 number nearest to its source.",
        Class::Kernel | Class::Precision => {
            "The result is outside of the rigorous bound of rounding errors, computed in float64 from the very operands \
             that the kernel read."
        }
        Class::Nonfinite => "The exact result is finite.",
        Class::Impure => "Float16 was asked for.",
        _ => "See above.",
    };
    section("Why it is not rounding", expected.to_string());
    let mut steps = vec![];
    if written.repro_alone.is_some() && (files::is_runtime_fault(found) || case.given) {
        steps.push(
            "`pip install ai-edge-litert numpy`, then `python repro.py` beside `operator.tflite` and \
                    `operator-inputs.npz` (attached); it exits with 1 while the fault is there."
                .to_string(),
        );
    }
    if let Some(model) = &written.model {
        steps.push(format!(
            "Convert the attached `{model}` ({}) to float16 and run it on `inputs.npz`.",
            case.request.precision
        ));
    } else {
        steps.push(format!(
            "Convert `{}` to float16 and run it on `inputs.npz`.",
            args.model.file_name().unwrap_or_default().display()
        ));
    }
    section("Steps", steps.iter().enumerate().map(|(i, s)| format!("{}. {s}\n", i + 1)).collect());
    if !finding.graph.is_empty() {
        section("Graph", format!("```\n{}\n```", finding.graph.trim_end()));
    }
    out += "Found with halfproof.\n";
    out
}

/// A script for LiteRT and numpy: runs the operator on what it read and compares the worst element.
pub(super) fn python(found: &Examination, piece: &Piece) -> String {
    let v = &found.diagnosis.verdict;
    let system = found.diagnosis.system.as_deref();
    let options = match system {
        Some("litert-xnnpack-fp16") => "cpu_options=CpuOptions(xnnpack_flags=4)",
        Some("litert-builtin") => "cpu_options=CpuOptions(kernel_mode=CpuKernelMode.BUILTIN)",
        Some("litert-reference") => "cpu_options=CpuOptions(kernel_mode=CpuKernelMode.REFERENCE)",
        Some("litert-gpu") => {
            "hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True)"
        }
        Some("litert-gpu-fp16") => "hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions()",
        _ => "cpu_options=CpuOptions(xnnpack_flags=0)",
    };
    let element = v.place.element.unwrap_or(0);
    let (low, high, expected) = match &v.numbers {
        Some(n) => (n.low, n.high, n.expected),
        None => (f64::NAN, f64::NAN, f64::NAN),
    };
    let python = |x: f64| match x {
        x if x.is_nan() => "float(\"nan\")".to_string(),
        f64::INFINITY => "float(\"inf\")".to_string(),
        f64::NEG_INFINITY => "-float(\"inf\")".to_string(),
        x => format!("{x:e}"),
    };
    let graph = piece.model.main();
    let output = graph.outputs.first().and_then(|&t| graph.tensors.get(t as usize));
    let count: i32 = output.map_or(0, |t| t.shape.iter().product());
    let dtype = match output.map(|t| t.dtype.name()) {
        Some("FLOAT16") => "float16",
        Some("INT32") => "int32",
        Some("INT64") => "int64",
        Some("BOOL") => "bool",
        _ => "float32",
    };
    let names: Vec<String> = piece
        .inputs
        .iter()
        .map(|(n, t): &(String, Tensor)| format!("{n} {}{:?}", t.dtype(), t.shape))
        .collect();
    let (imports, running) = match system.and_then(|s| s.strip_suffix("-interpreter")) {
        Some(mode) => (INTERPRETER_IMPORTS, through_interpreter(mode)),
        None => (COMPILED_MODEL_IMPORTS, through_compiled_model(options, count, dtype)),
    };
    format!(
        "\"\"\"{}: {}.\n\nReads operator.tflite and operator-inputs.npz beside it ({}).\n\
         Exits 1 when the fault is there, 0 otherwise. Needs: pip install ai-edge-litert=={} numpy\n\"\"\"\n\
         import pathlib\nimport sys\nimport numpy as np\n\
         {imports}\n\
         here = pathlib.Path(__file__).resolve().parent\n\
         arrays = np.load(here / \"operator-inputs.npz\")\n\
         names = [{}]\n\
         {running}\
         expected, low, high, element = {}, {}, {}, {element}\n\
         actual = got[element]\n\
         print(f\"element {{element}}: expected {{expected!r}}, allowed {{low!r}} to {{high!r}}, actual {{actual!r}}\")\n\
         fine = {}\n\
         sys.exit(0 if fine else 1)\n",
        v.place.operator.as_deref().unwrap_or("model"),
        shell::docstring(&v.text),
        shell::docstring(&names.join(", ")),
        setup::LITERT_VERSION,
        piece.inputs.iter().map(|(n, _)| shell::python(n)).collect::<Vec<_>>().join(", "),
        python(expected),
        python(low),
        python(high),
        condition(v.class),
    )
}

const INTERPRETER_IMPORTS: &str = "from ai_edge_litert.interpreter import Interpreter, OpResolverType\n";

/// Lines that leave the first output in `got`, by the front of that name without `-interpreter`.
fn through_interpreter(mode: &str) -> String {
    let resolver = match mode {
        "litert-reference" => "BUILTIN_REF",
        "litert-builtin" => "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
        _ => "BUILTIN",
    };
    format!(
        "model = Interpreter(str(here / \"operator.tflite\"), num_threads=1,\n\
         \x20                   experimental_op_resolver_type=OpResolverType.{resolver})\n\
         model.allocate_tensors()\n\
         for place, name in zip(model.get_input_details(), names):\n    \
         model.set_tensor(place[\"index\"], np.ascontiguousarray(arrays[name]))\n\
         model.invoke()\n\
         got = model.get_tensor(model.get_output_details()[0][\"index\"]).astype(np.float64).ravel()\n"
    )
}

const COMPILED_MODEL_IMPORTS: &str = "from ai_edge_litert.compiled_model import CompiledModel\n\
     from ai_edge_litert.cpu_kernel_mode import CpuKernelMode\n\
     from ai_edge_litert.gpu_options import GpuOptions\n\
     from ai_edge_litert.hardware_accelerator import HardwareAccelerator\n\
     from ai_edge_litert.options import CpuOptions, Options\n";

/// The same by CompiledModel.
fn through_compiled_model(options: &str, count: i32, dtype: &str) -> String {
    format!(
        "model = CompiledModel.from_file(str(here / \"operator.tflite\"), options=Options({options}))\n\
         inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)\n\
         for buffer, name in zip(inputs, names):\n    buffer.write(np.ascontiguousarray(arrays[name]))\n\
         model.run_by_index(0, inputs, outputs)\n\
         got = outputs[0].read({count}, np.{dtype}).astype(np.float64).ravel()\n"
    )
}

/// What the script takes for right. Bounds that reach infinity say nothing about a result that should be finite.
fn condition(class: Class) -> &'static str {
    match class {
        Class::Nonfinite => "np.isfinite(actual)",
        _ => "low <= actual <= high or (low == high and np.isclose(actual, expected, rtol=2e-3, atol=1e-6))",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of what may overflow is "anything": it must not excuse the overflow.
    #[test]
    fn a_bound_that_reaches_infinity_excuses_no_infinity() {
        assert!(
            condition(Class::Nonfinite).contains("isfinite") && !condition(Class::Nonfinite).contains("high")
        );
        assert!(condition(Class::Kernel).contains("low <= actual <= high"));
    }
}
