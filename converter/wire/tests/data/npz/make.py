"""Makes numpy.npz and numpy.npy with NumPy, so that the reader meets an outside writer. Run: python make.py"""

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
grid = np.arange(6).reshape(2, 3)
arrays = {
    "half": np.float16([0.5, -2, 65504, np.inf]),
    "single": (grid / 4).astype(np.float32),
    "double": np.float64(1e-300),
    "big endian": grid.astype(">i4"),
    "columns": np.asfortranarray(grid.astype(np.int64)),
    "bytes": grid.astype(np.uint8),
    "flags": grid % 2 == 0,
    "empty": np.zeros((0, 3), np.int16),
    "set/x": np.uint64([2**63]),
}
np.savez_compressed(HERE / "numpy.npz", **arrays)
np.save(HERE / "numpy.npy", arrays["columns"])
