"""Exports the small real architectures of corpus/models from PyTorch, with random weights from a fixed seed.

    python -m venv venv && venv/bin/pip install -r corpus/models/requirements.txt
    venv/bin/python corpus/models/export.py corpus/models

Every model keeps its published structure; widths are cut so that the files stay small.
"""
import sys
from pathlib import Path

import torch
from torch import nn


class Founding(nn.Sequential):
    """The model of the report that started halfproof: fails in float16 elsewhere, must be pure float16 here."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 1, 8, stride=8, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 32, 10))

    sample = (torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)),)


class Residual(nn.Module):
    """A residual CNN with batch norm (He et al. 2016)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.a = self.block(16, 16, 1)
        self.b = self.block(16, 32, 2)
        self.skip = nn.Sequential(nn.Conv2d(16, 32, 1, 2, bias=False), nn.BatchNorm2d(32))
        self.head = nn.Linear(32, 10)

    @staticmethod
    def block(i, o, s):
        return nn.Sequential(
            nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
            nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.a(x))
        x = torch.relu(self.skip(x) + self.b(x))
        return self.head(x.mean((2, 3)))

    sample = (torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)),)


class MobileSE(nn.Module):
    """An inverted residual with depthwise convolution and squeeze-and-excitation (MobileNetV3)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2d(16, 48, 1, bias=False), nn.BatchNorm2d(48), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(48, 48, 5, 1, 2, groups=48, bias=False), nn.BatchNorm2d(48), nn.Hardswish())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(48, 12, 1), nn.ReLU(), nn.Conv2d(12, 48, 1), nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(48, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        x = self.stem(x)
        y = self.depthwise(self.expand(x))
        return self.head(x + self.project(y * self.squeeze(y)))

    sample = (torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(3)),)


class Vit(nn.Module):
    """A patch embedding and one pre-norm encoder block (Dosovitskiy et al. 2021)."""

    def __init__(self, d=48, heads=4):
        super().__init__()
        self.d, self.heads = d, heads
        self.patch = nn.Conv2d(3, d, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, d) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 17, d) * 0.02)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.head = nn.Linear(d, 10)

    def attention(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5).softmax(-1)
        return self.out((a @ v).transpose(1, 2).reshape(b, n, d))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm3(x)[:, 0])

    sample = (torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(4)),)


class Bert(nn.Module):
    """Embeddings, one post-norm encoder layer with an additive mask of finfo.min scale, and a pooler (Devlin et al. 2019)."""

    def __init__(self, vocabulary=200, d=48, heads=4, length=16):
        super().__init__()
        self.heads = heads
        self.word, self.position = nn.Embedding(vocabulary, d), nn.Embedding(length, d)
        self.norm0, self.norm1, self.norm2 = (nn.LayerNorm(d, eps=1e-12) for _ in range(3))
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.pool = nn.Linear(d, d)

    def split(self, x):
        b, n, d = x.shape
        return x.view(b, n, self.heads, d // self.heads).transpose(1, 2)

    def forward(self, ids, mask):
        n = ids.shape[1]
        x = self.norm0(self.word(ids) + self.position(torch.arange(n)))
        bias = (1.0 - mask[:, None, None, :]) * -10000.0
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        a = torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5) + bias, -1)
        y = (a @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + self.out(y))
        x = self.norm2(x + self.down(nn.functional.gelu(self.up(x))))
        return x, torch.tanh(self.pool(x[:, 0]))

    sample = (torch.arange(16).reshape(1, 16) * 7 % 200, torch.tensor([[1.0] * 12 + [0.0] * 4]))


class UNet(nn.Module):
    """Two levels down and up with skip connections and transposed convolutions (Ronneberger et al. 2015)."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = self.double(1, 8), self.double(8, 16), self.double(16, 32)
        self.up1, self.up2 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.d, self.e = self.double(32, 16), self.double(16, 8)
        self.out = nn.Conv2d(8, 2, 1)
        self.pool = nn.MaxPool2d(2)

    @staticmethod
    def double(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())

    def forward(self, x):
        a = self.a(x)
        b = self.b(self.pool(a))
        c = self.c(self.pool(b))
        d = self.d(torch.cat([self.up1(c), b], 1))
        return self.out(self.e(torch.cat([self.up2(d), a], 1)))

    sample = (torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(6)),)


class Tagger(nn.Module):
    """A bidirectional LSTM over a sequence of vectors."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(12, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(self.lstm(x)[0])

    sample = (torch.randn(1, 10, 12, generator=torch.Generator().manual_seed(7)),)


class Speech(nn.Module):
    """A 1-D convolution and a two-layer GRU, as keyword spotters have."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(10, 16, 5, 2, 2)
        self.gru = nn.GRU(16, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 6)

    def forward(self, x):
        y, _ = self.gru(torch.relu(self.conv(x)).transpose(1, 2))
        return self.head(y[:, -1]).log_softmax(-1)

    sample = (torch.randn(1, 10, 24, generator=torch.Generator().manual_seed(8)),)


MODELS = {
    "founding": Founding, "residual": Residual, "mobile-se": MobileSE, "vit-block": Vit, "bert-block": Bert,
    "unet": UNet, "lstm-tagger": Tagger, "gru-speech": Speech,
}


def main(folder: Path):
    for name, cls in MODELS.items():
        torch.manual_seed(0)
        model = cls().eval()
        for m in model.modules():  # statistics as after training, not the initial 0 and 1
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.2)
                m.running_var.uniform_(0.5, 1.5)
                m.weight.data.uniform_(0.5, 1.5)
                m.bias.data.normal_(0, 0.2)
        path = folder / f"{name}.onnx"
        torch.onnx.export(model, cls.sample, str(path), opset_version=17, dynamo=False, do_constant_folding=False)
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
