"""litert-torch 0.10.0: avg_pool2d with padding on one axis only gives another shape.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import sys
import litert_torch
import numpy as np
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, [5, 4], stride=[3, 3], padding=[1, 0], count_include_pad=False)


inputs = (torch.arange(12, dtype=torch.float32).reshape(1, 1, 3, 4),)
model = Model().eval()
expected = model(*inputs).numpy()
actual = np.asarray(litert_torch.convert(model, inputs)(*inputs))
print("PyTorch:", expected.shape, expected.ravel(), "LiteRT:", actual.shape, actual.ravel())
sys.exit(int(expected.shape != actual.shape or not np.allclose(expected, actual, rtol=1e-3)))
