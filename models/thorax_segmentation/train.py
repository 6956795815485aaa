"""Trains the network on phantom chests and keeps its weights. See README.md for the whole recipe."""

import argparse
import math
import pathlib
import time

import torch
from torch.nn import functional

from network import LABELS, UNet
from variation import TrainingSet, patch


def loss_of(scores, labels):
    """Cross entropy plus one minus the mean soft Dice of the labels that are there (Milletari et al., 3DV 2016)."""
    entropy = functional.cross_entropy(scores, labels)
    found = torch.softmax(scores, 1)
    truth = functional.one_hot(labels, len(LABELS)).movedim(-1, 1).float()
    axes = (0, 2, 3, 4)
    overlap, sizes = (found * truth).sum(axes), (found + truth).sum(axes)
    there = truth.sum(axes) > 0
    return entropy + 1.0 - ((2.0 * overlap + 1.0) / (sizes + 1.0))[there].mean()


class Patches(torch.utils.data.Dataset):
    """Patch i depends on the seed and i alone, whichever process makes it."""

    def __init__(self, chests, seeds):
        self.chests, self.seeds = chests, seeds

    def __len__(self):
        return len(self.seeds)

    def __getitem__(self, i):
        torch.manual_seed(self.seeds[i])
        image, labels = patch(self.chests)
        return image[None], labels


def batches(chests, first_seed, steps, arguments):
    """The batches of a range of steps."""
    seeds = range(first_seed + steps.start * arguments.patches, first_seed + steps.stop * arguments.patches)
    return torch.utils.data.DataLoader(
        Patches(chests, seeds),
        batch_size=arguments.patches,
        num_workers=arguments.workers,
        prefetch_factor=4 if arguments.workers else 2,
        worker_init_fn=lambda _: torch.set_num_threads(1),
    )


def train(chests, arguments):
    torch.manual_seed(arguments.seed)
    network = UNet()
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=1e-4)
    done = load_checkpoint(network, optimiser, arguments) if arguments.resume else 0
    began, smooth = time.time(), None
    steps = range(done, arguments.steps)
    for step, (images, labels) in zip(steps, batches(chests, arguments.seed * 10**9, steps, arguments)):
        warm = min(1.0, (step + 1) / 50)
        rate = arguments.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / arguments.steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
            scores = network(images)
        loss = loss_of(scores.float(), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        if (step + 1) % 25 == 0:
            print(
                f"step {step + 1}/{arguments.steps} loss {smooth:.4f} rate {rate:.2e} "
                f"{(time.time() - began) / (step + 1 - done):.2f} s a step",
                flush=True,
            )
        if (step + 1) % 25 == 0:
            save_checkpoint(network, optimiser, step + 1, arguments)
    settle(network, batches(chests, arguments.seed * 10**9 + 5 * 10**8, range(40), arguments))
    torch.save(network.state_dict(), arguments.weights)


def schedule_of(arguments):
    """What a run that goes on must share with the one it goes on from."""
    return {name: getattr(arguments, name) for name in ("steps", "rate", "seed", "patches", "bfloat16")}


def save_checkpoint(network, optimiser, steps, arguments):
    """Under another name first: an interruption leaves the last one whole."""
    file = arguments.weights.with_suffix(".checkpoint")
    part = file.with_suffix(".part")
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "done": steps}
    torch.save({**state, "schedule": schedule_of(arguments)}, part)
    part.replace(file)


def load_checkpoint(network, optimiser, arguments):
    """The number of steps done."""
    state = torch.load(arguments.resume)
    for name, value in state["schedule"].items():
        if value != schedule_of(arguments)[name]:
            raise SystemExit(
                f"{arguments.resume} was trained with {name} {value}, this run has {schedule_of(arguments)[name]}. "
                "Fix: resume with the arguments of the run that was interrupted."
            )
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return state["done"]


def settle(network, some):
    """Replaces the running averages of batch normalisation by plain means at the final weights, over fresh patches."""
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm3d):
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean
    network.train()
    with torch.no_grad():
        for images, _ in some:
            network(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training_set", type=pathlib.Path)
    parser.add_argument("--weights", type=pathlib.Path, default=pathlib.Path("thorax_segmentation.pt"))
    parser.add_argument("--steps", type=int, default=1150)
    parser.add_argument("--patches", type=int, default=2, help="patches in a step")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of the training itself")
    parser.add_argument("--workers", type=int, default=1, help="processes that make patches")
    parser.add_argument("--bfloat16", action="store_true", help="faster on processors that have it")
    parser.add_argument("--resume", type=pathlib.Path, help="the .checkpoint of an interrupted run, to go on with it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(TrainingSet(arguments.training_set), arguments)


if __name__ == "__main__":
    main()
