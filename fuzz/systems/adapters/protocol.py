"""The adapter's side of docs/adapter-protocol.md: reads orders on standard input, answers on standard output.

Libraries print what they like: while one converts, whatever goes to the file descriptors 1 and 2 is caught, and the line
of it that says what is wrong becomes the text of the answer.
"""

import gc
import json
import os
import re
import sys
import tempfile

# Words of a diagnostic of MLIR, with the place in front of them.
DIAGNOSTIC = re.compile(r"(?:^|\s)error: (.*)")
# Colours.
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
# What follows is the operation with its names and shapes, another one each time.
ILLEGAL = re.compile(r"failed to legalize operation '([\w.]+)'")


class Refused(Exception):
    """The converter says that it does not do this."""

    def __init__(self, text, operator=None):
        super().__init__(text)
        self.operator = operator


class Unusable(Exception):
    """The source program cannot be used in this form; the converter has not been asked."""


def serve(name, version, takes, precisions, convert, gives="tflite"):
    """Answers orders until standard input ends; `convert(path, precision)` gives the bytes of a file of the form `gives`."""
    # What the libraries made while they were imported stays: looking for garbage in it takes longer than some conversions.
    gc.collect()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    say(protocol=1, name=name, version=version, takes=takes, gives=gives, precisions=precisions)
    for line in sys.stdin:
        order = json.loads(line)
        say(id=order["id"], **answer(order, convert))


def answer(order, convert):
    with Log() as log:
        try:
            model = convert(order["source"], order["precision"])
        except Refused as refusal:
            return {"outcome": "refused", "text": str(refusal), "operator": refusal.operator}
        except Unusable as error:
            return {"outcome": "unusable", "text": str(error)}
        except Exception as error:  # whatever a converter raises is its answer
            said = log.diagnostic() or diagnostic(str(error))
            if illegal := ILLEGAL.search(said or ""):
                return {"outcome": "refused", "text": illegal[0], "operator": illegal[1]}
            return {"outcome": "failed", "text": said or f"{type(error).__name__}: {first_line(error)}"}
    with open(order["target"], "wb") as file:
        file.write(model)
    return {"outcome": "converted"}


def first_line(error):
    lines = [line.strip() for line in ESCAPE.sub("", str(error)).splitlines() if line.strip()]
    return lines[0] if lines else ""


def diagnostic(text):
    """The first error that a compiler wrote, if there is one."""
    for line in text.splitlines():
        if found := DIAGNOSTIC.search(line):
            return found[1].strip()
    return None


class Log:
    """Catches what is written to the file descriptor 2 (and 1, which is the same file).

    The harness gives a file and reads its last line when this process dies, so what a conversion writes stays there until
    it has ended. Anything else (a terminal) makes way for a file of our own.
    """

    def __enter__(self):
        sys.stderr.flush()
        try:
            self.start = os.lseek(2, 0, os.SEEK_END)
            os.pread(2, 0, 0)
            self.kept = []
        except OSError:
            self.start = 0
            self.kept = [os.dup(1), os.dup(2)]
            with tempfile.TemporaryFile() as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
        return self

    def __exit__(self, *_):
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), self.kept):
            os.dup2(kept, number)
            os.close(kept)
        if not self.kept:
            # A campaign is long, and nobody reads what a conversion wrote that has ended.
            os.ftruncate(2, self.start)
            os.lseek(2, self.start, os.SEEK_SET)

    def diagnostic(self):
        """The first error that a compiler wrote."""
        sys.stdout.flush()
        sys.stderr.flush()
        written = os.pread(2, os.fstat(2).st_size - self.start, self.start)
        return diagnostic(written.decode(errors="replace"))
