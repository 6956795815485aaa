"""Writes the weights as ONNX, with what network_inference needs to know inside, and compares ONNX Runtime with PyTorch."""

import argparse
import hashlib
import pathlib
import warnings

import numpy
import onnx
import onnxruntime
import torch

from network import Denoiser

# What network_inference reads (docs/infer/models.md): the whole range of CT, in kHU.
METADATA = {
    "isocenter.window": "128 128 24",
    "isocenter.axes": "any",
    "isocenter.intensity": "clip -1100 3100 scale -1.1 3.1",
    "isocenter.intended_use": "Demonstration only: trained on analytic phantoms, not a medical device, not for diagnosis.",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("onnx", type=pathlib.Path)
    arguments = parser.parse_args()
    network = Denoiser()
    network.load_state_dict(torch.load(arguments.weights))
    network.eval()
    free = {0: "n", 2: "z", 3: "y", 4: "x"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 8, 32, 32),),
            str(arguments.onnx),
            dynamo=False,
            opset_version=13,
            input_names=["image"],
            output_names=["denoised"],
            dynamic_axes={"image": free, "denoised": free},
        )
    model = onnx.load(str(arguments.onnx))
    onnx.helper.set_model_props(model, METADATA)
    model.doc_string = METADATA["isocenter.intended_use"]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(arguments.onnx))

    image = torch.randn(1, 1, 12, 64, 48, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(str(arguments.onnx), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        apart = numpy.abs(session.run(None, {"image": image.numpy()})[0] - network(image).numpy()).max()
    data = arguments.onnx.read_bytes()
    print(f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(f"{sum(p.numel() for p in network.parameters())} parameters; ONNX Runtime is within {apart:.1e} of PyTorch")


if __name__ == "__main__":
    main()
