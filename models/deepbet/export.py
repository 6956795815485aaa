"""Makes the two ONNX files of this folder from PyPI's deepbet 1.0.2. See README.md.

What changes on the way, none of it in what is computed but for the weights' rounding:
- deepbet's tensors are N x 1 x x x y x z, Isocenter's N x 1 x z x y x x: the kernels' spatial axes are reversed. Every
  stride and padding is the same along the three.
- the last step of deepbet.utils.normalize, 0.226 v + 0.449, stands at the network's beginning; the first ones are an
  intensity window of the pipeline and the file's `isocenter.intensity`, z_score.
- weights of 1,000 numbers or more are stored as float16, each behind a Cast, which an importer folds."""

import argparse
import pathlib
import warnings

import numpy
import onnx
import torch
from onnx import helper, numpy_helper

SIDE = {"bbox_model": 128, "model": 256}  # deepbet.bet.BrainExtraction.run_model: small_shape, shape
SCALE, SHIFT = 0.226, 0.449  # deepbet.utils.normalize


def plain(network, side):
    """PyTorch's own export; its extents do not depend on the image's."""
    file = pathlib.Path("plain.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 32, 32, 32),),
            str(file),
            dynamo=False,
            opset_version=13,
            input_names=["image"],
            output_names=["probabilities"],
        )
    model = onnx.load(file)
    file.unlink()
    for port, channels in ((model.graph.input[0], 1), (model.graph.output[0], 2)):
        for axis, extent in zip(port.type.tensor_type.shape.dim, (1, channels, side, side, side)):
            axis.dim_value = extent
    del model.graph.value_info[:]
    return model


def reverse_axes(graph):
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.ndim == 5:
            turned = numpy.ascontiguousarray(values.transpose(0, 1, 4, 3, 2))
            weight.CopyFrom(numpy_helper.from_array(turned, weight.name))


def scale_image(graph):
    for node in graph.node:
        node.input[:] = ["scaled image" if name == "image" else name for name in node.input]
    for name, value in (("scale", SCALE), ("shift", SHIFT)):
        graph.initializer.append(numpy_helper.from_array(numpy.float32(value), name))
    graph.node.insert(0, helper.make_node("Add", ["wide image", "shift"], ["scaled image"]))
    graph.node.insert(0, helper.make_node("Mul", ["image", "scale"], ["wide image"]))


def halve(graph):
    """float16 weights; gives the largest change of one, in parts of its tensor's largest."""
    worst = 0.0
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.size < 1000:
            continue
        half = values.astype(numpy.float16)
        worst = max(worst, numpy.abs(half.astype(numpy.float32) - values).max() / numpy.abs(values).max())
        graph.node.insert(0, helper.make_node("Cast", [weight.name + " half"], [weight.name], to=onnx.TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(half, weight.name + " half"))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path, help="data/models of deepbet's wheel")
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()
    for name, side in SIDE.items():
        network = torch.jit.load(arguments.models / f"{name}.pt", map_location="cpu").eval()
        model = plain(network, side)
        reverse_axes(model.graph)
        scale_image(model.graph)
        worst = halve(model.graph)
        model.producer_name, model.producer_version, model.doc_string = "deepbet", "1.0.2", ""
        helper.set_model_props(
            model,
            {
                "isocenter.class_names": "background\\brain",
                "isocenter.class_colours": "0 0 0 0.93 0.68 0.62",
                "isocenter.window": f"{side} {side} {side}",
                "isocenter.axes": "any",
                "isocenter.intensity": "z_score",
                "isocenter.intended_use": "Demonstration only: not for diagnosis, treatment or any clinical decision",
            },
        )
        onnx.checker.check_model(model)
        file = arguments.folder / ("deepbet_box.onnx" if name == "bbox_model" else "deepbet_brain.onnx")
        file.write_bytes(model.SerializeToString(deterministic=True))
        print(f"{file.name}: {file.stat().st_size} bytes, weights rounded by at most {worst:.1e} of the largest")


if __name__ == "__main__":
    main()
