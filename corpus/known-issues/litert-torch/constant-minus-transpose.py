"""litert-torch 0.10.0: a constant minus (or divided by) a transposed tensor has its operands swapped.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import numpy as np
import torch
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x.t())


x = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
wrong = False
for name, f in ("2 - x.t()", lambda t: 2 - t), ("1 / x.t()", lambda t: 1 / t):
    model = Model(f).eval()
    interpreter = Interpreter(model_content=litert_torch.convert(model, (x,)).model_content())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
    interpreter.invoke()
    want, got = model(x).numpy(), interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    print(name, "PyTorch:", want.tolist(), "LiteRT:", got.tolist())
    wrong |= not np.allclose(want, got)
sys.exit(int(wrong))
