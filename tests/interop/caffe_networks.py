"""Caffe networks with random weights: what OpenCV's importer computes of them and what ours does.

caffe_networks.py ONNX_RUN            compares, on the sizes that the networks are used at
caffe_networks.py --golden FOLDER     writes the small ones with OpenCV's results, for tests/infer/caffe_test.cpp

The peer is PyPI's opencv-python-headless below 5 (OpenCV 5 reads no Caffe files). Weights are written in protobuf's wire
format by hand.
"""
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np


def varint(v):
    out = b""
    while v >= 128:
        out, v = out + bytes([v & 127 | 128]), v >> 7
    return out + bytes([v])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


class Net:
    """The description and the weights, written together. `older` writes both in the form before 2014."""

    def __init__(self, shape, older=False, seed=1):
        self.random, self.older, self.shape = np.random.RandomState(seed), older, shape
        self.channels, self.weights, self.text = {"data": shape[1]}, b"", 'name: "random"\n'
        if older:
            self.text += 'input: "data"\n' + "".join(f"input_dim: {d}\n" for d in shape)
        else:
            dims = " ".join(f"dim: {d}" for d in shape)
            self.text += f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'

    def layer(self, type, name, bottoms, tops, params="", blobs=()):
        bottoms, tops = [bottoms] if isinstance(bottoms, str) else bottoms, [tops] if isinstance(tops, str) else tops
        kind = f'layers {{ type: {type.upper()}' if self.older else f'layer {{ type: "{type}"'
        ends = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in tops)
        self.text += f'{kind} name: "{name}"{ends} {params} }}\n'
        for top in tops:
            self.channels[top] = self.channels[bottoms[0]]
        content = b""
        for blob in blobs:
            data = field(5, blob.astype("<f4").tobytes())
            if self.older:  # four axes
                sizes = (1,) * (4 - blob.ndim) + blob.shape
                data += b"".join(varint(i + 1 << 3) + varint(s) for i, s in enumerate(sizes))
            else:
                data += field(7, field(1, b"".join(varint(s) for s in blob.shape)))
            content += field(6 if self.older else 7, data)
        if content:
            self.weights += field(2 if self.older else 100, field(4 if self.older else 1, name.encode()) + content)
        return self

    def normal(self, *shape):
        fan = max(1, int(np.prod(shape[1:])))
        return self.random.randn(*shape) * (2.0 / fan) ** 0.5

    def conv(self, name, bottom, out, k, more="", group=1, bias=True, top=None, deconvolution=False):
        top, ins, kernel = top or name, self.channels[bottom], (k, k) if isinstance(k, int) else k
        size = f"kernel_size: {k}" if isinstance(k, int) else f"kernel_h: {k[0]} kernel_w: {k[1]}"
        shape = (ins, out // group, *kernel) if deconvolution else (out, ins // group, *kernel)
        blobs = [self.normal(*shape)] + ([self.random.randn(out) * 0.1] if bias else [])
        params = f"convolution_param {{ num_output: {out} {size} group: {group} {more} " + \
            ("" if bias else "bias_term: false ") + ("} blobs_lr: 1" if self.older else "} param { lr_mult: 1 }")
        self.layer("Deconvolution" if deconvolution else "Convolution", name, bottom, top, params, blobs)
        self.channels[top] = out
        return self

    def full(self, name, bottom, ins, out, more=""):
        blobs = [self.normal(out, ins), self.random.randn(out) * 0.1]
        kind = "InnerProduct" if not self.older else "inner_product"
        self.layer(kind, name, bottom, name, f"inner_product_param {{ num_output: {out} {more} }}", blobs)
        self.channels[name] = out
        return self

    def relu(self, blob, name=None):
        return self.layer("ReLU", name or "relu_" + blob, blob, blob)

    def pool(self, name, bottom, params):
        return self.layer("Pooling", name, bottom, name, f"pooling_param {{ {params} }}")

    def norm(self, blob):
        c = self.channels[blob]
        self.layer("BatchNorm", "bn_" + blob, blob, blob, "batch_norm_param { use_global_stats: true }",
                   [self.random.randn(c) * 3, self.random.rand(c) * 2 + 1, np.array([2.0])])
        return self.layer("Scale", "scale_" + blob, blob, blob, "scale_param { bias_term: true }",
                          [self.random.rand(c) + 0.5, self.random.randn(c) * 0.1])

    def softmax(self, bottom):
        return self.layer("Softmax", "prob", bottom, "prob")


def caffenet(size=227, width=32, older=False):
    """A. Krizhevsky et al., NIPS 2012, with groups, local responses and pools that are rounded up."""
    w, n = width, Net((1, 3, size, size), older)
    lrn = "lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 }"
    n.conv("conv1", "data", 6 * w, 11, "stride: 4").relu("conv1").pool("pool1", "conv1", "pool: MAX kernel_size: 3 stride: 2")
    n.layer("LRN", "norm1", "pool1", "norm1", lrn)
    n.conv("conv2", "norm1", 8 * w, 5, "pad: 2", group=2).relu("conv2").pool("pool2", "conv2", "pool: MAX kernel_size: 3 stride: 2")
    n.layer("LRN", "norm2", "pool2", "norm2", lrn)
    n.conv("conv3", "norm2", 12 * w, 3, "pad: 1").relu("conv3").conv("conv4", "conv3", 12 * w, 3, "pad: 1", group=2).relu("conv4")
    n.conv("conv5", "conv4", 8 * w, 3, "pad: 1", group=2).relu("conv5").pool("pool5", "conv5", "pool: MAX kernel_size: 3 stride: 2")
    side = size
    for kernel, stride in ((11, 4), (3, 2), (3, 2), (3, 2)):
        side = (side - kernel) // stride + 1 if stride == 4 else -(-(side - kernel) // stride) + 1
    n.full("fc6", "pool5", 8 * w * side * side, 32 * w).relu("fc6")
    n.layer("Dropout", "drop6", "fc6", "fc6", "dropout_param { dropout_ratio: 0.5 }")
    return n.full("fc7", "fc6", 32 * w, 31 * w).softmax("fc7")


def inception(n, name, bottom, widths):
    a, b0, b, c0, c, d = widths
    n.conv(name + "/1x1", bottom, a, 1).relu(name + "/1x1")
    n.conv(name + "/3x3r", bottom, b0, 1).relu(name + "/3x3r").conv(name + "/3x3", name + "/3x3r", b, 3, "pad: 1").relu(name + "/3x3")
    n.conv(name + "/5x5r", bottom, c0, 1).relu(name + "/5x5r").conv(name + "/5x5", name + "/5x5r", c, 5, "pad: 2").relu(name + "/5x5")
    n.pool(name + "/pool", bottom, "pool: MAX kernel_size: 3 stride: 1 pad: 1").conv(name + "/proj", name + "/pool", d, 1).relu(name + "/proj")
    n.layer("Concat", name + "/out", [name + "/1x1", name + "/3x3", name + "/5x5", name + "/proj"], name + "/out")
    n.channels[name + "/out"] = a + b + c + d


def googlenet(size=224, width=16):
    """C. Szegedy et al., "Going deeper with convolutions", CVPR 2015: the beginning and the end."""
    w, n = width, Net((1, 3, size, size))
    n.conv("conv1", "data", 4 * w, 7, "pad: 3 stride: 2").relu("conv1").pool("pool1", "conv1", "pool: MAX kernel_size: 3 stride: 2")
    n.layer("LRN", "norm1", "pool1", "norm1", "lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 }")
    n.conv("conv2", "norm1", 12 * w, 3, "pad: 1").relu("conv2").pool("pool2", "conv2", "pool: MAX kernel_size: 3 stride: 2")
    inception(n, "3a", "pool2", (4 * w, 6 * w, 8 * w, w, 2 * w, 2 * w))
    inception(n, "3b", "3a/out", (8 * w, 8 * w, 12 * w, 2 * w, 6 * w, 4 * w))
    n.pool("pool5", "3b/out", "pool: AVE global_pooling: true")
    return n.full("loss3", "pool5", 30 * w, 10 * w).softmax("loss3")


def resnet(size=112, width=16):
    """K. He et al., "Deep residual learning for image recognition", CVPR 2016: two blocks."""
    n = Net((2, 3, size, size))
    n.conv("conv1", "data", width, 7, "pad: 3 stride: 2", bias=False).norm("conv1").relu("conv1")
    n.pool("pool1", "conv1", "kernel_size: 3 stride: 2 pool: MAX")
    for block, (bottom, out, stride) in enumerate((("pool1", width, 1), ("res0", 2 * width, 2))):
        a, b, s, r = f"a{block}", f"b{block}", f"s{block}", f"res{block}"
        n.conv(s, bottom, out, 1, f"stride: {stride}", bias=False).norm(s)
        n.conv(a, bottom, out, 3, f"pad: 1 stride: {stride}", bias=False).norm(a).relu(a)
        n.conv(b, a, out, 3, "pad: 1", bias=False).norm(b)
        n.layer("Eltwise", "add_" + r, [s, b], r, "eltwise_param { operation: SUM }").relu(r)
    n.pool("pool5", "res1", "pool: AVE kernel_size: 3 stride: 2 pad: 1")
    return n


def fcn(size=96, width=16, classes=5):
    """J. Long et al., "Fully convolutional networks for semantic segmentation", CVPR 2015, with one skip."""
    w, n = width, Net((1, 3, size, size + 11))
    n.conv("conv1", "data", w, 3, "pad: 40").relu("conv1").pool("pool1", "conv1", "pool: MAX kernel_size: 2 stride: 2")
    n.conv("conv2", "pool1", 2 * w, 3, "pad: 1").relu("conv2").pool("pool2", "conv2", "pool: MAX kernel_size: 2 stride: 2")
    n.conv("conv3", "pool2", 4 * w, 3, "pad: 1").relu("conv3").pool("pool3", "conv3", "pool: MAX kernel_size: 2 stride: 2")
    n.conv("score3", "pool3", classes, 1)
    n.conv("up2", "score3", classes, 4, "stride: 2", bias=False, deconvolution=True)
    n.conv("score2", "pool2", classes, 1).layer("Crop", "crop2", ["up2", "score2"], "crop2", "crop_param { axis: 2 offset: 1 }")
    n.layer("Eltwise", "fuse", ["crop2", "score2"], "fuse", "eltwise_param { operation: SUM }")
    n.conv("up", "fuse", classes, 8, "stride: 4", group=classes, bias=False, deconvolution=True)
    return n.layer("Crop", "score", ["up", "data"], "score", "crop_param { axis: 2 offset: 39 offset: 38 }")


def many_layers(size=24, height=17, width=20):
    """A layer of each kind that OpenCV knows and that the others do not have."""
    n = Net((2, 4, size, size + 3))
    n.conv("conv1", "data", 8, (3, 5), "pad_h: 2 pad_w: 1 stride_h: 1 stride_w: 2 dilation: 2")
    n.layer("PReLU", "prelu", "conv1", "prelu", "", [np.random.RandomState(3).rand(8) * 0.5])
    n.layer("Slice", "slice", "prelu", ["s0", "s1", "s2"], "slice_param { axis: 1 slice_point: 2 slice_point: 6 }")
    n.layer("ELU", "elu", "s0", "elu", "elu_param { alpha: 0.7 }").layer("Sigmoid", "sigmoid", "s1", "sigmoid")
    n.layer("TanH", "tanh", "s2", "tanh").layer("AbsVal", "abs", "tanh", "abs")
    n.layer("Power", "power", "abs", "power", "power_param { power: 1.5 scale: 2 shift: 0.5 }")
    n.layer("Concat", "concat", ["elu", "sigmoid", "power"], "concat")
    n.channels["concat"] = 8
    n.layer("Split", "split", "concat", ["left", "right"])
    n.layer("ReLU", "leaky", "left", "leaky", "relu_param { negative_slope: 0.1 }")
    n.layer("Eltwise", "maximum", ["leaky", "right"], "maximum", "eltwise_param { operation: MAX }")
    n.layer("Eltwise", "weighted", ["maximum", "right"], "weighted", "eltwise_param { operation: SUM coeff: 0.5 coeff: -2 }")
    n.pool("mean", "weighted", "pool: AVE kernel_size: 3 stride: 2")
    n.layer("Interp", "interp", "mean", "interp", f"interp_param {{ height: {height} width: {width} }}")
    n.layer("Scale", "scale", "interp", "scale", "scale_param { bias_term: false }", [np.random.RandomState(4).rand(8)])
    n.conv("conv2", "scale", 6, 3, "pad: 1").relu("conv2")
    n.layer("Permute", "permute", "conv2", "permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    n.layer("Reshape", "reshape", "permute", "reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 6 } }")
    n.layer("Softmax", "softmax", "reshape", "softmax", "softmax_param { axis: 2 }")
    n.layer("Flatten", "flatten", "softmax", "flatten", "flatten_param { axis: 1 }")
    return n.full("fc", "flatten", height * width * 6, 7)


