"""Dice of each label on held-out chests: whole ones with white noise of 20 HU and nothing else changed, and patches
with all the variation of training."""

import argparse
import pathlib

import numpy
import torch

from network import LABELS, dice, onnx_runner, sliding_window
from variation import TrainingSet, patch


def whole_chests(network, chests):
    random = numpy.random.default_rng(1)
    for hu, labels in chests.chests:
        noisy = hu.numpy() + random.normal(0.0, 20.0, hu.shape).astype(numpy.float32)
        yield labels.numpy(), sliding_window(network, noisy).argmax(0)


def varied_patches(network, chests, count):
    for i in range(count):
        torch.manual_seed(9 * 10**17 + i)
        image, labels = patch(chests)
        yield labels.numpy(), network(image.numpy()[None, None])[0].argmax(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("onnx", type=pathlib.Path)
    parser.add_argument("held_out_set", type=pathlib.Path)
    parser.add_argument("--patches", type=int, default=200)
    arguments = parser.parse_args()
    network, chests = onnx_runner(arguments.onnx), TrainingSet(arguments.held_out_set)

    each = numpy.array([[dice(t, f, k) for k in range(len(LABELS))] for t, f in whole_chests(network, chests)])
    # One Dice over all patches together: many patches hold little or nothing of a label.
    pairs = list(varied_patches(network, chests, arguments.patches))
    truth, found = numpy.stack([p[0] for p in pairs]), numpy.stack([p[1] for p in pairs])
    print(f"| label | {len(each)} whole chests: mean | worst | {len(pairs)} varied patches |\n|---|---|---|---|")
    for k, name in enumerate(LABELS):
        varied = dice(truth, found, k)
        print(f"| {name} | {numpy.nanmean(each[:, k]):.3f} | {numpy.nanmin(each[:, k]):.3f} | {varied:.3f} |")


if __name__ == "__main__":
    main()
