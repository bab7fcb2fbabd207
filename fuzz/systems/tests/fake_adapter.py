"""An adapter for tests: what it does with an order is its argument. Standard library only."""

import json
import os
import sys
import time

manner = sys.argv[1]


def say(**message):
    print(json.dumps(message), flush=True)


if manner == "greets-with-garbage":
    print("hello", flush=True)
if manner == "dies-before-greeting":
    sys.exit("no license")
if manner == "speaks-version-9":
    say(protocol=9, name="fake", version="1", takes="onnx", precisions=["full"])
if manner == "never-greets":
    time.sleep(60)
gives = "onnx" if manner == "copies-onnx" else "tflite"
say(protocol=1, name="fake", version="1.0", takes="onnx", gives=gives, precisions=["weights", "full"])
for number, line in enumerate(sys.stdin):
    order = json.loads(line)
    source = open(order["source"], "rb").read()
    # A source that names a manner is treated in that manner: one process may do one thing after another.
    now = source.decode() if source.startswith(b"dies") or source.startswith(b"copies") else manner
    if now == "refuses":
        say(id=order["id"], outcome="refused", text="no kernel for it", operator="tfl.pad")
    elif now == "fails":
        say(id=order["id"], outcome="failed", text="ValueError: no")
    elif now == "cannot-use-it":
        say(id=order["id"], outcome="unusable", text="not in this form")
    elif now == "prints-garbage":
        print("Converting 1 of 1 ...", flush=True)
    elif now == "answers-another-order":
        say(id=order["id"] + 1, outcome="converted")
    elif now == "writes-nothing":
        say(id=order["id"], outcome="converted")
    elif now == "endless-line":
        while True:
            sys.stdout.write("x" * 65536)
    elif now == "dies":
        print("terminate called", file=sys.stderr, flush=True)
        os.abort()
    elif now == "dies-when-old" and number > 0:
        os._exit(3)
    elif now == "hangs":
        time.sleep(600)
    elif now == "hangs-with-a-child":
        import subprocess

        child = subprocess.Popen(["sleep", "600"])
        open(os.environ["CHILD"], "w").write(str(child.pid))
        child.wait()
    elif now == "eats-memory":
        hoard = []
        while True:
            hoard.append(bytearray(1 << 24))
    else:
        with open(order["target"], "wb") as target:
            target.write(b"not a model" if now == "broken-file" else source)
        say(id=order["id"], outcome="converted")
