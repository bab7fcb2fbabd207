"""litert-torch 0.10.0: tile of a tensor of rank 5 does not convert: it becomes a BROADCAST_TO of rank 10.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import torch
import litert_torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tile(x, (1, 2, 1, 1, 1))


x = torch.ones((2, 2, 1, 2, 2))
print("PyTorch:", tuple(Model()(x).shape))
try:
    litert_torch.convert(Model().eval(), (x,))
except Exception as error:
    print("the conversion fails:", str(error).split("error:")[-1].strip()[-80:])
    sys.exit(1)
print("LiteRT: converted")
