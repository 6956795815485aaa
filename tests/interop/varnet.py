"""The end-to-end variational network for MR from its publication, in small.

A. Sriram et al., "End-to-End Variational Networks for Accelerated MRI Reconstruction", MICCAI 2020: section 2.3, equation
(7) for a cascade, (8) for the refinement, and section 2.4 for the sensitivity maps. Complex values are a last axis of two
throughout; the Fourier transforms are ONNX's DFT, centred and orthonormal.
"""
import torch
from torch import nn
from torch.nn import functional as F


class Fourier(torch.autograd.Function):
    """One axis of (..., 2), not scaled; in a file ONNX's DFT, whose inverse is divided by the length."""

    @staticmethod
    def forward(ctx, x, axis, inverse):
        z = torch.view_as_complex(x.contiguous())
        return torch.view_as_real((torch.fft.ifft if inverse else torch.fft.fft)(z, dim=axis))

    @staticmethod
    def symbolic(g, x, axis, inverse):
        return g.op("DFT", x, axis_i=axis, inverse_i=int(inverse), onesided_i=0).setType(x.type())


def centred(x, inverse):
    """Along rows and columns of (batch, coils, y, x, 2), the lowest frequency in the middle."""
    for axis in (2, 3):
        n = int(x.shape[axis])
        x = torch.roll(x, (n + 1) // 2, axis)
        x = Fourier.apply(x, axis, inverse) * (n**0.5 if inverse else n**-0.5)
        x = torch.roll(x, n // 2, axis)
    return x


def product(a, b):
    return torch.stack((a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1], a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]), -1)


def conjugate(a):
    return torch.stack((a[..., 0], -a[..., 1]), -1)


def block(channels, out):
    layers = []
    for n in (channels, out):
        layers += [nn.Conv2d(n, out, 3, padding=1, bias=False), nn.InstanceNorm2d(out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, width, levels):
        super().__init__()
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(block(a, b) for a, b in zip([2] + widths[:-2], widths[:-1]))
        self.deepest = block(widths[-2], widths[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(2 * w, w, 2, 2, bias=False), nn.InstanceNorm2d(w), nn.LeakyReLU(0.2))
            for w in reversed(widths[:-1]))
        self.join = nn.ModuleList(block(2 * w, w) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.deepest(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips)):
            x = join(torch.cat((up(x), skip), 1))
        return self.last(x)


class NormalisedUNet(nn.Module):
    """Real and imaginary part as channels, each of mean 0 and deviation 1, padded with zeros for the levels."""

    def __init__(self, width, levels):
        super().__init__()
        self.net, self.step = UNet(width, levels), 1 << levels

    def forward(self, x):
        b, c, h, w, _ = map(int, x.shape)
        x = x.permute(0, 1, 4, 2, 3).reshape(b * c, 2, h, w)
        mean, deviation = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
        over_y, over_x = -h % self.step, -w % self.step
        pads = (over_x // 2, over_x - over_x // 2, over_y // 2, over_y - over_y // 2)
        x = self.net(F.pad((x - mean) / deviation, pads))
        x = x[:, :, pads[2]:pads[2] + h, pads[0]:pads[0] + w] * deviation + mean
        return x.reshape(b, c, 2, h, w).permute(0, 1, 3, 4, 2)


class VarNet(nn.Module):
    """k-space (1, coils, y, x, 2) and its mask (1, 1, 1, x, 1) to the image's magnitude (1, y, x)."""

    def __init__(self, cascades=2, width=4, levels=2, calibration=6):
        super().__init__()
        self.sensitivity = NormalisedUNet(width, levels)
        self.refine = nn.ModuleList(NormalisedUNet(width, levels) for _ in range(cascades))
        self.weight = nn.Parameter(torch.linspace(0.6, 1.1, cascades))
        self.calibration = calibration

    def maps(self, measured):
        n = int(measured.shape[3])
        first = (n - self.calibration + 1) // 2
        middle = (torch.arange(n) >= first) & (torch.arange(n) < first + self.calibration)
        coils = centred(measured * middle.float().view(1, 1, 1, n, 1), True)
        b, c, h, w, _ = map(int, coils.shape)
        maps = self.sensitivity(coils.reshape(b * c, 1, h, w, 2)).reshape(b, c, h, w, 2)
        return maps / torch.sqrt((maps**2).sum((1, 4), keepdim=True))

    def forward(self, measured, mask):
        maps, k = self.maps(measured), measured
        for refine, weight in zip(self.refine, self.weight):
            image = product(centred(k, True), conjugate(maps)).sum(1, keepdim=True)
            k = k - weight * mask * (k - measured) - centred(product(refine(image), maps), False)
        return torch.sqrt((centred(k, True)**2).sum((1, 4)))
