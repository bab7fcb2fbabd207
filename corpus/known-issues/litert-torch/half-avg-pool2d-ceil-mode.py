"""litert-torch 0.10.0: avg_pool2d of a float16 tensor with ceil_mode and padding that counts ends the process.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install litert-torch==0.10.0
"""
import subprocess
import sys

CONVERT = """
import litert_torch, torch
import torch.nn.functional as F

class Model(torch.nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 4, stride=1, padding=1, ceil_mode=True, count_include_pad=True)

litert_torch.convert(Model().eval(), (torch.ones(1, 1, 2, 2).half(),))
"""
run = subprocess.run([sys.executable, "-c", CONVERT], capture_output=True, text=True)
print("exit code of the conversion:", run.returncode)
# A negative code is the number of the signal that ended the process.
sys.exit(int(run.returncode < 0))
