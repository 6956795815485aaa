#!/usr/bin/env python3
"""The networks of networks_bench in PyTorch (channels-last, bfloat16, compiled where that works), from host memory.

  networks_peer.py [FILE]      writes JSON to FILE (networks_peer.json)

Exit code 77 where PyTorch or a GPU is not there.
"""
import json
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)
if not torch.cuda.is_available():
    print("PyTorch sees no GPU")
    sys.exit(77)


class Bottleneck(nn.Module):
    def __init__(self, ins, width, stride, first):
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(ins, width, 1), nn.ReLU(True), nn.Conv2d(width, width, 3, stride, 1), nn.ReLU(True),
            nn.Conv2d(width, 4 * width, 1))
        self.beside = nn.Conv2d(ins, 4 * width, 1, stride) if first else nn.Identity()

    def forward(self, x):
        return torch.relu(self.path(x) + self.beside(x))


def resnet50():
    """Batch normalisation is folded, as in networks_bench."""
    layers, ins = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            width = 64 << stage
            layers.append(Bottleneck(ins, width, 2 if stage > 0 and block == 0 else 1, block == 0))
            ins = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ins, 1000))


class UNet3d(nn.Module):
    def __init__(self, levels=5, first=32):
        super().__init__()

        def twice(ins, outs):
            parts = []
            for i in (ins, outs):
                parts += [nn.Conv3d(i, outs, 3, 1, 1), nn.InstanceNorm3d(outs, affine=True), nn.LeakyReLU(0.01, True)]
            return nn.Sequential(*parts)

        widths = [first << k for k in range(levels)]
        self.down = nn.ModuleList(twice(i, o) for i, o in zip([1] + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose3d(o, i, 2, 2) for i, o in zip(widths, widths[1:]))
        self.join = nn.ModuleList(twice(2 * i, i) for i in widths[:-1])
        self.last = nn.Conv3d(first, 4, 3, 1, 1)

    def forward(self, x):
        kept = []
        for k, block in enumerate(self.down):
            x = block(x if k == 0 else nn.functional.max_pool3d(x, 2))
            kept.append(x)
        for k in reversed(range(len(self.up))):
            x = self.join[k](torch.cat((kept[k], self.up[k](x)), 1))
        return self.last(x)


def measure(name, model, shape, layout, runs):
    model = model.eval().to("cuda", torch.bfloat16, memory_format=layout)
    host = [torch.randn(shape).pin_memory() for _ in range(2)]
    copies = torch.cuda.Stream()

    def run(network, count):
        """Batch i is copied while batch i - 1 is computed."""
        for i in range(count):
            with torch.cuda.stream(copies):
                x = host[i % 2].to("cuda", non_blocking=True)
            torch.cuda.current_stream().wait_stream(copies)
            x.record_stream(torch.cuda.current_stream())
            network(x.to(torch.bfloat16).to(memory_format=layout)).to("cpu", non_blocking=True)
        torch.cuda.synchronize()

    rows = []
    for kind in ("eager", "compiled"):
        try:
            network = torch.compile(model) if kind == "compiled" else model
            begin = time.perf_counter()
            run(network, 3)
            prepared = time.perf_counter() - begin
            begin = time.perf_counter()
            run(network, runs)
            rate = shape[0] * runs / (time.perf_counter() - begin)
        except Exception as e:  # torch.compile needs a compiler that may not be there
            print(f"{name:10} {kind:8} not measured: {str(e).splitlines()[0][:120]}")
            continue
        print(f"{name:10} {kind:8} bfloat16 batch {shape[0]:4}: {rate:10.2f} a second", flush=True)
        rows.append({"network": name, "engine": f"PyTorch {torch.__version__} {kind}", "precision": "bfloat16",
                     "batch": shape[0], "per_second": rate, "prepared_seconds": prepared})
    return rows


def main():
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        rows = measure("resnet50", resnet50(), (256, 3, 224, 224), torch.channels_last, 40)
        rows += measure("unet3d", UNet3d(), (1, 1, 128, 128, 128), torch.channels_last_3d, 20)
    with open(sys.argv[1] if len(sys.argv) > 1 else "networks_peer.json", "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
