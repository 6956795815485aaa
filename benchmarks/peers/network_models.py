"""The networks of networks.py as ONNX files, built from their public definitions with random weights."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Collects nodes; every method takes and gives names of values."""

    def __init__(self, seed=1):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.channels = [], [], {}

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def integers(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def add(self, kind, inputs, channels, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}_{len(self.nodes)}", **attributes))
        self.channels[name] = channels
        return name

    def conv(self, x, outs, kernel, stride=1, pad=None, axes=2, bias=False):
        ins, pad = self.channels[x], kernel // 2 if pad is None else pad
        scale = np.sqrt(2.0 / (ins * kernel**axes))
        inputs = [x, self.constant(self.random.normal(0, scale, (outs, ins) + (kernel,) * axes))]
        if bias:
            inputs.append(self.constant(self.random.normal(0, 0.01, outs)))
        return self.add("Conv", inputs, outs, kernel_shape=[kernel] * axes, strides=[stride] * axes, pads=[pad] * 2 * axes)

    def up(self, x, outs, axes=3):
        ins = self.channels[x]
        weights = self.random.normal(0, np.sqrt(1.0 / ins), (ins, outs) + (2,) * axes)
        return self.add("ConvTranspose", [x, self.constant(weights), self.constant(np.zeros(outs))], outs,
                        kernel_shape=[2] * axes, strides=[2] * axes)

    def batch_norm(self, x):
        c = self.channels[x]
        values = [self.random.uniform(0.5, 1.0, c), self.random.normal(0, 0.1, c), self.random.normal(0, 0.1, c),
                  self.random.uniform(0.5, 1.5, c)]
        return self.add("BatchNormalization", [x] + [self.constant(v) for v in values], c)

    def instance_norm(self, x):
        c = self.channels[x]
        return self.add("InstanceNormalization", [x, self.constant(np.ones(c)), self.constant(np.zeros(c))], c)

    def relu(self, x):
        return self.add("Relu", [x], self.channels[x])

    def concat(self, xs):
        return self.add("Concat", xs, sum(self.channels[x] for x in xs), axis=1)

    def classify(self, x, classes=1000):
        c = self.channels[x]
        x = self.add("Flatten", [self.add("GlobalAveragePool", [x], c)], c)
        w = self.constant(self.random.normal(0, np.sqrt(1.0 / c), (classes, c)))
        return self.add("Gemm", [x, w, self.constant(np.zeros(classes))], classes, transB=1)

    def model(self, shape, out, out_shape):
        port = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, "network", [port("input", shape)], [port(out, out_shape)], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def start(channels):
    b = Builder()
    b.channels["input"] = channels
    return b, "input"


def resnet50():
    """K. He et al., CVPR 2016, table 1, with the stride in the 3 x 3 convolution as torchvision has it."""
    b, x = start(3)
    x = b.relu(b.batch_norm(b.conv(x, 64, 7, 2)))
    x = b.add("MaxPool", [x], 64, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (width, count) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for i in range(count):
            stride = 2 if i == 0 and stage > 0 else 1
            shortcut = b.batch_norm(b.conv(x, 4 * width, 1, stride)) if i == 0 else x
            y = b.relu(b.batch_norm(b.conv(x, width, 1)))
            y = b.relu(b.batch_norm(b.conv(y, width, 3, stride)))
            y = b.batch_norm(b.conv(y, 4 * width, 1))
            x = b.relu(b.add("Add", [y, shortcut], 4 * width))
    return b.model([1, 3, 224, 224], b.classify(x), [1, 1000])


def densenet121():
    """G. Huang et al., CVPR 2017, table 1 (k = 32)."""
    b, x = start(3)
    x = b.relu(b.batch_norm(b.conv(x, 64, 7, 2)))
    x = b.add("MaxPool", [x], 64, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for block, layers in enumerate([6, 12, 24, 16]):
        features = [x]
        for _ in range(layers):
            y = b.concat(features) if len(features) > 1 else x
            y = b.conv(b.relu(b.batch_norm(y)), 128, 1)
            features.append(b.conv(b.relu(b.batch_norm(y)), 32, 3))
        x = b.relu(b.batch_norm(b.concat(features)))
        if block < 3:
            x = b.conv(x, b.channels[x] // 2, 1)
            x = b.add("AveragePool", [x], b.channels[x], kernel_shape=[2, 2], strides=[2, 2])
    return b.model([1, 3, 224, 224], b.classify(x), [1, 1000])


def unet3d():
    """MONAI's BasicUNet(spatial_dims=3, in_channels=1, out_channels=2, features=(32, 32, 64, 128, 256, 32))."""
    b, x = start(1)
    leaky = lambda v: b.add("LeakyRelu", [v], b.channels[v], alpha=0.1)
    single = lambda v, c: leaky(b.instance_norm(b.conv(v, c, 3, axes=3, bias=True)))
    double = lambda v, c: single(single(v, c), c)
    x = double(x, 32)
    skips = []
    for width in (32, 64, 128, 256):
        skips.append(x)
        x = double(b.add("MaxPool", [x], b.channels[x], kernel_shape=[2] * 3, strides=[2] * 3), width)
    for width, narrowed in ((128, 128), (64, 64), (32, 32), (32, 32)):
        x = double(b.concat([skips.pop(), b.up(x, narrowed)]), width)
    return b.model([1, 1, 96, 96, 96], b.conv(x, 2, 1, axes=3, bias=True), [1, 2, 96, 96, 96])


def dncnn():
    """K. Zhang et al., IEEE Trans. Image Process. 26 (2017): 17 layers of 64 channels, the noise is what it gives."""
    b, x = start(1)
    y = b.relu(b.conv(x, 64, 3, bias=True))
    for _ in range(15):
        y = b.relu(b.batch_norm(b.conv(y, 64, 3)))
    y = b.conv(y, 1, 3, bias=True)
    return b.model([1, 1, 512, 512], b.add("Sub", [x, y], 1), [1, 1, 512, 512])


def vision_transformer(tokens=216, width=768, heads=12, layers=12):
    """A. Dosovitskiy et al., ICLR 2021, eq. 1 to 4, over 216 patches of 16^3 voxels of a 96^3 volume: UNETR's encoder
    (A. Hatamizadeh et al., WACV 2022, section 3.1). The input is the patches' values."""
    b, x = start(4096)
    ints = lambda *v: b.integers(v)
    linear = lambda v, ins, outs: b.add(
        "Add", [b.add("MatMul", [v, b.constant(b.random.normal(0, np.sqrt(1.0 / ins), (ins, outs)))], outs),
                b.constant(b.random.normal(0, 0.02, outs))], outs)
    norm = lambda v: b.add("LayerNormalization", [v, b.constant(np.ones(width)), b.constant(np.zeros(width))], width)
    split = lambda v, order: b.add(
        "Transpose", [b.add("Reshape", [v, ints(1, tokens, heads, width // heads)], width)], width, perm=order)
    x = b.add("Add", [linear(x, 4096, width), b.constant(b.random.normal(0, 0.02, (tokens, width)))], width)
    for _ in range(layers):
        y = norm(x)
        q, k, v = (linear(y, width, width) for _ in range(3))
        scores = b.add("MatMul", [split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1])], tokens)
        scores = b.add("Softmax", [b.add("Mul", [scores, b.constant((width // heads) ** -0.5)], tokens)], tokens, axis=-1)
        y = b.add("Transpose", [b.add("MatMul", [scores, split(v, [0, 2, 1, 3])], width)], width, perm=[0, 2, 1, 3])
        x = b.add("Add", [x, linear(b.add("Reshape", [y, ints(1, tokens, width)], width), width, width)], width)
        y = linear(norm(x), width, 4 * width)
        y = b.add("Mul", [b.add("Mul", [y, b.constant(0.5)], 4 * width),
                          b.add("Add", [b.add("Erf", [b.add("Mul", [y, b.constant(0.5**0.5)], 4 * width)], 4 * width),
                                        b.constant(1.0)], 4 * width)], 4 * width)
        x = b.add("Add", [x, linear(y, 4 * width, width)], width)
    return b.model([1, tokens, 4096], norm(x), [1, tokens, width])


NETWORKS = {"ResNet-50": resnet50, "DenseNet-121": densenet121, "3-D U-Net": unet3d, "DnCNN": dncnn,
            "UNETR encoder": vision_transformer}
