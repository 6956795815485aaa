"""Writes the weights as ONNX, with what segment_volume needs to know inside, and compares ONNX Runtime with PyTorch."""

import argparse
import hashlib
import pathlib

import numpy
import onnx
import onnxruntime
import torch
from torch import nn

from network import COLOURS, LABELS, SPACING_MM, WINDOW_HU, WINDOW_VOXELS, UNet

def srgb(colour):
    return " ".join(f"{int(colour[i : i + 2], 16) / 255:.4g}" for i in (1, 3, 5))


# The keys are those of docs/infer/models.md.
# What segment_volume reads (docs/infer/models.md).
METADATA = {
    "isocenter.class_names": "\\".join(LABELS),
    "isocenter.class_colours": " ".join(f"{c:g}" for colour in COLOURS for c in colour),
    "isocenter.spacing_mm": " ".join([f"{SPACING_MM:g}"] * 3),
    "isocenter.window": " ".join([str(WINDOW_VOXELS)] * 3),
    "isocenter.axes": "LPS",
    "isocenter.intensity": f"clip {WINDOW_HU[0]:g} {WINDOW_HU[1]:g} scale 0 1",
    "isocenter.intended_use": "Demonstration only: trained on analytic phantoms, not a medical device, not for diagnosis.",
}


class WithSoftmax(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return torch.softmax(self.network(x), 1)


def export(network, file):
    """Batch normalisation goes into the convolutions: what is left is Conv, Relu, MaxPool, ConvTranspose, Concat and
    Softmax."""
    free = {0: "n", 2: "z", 3: "y", 4: "x"}
    torch.onnx.export(
        network,
        torch.zeros(1, 1, WINDOW_VOXELS, WINDOW_VOXELS, WINDOW_VOXELS),
        str(file),
        opset_version=13,
        input_names=["image"],
        output_names=["probabilities"],
        dynamic_axes={"image": free, "probabilities": free},
    )
    model = onnx.load(str(file))
    onnx.helper.set_model_props(model, METADATA)
    model.doc_string = METADATA["isocenter.intended_use"]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(file))
    return sorted({node.op_type for node in model.graph.node})


def largest_difference(network, file):
    """Between ONNX Runtime and PyTorch, over windows of two sizes."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(1)
    worst = 0.0
    for shape in ((WINDOW_VOXELS,) * 3, (64, 48, 80)):
        x = random.random((1, 1) + shape, dtype=numpy.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(x)).numpy()
        worst = max(worst, float(numpy.abs(session.run(None, {"image": x})[0] - expected).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("onnx", type=pathlib.Path)
    arguments = parser.parse_args()
    network = UNet()
    network.load_state_dict(torch.load(arguments.weights))
    network = WithSoftmax(network).eval()
    operators = export(network, arguments.onnx)
    difference = largest_difference(network, arguments.onnx)
    data = arguments.onnx.read_bytes()
    print(f"{arguments.onnx.name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    print(f"operators: {', '.join(operators)}")
    print(f"ONNX Runtime and PyTorch differ by at most {difference:.1e}")
    if difference > 1e-4:
        raise SystemExit("that is more than 1e-4")


if __name__ == "__main__":
    main()
