"""Networks as PyTorch exports them, with random weights, against ONNX Runtime's float32.

    pip install torch==2.6.0 torchvision==0.21.0 monai==1.5.* onnx onnxruntime einops
    python networks.py ISOCENTER_ONNX_RUN [--opset=N] [--markdown] [NAME ...]

ISOCENTER_ONNX_RUN is the program tests/interop/onnx_run.cpp. Every network is built from its public definition (fixed
seed), exported, and run by both. Held to max |a - b| <= 1e-4 * max |b| in float32, and to the bounds that stand beside each
network for the norm of the difference over the norm in bfloat16 and int8 (ranges from another input), where the processor
has them. --opset: exported at that one, float32 alone; above 17 by torch.onnx's newer exporter (PyPI onnxscript).
--markdown: the table of docs/infer/conformance.md. Ends with 1 when one differs.
"""
import os
import subprocess
import sys
import tempfile
from collections import namedtuple

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision.models as tv
from monai.networks import nets
from onnx import TensorProto, helper
from torch import nn

from varnet import VarNet

FLOAT32_BOUND = 1e-4
OLDER_EXPORTER = 17  # the newest opset that is asked of it; the newer one writes 18 by itself


class Detector(nn.Module):
    """A YOLO-style head: three strides, boxes decoded on the grid, scores; what comes before non-maximum suppression."""

    def __init__(self, classes=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1))
        self.down = nn.ModuleList([nn.Conv2d(32, 32, 3, 2, 1) for _ in range(3)])
        self.head = nn.ModuleList([nn.Conv2d(32, 4 + classes, 1) for _ in range(3)])

    def forward(self, x):
        x = self.stem(x)
        boxes, scores = [], []
        for level, (down, head) in enumerate(zip(self.down, self.head)):
            x = nn.functional.silu(down(x))
            y = head(x)
            n, c, h, w = y.shape
            gy, gx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack([gx, gy], 0).float()[None] + 0.5
            centre = (grid + torch.tanh(y[:, :2])) * 8 * 2**level
            size = torch.exp(y[:, 2:4]) * 8 * 2**level
            boxes.append(torch.cat([centre - size / 2, centre + size / 2], 1).flatten(2))
            scores.append(torch.sigmoid(y[:, 4:]).flatten(2))
        return torch.cat(boxes, 2).transpose(1, 2), torch.cat(scores, 2)


def with_suppression(path):
    """Selects from the detector's boxes and scores by ONNX's own operator; its rows are the third output."""
    model = onnx.load(path)
    boxes, scores = (out.name for out in model.graph.output)
    constants = [helper.make_tensor("most", TensorProto.INT64, [], [20]),
                 helper.make_tensor("overlap", TensorProto.FLOAT, [], [0.5]),
                 helper.make_tensor("least", TensorProto.FLOAT, [], [0.52])]
    model.graph.initializer.extend(constants)
    model.graph.node.append(helper.make_node("NonMaxSuppression", [boxes, scores] + [c.name for c in constants],
                                             ["selected"], name="suppression"))
    model.graph.output.append(helper.make_tensor_value_info("selected", TensorProto.INT64, ["rows", 3]))
    onnx.save(model, path)


def lively(model):
    """He's weights, so that values keep their size in networks without normalisation and biases do not cover them."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def caffenet():
    """BVLC's reference CaffeNet up to its scores: AlexNet in two groups, responses normalised after pooling."""
    conv = lambda i, o, k, **more: [nn.Conv2d(i, o, k, **more), nn.ReLU()]
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        *conv(3, 96, 11, stride=4), pool(), nn.LocalResponseNorm(5, 1e-4, 0.75),
        *conv(96, 256, 5, padding=2, groups=2), pool(), nn.LocalResponseNorm(5, 1e-4, 0.75),
        *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1, groups=2), *conv(384, 256, 3, padding=1, groups=2),
        pool(), nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000))


