"""Makes the small networks that tests/infer holds the engine to: model, input, ONNX Runtime's output.

    pip install numpy==2.4.6 onnx==1.22.0 onnxruntime==1.32.0
    python make_fixtures.py data             the committed fixtures
    python make_fixtures.py --large FOLDER   the same networks at a working size, for benchmarks

Weights are random with a fixed seed, scaled so that values stay near 1 through the layers; the graphs are written as
PyTorch's exporter writes them. Inputs and outputs are raw little-endian float32, last axis fastest.
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Collects nodes and weights; every method returns the name of its output."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        out = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=f"/{kind}_{self.count}", **attributes))
        return out

    def conv(self, x, cin, cout, k, dims, stride=1, bias=True):
        scale = np.sqrt(2.0 / (cin * k**dims))
        w = self.rng.normal(0, scale, (cout, cin) + (k,) * dims).astype(np.float32)
        names = [x, self.constant(w)]
        if bias:
            names.append(self.constant(self.rng.normal(0, 0.1, cout).astype(np.float32)))
        pad = k // 2
        return self.op("Conv", *names, kernel_shape=[k] * dims, pads=[pad] * (2 * dims), strides=[stride] * dims)

    def up(self, x, cin, cout, k, dims, pad=0, output_padding=0):
        scale = np.sqrt(2.0 / (cin * k**dims / 2**dims))
        w = self.rng.normal(0, scale, (cin, cout) + (k,) * dims).astype(np.float32)
        b = self.rng.normal(0, 0.1, cout).astype(np.float32)
        return self.op("ConvTranspose", x, self.constant(w), self.constant(b), kernel_shape=[k] * dims,
                       strides=[2] * dims, pads=[pad] * (2 * dims), output_padding=[output_padding] * dims)

    def instance_norm(self, x, c):
        scale = self.rng.uniform(0.7, 1.3, c).astype(np.float32)
        shift = self.rng.normal(0, 0.2, c).astype(np.float32)
        return self.op("InstanceNormalization", x, self.constant(scale), self.constant(shift), epsilon=1e-5)

    def batch_norm(self, x, c):
        parameters = [self.rng.uniform(0.7, 1.3, c), self.rng.normal(0, 0.2, c), self.rng.normal(0, 0.2, c),
                      self.rng.uniform(0.5, 1.5, c)]
        return self.op("BatchNormalization", x, *[self.constant(p.astype(np.float32)) for p in parameters])

    def model(self, out, in_shape, channels, metadata=()):
        dims = len(in_shape) - 2
        free = [f"n{i}" for i in range(dims)]
        self.nodes.append(helper.make_node("Identity", [out], ["output"], name="/output"))
        graph = helper.make_graph(
            self.nodes, "network",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, in_shape[1]] + free)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, channels] + free)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        for key, value in metadata:
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        onnx.checker.check_model(model)
        return model


def unet3d(channels, classes):
    """3-D U-Net: instance norm, leaky ReLU, max pooling, transposed convolutions, concatenation."""
    b = Builder(1)

    def block(x, cin, cout):
        for c in (cin, cout):
            x = b.op("LeakyRelu", b.instance_norm(b.conv(x, c, cout, 3, 3), cout), alpha=0.01)
        return x

    x, skips, cin = "input", [], 1
    for level, c in enumerate(channels):
        if level:
            x = b.op("MaxPool", x, kernel_shape=[2] * 3, strides=[2] * 3)
        x = block(x, cin, c)
        skips.append(x)
        cin = c
    for c, skip in zip(channels[-2::-1], skips[-2::-1]):
        x = block(b.op("Concat", skip, b.up(x, cin, c, 2, 3), axis=1), 2 * c, c)
        cin = c
    return b.model(b.conv(x, cin, classes, 1, 3), (1, 1, 0, 0, 0), classes,
                   [("isocenter.class_names", "background\\lung\\heart"),
                    ("isocenter.class_colours", "0 0 0 0.3 0.6 1 0.9 0.2 0.2"), ("isocenter.spacing_mm", "2 2 2"),
                    ("isocenter.window", "16 16 16"), ("isocenter.intensity", "clip -1000 1000 scale 0 1")])


def linknet3d(channels, classes):
    """3-D LinkNet: residual blocks, strided convolutions, k3 s2 transposed convolutions, skips added, softmax."""
    b = Builder(2)

    def residual(x, cin, cout, stride):
        y = b.op("Relu", b.instance_norm(b.conv(x, cin, cout, 3, 3, stride, bias=False), cout))
        y = b.instance_norm(b.conv(y, cout, cout, 3, 3, bias=False), cout)
        if stride != 1 or cin != cout:
            x = b.instance_norm(b.conv(x, cin, cout, 1, 3, stride, bias=False), cout)
        return b.op("Relu", b.op("Add", y, x))

    x = b.op("Relu", b.instance_norm(b.conv("input", 1, channels[0], 3, 3), channels[0]))
    x = b.op("MaxPool", x, kernel_shape=[3] * 3, strides=[2] * 3, pads=[1] * 6)
    skips, cin = [x], channels[0]
    for c in channels[1:]:
        x = residual(x, cin, c, 2)
        skips.append(x)
        cin = c
    for c, skip in zip(channels[-2::-1], skips[-2::-1]):
        y = b.op("Relu", b.conv(x, cin, cin // 2, 1, 3))
        y = b.op("Relu", b.up(y, cin // 2, cin // 2, 3, 3, pad=1, output_padding=1))
        x = b.op("Add", b.conv(y, cin // 2, c, 1, 3), skip)
        cin = c
    x = b.op("Resize", x, "", b.constant(np.array([1, 1, 2, 2, 2], np.float32)), mode="linear",
             coordinate_transformation_mode="half_pixel")
    return b.model(b.op("Softmax", b.conv(x, cin, classes, 1, 3), axis=1), (1, 1, 0, 0, 0), classes)


def dncnn(width, depth):
    """2-D DnCNN: convolution, batch norm, ReLU; the noise is taken away from the input."""
    b = Builder(3)
    x = b.op("Relu", b.conv("input", 1, width, 3, 2))
    for _ in range(depth - 2):
        x = b.op("Relu", b.batch_norm(b.conv(x, width, width, 3, 2, bias=False), width))
    return b.model(b.op("Sub", "input", b.conv(x, width, 1, 3, 2)), (1, 1, 0, 0), 1)


def write(folder, name, model, shape):
    x = np.random.default_rng(7).normal(0, 1, shape).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = session.run(None, {"input": x})[0]
    assert np.isfinite(y).all()
    onnx.save(model, os.path.join(folder, name + ".onnx"))
    x.tofile(os.path.join(folder, name + ".input.f32"))
    y.tofile(os.path.join(folder, name + ".output.f32"))
    print(name, shape, "->", y.shape, "range", y.min(), y.max())


def main():
    large = sys.argv[1] == "--large"
    folder = sys.argv[-1]
    os.makedirs(folder, exist_ok=True)
    if large:
        write(folder, "unet3d", unet3d([32, 32, 64, 128, 256], 3), (1, 1, 96, 96, 96))
        write(folder, "linknet3d", linknet3d([32, 64, 128], 2), (1, 1, 96, 96, 96))
        write(folder, "dncnn", dncnn(64, 17), (1, 1, 512, 512))
    else:
        write(folder, "unet3d", unet3d([4, 6, 8], 3), (1, 1, 16, 12, 20))
        write(folder, "linknet3d", linknet3d([4, 6, 8], 2), (1, 1, 16, 8, 24))
        write(folder, "dncnn", dncnn(9, 5), (1, 1, 33, 29))


main()
