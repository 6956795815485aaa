#!/usr/bin/env python3
"""2-D FBP side by side: Isocenter, ASTRA (CPU) and scikit-image on the same exact Shepp-Logan data.

    python3 -m venv peers && peers/bin/pip install astra-toolbox scikit-image numpy
    peers/bin/python benchmarks/peers/ct_fbp.py build/release/bin/ct_fbp

513 x 513 pixels of 1 mm (odd, so that all three have a pixel at the centre) from 720 views of 729 columns: parallel
over 180 degrees (all three), and by Isocenter alone a flat and a curved fan over 360 degrees and 16 slices at once.
Plain ramp, linear interpolation. Shortest of several runs each; RMSE and PSNR (range 2) within 0.95 of the head's radius. The peers
run on one thread; Isocenter on all. Quote the ratios of one run, not the seconds.
"""
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

N, COLUMNS, VIEWS, RADIUS_MM = 513, 729, 720, 240.0


def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def run_peer(name, folder):
    """In a process of its own, so that its memory is its own."""
    sinogram = np.fromfile(os.path.join(folder, "parallel.raw"), np.float32).reshape(VIEWS, COLUMNS)
    angles = np.arange(VIEWS) * np.pi / VIEWS
    seconds = []
    if name == "astra":
        import astra
        # Ours: columns along (cos a, sin a), y downwards in the picture; ASTRA's y is upwards: angles count backwards.
        projections = astra.create_proj_geom("parallel", 1.0, COLUMNS, -angles)
        volume = astra.create_vol_geom(N, N)
        projector = astra.create_projector("linear", projections, volume)
        data, out = astra.data2d.create("-sino", projections, sinogram), astra.data2d.create("-vol", volume)
        config = astra.astra_dict("FBP")
        config.update(ProjectorId=projector, ProjectionDataId=data, ReconstructionDataId=out)
        config["FilterType"] = "Ram-Lak"
        for _ in range(2):
            begin = time.perf_counter()
            algorithm = astra.algorithm.create(config)
            astra.algorithm.run(algorithm)
            image = astra.data2d.get(out)
            seconds.append(time.perf_counter() - begin)
    else:
        from skimage.transform import iradon
        for _ in range(2):
            begin = time.perf_counter()
            image = iradon(sinogram.T, theta=-np.degrees(angles), output_size=N, filter_name="ramp", circle=False)
            seconds.append(time.perf_counter() - begin)
    np.ascontiguousarray(image, np.float32).tofile(os.path.join(folder, name + ".raw"))
    print(json.dumps({"time_s": min(seconds), "peak_mb": peak_mb()}))


def quality(folder, name):
    load = lambda file: np.fromfile(os.path.join(folder, file + ".raw"), np.float32).reshape(N, N)
    image, truth = load(name), load("truth")
    axis = np.arange(N) - 0.5 * (N - 1)
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 <= (0.95 * RADIUS_MM) ** 2
    rmse = float(np.sqrt(np.mean((image - truth)[inside].astype(np.float64) ** 2)))
    return {"rmse": rmse, "psnr_db": 20 * np.log10(2.0 / rmse), "brain": float(image[200:210, 250:260].mean()),
            "brain_truth": float(truth[200:210, 250:260].mean())}


def last_json(command):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--peer":
        return run_peer(sys.argv[2], sys.argv[3])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cores = len(os.sched_getaffinity(0))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "write", folder], check=True)
        for beam, slices in (("parallel", 1), ("parallel", 16), ("flat", 1), ("flat", 16), ("curved", 1), ("curved", 16)):
            result = last_json([sys.argv[1], "run", folder, beam, str(slices)])
            rows.append((f"Isocenter {beam} x {slices}", cores, slices, result | quality(folder, "isocenter")))
        for name, package in (("astra", "astra-toolbox"), ("skimage", "scikit-image")):
            result = last_json([sys.executable, os.path.abspath(__file__), "--peer", name, folder])
            rows.append((f"{name} {importlib.metadata.version(package)}", 1, 1, result | quality(folder, name)))
    print(f"{'':24} {'threads':>7} {'s a slice':>10} {'GUPS':>7} {'peak MB':>8} {'RMSE':>8} {'PSNR dB':>8} {'brain':>8}")
    for name, threads, slices, r in rows:
        each = r["time_s"] / slices
        print(f"{name:24} {threads:7d} {each:10.5f} {N * N * VIEWS * 1e-9 / each:7.2f} {r['peak_mb']:8.0f} "
              f"{r['rmse']:8.4f} {r['psnr_db']:8.2f} {r['brain']:8.4f}")
    astra = next(r for name, _, _, r in rows if name.startswith("astra"))
    print(f"brain in truth {astra['brain_truth']:.4f}; ASTRA takes {astra['time_s'] / rows[0][3]['time_s']:.1f} times as long "
          f"as one parallel slice")


if __name__ == "__main__":
    main()
