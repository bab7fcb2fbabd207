"""LiteRT's other front, `ai_edge_litert.interpreter.Interpreter`, as a worker.

Speaks what `fuzz/systems/src/protocol.rs` speaks, over the socket that is standard input: frames of a length and bytes,
little-endian; a greeting, then batches of jobs, one answer per job. Whether tensors are made visible is not its affair: it
runs the file that it is given and answers with all its outputs.

Arguments: --memory BYTES (address space), --seconds N (after which a job ends the process).
"""

import argparse
import faulthandler
import os
import re
import resource
import socket
import struct
import sys

# Before numpy: threads of a library that nothing here needs reserve address space each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The modes of `Mode::ALL` in runtimes/litert.rs that this front has, by number.
RESOLVERS = {0: "BUILTIN_REF", 1: "BUILTIN_WITHOUT_DEFAULT_DELEGATES", 2: "BUILTIN"}
# `DTYPES` of protocol.rs.
DTYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
# `TRACE_MARK` of ffi.rs.
TRACE_MARK = "halfproof-call "
OK, REFUSED = 0, 1


class Refused(Exception):
    def __init__(self, stage, text):
        super().__init__(text)
        self.stage, self.text = stage, text


def words(error):
    """The library's own words on one line. It ends the sentences of its messages without a space."""
    text = re.sub(r"(?<=[^.\s])\.(?=Node number )", ". ", str(error))
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


class Reader:
    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def bytes(self, count):
        self.at += count
        return self.payload[self.at - count : self.at]

    def byte(self):
        return self.bytes(1)[0]

    def word(self):
        return struct.unpack("<I", self.bytes(4))[0]

    def tensor(self):
        import numpy as np

        dtype = np.dtype(DTYPES[self.byte()])
        shape = [self.word() for _ in range(self.word())]
        count = 1
        for extent in shape:
            count *= extent
        return np.frombuffer(self.bytes(count * dtype.itemsize), dtype).reshape(shape)

    def job(self):
        mode, trace, _taps = self.byte(), self.byte() != 0, self.byte()
        model = self.bytes(self.word())
        return mode, trace, model, [[self.tensor() for _ in range(self.word())] for _ in range(self.word())]


def encode(outcomes):
    def text(value):
        value = value.encode()
        return struct.pack("<I", len(value)) + value

    out = [struct.pack("<I", len(outcomes))]
    for outcome in outcomes:
        stage, why, outputs = (outcome.stage, outcome.text, []) if isinstance(outcome, Refused) else ("", "", outcome)
        # Whether kernels were accelerated is not known here: 0.
        out += [bytes([REFUSED if stage else OK]), text(stage), text(why), b"\0", struct.pack("<I", len(outputs))]
        for array in outputs:
            out.append(struct.pack(f"<BI{array.ndim}I", DTYPES.index(array.dtype.name), array.ndim, *array.shape))
            out.append(array.tobytes())
        out.append(struct.pack("<I", 0))
    return b"".join(out)


def run(mode, trace, model, sets):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def call(stage, name, function, *arguments, **named):
        if trace:
            print(TRACE_MARK + name, file=sys.stderr, flush=True)
        try:
            return function(*arguments, **named)
        except (ValueError, RuntimeError) as error:
            # The resolver is asked while the file is loaded; here, as elsewhere, that is preparing.
            registration = "Didn't find op" in str(error)
            raise Refused("prepare" if registration else stage, words(error)) from error

    def fits(details, array):
        return details["dtype"] == array.dtype and tuple(details["shape"]) == array.shape

    def one(interpreter, arrays):
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != len(arrays):
            raise Refused("inputs", f"the model has {len(inputs)} inputs, {len(arrays)} were given")
        for at, (details, array) in enumerate(zip(inputs, arrays)):
            if not fits(details, array):
                wanted = f"{details['dtype'].__name__} {details['shape'].tolist()}"
                raise Refused("inputs", f"input {at} is {wanted}, but {array.dtype} {list(array.shape)} was given")
            call("inputs", "set_tensor", interpreter.set_tensor, details["index"], array)
        call("run", "invoke", interpreter.invoke)
        return [call("outputs", "get_tensor", interpreter.get_tensor, details["index"]) for details in outputs]

    try:
        resolver = OpResolverType[RESOLVERS[mode]]
        interpreter = call(
            "load", "Interpreter", Interpreter,
            model_content=model, num_threads=1, experimental_op_resolver_type=resolver,
        )
        call("prepare", "allocate_tensors", interpreter.allocate_tensors)
    except Refused as refusal:
        return [refusal] * len(sets)
    outcomes = []
    for arrays in sets:
        try:
            outcomes.append(one(interpreter, arrays))
        except Refused as refusal:
            outcomes.append(refusal)
    return outcomes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, default=resource.RLIM_INFINITY)
    parser.add_argument("--seconds", type=int, default=600)
    limits = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=0)

    def receive(count):
        parts = []
        while count and (part := connection.recv(min(count, 1 << 20))):
            parts.append(part)
            count -= len(part)
        return None if count else b"".join(parts)

    def send(payload):
        connection.sendall(struct.pack("<I", len(payload)) + payload)

    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except Exception as error:
        return send(b"\1" + f"{type(error).__name__}: {error}".encode())
    send(b"\0")
    while length := receive(4):
        batch = Reader(receive(struct.unpack("<I", length)[0]))
        for job in [batch.job() for _ in range(batch.word())]:
            faulthandler.dump_traceback_later(limits.seconds, exit=True)
            answer = encode(run(*job))
            faulthandler.cancel_dump_traceback_later()
            send(answer)


if __name__ == "__main__":
    main()
