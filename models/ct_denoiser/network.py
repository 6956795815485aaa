"""The network, and what its training and its measuring share: reading what training_set.yaml wrote."""

import pathlib

import numpy
import torch
from torch import nn

HU = 1000.0  # the network sees kHU; `isocenter.intensity` in the file says so


class Denoiser(nn.Module):
    """A residual U-Net of two levels, 2.5-D: most convolutions are in the slice, two look at its neighbours. It gives
    the image less the noise that it found."""

    def __init__(self, channels=16):
        super().__init__()
        wide = 2 * channels

        def flat(a, b):
            return nn.Conv3d(a, b, (1, 3, 3), padding=(0, 1, 1))

        def deep(a, b):
            return nn.Conv3d(a, b, 3, padding=1)

        act = nn.ReLU()
        self.fine = nn.Sequential(deep(1, channels), act, flat(channels, channels), act)
        self.down = nn.Sequential(nn.Conv3d(channels, wide, (1, 2, 2), stride=(1, 2, 2)), act)
        self.coarse = nn.Sequential(deep(wide, wide), act, flat(wide, wide), act, flat(wide, wide), act)
        self.up = nn.ConvTranspose3d(wide, channels, (1, 2, 2), stride=(1, 2, 2))
        self.last = nn.Sequential(flat(channels, channels), act, flat(channels, 1))
        nn.init.zeros_(self.last[-1].weight)
        nn.init.zeros_(self.last[-1].bias)

    def forward(self, image):
        fine = self.fine(image)
        return image - self.last(torch.relu(fine + self.up(self.coarse(self.down(fine)))))


def read_nifti(file):
    """HU, z, y, x, of an uncompressed NIfTI-1 file of int16 (https://nifti.nimh.nih.gov/nifti-1)."""
    data = pathlib.Path(file).read_bytes()
    shape = numpy.frombuffer(data, "<i2", 8, 40)
    if shape[0] != 3 or numpy.frombuffer(data, "<i2", 1, 70)[0] != 4:
        raise SystemExit(f"{file} is no 3-D volume of int16. Fix: give a folder that training_set.yaml wrote.")
    first = int(numpy.frombuffer(data, "<f4", 1, 108)[0])
    return numpy.frombuffer(data, "<i2", offset=first).reshape(shape[3:0:-1]).astype(numpy.float32)


def scans(folder):
    """The numbers of a set's items."""
    found = sorted(int(f.stem.split("_")[1]) for f in pathlib.Path(folder).glob("clean_*.nii"))
    if not found:
        raise SystemExit(f"{folder} holds no clean_*.nii. Fix: run training_set.yaml with --output {folder}.")
    return found


def read_scan(folder, item, *kinds):
    return [read_nifti(pathlib.Path(folder) / f"{kind}_{item:04d}.nii") for kind in kinds]
