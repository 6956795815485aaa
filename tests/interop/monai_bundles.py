"""MONAI bundles with random networks, run by MONAI itself and by us: labels are to be equal.

    pip install torch==2.6.0 monai==1.5.* onnx numpy nibabel scikit-image
    python monai_bundles.py BUNDLE_RUN [CASE ...]

BUNDLE_RUN is the program tests/interop/bundle_run.cpp. MONAI parses the same configs/inference.json and runs its own
transforms and inferer, the network in PyTorch. Voxels whose two best scores lie within 1e-4 of one another may differ;
their number is printed. Ends with 1 when others do.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.networks.nets import UNet

RAS = {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"}
CT = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -200, "a_max": 300, "b_min": 0.0, "b_max": 1.0,
      "clip": True}
INVERT = {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
          "nearest_interp": False, "to_tensor": True}
SOFTMAX = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
ARGMAX = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
LARGEST = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"}


def spacing(*mm):
    return {"_target_": "Spacingd", "keys": "image", "pixdim": list(mm), "mode": "bilinear"}


def sliding(roi, overlap, mode):
    return {"_target_": "SlidingWindowInferer", "roi_size": roi, "overlap": overlap, "mode": mode}


CASES = {
    "as it comes": ([CT], sliding([16, 24, 16], 0.25, "constant"), [SOFTMAX, INVERT, ARGMAX], 3),
    "orientation": ([RAS, CT], sliding([16, 16, 16], 0.5, "gaussian"), [SOFTMAX, INVERT, ARGMAX], 3),
    "spacing": ([RAS, spacing(1.7, 1.2, 2.1), CT], sliding([16, 16, 16], 0.4, "gaussian"),
                [SOFTMAX, INVERT, ARGMAX], 3),
    "spacing, nearest labels": ([RAS, spacing(1.3, 1.7, 1.5), CT], sliding([16, 16, 16], 0.25, "gaussian"),
                                [SOFTMAX, ARGMAX, {**INVERT, "nearest_interp": True}], 3),
    "z-score": ([RAS, {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True}],
                sliding([16, 16, 16], 0.5, "gaussian"), [INVERT, ARGMAX], 3),
    "percentiles": ([RAS, spacing(1.5, 1.5, 1.5),
                     {"_target_": "ScaleIntensityRangePercentilesd", "keys": "image", "lower": 1.5, "upper": 98,
                      "b_min": -1, "b_max": 1, "clip": True}],
                    sliding([16, 16, 16], 0.5, "gaussian"), [SOFTMAX, INVERT, ARGMAX], 3),
    "window larger than the volume": ([RAS, CT], sliding([48, 48, 48], 0.25, "gaussian"),
                                      [SOFTMAX, INVERT, ARGMAX, LARGEST], 3),
    "resized": ([RAS, CT, {"_target_": "Resized", "keys": "image", "spatial_size": [32, 16, 16], "mode": "trilinear"}],
                {"_target_": "SimpleInferer"}, [SOFTMAX, INVERT, ARGMAX], 3),
    "holes": ([RAS, CT], sliding([16, 16, 16], 0.5, "gaussian"),
              [SOFTMAX, INVERT, ARGMAX, LARGEST, {"_target_": "FillHolesd", "keys": "pred"}], 2),
    "holes by faces, then the largest part": ([RAS, CT], sliding([16, 16, 16], 0.5, "gaussian"),
                                              [SOFTMAX, INVERT, ARGMAX,
                                               {"_target_": "FillHolesd", "keys": "pred", "connectivity": 1},
                                               LARGEST], 2),
    "holes of three labels": ([RAS, CT], sliding([16, 16, 16], 0.5, "gaussian"),
                              [SOFTMAX, INVERT, ARGMAX, {"_target_": "FillHolesd", "keys": "pred"}], 4),
    "foreground": ([RAS, spacing(1.7, 1.2, 2.1), {**CT, "a_min": 150},
                    {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}],
                   sliding([16, 16, 16], 0.5, "gaussian"), [SOFTMAX, INVERT, ARGMAX], 3),
    "foreground with a margin, scaled and padded": (
        [RAS, {"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "margin": 2,
               "allow_smaller": True}, CT, {"_target_": "DivisiblePadd", "keys": "image", "k": 8}],
        sliding([8, 16, 24], 0.25, "constant"), [SOFTMAX, ARGMAX, {**INVERT, "nearest_interp": True}], 3),
    "centre": ([RAS, CT, {"_target_": "CenterSpatialCropd", "keys": "image", "roi_size": [20, 15, -1]}],
               sliding([16, 16, 16], 0.5, "gaussian"), [SOFTMAX, INVERT, ARGMAX], 3),
    "centre of the foreground, padded": (
        [RAS, spacing(1.7, 1.2, 2.1), {**CT, "a_min": -60},
         {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"},
         {"_target_": "CenterSpatialCropd", "keys": "image", "roi_size": [17, 64, 10]},
         {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [24, 21, 16]}],
        sliding([16, 16, 16], 0.5, "gaussian"), [SOFTMAX, INVERT, ARGMAX], 3),
    "padded to a size": ([RAS, CT, {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [40, 33, -1]}],
                         sliding([16, 16, 16], 0.25, "constant"), [SOFTMAX, INVERT, ARGMAX], 3),
    "padded at the end": ([RAS, CT, {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [41, 30, 50],
                                     "method": "end"},
                           {"_target_": "DivisiblePadd", "keys": "image", "k": 8, "method": "end"}],
                          {"_target_": "SimpleInferer"}, [SOFTMAX, ARGMAX, {**INVERT, "nearest_interp": True}], 3),
    "divisible": ([RAS, CT, {"_target_": "DivisiblePadd", "keys": "image", "k": 16}], {"_target_": "SimpleInferer"},
                  [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}, INVERT,
                   {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}], 1),
}


def image(rng):
    """Blobs of a few hundred units on a grid that is none of RAS, with a turned frame and thick slices."""
    shape = (29, 37, 23)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1).astype(float)
    values = np.full(shape, -150.0)
    for _ in range(14):
        centre = rng.uniform(0, 1, 3) * shape
        values += rng.uniform(-250, 450) * np.exp(-((grid - centre) ** 2).sum(-1) / rng.uniform(8, 60))
    values += rng.normal(0, 20, shape)
    values[:3] = 0
    spacing_mm, origin = np.array([1.1, 1.4, 2.3]), np.array([-20.0, 31.0, -7.5])
    direction = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float)  # columns: where x, y, z go, LPS
    return values.astype(np.float32), spacing_mm, origin, direction


def check(name, program, folder):
    before, inferer, after, channels = CASES[name]
    torch.manual_seed(3)
    network = UNet(3, 1, channels, (4, 8, 8), (2, 2)).eval()
    os.makedirs(os.path.join(folder, "configs"))
    os.makedirs(os.path.join(folder, "models"))
    config = {
        "transforms": [{"_target_": "EnsureChannelFirstd", "keys": "image", "channel_dim": "no_channel",
                        "_disabled_": True}] + before,
        "preprocessing": {"_target_": "Compose", "transforms": "$@transforms"},
        "inferer": inferer,
        "postprocessing": {"_target_": "Compose", "transforms": after},
    }
    with open(os.path.join(folder, "configs", "inference.json"), "w") as f:
        json.dump(config, f, indent=2)
    with open(os.path.join(folder, "configs", "metadata.json"), "w") as f:
        json.dump({"network_data_format": {"inputs": {"image": {"num_channels": 1}},
                                           "outputs": {"pred": {"num_channels": channels}}}}, f)
    with torch.no_grad():
        torch.onnx.export(network, (torch.zeros(1, 1, 16, 16, 16),), os.path.join(folder, "models", "model.onnx"),
                          opset_version=17, dynamo=False, input_names=["image"], output_names=["pred"],
                          dynamic_axes={"image": {2: "i", 3: "j", 4: "k"}, "pred": {2: "i", 3: "j", 4: "k"}})

    values, spacing_mm, origin, direction = image(np.random.default_rng(5))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing_mm, origin
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # LPS to RAS
    parser = ConfigParser(config)
    data = parser.get_parsed_content("preprocessing")(
        {"image": MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine))})
    with torch.no_grad():
        scores = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
    data["pred"] = MetaTensor(scores.as_tensor() if isinstance(scores, MetaTensor) else scores,
                              meta=data["image"].meta, applied_operations=data["image"].applied_operations)
    post = parser.get_parsed_content("postprocessing")
    expected = post(dict(data))["pred"].numpy()[0]
    # Voxels where rounding decides: the scores as they stand before AsDiscreted, on the volume's grid.
    soft = [t for t in after if t["_target_"] not in ("AsDiscreted", "KeepLargestConnectedComponentd", "FillHolesd")]
    loose = ConfigParser({**config, "postprocessing": {"_target_": "Compose", "transforms": soft}})
    loose_pre = loose.get_parsed_content("preprocessing")
    data = loose_pre({"image": MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine))})
    data["pred"] = MetaTensor(scores.as_tensor() if isinstance(scores, MetaTensor) else scores,
                              meta=data["image"].meta, applied_operations=data["image"].applied_operations)
    p = np.sort(loose.get_parsed_content("postprocessing")(data)["pred"].numpy(), axis=0)
    close = (p[-1] - p[-2] if channels > 1 else abs(p[0] - 0.5)) < 1e-4

    values.transpose(2, 1, 0).tofile(os.path.join(folder, "in"))
    with open(os.path.join(folder, "geometry"), "w") as f:
        print(*spacing_mm, *origin, *direction.ravel(), file=f)
    ours = subprocess.run([program, folder, *map(str, values.shape), os.path.join(folder, "geometry"),
                           os.path.join(folder, "in"), os.path.join(folder, "out")], capture_output=True, text=True)
    if ours.returncode != 0:
        print(f"{name}: FAILED: {ours.stderr.strip()}")
        return False
    labels = np.fromfile(os.path.join(folder, "out"), np.uint8).reshape(values.shape[::-1]).transpose(2, 1, 0)
    differ = labels != expected
    good = not (differ & ~close).any() and len(np.unique(expected)) > 1
    print(f"{name}: {'agrees' if good else 'FAILED'}; labels {np.bincount(expected.astype(int).ravel())}, "
          f"{differ.sum()} of {differ.size} differ, {close.sum()} within 1e-4", flush=True)
    return good


def main():
    results = []
    for name in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results.append(check(name, sys.argv[1], folder))
    print(f"{sum(results)} of {len(results)} agree")
    return 0 if all(results) else 1


sys.exit(main())
