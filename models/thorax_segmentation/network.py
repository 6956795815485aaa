"""The network, and how it is run over a whole volume."""

import numpy
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

# What the phantom module's labels become (src/phantom/phantom.hpp, enum Label).
LABELS = ["background", "soft tissue", "lung and airways", "heart and vessels", "bone"]
COLOURS = [(0.0, 0.0, 0.0), (0.85, 0.65, 0.55), (0.45, 0.65, 0.90), (0.80, 0.15, 0.15), (0.95, 0.93, 0.85)]  # sRGB
FROM_PHANTOM = [0, 1, 2, 3, 4, 1, 1, 2]  # a lesion and the liver are soft tissue, airways go with the lung

SPACING_MM = 3.0
WINDOW_HU = (-1000.0, 1000.0)
WINDOW_VOXELS = 96


def normalise(hu):
    """HU to [0, 1]; air is 0, which is also what convolutions see beyond the border."""
    low, high = WINDOW_HU
    return ((hu - low) / (high - low)).clip(0.0, 1.0)


class Twice(nn.Sequential):
    """Two times convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in, channels_out):
        def once(a, b):
            return [nn.Conv3d(a, b, 3, padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU(inplace=True)]

        super().__init__(*once(channels_in, channels_out), *once(channels_out, channels_out))


class UNet(nn.Module):
    """Çiçek et al., "3D U-Net", MICCAI 2016, made small: batch normalisation can be folded into the convolutions, and
    statistics that do not depend on the window leave no seams between windows."""

    def __init__(self, channels=(8, 16, 32, 64), classes=len(LABELS)):
        super().__init__()
        self.down = nn.ModuleList(Twice(a, b) for a, b in zip((1,) + channels[:-1], channels))
        self.widen = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in zip(channels, channels[1:]))
        self.up = nn.ModuleList(Twice(2 * a, a) for a in channels[:-1])
        self.classify = nn.Conv3d(channels[0], classes, 1)

    def forward(self, x):
        """N × 1 × z × y × x in [0, 1] to N × classes × z × y × x, before softmax."""
        kept = []
        for level in self.down[:-1]:
            x = level(x)
            kept.append(x)
            x = functional.max_pool3d(x, 2)
        x = self.down[-1](x)
        for widen, level, skip in zip(reversed(self.widen), reversed(self.up), reversed(kept)):
            x = level(torch.cat([widen(x), skip], 1))
        return self.classify(x)


def sliding_window(network, hu, window=WINDOW_VOXELS, overlap=0.25):
    """Class probabilities (classes × z × y × x) of a volume with SPACING_MM: windows that overlap, blended with weights
    that fall towards their borders. `network` takes and gives NumPy arrays."""
    shape = numpy.array(hu.shape)
    padded = numpy.maximum(shape, window)
    x = numpy.zeros(padded, numpy.float32)
    x[: shape[0], : shape[1], : shape[2]] = normalise(hu)
    ramp = numpy.minimum(numpy.arange(window) + 0.5, window - 0.5 - numpy.arange(window)) / (window / 2)
    weight = ramp[:, None, None] * ramp[None, :, None] * ramp[None, None, :]
    weight = numpy.maximum(weight, 1e-3).astype(numpy.float32)
    starts = []
    for n in padded:
        count = int(numpy.ceil((n - window) / (window * (1 - overlap)))) + 1
        starts.append(numpy.unique(numpy.linspace(0, n - window, count).round().astype(int)))
    total, weights = None, numpy.zeros(padded, numpy.float32)
    for z in starts[0]:
        for y in starts[1]:
            for x0 in starts[2]:
                part = (slice(z, z + window), slice(y, y + window), slice(x0, x0 + window))
                result = network(x[part][None, None])[0]
                if total is None:
                    total = numpy.zeros((result.shape[0],) + tuple(padded), numpy.float32)
                total[(slice(None),) + part] += weight * result
                weights[part] += weight
    total /= weights
    return total[:, : shape[0], : shape[1], : shape[2]]


def onnx_runner(file):
    """The exported network, for sliding_window."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"image": x})[0]


def dice(truth, found, label):
    a, b = truth == label, found == label
    size = a.sum() + b.sum()
    return float("nan") if size == 0 else 2.0 * float((a & b).sum()) / float(size)
