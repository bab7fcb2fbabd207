"""Checks cells of the matrix of litert-torch by hand: the same operators, written by a person for PyTorch, converted and
run with public packages only; nothing of halfproof takes part.

    target/systems/litert-torch/venv/bin/python xtask/checks/matrix_litert_torch.py reports/matrix/matrix.json

The cells are those of litert-xnnpack: LiteRT's Interpreter with its default delegate. Exit code 1: a cell disagrees.
"""

import contextlib
import io
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

import litert_torch
from ai_edge_litert.interpreter import Interpreter

# ONNX operator, the words of PyTorch, shapes of the inputs.
CELLS = [
    ("Abs", torch.abs, [(2, 5)]),
    ("Add", torch.add, [(2, 5), (2, 5)]),
    ("AveragePool", lambda x: F.avg_pool2d(x, 2), [(1, 3, 8, 8)]),
    ("BatchNormalization", torch.nn.BatchNorm2d(3), [(1, 3, 4, 4)]),
    ("Concat", lambda a, b: torch.cat([a, b], 1), [(2, 5), (2, 3)]),
    ("Conv", torch.nn.Conv2d(3, 2, 3), [(1, 3, 8, 8)]),
    ("ConvTranspose", torch.nn.ConvTranspose2d(3, 2, 3), [(1, 3, 4, 4)]),
    ("Cos", torch.cos, [(2, 5)]),
    ("Elu", F.elu, [(2, 5)]),
    ("Flatten", lambda x: torch.flatten(x, 1), [(2, 3, 4)]),
    ("Floor", torch.floor, [(2, 5)]),
    ("Gelu", F.gelu, [(2, 5)]),
    ("Greater", torch.greater, [(2, 5), (2, 5)]),
    ("LeakyRelu", F.leaky_relu, [(2, 5)]),
    ("Mul", torch.mul, [(2, 5), (2, 5)]),
    ("Neg", torch.neg, [(2, 5)]),
    ("Sigmoid", torch.sigmoid, [(2, 5)]),
    ("Softmax", lambda x: F.softmax(x, dim=-1), [(2, 5)]),
    ("Sqrt", torch.sqrt, [(2, 5)]),
    ("Transpose", lambda x: x.permute(1, 0), [(2, 5)]),
]


class Cell(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def run(model, inputs):
    """What LiteRT makes of it."""
    interpreter = Interpreter(model_content=model)
    runner = interpreter.get_signature_runner()
    names = sorted(runner.get_input_details())
    (result,) = runner(**dict(zip(names, [x.numpy() for x in inputs]))).values()
    return result


def by_hand(function, shapes):
    """One of: refused, does not run, wrong, right."""
    inputs = tuple(torch.rand(shape) for shape in shapes)
    module = Cell(function).eval()
    with torch.no_grad():
        expected = module(*inputs).numpy()
    narrow = tuple(x.half() for x in inputs)
    try:
        # It prints its progress.
        with contextlib.redirect_stdout(io.StringIO()):
            model = litert_torch.convert(module.half(), narrow).model_content()
    except Exception:
        return "refused"
    try:
        result = run(model, narrow)
    except Exception:
        return "does not run"
    error = np.abs(result.astype(np.float64) - expected).max() / max(1e-3, np.abs(expected).max())
    return "right" if error < 1e-2 else "wrong"


def in_matrix(cells):
    """The same word for the cells of an operator."""
    total = {key: sum(cell[key] for cell in cells) for key in ("cases", "unasked", "converted", "ran", "right")}
    if total["unasked"] == total["cases"]:
        return "not asked"
    if not total["converted"]:
        return "refused"
    if not total["ran"]:
        return "does not run"
    return "right" if total["right"] else "wrong"


def main(path):
    torch.manual_seed(1)
    with open(path) as file:
        cells = json.load(file)["cells"]
    agreed = 0
    for operator, function, shapes in CELLS:
        found = by_hand(function, shapes)
        said = in_matrix([c for c in cells if c["operator"] == operator and c["runtime"] == "litert-xnnpack"])
        agreed += found == said
        print(f"{operator:20} {found:14} {said:14} {'' if found == said else 'DISAGREE'}", flush=True)
    print(f"{agreed} of {len(CELLS)} agree")
    return agreed != len(CELLS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
