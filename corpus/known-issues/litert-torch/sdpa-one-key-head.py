"""litert-torch 0.10.0: scaled_dot_product_attention with enable_gqa and one head of keys multiplies by keys that are not transposed.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0 "ai-edge-litert[model-utils]==2.3.0"
"""
import sys
import numpy as np
import torch
import torch.nn.functional as F
import litert_torch
from ai_edge_litert.interpreter import Interpreter


class Model(torch.nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


# Two heads of queries share the one head of keys and values.
inputs = (torch.ones(1, 2, 1, 2), torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]]), torch.tensor([[[[1.0], [0.0]]]]))
expected = Model()(*inputs).numpy()
model = litert_torch.convert(Model().eval(), inputs).model_content()
try:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    for detail, value in zip(sorted(interpreter.get_input_details(), key=lambda d: d["name"]), inputs):
        interpreter.set_tensor(detail["index"], value.numpy().astype(detail["dtype"]))
    interpreter.invoke()
except (RuntimeError, ValueError) as error:
    print("the converted model does not run:", str(error)[-200:])
    sys.exit(1)
actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("PyTorch:", expected.ravel()[:8], "LiteRT:", actual.ravel()[:8])
sys.exit(int(not np.allclose(expected.astype(np.float64), actual.astype(np.float64), rtol=1e-3, atol=1e-3, equal_nan=True)))
