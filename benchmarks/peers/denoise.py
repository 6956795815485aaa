#!/usr/bin/env python3
"""Denoising side by side: Isocenter, scikit-image and dipy on the same noisy head phantom.

    python3 -m venv peers && peers/bin/pip install numpy scipy scikit-image dipy
    peers/bin/python benchmarks/peers/denoise.py build/release/bin/run_operator [N]

Two images, both with white noise of 0.05, so 26.0 dB before: the modified 3-D Shepp-Logan head (Toft's contrast, range 0
to 1), and the same as a scanner would show it, blurred by a point spread of 0.8 voxels and with texture in the head. All
get the same noise level, patches of 3^3 and a search box of 11^3 where they have one. (scikit-image's fast mode sums
2^3 differences and divides by 3^3, which is a patch of 2^3 and a filter 1.8 times as strong: better on sharp flat
regions, worse on texture.) Prints time, million voxels a second and PSNR, in the whole volume and inside the head.
scikit-image runs on one thread; the others on all. Quote the ratios of one run, not the seconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.ndimage import gaussian_filter

SIGMA = 0.05
# Kak and Slaney, "Principles of Computerized Tomographic Imaging", table 3.2, with Toft's grey levels: value, half axes,
# centre, rotation about z in degrees.
ELLIPSOIDS = [
    (1.0, .69, .92, .81, 0, 0, 0, 0), (-.8, .6624, .874, .78, 0, -.0184, 0, 0), (-.2, .11, .31, .22, .22, 0, 0, -18),
    (-.2, .16, .41, .28, -.22, 0, 0, 18), (.1, .21, .25, .41, 0, .35, -.15, 0), (.1, .046, .046, .05, 0, .1, .25, 0),
    (.1, .046, .046, .05, 0, -.1, .25, 0), (.1, .046, .023, .05, -.08, -.605, 0, 0),
    (.1, .023, .023, .02, 0, -.606, 0, 0), (.1, .023, .046, .02, .06, -.605, 0, 0)]


def head(n):
    axis = np.linspace(-1.25, 1.25, n)  # room around the head: dipy leaves the border of the volume undone
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    volume = np.zeros((n, n, n), np.float32)
    for value, a, b, c, x0, y0, z0, degrees in ELLIPSOIDS:
        turn = np.radians(degrees)
        u = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        v = -(x - x0) * np.sin(turn) + (y - y0) * np.cos(turn)
        volume[(u / a) ** 2 + (v / b) ** 2 + ((z - z0) / c) ** 2 <= 1] += value
    volume = np.maximum(volume, 0)
    inside = (x / .69) ** 2 + (y / .92) ** 2 + (z / .81) ** 2 <= 1
    return volume, np.broadcast_to(inside, volume.shape)


def as_scanned(volume, inside):
    texture = gaussian_filter(np.random.default_rng(7).normal(0, 1, volume.shape), 2.0)
    return (gaussian_filter(volume, 0.8) + 0.05 * inside * texture / texture.std()).astype(np.float32)


def isocenter(tool, operator, noisy, **parameters):
    n = noisy.shape[0]
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "in.raw"), os.path.join(folder, "out.raw")
        noisy.tofile(source)
        command = [tool, operator, source, str(n), str(n), str(n), "1", "1", "1", result, "repeats=3"]
        done = subprocess.run(command + [f"{k}={v}" for k, v in parameters.items()], check=True,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)["time_s"], np.fromfile(result, np.float32).reshape(noisy.shape)


def timed(run):
    begin = time.perf_counter()
    result = run()
    return time.perf_counter() - begin, result


def compare(title, tool, truth, inside):
    from dipy.denoise.nlmeans import nlmeans
    from skimage.restoration import denoise_nl_means

    n, threads, everywhere = truth.shape[0], os.cpu_count(), np.ones_like(inside)
    noisy = (truth + np.random.default_rng(1).normal(0, SIGMA, truth.shape)).astype(np.float32)
    dipy = lambda method: timed(lambda: nlmeans(
        noisy.astype(np.float64), sigma=SIGMA, mask=everywhere, patch_radius=1, block_radius=5, rician=False,
        num_threads=threads, method=method))
    runs = [
        ("isocenter NLM", lambda: isocenter(tool, "non_local_means", noisy, sigma=SIGMA)),
        ("  its own sigma", lambda: isocenter(tool, "non_local_means", noisy)),
        ("scikit-image NLM fast", lambda: timed(lambda: denoise_nl_means(
            noisy, patch_size=3, patch_distance=5, h=0.8 * SIGMA, sigma=SIGMA, fast_mode=True))),
        ("dipy NLM blockwise", lambda: dipy("blockwise")),
        ("dipy NLM classic", lambda: dipy("classic")),
        ("isocenter bilateral", lambda: isocenter(tool, "bilateral_denoise", noisy, sigma_space_mm=1.5,
                                                  sigma_range=3 * SIGMA)),
    ]
    psnr = lambda a, where: -10 * np.log10(np.mean((a - truth)[where].astype(np.float64) ** 2))
    print(f"{title}, {n}^3 voxels, noise {SIGMA}: {psnr(noisy, everywhere):.2f} dB")
    print(f"{'':22} {'time s':>8} {'Mvox/s':>8} {'PSNR dB':>8} {'in the head':>11} {'times ours':>10}")
    results, ours = {}, None
    for name, run in runs:
        seconds, out = run()
        ours = ours or seconds
        results[name.strip()] = {"time_s": seconds, "psnr_db": psnr(out, everywhere), "head_db": psnr(out, inside)}
        print(f"{name:22} {seconds:8.3f} {n ** 3 / seconds * 1e-6:8.3f} {psnr(out, everywhere):8.2f} "
              f"{psnr(out, inside):11.2f} {seconds / ours:10.1f}", flush=True)
    return results


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    truth, inside = head(int(sys.argv[2]) if len(sys.argv) == 3 else 96)
    print(json.dumps({"sharp": compare("sharp head", sys.argv[1], truth, inside),
                      "scanned": compare("head as scanned", sys.argv[1], as_scanned(truth, inside), inside)}))


if __name__ == "__main__":
    main()
