"""Networks as PyTorch exports them, with random weights, against ONNX Runtime.

    pip install torch==2.6.0 torchvision==0.21.0 monai==1.5.* onnx onnxruntime einops
    python networks.py ISOCENTER_ONNX_RUN [NAME ...]

ISOCENTER_ONNX_RUN is the program tests/interop/onnx_run.cpp. Every network is built from its public definition (fixed
seed), exported, run by both, and held to max |a - b| <= 1e-4 * max |b|. Ends with 1 when one differs.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import torch
import torchvision.models as tv
from monai.networks import nets

from varnet import VarNet


class Detector(torch.nn.Module):
    """A YOLO-style head: three strides, boxes decoded on the grid, scores; what comes before non-maximum suppression."""

    def __init__(self, classes=3):
        super().__init__()
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, 2, 1), torch.nn.SiLU(), torch.nn.Conv2d(16, 32, 3, 2, 1))
        self.down = torch.nn.ModuleList([torch.nn.Conv2d(32, 32, 3, 2, 1) for _ in range(3)])
        self.head = torch.nn.ModuleList([torch.nn.Conv2d(32, 4 + classes, 1) for _ in range(3)])

    def forward(self, x):
        x = self.stem(x)
        boxes, scores = [], []
        for level, (down, head) in enumerate(zip(self.down, self.head)):
            x = torch.nn.functional.silu(down(x))
            y = head(x)
            n, c, h, w = y.shape
            gy, gx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack([gx, gy], 0).float()[None] + 0.5
            centre = (grid + torch.tanh(y[:, :2])) * 8 * 2**level
            size = torch.exp(y[:, 2:4]) * 8 * 2**level
            boxes.append(torch.cat([centre - size / 2, centre + size / 2], 1).flatten(2))
            scores.append(torch.sigmoid(y[:, 4:]).flatten(2))
        return torch.cat(boxes, 2).transpose(1, 2), torch.cat(scores, 2)


NETWORKS = {
    "alexnet": (lambda: tv.alexnet(), (1, 3, 224, 224)),
    "vgg11": (lambda: tv.vgg11(), (1, 3, 224, 224)),
    "resnet50": (lambda: tv.resnet50(), (1, 3, 224, 224)),
    "densenet121": (lambda: tv.densenet121(), (1, 3, 224, 224)),
    "efficientnet_b0": (lambda: tv.efficientnet_b0(), (1, 3, 224, 224)),
    "basic_unet": (lambda: nets.BasicUNet(3, 1, 2, (8, 8, 16, 32, 64, 8)), (1, 1, 32, 32, 32)),
    "unet": (lambda: nets.UNet(3, 1, 2, (8, 16, 32), (2, 2), num_res_units=2), (1, 1, 32, 32, 32)),
    "segresnet": (lambda: nets.SegResNet(3, 8, 1, 2), (1, 1, 32, 32, 32)),
    "dynunet": (lambda: nets.DynUNet(3, 1, 2, [3] * 4, [1, 2, 2, 2], [2, 2, 2], [8, 16, 32, 64], res_block=True),
                (1, 1, 32, 32, 32)),
    "attention_unet": (lambda: nets.AttentionUnet(3, 1, 2, (8, 16, 32), (2, 2)), (1, 1, 32, 32, 32)),
    "unetr": (lambda: nets.UNETR(1, 2, (32, 32, 32), 8, 48, 96, 4, spatial_dims=3), (1, 1, 32, 32, 32)),
    "swin_unetr": (lambda: nets.SwinUNETR(in_channels=1, out_channels=2, feature_size=12, depths=(2, 2, 2, 2),
                                          num_heads=(3, 6, 12, 24), spatial_dims=3), (1, 1, 64, 64, 64)),
    "detector": (lambda: Detector(), (1, 3, 128, 160)),
    "varnet": (lambda: VarNet(), (1, 3, 30, 37, 2), (1, 1, 1, 37, 1)),
}


def check(program, name, folder):
    torch.manual_seed(1)
    make, shape, *more = NETWORKS[name]
    try:
        model = make().eval()
    except TypeError:  # MONAI before 1.5 asks for the image's size
        model = nets.SwinUNETR(shape[2:], 1, 2, feature_size=12, num_heads=(3, 6, 12, 24))
        model.eval()
    inputs = {"input": torch.randn(shape)}
    for extents in more:  # every second line of k-space and the middle, as its mask
        inputs["mask"] = (torch.arange(extents[3]) % 2 == 0).float().view(extents)
        inputs["mask"][..., 15:21, :] = 1
        inputs["input"] = inputs["input"] * inputs["mask"]
    path = os.path.join(folder, name + ".onnx")
    with torch.no_grad():
        torch.onnx.export(model, tuple(inputs.values()), path, opset_version=17, dynamo=False, input_names=list(inputs))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {key: value.numpy() for key, value in inputs.items()}
    expected = session.run(None, inputs)
    np.concatenate([value.ravel() for value in inputs.values()]).tofile(os.path.join(folder, name + ".in"))
    ours = subprocess.run([program, path, os.path.join(folder, name + ".in"), os.path.join(folder, name)],
                          capture_output=True, text=True)
    if ours.returncode != 0:
        print(f"{name}: FAILED: {ours.stderr.strip()}")
        return False
    worst = 0.0
    for i, e in enumerate(expected):
        y = np.fromfile(os.path.join(folder, f"{name}.{i}"), np.float32).reshape(e.shape)
        worst = max(worst, float(np.abs(y - e).max() / np.abs(e).max()))
    good = worst <= 1e-4
    print(f"{name}: {'agrees' if good else 'FAILED'}, largest difference {worst:.1e}; {ours.stdout.strip()}", flush=True)
    return good


def main():
    names = sys.argv[2:] or list(NETWORKS)
    with tempfile.TemporaryDirectory() as folder:
        results = [check(sys.argv[1], name, folder) for name in names]
    print(f"{sum(results)} of {len(results)} agree")
    return 0 if all(results) else 1


sys.exit(main())
