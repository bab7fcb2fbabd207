"""litert-torch 0.10.0: the mean over two axes of an expanded tensor becomes a model that LiteRT cannot run.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import torch
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def forward(self, x):
        return x.expand(2, 1, 2, 1).mean(dim=[0, 2], keepdim=True)


x = torch.tensor([1.0, 2.0]).reshape(1, 2, 1)
model = Model().eval()
print("PyTorch:", model(x).flatten().tolist())
interpreter = Interpreter(model_content=litert_torch.convert(model, (x,)).model_content())
try:
    interpreter.allocate_tensors()
except RuntimeError as error:
    print("LiteRT:", error)
    sys.exit(1)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
interpreter.invoke()
print("LiteRT:", interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).flatten().tolist())
