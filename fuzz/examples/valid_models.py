"""Asks the checker of the onnx package whether the models of a folder are valid; exits 1 when one is not.

    python valid_models.py FOLDER          (needs: pip install onnx)
"""

import collections
import pathlib
import re
import sys

import onnx

faults = collections.defaultdict(list)
files = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for path in files:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as error:  # whatever is wrong is the answer
        line = next(line for line in str(error).splitlines() if line.strip())
        faults[re.sub(r"\bn\d+\b|\d+", "#", line)[:160]].append(path.name)
for line, names in sorted(faults.items(), key=lambda item: -len(item[1])):
    print(f"{len(names):6} {line}  ({names[0]})")
print(f"{len(files)} models, {sum(map(len, faults.values()))} of them are not valid")
sys.exit(int(bool(faults)))
