"""Classifiers with random weights, from the picture to the probabilities: torchvision's transforms and ONNX Runtime, and us.

    pip install torch==2.6.0 torchvision==0.21.0 onnx onnxruntime numpy
    python classification.py CLASSIFY_RUN [CASE ...]

CLASSIFY_RUN is the program tests/interop/classify_run.cpp; what is done before the network stands in the file's metadata.
Scores are held to 1e-4. Ends with 1 when one differs.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision.models as tv
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = 14
# Network, colour or grey, pictures' x and y, resize, crop, interpolation, activation.
CASES = {
    "resnet50": (tv.resnet50, "colour", (300, 260), 256, 224, "bilinear", "softmax"),
    "densenet121": (tv.densenet121, "grey", (512, 403), 256, 224, "bilinear", "sigmoid"),
    "efficientnet_b0": (tv.efficientnet_b0, "colour", (250, 371), 256, 224, "bicubic", "softmax"),
    "vgg11": (tv.vgg11, "grey", (97, 120), 128, 224, "bilinear", "none"),
}


def check(program, name, folder):
    make, kind, (nx, ny), resize, crop, interpolation, activation = CASES[name]
    torch.manual_seed(4)
    network = make(num_classes=CLASSES).eval()
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():  # scores that neither agree nor saturate: a deviation of 1 between the classes
        last.bias.zero_()
        last.weight /= network(torch.randn(1, 3, crop, crop)).std()
    path = os.path.join(folder, "model.onnx")
    with torch.no_grad():
        torch.onnx.export(network, (torch.zeros(1, 3, crop, crop),), path, opset_version=17, dynamo=False,
                          input_names=["image"])
    model = onnx.load(path)
    for key, value in {"resize": resize, "crop": f"{crop} {crop}", "interpolation": interpolation,
                       "mean": " ".join(map(str, MEAN)), "deviation": " ".join(map(str, DEVIATION)),
                       "activation": activation, "intensity": "clip 0 255 scale 0 1"}.items():
        model.metadata_props.add(key="isocenter." + key, value=str(value))
    onnx.save(model, path)

    rng = np.random.default_rng(9)
    images = 2
    y, x = np.mgrid[:ny, :nx]
    pictures = np.stack([np.stack([127 + 90 * np.sin(x / rng.uniform(2, 30) + rng.uniform(0, 6)) *
                                   np.cos(y / rng.uniform(2, 30)) for _ in range(3)], -1) for _ in range(images)])
    pictures = np.clip(pictures + rng.normal(0, 15, pictures.shape), 0, 255).astype(np.uint8)
    if kind == "grey":
        pictures = pictures[..., :1].astype(np.float32)
    pictures.tofile(os.path.join(folder, "in"))
    transforms = v2.Compose([
        v2.Resize(resize, interpolation=InterpolationMode(interpolation), antialias=True), v2.CenterCrop(crop),
        v2.Normalize(MEAN, DEVIATION)])
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    planes = transforms(planes.expand(-1, 3, -1, -1))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(np.concatenate([session.run(None, {"image": p[None].numpy()})[0] for p in planes]))
    logits = logits.double()
    expected = {"softmax": lambda: logits.softmax(1), "sigmoid": logits.sigmoid, "none": lambda: logits}[activation]()
    ours = subprocess.run([program, path, kind, str(images), str(nx), str(ny), os.path.join(folder, "in"),
                           os.path.join(folder, "out")], capture_output=True, text=True)
    if ours.returncode != 0:
        print(f"{name}: FAILED: {ours.stderr.strip()}")
        return False
    scores = np.fromfile(os.path.join(folder, "out")).reshape(images, CLASSES)
    scale = max(1.0, float(expected.abs().max()))
    worst = float(np.abs(scores - expected.numpy()).max()) / scale
    good = worst <= 1e-4
    print(f"{name}: {'agrees' if good else 'FAILED'}, largest difference {worst:.1e} of scores from "
          f"{expected.min():.3f} to {expected.max():.3f}", flush=True)
    return good


def main():
    results = []
    for name in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results.append(check(sys.argv[1], name, folder))
    print(f"{sum(results)} of {len(results)} agree")
    return 0 if all(results) else 1


sys.exit(main())
