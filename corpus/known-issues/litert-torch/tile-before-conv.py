"""litert-torch 0.10.0: tile before conv2d repeats other axes than it says.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import numpy as np
import torch
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 1, 1, bias=False)
        torch.nn.init.ones_(self.conv.weight)

    def forward(self, x):
        return self.conv(torch.tile(x, (1, 1, 2, 1)))


x = torch.tensor([[[[1.0, 2.0]], [[0.0, 0.0]]]])
model = Model().eval()
expected = model(x).detach().numpy()
interpreter = Interpreter(model_content=litert_torch.convert(model, (x,)).model_content())
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
interpreter.invoke()
actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("PyTorch:", expected.shape, expected.tolist(), "LiteRT:", actual.shape, actual.tolist())
sys.exit(int(not np.array_equal(expected, actual)))
