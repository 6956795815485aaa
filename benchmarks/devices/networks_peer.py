#!/usr/bin/env python3
"""The networks of networks_bench in PyTorch (channels-last, compiled where that works) and ONNX Runtime, from host memory to
host memory on one GPU.

  networks_peer.py [--rehearse] [FILE]      writes JSON to FILE (networks_peer.json)

ONNX Runtime (PyPI onnxruntime-gpu) runs the same weights as PyTorch exports them, in float16 and in float32 (TF32), by one
and by two requests at a time: its interface overlaps the copies of one request with the computing of another only. What is
not installed is named in a row. Exit code 77 where PyTorch or a GPU is not there; --rehearse takes the CPU and small sizes, to
try the script itself: its figures say nothing.
"""
import io
import json
import sys
import threading
import time

REHEARSE = "--rehearse" in sys.argv
try:
    import torch
    from torch import nn
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)
if not torch.cuda.is_available() and not REHEARSE:
    print("PyTorch sees no GPU")
    sys.exit(77)
DEVICE = "cpu" if REHEARSE else "cuda"


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


def row(network, engine, precision, batch, count, prepared_s, run_s):
    rate = batch * count / run_s
    print(f"{network:10} {engine:34} {precision:8} batch {batch:4}: {rate:10.2f} a second", flush=True)
    return {"network": network, "engine": engine, "device": DEVICE, "precision": precision, "batch": batch,
            "per_second": rate, "prepared_seconds": prepared_s}


def missing(network, engine, why):
    print(f"{network:10} {engine:34} not measured: {why}", flush=True)
    return {"network": network, "engine": engine, "device": DEVICE, "not_measured": why}


def first_line(e):
    return (str(e).splitlines() or [type(e).__name__])[0][:200]


def batches_of_pytorch(layout, host):
    """A function that runs a network `count` times: batch i is copied while batch i - 1 is computed."""
    if REHEARSE:
        def run(network, count):
            for i in range(count):
                network(host[i % 2].to(torch.bfloat16).to(memory_format=layout)).float()
        return run
    copies = torch.cuda.Stream()

    def run(network, count):
        for i in range(count):
            with torch.cuda.stream(copies):
                x = host[i % 2].to(DEVICE, non_blocking=True)
            torch.cuda.current_stream().wait_stream(copies)
            x.record_stream(torch.cuda.current_stream())
            network(x.to(torch.bfloat16).to(memory_format=layout)).to("cpu", non_blocking=True)
        torch.cuda.synchronize()
    return run


def measure_pytorch(name, model, shape, layout, count):
    model = model.to(DEVICE, torch.bfloat16, memory_format=layout)
    host = [torch.randn(shape) for _ in range(2)]
    run = batches_of_pytorch(layout, host if REHEARSE else [x.pin_memory() for x in host])
    rows = []
    backend = "aot_eager" if REHEARSE else "inductor"  # which compiles for minutes on a CPU
    for kind in ("eager", "compiled"):
        engine = f"PyTorch {torch.__version__} {kind}"
        try:
            network = torch.compile(model, backend=backend) if kind == "compiled" else model
            begin = time.perf_counter()
            run(network, 3)
            prepared = time.perf_counter() - begin
            begin = time.perf_counter()
            run(network, count)
            rows.append(row(name, engine, "bfloat16", shape[0], count, prepared, time.perf_counter() - begin))
        except Exception as e:  # torch.compile needs a compiler that may not be there
            rows.append(missing(name, engine, first_line(e)))
    return rows


def exported(model, shape, precision):
    """The model as an ONNX file's bytes, weights, input and output in that precision."""
    dtype = torch.float16 if precision == "float16" else torch.float32
    file = io.BytesIO()
    torch.onnx.export(model.to(DEVICE, dtype), torch.zeros(shape, dtype=dtype, device=DEVICE), file, opset_version=17,
                      dynamo=False, input_names=["input"], output_names=["output"])
    return file.getvalue()


def measure_onnx_runtime(name, make, shape, count):
    try:
        import numpy as np
        import onnxruntime as ort
    except ImportError as e:
        return [missing(name, "ONNX Runtime", first_line(e))]
    engine, provider = f"ONNX Runtime {ort.__version__}", "CPUExecutionProvider" if REHEARSE else "CUDAExecutionProvider"
    if provider not in ort.get_available_providers():
        return [missing(name, engine, f"it has no {provider} (PyPI onnxruntime-gpu)")]
    rows = []
    for precision in ("float16", "float32"):
        titled = "tf32" if precision == "float32" and not REHEARSE else precision
        try:
            begin = time.perf_counter()
            options = {"cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": "1"}
            session = ort.InferenceSession(exported(make(), shape, precision),
                                           providers=[provider if REHEARSE else (provider, options)])
            if session.get_providers()[0] != provider:
                raise RuntimeError(f"{provider} did not start, see its messages")
            x = np.random.default_rng(1).normal(size=shape).astype(precision)

            def run(requests):
                for _ in range(requests):
                    session.run(None, {"input": x})

            run(3)
            prepared = time.perf_counter() - begin
            for at_once in (1, 2):
                threads = [threading.Thread(target=run, args=(count // at_once,)) for _ in range(at_once)]
                begin = time.perf_counter()
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
                rows.append(row(name, f"{engine}, {at_once} at once", titled, shape[0], count // at_once * at_once,
                                prepared, time.perf_counter() - begin))
        except Exception as e:
            rows.append(missing(name, f"{engine}, {titled}", first_line(e)))
    return rows


def main():
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    size, window, batch, counts = (64, 32, 2, (4, 2)) if REHEARSE else (224, 128, 256, (40, 20))
    cases = [("resnet50", resnet50, (batch, 3, size, size), torch.channels_last, counts[0]),
             ("unet3d", UNet3d, (1, 1) + (window,) * 3, torch.channels_last_3d, counts[1])]
    files = [w for w in sys.argv[1:] if not w.startswith("--")]
    rows = []

    def keep(more):  # at once: a time limit may end this program
        rows.extend(more)
        with open(files[0] if files else "networks_peer.json", "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)

    with torch.inference_mode():
        for name, make, shape, layout, count in cases:
            keep(measure_onnx_runtime(name, lambda: make().eval(), shape, count))
            keep(measure_pytorch(name, make().eval(), shape, layout, count))


if __name__ == "__main__":
    main()
