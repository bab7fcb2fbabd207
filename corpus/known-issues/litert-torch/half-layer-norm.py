"""litert-torch 0.10.0: LayerNorm of a float16 module does not convert: float32 and float16 meet inside.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import torch
import litert_torch

model = torch.nn.LayerNorm(8).half().eval()
x = torch.ones((1, 8), dtype=torch.float16)
print("PyTorch:", model(x).dtype)
try:
    litert_torch.convert(model, (x,))
except Exception as error:
    print("the conversion fails:", str(error).split("error:")[-1].strip()[:200])
    sys.exit(1)
print("LiteRT: converted")
