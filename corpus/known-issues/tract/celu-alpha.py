"""tract 0.23.9: Celu with alpha 2 is half of its value.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install tract==0.23.9 onnx==1.23.2 numpy
"""
import os
import sys
import tempfile
import numpy as np
import onnx.parser
import tract
from onnx.reference import ReferenceEvaluator

model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => (float[2] y) { y = Celu <alpha = 2.0> (x) }""")
inputs = {"x": np.float32([-0.01, -1])}
want = ReferenceEvaluator(model).run(None, inputs)[0]
path = os.path.join(tempfile.mkdtemp(), "model.onnx")
onnx.save(model, path)
got = tract.onnx().load(path).into_model().into_runnable().run(list(inputs.values()))[0].to_numpy()
print("results", got.ravel(), "want", want.ravel())
sys.exit(int(not np.allclose(got, want, rtol=1e-3, atol=1e-5, equal_nan=True)))
