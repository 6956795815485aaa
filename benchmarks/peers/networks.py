#!/usr/bin/env python3
"""Networks side by side on the CPU: Isocenter, ONNX Runtime and OpenVINO on the same files and inputs.

    python3 -m venv peers && peers/bin/pip install numpy onnx onnxruntime openvino
    peers/bin/python benchmarks/peers/networks.py build/release/bin/peer_networks [THREADS] [--markdown] [--all-operators] [NAME ...]

ResNet-50 and DenseNet-121 at 224 x 224, a 3-D U-Net at 96^3, DnCNN at 512 x 512 and UNETR's encoder for 96^3
(network_models.py: public definitions, random weights), each in float32, bfloat16 and int8 where an engine has it: ours
with ranges from the input itself ("int8"), and ours, ONNX Runtime and OpenVINO on the file that ONNX Runtime's static
quantisation makes of the same input ("QDQ": weights by channel, around convolutions, and around matrix products for the
encoder; --all-operators: around all that it quantises). What ours runs in which precision follows each network. Engines take turns of a few runs, so that what
else the machine does hits all alike. Prints for each the shortest and the median elapsed time, the shortest processor
time of all threads together (what a busy machine disturbs least), the time from nothing to the first result, and the
norm of the difference to ONNX Runtime's float32 over its norm; ends with 1 where ours is not near ONNX Runtime's on the
same quantised file. Quote the ratios of one run, not the seconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import openvino
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from network_models import NETWORKS

TURNS = {"ResNet-50": (6, 8), "DenseNet-121": (6, 8), "3-D U-Net": (3, 1), "DnCNN": (3, 1),
         "UNETR encoder": (4, 2)}  # turns, runs in each

QDQ_BOUND = 0.1  # of the difference's norm to what ONNX Runtime gives on the same quantised file


class Python:
    """An engine in this process; `make` gives a function from input to output."""

    def __init__(self, make, x):
        begin = time.perf_counter()
        self.infer, self.x = make(), x
        self.result = self.infer(x)
        self.first_s = time.perf_counter() - begin

    def runs(self, count):
        times = []
        for _ in range(count):
            begin, processor = time.perf_counter(), time.process_time()
            self.infer(self.x)
            times.append((time.perf_counter() - begin, time.process_time() - processor))
        return times


class Ours:
    """benchmarks/peers/networks.cpp in a process of its own."""

    def __init__(self, program, model, x, precision, threads, folder):
        source, target = os.path.join(folder, "in.raw"), os.path.join(folder, "out.raw")
        x.tofile(source)
        self.process = subprocess.Popen([program, model, source, target, precision, str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        told = json.loads(self.process.stdout.readline())
        self.first_s, self.version, self.told = told["first_result_s"], told["engine"], told
        self.result = np.fromfile(target, np.float32)

    def runs(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        numbers = [float(v) for v in self.process.stdout.readline().split()]
        return list(zip(numbers[::2], numbers[1::2]))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def onnx_runtime(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def open_vino(model, precision, threads):
    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    return lambda x: request.infer({0: x})[0]


class OneInput(CalibrationDataReader):
    def __init__(self, x):
        self.left = [{"input": x}]

    def get_next(self):
        return self.left.pop() if self.left else None


def quantised(path, x):
    """The model with QuantizeLinear and DequantizeLinear around its convolutions."""
    prepared, target = path + ".prepared", path + ".int8"
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    convolves = any(node.op_type == "Conv" for node in onnx.load(prepared).graph.node)
    kinds = None if "--all-operators" in sys.argv else ["Conv"] if convolves else ["MatMul", "Gemm"]
    quantize_static(prepared, target, OneInput(x), per_channel=True, op_types_to_quantize=kinds,
                    extra_options={"MatMulConstBOnly": kinds is not None})
    return target


def processor_name():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")


def compare(name, program, threads, folder, write):
    path = os.path.join(folder, "model.onnx")
    model = NETWORKS[name]()
    onnx.save(model, path)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    engines = {
        ("float32", "Isocenter"): Ours(program, path, x, "float32", threads, folder),
        ("float32", "ONNX Runtime"): Python(lambda: onnx_runtime(path, threads), x),
        ("float32", "OpenVINO"): Python(lambda: open_vino(path, "f32", threads), x),
        ("bfloat16", "Isocenter"): Ours(program, path, x, "bfloat16", threads, folder),
        ("bfloat16", "OpenVINO"): Python(lambda: open_vino(path, "bf16", threads), x),
        ("int8", "Isocenter"): Ours(program, path, x, "int8", threads, folder),
        ("QDQ", "Isocenter"): Ours(program, quantised(path, x), x, "int8", threads, folder),
        ("QDQ", "ONNX Runtime"): Python(lambda: onnx_runtime(quantised(path, x), threads), x),
        ("QDQ", "OpenVINO"): Python(lambda: open_vino(quantised(path, x), "bf16", threads), x),
    }
    times = {key: [] for key in engines}
    turns, count = TURNS[name]
    for _ in range(turns):
        for key, engine in engines.items():
            times[key] += engine.runs(count)
    truth = engines["float32", "ONNX Runtime"].result.ravel()
    for (precision, title), engine in engines.items():
        elapsed = sorted(t[0] for t in times[precision, title])
        error = np.linalg.norm(engine.result.ravel() - truth) / np.linalg.norm(truth)
        write(name, precision, title, elapsed[0], elapsed[len(elapsed) // 2],
              min(t[1] for t in times[precision, title]), engine.first_s, error)
    ours = engines["float32", "Isocenter"]
    qdq = engines["QDQ", "ONNX Runtime"].result.ravel()
    error = np.linalg.norm(engines["QDQ", "Isocenter"].result.ravel() - qdq) / np.linalg.norm(qdq)
    if not error < QDQ_BOUND:
        sys.exit(f"{name}: QDQ, ours against ONNX Runtime's: {error:.0e} of the norm, and {QDQ_BOUND} is the bound")
    told = [f"{name}: QDQ, ours against ONNX Runtime's: {error:.0e} of the norm"]
    for precision in ("int8", "QDQ"):
        told.append(f"{name}: {precision}: {engines[precision, 'Isocenter'].told['precision']}")
    for precision in ("float32", "bfloat16", "int8", "QDQ"):
        engines[precision, "Isocenter"].close()
    return ours.version, told


def main():
    words = [w for w in sys.argv[1:] if w not in ("--markdown", "--all-operators")]
    names = [w for w in words[1:] if not w.isdigit()] or list(NETWORKS)
    if not words:
        sys.exit(__doc__)
    threads = next((int(w) for w in words[1:] if w.isdigit()), 2)
    markdown = "--markdown" in sys.argv
    line = "| {} | {} | {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} | {:.0e} |" if markdown else (
        "{:13} {:9} {:13} {:9.4f} {:9.4f} {:9.4f} {:9.2f} {:9.0e}")
    titles = ["network", "precision", "engine", "shortest", "median", "processor", "first", "difference"]
    print(("| " + " | ".join(titles) + " |\n|" + "---|" * 8) if markdown else
          "{:13} {:9} {:13} {:>9} {:>9} {:>9} {:>9} {:>9}".format(*titles))
    with tempfile.TemporaryDirectory() as folder:
        notes = []
        for name in names:
            version, told = compare(name, words[0], threads, folder, lambda *row: print(line.format(*row), flush=True))
            notes += told
    print("\n" + "\n".join(notes))
    print(f"\nSeconds, {threads} threads, load {os.getloadavg()[0]:.1f}; {processor_name()}; {version}; ONNX Runtime "
          f"{onnxruntime.__version__}; OpenVINO {openvino.__version__.split('-')[0]}")


if __name__ == "__main__":
    main()
