"""litert-torch 0.10.0: a linear layer on a tensor of shape [1, 1, 1, 4] does not convert.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import torch
import litert_torch

model = torch.nn.Linear(4, 5).eval()
for shape in ([1, 2, 3, 4], [1, 4], [1, 1, 1, 4]):
    x = torch.ones(shape)
    try:
        litert_torch.convert(model, (x,))
        print("PyTorch:", tuple(model(x).shape), "LiteRT: converted")
    except Exception as error:
        print("PyTorch:", tuple(model(x).shape), "LiteRT:", str(error).split("error:")[-1].strip()[:200])
        sys.exit(1)
