"""Trains the denoiser on what training_set.yaml wrote and keeps its weights. See README.md for the whole recipe.

--method pairs learns from noisy and clean scans; --method halves from noisy ones alone: what half of the views shows is
to predict the other half (Lehtinen et al., "Noise2Noise", ICML 2018), whose noise is independent of its own."""

import argparse
import pathlib
import time

import numpy
import torch
from torch.nn import functional

from network import HU, Denoiser, read_scan, scans

DEPTH, SIZE = 5, 64  # of a patch: slices, pixels along a row and a column


def smooth_noise(random, cells):
    """A field of unit variance (about) over a patch, that changes over SIZE / cells pixels."""
    coarse = torch.randn(1, 1, 3, cells, cells, generator=random)
    return functional.interpolate(coarse, size=(DEPTH, SIZE, SIZE), mode="trilinear", align_corners=True)[0, 0]


def patch(sets, random):
    """Two images of one patch, in kHU: what the network sees, and what it is to give. The phantom has no texture: some is
    added to both."""

    def draw(n):
        return int(torch.randint(n, (), generator=random))

    def uniform(low, high):
        return low + (high - low) * float(torch.rand((), generator=random))

    seen, wanted = sets[draw(len(sets))]
    at = [draw(n - p + 1) for n, p in zip(seen.shape, (DEPTH, SIZE, SIZE))]
    cut = tuple(slice(a, a + p) for a, p in zip(at, (DEPTH, SIZE, SIZE)))
    seen, wanted = torch.from_numpy(seen[cut]), torch.from_numpy(wanted[cut])
    if draw(2):
        seen, wanted = seen.flip(2), wanted.flip(2)
    if draw(2):
        seen, wanted = seen.flip(1), wanted.flip(1)
    if draw(2):
        seen, wanted = seen.transpose(1, 2), wanted.transpose(1, 2)
    texture = torch.zeros(())
    for cells in (4, 8, 16, 32):
        if draw(2):
            texture = texture + uniform(0.0, 40.0) * smooth_noise(random, cells)
    return (seen + texture) / HU, (wanted + texture) / HU


def other_noise(noise, random):
    """The noise of another dose and reconstruction kernel: weaker or stronger, every other time smoothed in the slice."""
    dose = 0.2 + 1.3 * float(torch.rand((), generator=random))
    if int(torch.randint(2, (), generator=random)):
        side = 0.6 * float(torch.rand((), generator=random))  # of the neighbours' weight to the middle's
        weights = torch.tensor([side, 1.0, side])
        weights = weights[:, None] * weights / (1 + 2 * side**2)  # white noise would keep its strength
        noise = functional.conv2d(functional.pad(noise[:, None], (1, 1, 1, 1), "replicate"), weights[None, None])[:, 0]
    return dose * noise


def pair_of(folder, item, method):
    """What the network sees and what it is to give, HU."""
    if method == "halves":
        return tuple(read_scan(folder, item, "even", "odd"))
    clean, noisy = read_scan(folder, item, "clean", "noisy")
    return noisy, clean


def train(arguments):
    torch.manual_seed(arguments.seed)
    random = torch.Generator().manual_seed(arguments.seed)
    sets = [pair_of(arguments.training_set, item, arguments.method) for item in scans(arguments.training_set)]
    network = Denoiser()
    if arguments.start is not None:
        network.load_state_dict(torch.load(arguments.start))
    optimiser = torch.optim.Adam(network.parameters(), lr=arguments.rate)
    began, smooth = time.process_time(), 0.0
    for step in range(arguments.steps):
        # Up over the first 2 %, then down along half a cosine.
        rate = arguments.rate * min(1.0, (step + 1) / (0.02 * arguments.steps))
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + numpy.cos(numpy.pi * step / arguments.steps)))
        images, targets = [], []
        for _ in range(arguments.patches):
            image, target = patch(sets, random)
            if arguments.method == "pairs":
                image = target + other_noise(image - target, random)
            elif int(torch.randint(2, (), generator=random)):
                image, target = target, image
            images.append(image)
            targets.append(target)
        found = network(torch.stack(images)[:, None])
        loss = functional.mse_loss(found, torch.stack(targets)[:, None])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.1)
        optimiser.step()
        smooth = loss.item() if step == 0 else 0.98 * smooth + 0.02 * loss.item()
        if (step + 1) % 25 == 0:
            print(
                f"step {step + 1}/{arguments.steps} error {HU * smooth**0.5:.1f} HU "
                f"{(time.process_time() - began) / (step + 1):.2f} s of processor time a step",
                flush=True,
            )
    torch.save(network.state_dict(), arguments.weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training_set", type=pathlib.Path)
    parser.add_argument("--method", choices=("pairs", "halves"), default="pairs")
    parser.add_argument("--weights", type=pathlib.Path, default=pathlib.Path("ct_denoiser.pt"))
    parser.add_argument("--start", type=pathlib.Path, help="weights to go on from")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--patches", type=int, default=6, help="patches in a step")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments)


if __name__ == "__main__":
    main()
