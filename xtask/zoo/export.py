"""Exports real architectures with random weights as .onnx files, for `cargo xtask zoo`.

    python export.py FOLDER [NAME...]

Weights come from a fixed seed, and batch normalizations get statistics of their own (measured on random images), so
that activations are as large as in a trained model. One line of JSON per model goes to standard output.
"""

import inspect
import json
import logging
import pathlib
import sys
import time
import warnings

import numpy
import torch

SEED = 20261125
OPSET = 18


def vision(name, size, **options):
    import torchvision

    return torchvision.models.get_model(name, weights=None, **options).eval(), (torch.randn(1, 3, size, size),)


def features(model, inputs):
    return model.features, inputs


def segmentation(size):
    import torchvision

    class Only(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x)["out"]

    model = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)
    return Only(model.eval()), (torch.randn(1, 3, size, size),)


def ssdlite(size):
    import torchvision

    model = torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)

    class Backbone(torch.nn.Module):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def forward(self, x):
            return tuple(self.backbone(x).values())

    return Backbone(model.backbone.eval()), (torch.randn(1, 3, size, size),)


class First(torch.nn.Module):
    """The first result of a transformers model, without cache or dictionaries."""

    def __init__(self, model, **fixed):
        super().__init__()
        self.model = model
        self.fixed = fixed

    def forward(self, x):
        return self.model(x, return_dict=False, **self.fixed)[0]


class Masked(torch.nn.Module):
    """A text model with a padding mask."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, tokens, mask):
        return self.model(input_ids=tokens, attention_mask=mask, return_dict=False)[0]


def tokens(length, most):
    return torch.randint(0, most, (1, length), dtype=torch.int64)


def bert():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=200, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=32, attn_implementation="eager",
    )
    mask = torch.ones(1, 16, dtype=torch.int64)
    mask[0, 12:] = 0
    return Masked(BertModel(config).eval()), (tokens(16, 200), mask)


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=200, n_positions=32, n_embd=64, n_layer=2, n_head=4, use_cache=False, attn_implementation="eager",
        bos_token_id=0, eos_token_id=0,
    )
    return First(GPT2LMHeadModel(config).eval(), use_cache=False), (tokens(16, 200),)


def whisper():
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        num_mel_bins=16, d_model=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=128,
        max_source_positions=32, attn_implementation="eager",
    )
    return First(WhisperEncoder(config).eval()), (torch.randn(1, 16, 64),)


def mobilevit():
    from transformers import MobileViTConfig, MobileViTModel

    config = MobileViTConfig(
        image_size=64, hidden_sizes=[32, 48, 64], neck_hidden_sizes=[8, 16, 24, 32, 40, 48, 96],
        num_attention_heads=4, mlp_ratio=2.0,
    )
    return First(MobileViTModel(config).eval()), (torch.randn(1, 3, 64, 64),)


def segformer():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[16, 24, 32, 48], num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=32, num_labels=5,
    )
    return First(SegformerForSemanticSegmentation(config).eval()), (torch.randn(1, 3, 64, 64),)


def clip():
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=32,
        patch_size=8, attn_implementation="eager",
    )
    return First(CLIPVisionModel(config).eval()), (torch.randn(1, 3, 32, 32),)


def swin():
    import torchvision

    model = torchvision.models.SwinTransformer(
        patch_size=[4, 4], embed_dim=32, depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8], window_size=[4, 4], num_classes=10
    )
    return model.eval(), (torch.randn(1, 3, 64, 64),)


def convnext():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    blocks = [CNBlockConfig(32, 64, 1), CNBlockConfig(64, 96, 1), CNBlockConfig(96, 128, 2), CNBlockConfig(128, None, 1)]
    model = ConvNeXt(blocks, num_classes=10, layer_scale=0.1)
    return model.eval(), (torch.randn(1, 3, 64, 64),)


def vit():
    import torchvision

    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=16, num_layers=4, num_heads=4, hidden_dim=96, mlp_dim=192, num_classes=10
    )
    # Its classifier starts at zero, which would hide everything before it.
    torch.nn.init.normal_(model.heads.head.weight, std=0.05)
    return model.eval(), (torch.randn(1, 3, 32, 32),)


ZOO = {
    "resnet18": lambda: vision("resnet18", 64, num_classes=10),
    "mobilenet_v2": lambda: vision("mobilenet_v2", 64, num_classes=10),
    "mobilenet_v3_small": lambda: vision("mobilenet_v3_small", 64, num_classes=10),
    "efficientnet_b0": lambda: vision("efficientnet_b0", 64, num_classes=10),
    "shufflenet_v2": lambda: vision("shufflenet_v2_x0_5", 64, num_classes=10),
    "squeezenet": lambda: vision("squeezenet1_1", 64, num_classes=10),
    "densenet121": lambda: vision("densenet121", 64, num_classes=10),
    "vit_b_16": vit,
    "swin_t": swin,
    "convnext_tiny": convnext,
    "lraspp": lambda: segmentation(64),
    "ssdlite": lambda: ssdlite(64),
    "bert": bert,
    "gpt2": gpt2,
    "whisper_encoder": whisper,
    "mobilevit": mobilevit,
    "segformer": segformer,
    "clip_vision": clip,
}


def calibrate(model, inputs):
    """Gives every batch normalization the statistics of what it sees on random images."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for m in norms:
        m.momentum = None
        m.train()
    with torch.no_grad():
        for _ in range(2):
            # Several samples, because a map of one element has no variance of its own.
            model(*[torch.randn(4, *i.shape[1:]) for i in inputs])
    for m in norms:
        m.eval()


def export(name, folder):
    torch.manual_seed(SEED)
    model, inputs = ZOO[name]()
    calibrate(model, inputs)
    names = [p for p in inspect.signature(model.forward).parameters][: len(inputs)]
    path = folder / f"{name}.onnx"
    scratch = folder / f"{name}.tmp"
    torch.onnx.export(
        model, inputs, str(scratch), input_names=names, opset_version=OPSET, dynamo=DYNAMO, **MORE,
    )
    scratch.rename(path)
    samples(folder / f"{name}.npz", names, inputs)
    return path.stat().st_size


def samples(path, names, inputs):
    """Two samples of every input, one after the other: the one that was traced, and another one."""
    arrays = {}
    for name, first in zip(names, inputs):
        second = torch.randn_like(first) if first.is_floating_point() else first.flip(-1)
        arrays[name] = torch.stack([first, second]).numpy()
    numpy.savez(path, **arrays)


# The newer exporter is the default one; the older one traces, and is what most existing files come from.
DYNAMO = "--trace" not in sys.argv
MORE = {"external_data": False, "verbose": False} if DYNAMO else {}


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    folder = pathlib.Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in arguments[1:] or ZOO:
        begin = time.monotonic()
        try:
            line = {"model": name, "bytes": export(name, folder)}
        except Exception as e:  # one model must not keep the others from being exported
            failed = True
            line = {"model": name, "error": f"{type(e).__name__}: {e}".splitlines()[0][:400]}
        line["seconds"] = round(time.monotonic() - begin, 1)
        print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
