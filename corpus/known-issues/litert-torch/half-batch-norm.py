"""litert-torch 0.10.0: BatchNorm2d of a float16 module does not convert, and the error says nothing.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import torch
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(x)


x = torch.rand(1, 2, 4, 4)
model = Model().eval()
litert_torch.convert(model, (x,))
print("float32: converted")
try:
    content = litert_torch.convert(model.half(), (x.half(),)).model_content()
except ValueError as error:
    print("float16:", error)
    sys.exit(1)
Interpreter(model_content=content).allocate_tensors()
print("float16: converted")
