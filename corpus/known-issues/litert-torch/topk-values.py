"""litert-torch 0.10.0: the values of topk become STABLEHLO_SORT, which LiteRT does not have; its indices become TOPK_V2.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0 "ai-edge-litert[model-utils]==2.3.0"
"""
import sys
import torch
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return torch.topk(x, 2)[self.part]


x = torch.arange(10.0).reshape(2, 5)
for part, name in ((1, "indices"), (0, "values")):
    converted = litert_torch.convert(Model(part).eval(), (x,)).model_content()
    try:
        interpreter = Interpreter(model_content=converted)
        interpreter.allocate_tensors()
        print(name, "can be loaded")
    except Exception as error:
        print(name, "cannot be loaded:", str(error)[:100])
        sys.exit(1)