LARGE = {"caffenet": caffenet, "caffenet, older form": lambda: caffenet(older=True), "googlenet": googlenet, "resnet": resnet,
         "fcn": lambda: fcn(192, 32, 21), "many layers": lambda: many_layers(24)}
SMALL = {"older": lambda: caffenet(67, 1, older=True), "googlenet": lambda: googlenet(40, 1),
         "resnet": lambda: resnet(29, 3), "fcn": lambda: fcn(21, 2, 3), "many": lambda: many_layers(9, 5, 6)}


def expected(net, path):
    x = np.sin(0.7310585 * np.arange(np.prod(net.shape))).astype(np.float32).reshape(net.shape)
    with open(path + ".prototxt", "w") as f:
        f.write(net.text)
    with open(path + ".caffemodel", "wb") as f:
        f.write(net.weights)
    peer = cv2.dnn.readNetFromCaffe(path + ".prototxt", path + ".caffemodel")
    peer.enableFusion(False)
    peer.setInput(x)
    return x, peer.forward()


def check(program, name, net, folder):
    path = os.path.join(folder, name.replace(", ", "_").replace(" ", "_"))
    x, y = expected(net, path)
    x.tofile(path + ".in")
    ours = subprocess.run([program, path + ".prototxt", path + ".in", path], capture_output=True, text=True)
    if ours.returncode != 0:
        print(f"{name}: FAILED: {ours.stderr.strip()}")
        return False
    found = np.fromfile(path + ".0", np.float32)
    if found.size != y.size:
        print(f"{name}: FAILED: {found.size} values and OpenCV has {y.shape}")
        return False
    worst = float(np.abs(found.reshape(y.shape) - y).max() / np.abs(y).max())
    good = worst <= 1e-4
    print(f"{name}: {'agrees' if good else 'FAILED'}, largest difference {worst:.1e}; {ours.stdout.strip()}", flush=True)
    return good


def main():
    if sys.argv[1] == "--golden":
        for name, make in SMALL.items():
            _, y = expected(make(), os.path.join(sys.argv[2], name))
            y.tofile(os.path.join(sys.argv[2], name + ".out"))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        results = [check(sys.argv[1], name, make(), folder) for name, make in LARGE.items()]
    print(f"{sum(results)} of {len(results)} agree with OpenCV {cv2.__version__}")
    return 0 if all(results) else 1


sys.exit(main())
