"""litert-torch: a torch.nn.Module becomes a .tflite, in one of three ways to float16.

    python torch_module.py half | quantizer | mixed
"""

import contextlib
import functools
import pathlib
import runpy
import sys
import tempfile
from importlib.metadata import version

import torch
from torch.export import decomp_utils, exported_program

import litert_torch
from protocol import Unusable, first_line, serve


def collect_operators_once():
    """torch.export asks four times a conversion which of torch's operators are composite. Here nobody registers any, so the
    answer stays, and a conversion takes two thirds of the time."""
    once = functools.cache(exported_program._collect_all_valid_cia_ops)
    exported_program._collect_all_valid_cia_ops = decomp_utils._collect_all_valid_cia_ops = once


def module(source):
    program = runpy.run_path(source)
    model, inputs = program["Model"]().eval(), program["inputs"]()
    try:
        model(*inputs)
    except Exception as error:
        raise Unusable(f"PyTorch itself does not run it: {type(error).__name__}: {first_line(error)}") from error
    return model, inputs


def narrowed(tensor):
    return tensor.half() if tensor.is_floating_point() else tensor


def half(source, _precision):
    model, inputs = module(source)
    return litert_torch.convert(model.half(), tuple(map(narrowed, inputs))).model_content()


@contextlib.contextmanager
def single(source):
    """The module as a float32 .tflite file, for as long as it is needed."""
    model, inputs = module(source)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "single.tflite"
        path.write_bytes(litert_torch.convert(model, tuple(inputs)).model_content())
        yield str(path)


def quantized(source, precision):
    import quantizer

    with single(source) as path:
        return quantizer.convert(path, precision)


def mixed(source, _precision):
    from litert_torch.generative.export_hf.core.mu import mixed_precision

    with single(source) as path:
        return bytes(mixed_precision.convert_model_to_fp16(path, None))


WAYS = {
    "half": ("litert-torch", ["full"], half),
    "quantizer": ("litert-torch+quantizer", ["weights"], quantized),
    "mixed": ("litert-torch+mixed", ["full"], mixed),
}

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    collect_operators_once()
    name, precisions, convert = WAYS[sys.argv[1]]
    serve(name, version("litert-torch"), "torch", precisions, convert)
