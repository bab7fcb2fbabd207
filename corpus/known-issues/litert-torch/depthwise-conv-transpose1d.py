"""litert-torch 0.10.0: a depthwise conv_transpose1d becomes RESIZE_BILINEAR, whatever its weights.

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
        self.up = torch.nn.ConvTranspose1d(2, 2, 3, stride=2, padding=1, groups=2, bias=False)
        self.up.weight.data = torch.tensor([[[1.0, 5.0, 2.0]], [[3.0, 1.0, 7.0]]])

    def forward(self, x):
        return self.up(x)


x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
model = Model().eval()
expected = model(x).detach().numpy()
interpreter = Interpreter(model_content=litert_torch.convert(model, (x,)).model_content())
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
interpreter.invoke()
actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("PyTorch:", expected.tolist(), "LiteRT:", actual.tolist())
sys.exit(int(not np.allclose(expected, actual)))
