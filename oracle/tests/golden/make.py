"""Packs the test cases of the PyPI package `onnx` that the reference can hold into onnx.npz.

Usage: python -m venv v && v/bin/pip install onnx==1.23.2 && v/bin/python oracle/tests/golden/make.py

Inputs and expected outputs are those of the package (Apache-2.0): its node tests, computed by its own numpy code, and the
models that it carries from PyTorch (those of opset 6 lifted to 9 by its own version converter). Each case becomes two ONNX
files: the model, and a graph without nodes whose outputs are the constants `given/NAME` and `expected/NAME`.
onnx.npz has three arrays: `files` (all of them, one after the other), `lengths`, and `names` (a line per case). Left out, with a count by reason on the terminal: operators outside the table, element types that halfproof does
not hold, and cases with more than LARGEST bytes of tensors unless an operator has no other.
"""

import io
import pathlib
import re
import sys
import warnings
from collections import Counter

import numpy as np
import onnx
import onnx.version_converter
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

HERE = pathlib.Path(__file__).parent
TABLE = HERE.parents[2] / "converter/ir/src/ops.rs"
LARGEST = 24_000
HELD = {
    TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL,
    TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
    TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
}
# Nodes that the reader removes or renames.
READ_AWAY = {"Constant", "Dropout", "Scatter", "Upsample"}


def known_operators():
    rows = re.findall(r"^        (\w+) \d+ [A-Z]\w+ \(\d", TABLE.read_text(), re.M)
    assert len(rows) > 90
    return set(rows) | READ_AWAY


def tensors(values):
    """As TensorProtos; None when one of them is a sequence, an optional or a map."""
    packed = []
    for value in values:
        if isinstance(value, TensorProto):
            packed.append(value)
        elif isinstance(value, (np.ndarray, np.generic, int, float, bool)):
            packed.append(numpy_helper.from_array(np.asarray(value)))
        else:
            return None
    return packed


def stored_cases():
    """Models with recorded data in the package's folders, as (name, model, inputs, outputs)."""
    root = pathlib.Path(onnx.__file__).parent / "backend/test/data"
    for kind in ["simple", "pytorch-operator", "pytorch-converted"]:
        for folder in sorted((root / kind).iterdir()):
            if not (folder / "model.onnx").exists():
                continue
            data = folder / "test_data_set_0"
            load = lambda stem: [
                TensorProto.FromString((data / f"{stem}_{i}.pb").read_bytes())
                for i in range(len(list(data.glob(f"{stem}_*.pb"))))
            ]
            yield folder.name, onnx.load(folder / "model.onnx"), load("input"), load("output")


def generated_cases():
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            if case.kind != "node":
                continue
            inputs, outputs = case.data_sets[0]
            yield case.name, case.model, inputs, outputs


def main():
    known, left_out, kept, covered = known_operators(), Counter(), [], set()
    size = lambda case: sum(len(t.SerializeToString()) for t in tensors([*case[2], *case[3]]) or [])
    for name, model, inputs, outputs in sorted([*generated_cases(), *stored_cases()], key=size):
        graph = model.graph
        if any(n.op_type not in known or n.domain not in ("", "ai.onnx") for n in graph.node):
            left_out["operator outside the table"] += 1
            continue
        inputs, outputs = tensors(inputs), tensors(outputs)
        if inputs is None or outputs is None:
            left_out["not tensors"] += 1
            continue
        everything = [*inputs, *outputs, *graph.initializer]
        if any(t.data_type not in HELD for t in everything):
            left_out["element type"] += 1
            continue
        operators = {n.op_type for n in graph.node}
        if sum(numpy_helper.to_array(t).nbytes for t in everything) > LARGEST and operators <= covered:
            left_out["too large"] += 1
            continue
        covered |= operators
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        if max(o.version for o in model.opset_import) < 7:
            try:
                copy = onnx.version_converter.convert_version(copy, 9)
            except Exception:
                left_out["opset 6"] += 1
                continue
        data = onnx.ModelProto(ir_version=8, opset_import=[onnx.helper.make_opsetid("", 13)])
        data.graph.name = "data"
        constants = {t.name for t in graph.initializer}
        fed = [v.name for v in graph.input if v.name not in constants]
        for names, values, prefix in [(fed, inputs, "given"), ([v.name for v in graph.output], outputs, "expected")]:
            for tensor_name, value in zip(names, values, strict=True):
                held = data.graph.initializer.add()
                held.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(value)))
                held.name = f"{prefix}/{tensor_name}"
                data.graph.output.add(name=held.name)
        for field in ["doc_string", "producer_name", "producer_version", "domain"]:
            copy.ClearField(field)
        for node in copy.graph.node:
            node.ClearField("doc_string")
        kept.append((name, *(m.SerializeToString(deterministic=True) for m in (copy, data))))
    kept.sort()
    files = [f for _, *both in kept for f in both]
    arrays = {
        "files": np.frombuffer(b"".join(files), np.uint8),
        "lengths": np.array([len(f) for f in files], np.int64),
        "names": np.frombuffer("\n".join(n for n, *_ in kept).encode(), np.uint8),
    }
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    (HERE / "onnx.npz").write_bytes(packed.getvalue())
    print(f"onnx {onnx.__version__}: {len(kept)} cases, {len(packed.getvalue())} bytes; left out: {dict(left_out)}")


if __name__ == "__main__":
    sys.exit(main())
