"""What a labelled case is made of: a graph as text, inputs, and the verdict that a careful person would give.

Labels are written before anything is run. Where a first run disagreed, the case's notes say who was right and why.
"""

import pathlib
import re

import numpy as np

TYPES = {"f16": np.float16, "f32": np.float32, "i32": np.int32, "i64": np.int64, "bool": np.bool_}
HERE = pathlib.Path(__file__).parent

TF = "https://github.com/tensorflow/tensorflow/issues/"
LITERT = "https://github.com/google-ai-edge/LiteRT/issues/"
TORCH = "https://github.com/google-ai-edge/litert-torch/issues/"
ORT = "https://github.com/microsoft/onnxruntime/issues/"
ONNX2TF = "https://github.com/PINTO0309/onnx2tf/issues/"
COREML = "https://github.com/apple/coremltools/issues/"
COMMON = "https://github.com/microsoft/onnxconverter-common/issues/"

FORCED = "litert-xnnpack-fp16"
FORCES = "FORCE_FP16 runs float32 tensors in float16, whatever the strategy"


def expect(classes, because, blame=None, precision=None, system=None, inputs=None):
    """One expectation; the first that applies decides."""
    lines = ["[[expect]]"]
    for key, value in [("precision", precision), ("system", system), ("inputs", inputs)]:
        if value:
            lines.append(f'{key} = "{value}"')
    lines.append("class = [" + ", ".join(f'"{c}"' for c in classes) + "]")
    if blame:
        lines.append(f'blame = "{blame}"')
    lines.append(f'because = "{because}"')
    return "\n".join(lines) + "\n"


def right(because, **where):
    """Nothing is wrong: the verdict is pass or explained."""
    return expect(["pass", "explained"], because, **where)


def policy(because, **where):
    """Float16 was the wrong choice for an intermediate value: not the converter's and not the kernel's fault."""
    return expect(["nonfinite"], because, blame="precision policy", **where)


FUSED = [
    expect(["pass", "explained", "undecidable"],
           "XNNPACK forms the mean of the squares in float32 and reads it unrounded; its contract admits rounding too",
           system="litert-xnnpack*", precision=precision)
    for precision in ["full", "mixed"]
] + [
    expect(["pass", "explained", "undecidable"], "the same with float16 forced", system=FORCED, precision="weights")
]
FUSED_NOTES = """
The first run disagreed for XNNPACK, where an overflow was expected as everywhere else. Probes settled it
(fuzz/systems/tests/contracts.rs): a square and the mean that reads it are one float32 operator there, so nothing
overflows, and its results are right. A runtime may be more precise than the model asks.
"""


def overflow(because, mixed="a float32 island holds the value", weights="float32 tensors hold the value"):
    """Wrong in `full` and wherever float16 is forced; right in `weights`, and in `mixed` where that is promised."""
    labels = [policy(because, precision="full")]
    for precision in ["weights", "mixed"]:
        labels.append(policy(FORCES, precision=precision, system=FORCED))
    return labels + [right(mixed, precision="mixed"), right(weights)]


def case(name, title, link, graph, inputs, expects, precisions=(), notes="", systems=()):
    """Writes one case; `inputs` is {set: {input: array}}."""
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.txt").write_text(graph.strip() + "\n")
    types = dict(re.findall(r"^(\w+) = input (\w+)\[", graph, re.M))
    arrays = {f"{s}/{k}": np.asarray(v).astype(TYPES[types[k]]) for s, xs in inputs.items() for k, v in xs.items()}
    np.savez_compressed(folder / "inputs.npz", **arrays)
    lines = [f'title = "{title}"']
    for key, names in [("precisions", precisions), ("systems", systems)]:
        if names:
            lines.append(f"{key} = [" + ", ".join(f'"{p}"' for p in names) + "]")
    if notes:
        lines.append(f'notes = """\n{notes.strip()}\n"""')
    lines += ["", "[origin]", 'kind = "report"', f'link = "{link}"', ""]
    expects = [expects] if isinstance(expects, str) else expects
    (folder / "case.toml").write_text("\n".join(lines) + "\n" + "\n".join(expects))


def grid(*shape):
    """Small distinct multiples of a quarter, exact in float16."""
    n = int(np.prod(shape))
    return ((np.arange(n) * 7 % 41) / 4 - 5).reshape(shape)


def half(*shape):
    """The same as float16."""
    return grid(*shape).astype(np.float16)


def normal(seed, *shape, scale=1.0):
    """Standard normal numbers."""
    return np.random.RandomState(seed).randn(*shape) * scale