class DnCnn(nn.Module):
    """K. Zhang et al., IEEE Trans. Image Process. 26 (2017): 17 layers of 64 channels, the noise is what they give."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU()]
        for _ in range(15):
            layers += [nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        self.noise = nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1))

    def forward(self, x):
        return x - self.noise(x)


def swin_unetr():
    more = {"in_channels": 1, "out_channels": 2, "feature_size": 12, "num_heads": (3, 6, 12, 24)}
    try:
        return nets.SwinUNETR(**more, depths=(2, 2, 2, 2), spatial_dims=3)
    except TypeError:  # MONAI before 1.5 asks for the image's size
        return nets.SwinUNETR((64, 64, 64), **more)


def dynunet():
    return nets.DynUNet(3, 1, 2, [3] * 4, [1, 2, 2, 2], [2, 2, 2], [8, 16, 32, 64], res_block=True)


# Bounds of the norms in bfloat16 and int8; the shape of the input, and of a mask of k-space's lines.
Network = namedtuple("Network", "make shape bfloat16 int8 mask", defaults=[None])
NETWORKS = {
    "AlexNet": Network(lambda: lively(tv.alexnet()), (1, 3, 224, 224), 0.015, 0.04),
    "CaffeNet": Network(lambda: lively(caffenet()), (1, 3, 227, 227), 0.015, 0.03),
    "VGG-11": Network(tv.vgg11, (1, 3, 224, 224), 0.02, 0.04),
    "ResNet-50": Network(tv.resnet50, (1, 3, 224, 224), 0.01, 0.04),
    "DenseNet-121": Network(tv.densenet121, (1, 3, 224, 224), 0.01, 0.04),
    "EfficientNet-B0": Network(tv.efficientnet_b0, (1, 3, 224, 224), 0.03, 0.1),
    "U-Net": Network(lambda: nets.BasicUNet(2, 1, 2, (16, 16, 32, 64, 128, 16)), (1, 1, 96, 112), 0.035, 0.11),
    "BasicUNet": Network(lambda: nets.BasicUNet(3, 1, 2, (8, 8, 16, 32, 64, 8)), (1, 1, 32, 32, 32), 0.02, 0.08),
    "UNet": Network(lambda: nets.UNet(3, 1, 2, (8, 16, 32), (2, 2), num_res_units=2), (1, 1, 32, 32, 32), 0.02, 0.06),
    "SegResNet": Network(lambda: nets.SegResNet(3, 8, 1, 2), (1, 1, 32, 32, 32), 0.015, 0.035),
    "DynUNet": Network(dynunet, (1, 1, 32, 32, 32), 0.03, 0.11),
    "AttentionUnet": Network(lambda: nets.AttentionUnet(3, 1, 2, (8, 16, 32), (2, 2)), (1, 1, 32, 32, 32), 0.025, 0.05),
    "DnCNN": Network(lambda: lively(DnCnn()), (1, 1, 96, 112), 0.02, 0.06),
    "UNETR": Network(lambda: nets.UNETR(1, 2, (32, 32, 32), 8, 48, 96, 4, spatial_dims=3), (1, 1, 32, 32, 32), 0.02, 0.06),
    "SwinUNETR": Network(swin_unetr, (1, 1, 64, 64, 64), 0.02, 0.07),
    "detector": Network(lambda: lively(Detector()), (1, 3, 128, 160), 0.02, 0.07),
    "VarNet": Network(VarNet, (1, 3, 30, 37, 2), 0.01, 0.035, (1, 1, 1, 37, 1)),
}


def precisions_here():
    with open("/proc/cpuinfo") as info:
        flags = next((line.split() for line in info if line.startswith("flags")), [])
    return (["float32"] + ["bfloat16"] * ("avx512_bf16" in flags or "amx_bf16" in flags) +
            ["int8"] * ("avx512_vnni" in flags))


def inputs_of(network):
    inputs = {"input": torch.randn(network.shape)}
    if network.mask:  # every second line of k-space, and the middle
        inputs["mask"] = (torch.arange(network.mask[3]) % 2 == 0).float().view(network.mask)
        inputs["mask"][..., 15:21, :] = 1
        inputs["input"] = inputs["input"] * inputs["mask"]
    return inputs


def export(name, inputs, path, opset):
    torch.manual_seed(1)
    model = NETWORKS[name].make().eval()
    newer = opset > OLDER_EXPORTER
    with torch.no_grad():
        torch.onnx.export(model, tuple(inputs.values()), path, opset_version=opset, dynamo=newer,
                          input_names=list(inputs), **({"external_data": False, "verbose": False} if newer else {}))
    if name == "detector":
        with_suppression(path)
    found = next(s.version for s in onnx.load(path, load_external_data=False).opset_import if s.domain == "")
    if found != opset:
        raise RuntimeError(f"the exporter wrote opset {found} where {opset} was asked for")


def difference(ours, expected, precision):
    """The largest for its output; where boxes are selected, all of them in float32 and none where scores are rounded."""
    worst = 0.0
    for path, e in zip(ours, expected):
        if e.dtype == np.int64:
            rows = np.fromfile(path, np.int64).reshape(-1, e.shape[1])
            if precision == "float32" and not (np.array_equal(rows[:len(e)], e) and (rows[len(e):] == -1).all()):
                return float("inf")
            continue
        d = np.fromfile(path, np.float32).reshape(e.shape) - e
        size = (lambda v: np.abs(v).max()) if precision == "float32" else np.linalg.norm
        worst = max(worst, float(size(d) / size(e)))
    return worst


def check(program, name, folder, opset, precisions):
    """For each precision the difference, or the words of the program that refused; and how it ran in float32."""
    network, path = NETWORKS[name], os.path.join(folder, "model.onnx")
    torch.manual_seed(2)
    inputs, others = inputs_of(network), inputs_of(network)
    export(name, inputs, path, opset)
    files = [os.path.join(folder, which) for which in ("in", "calibration", "out")]
    for values, file in zip((inputs, others), files):
        np.concatenate([value.numpy().ravel() for value in values.values()]).tofile(file)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {key: value.numpy() for key, value in inputs.items()})
    found, how = {}, ""
    for precision in precisions:
        ours = subprocess.run([program, path, files[0], files[2], precision] + [files[1]] * (precision == "int8"),
                              capture_output=True, text=True)
        found[precision] = ours.stderr.strip() if ours.returncode != 0 else difference(
            [f"{files[2]}.{i}" for i in range(len(expected))], expected, precision)
        how = how or ours.stdout.strip()
    return found, how


def main():
    words = [w for w in sys.argv[2:] if not w.startswith("--")]
    opset = next((int(w[8:]) for w in sys.argv if w.startswith("--opset=")), 0)
    precisions = precisions_here() if opset == 0 else ["float32"]
    if "--markdown" in sys.argv:
        print("| network | " + " | ".join(precisions) + " |\n|" + "---|" * (1 + len(precisions)))
    good = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in words or NETWORKS:
            bounds = {"float32": FLOAT32_BOUND, "bfloat16": NETWORKS[name].bfloat16, "int8": NETWORKS[name].int8}
            try:
                found, how = check(sys.argv[1], name, folder, opset or 17, precisions)
            except Exception as e:  # torch.onnx does not write every operator at every opset
                if opset == 0:
                    raise
                print(f"{name}: not compared at opset {opset}: {str(e).splitlines()[0][:160]}", flush=True)
                continue
            tried += 1
            held = all(not isinstance(d, str) and d <= bounds[p] for p, d in found.items())
            good += held
            texts = [d if isinstance(d, str) else f"{bounds[p]:g} ({d:.1e})" for p, d in found.items()]
            if "--markdown" in sys.argv:
                print(f"| {name} | " + " | ".join(texts) + " |" + ("" if held else " FAILED"), flush=True)
            else:
                told = "; ".join(f"{p}: {t}" for p, t in zip(found, texts))
                print(f"{name}: {'agrees' if held else 'FAILED'}, bound (difference): {told}; {how}", flush=True)
    print(f"\n{good} of {tried} agree")
    return 0 if good == tried > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
