#!/usr/bin/env python3
"""FDK side by side: Isocenter and RTK on the same Shepp-Logan projections (360 views of 256 x 256, 256^3 voxels).

    python3 -m venv peers && peers/bin/pip install itk-rtk numpy
    peers/bin/python benchmarks/peers/ct_fdk.py build/release/bin/ct_fdk

Prints for both: time of the reconstruction, peak memory of the process, and in the cylinder that holds the head RMSE,
PSNR (against the truth's range) and the mean of the brain, where the truth is 1.02. Both use the plain ramp filter and
linear interpolation; both run on all cores. Quote the ratios of one run, not the seconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

N, VIEWS = 256, 360
VOXEL_MM, RADIUS_MM, MU_WATER = 1.0, 100.0, 0.02


def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def run_rtk(folder):
    """In a process of its own, so that its memory is its own."""
    import itk
    from itk import RTK as rtk

    # RTK's scanner turns around y: our (x, y, z) is its (x, z, -y).
    turn = lambda v: [float(v[0]), float(v[2]), float(-v[1])]
    views = np.loadtxt(os.path.join(folder, "views.txt"))
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    for view in views:
        source, origin, u, v = view[0:3], view[3:6], view[6:9], view[9:12]
        ok = geometry.AddProjection(
            itk.Point[itk.D, 3](turn(source)), itk.Point[itk.D, 3](turn(origin)),
            itk.Vector[itk.D, 3](turn(u / np.linalg.norm(u))), itk.Vector[itk.D, 3](turn(v / np.linalg.norm(v))))
        if not ok:
            sys.exit("RTK does not take the geometry")
    steps = np.linalg.norm(views[0, 6:9]), np.linalg.norm(views[0, 9:12])

    data = np.fromfile(os.path.join(folder, "projections.raw"), np.float32).reshape(VIEWS, N, N)
    projections = itk.image_from_array(data)
    projections.SetSpacing([steps[0], steps[1], 1.0])
    projections.SetOrigin([0.0, 0.0, 0.0])

    image = itk.Image[itk.F, 3]
    volume = rtk.ConstantImageSource[image].New()
    volume.SetSize([N, N, N])
    volume.SetSpacing([VOXEL_MM] * 3)
    volume.SetOrigin([-0.5 * (N - 1) * VOXEL_MM] * 3)
    volume.SetConstant(0.0)

    begin = time.perf_counter()
    fdk = rtk.FDKConeBeamReconstructionFilter[image].New()
    fdk.SetInput(0, volume.GetOutput())
    fdk.SetInput(1, projections)
    fdk.SetGeometry(geometry)
    fdk.GetRampFilter().SetTruncationCorrection(0.0)
    fdk.GetRampFilter().SetHannCutFrequency(0.0)
    fdk.Update()
    seconds = time.perf_counter() - begin
    # Axes (Z, Y, X) of RTK are (-y, z, x): ours is [z, y, x].
    ours = itk.array_from_image(fdk.GetOutput())[::-1].transpose(1, 0, 2)
    np.ascontiguousarray(ours, np.float32).tofile(os.path.join(folder, "rtk.raw"))
    print(json.dumps({"time_s": seconds, "peak_mb": peak_mb()}))


def quality(folder, name):
    load = lambda file: np.fromfile(os.path.join(folder, file + ".raw"), np.float32).reshape(N, N, N) / MU_WATER
    volume, truth = load(name), load("truth")
    axis = (np.arange(N) - 0.5 * (N - 1)) * VOXEL_MM
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    region = np.broadcast_to((x * x + y * y <= (0.95 * RADIUS_MM) ** 2) & (np.abs(z) <= 0.95 * RADIUS_MM), volume.shape)
    error = (volume - truth)[region].astype(np.float64)
    rmse = np.sqrt(np.mean(error ** 2))
    brain = (np.abs(x) < 8) & (np.abs(y + 30) < 8) & (np.abs(z) < 8) & region
    return {"rmse": rmse, "psnr_db": 20 * np.log10((truth[region].max() - truth[region].min()) / rmse),
            "relative_error": np.sqrt(np.sum(error ** 2) / np.sum(truth[region].astype(np.float64) ** 2)),
            "brain": float(volume[brain].mean()), "brain_truth": float(truth[brain].mean())}


def last_json(command):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--rtk":
        return run_rtk(sys.argv[2])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "write", folder], check=True)
        results = {"isocenter": last_json([sys.argv[1], "run", folder]),
                   "rtk": last_json([sys.executable, os.path.abspath(__file__), "--rtk", folder])}
        for name, result in results.items():
            result.update(quality(folder, name))
    updates = N ** 3 * VIEWS * 1e-9
    print(f"{'':10} {'time s':>8} {'GUPS':>7} {'peak MB':>8} {'RMSE':>8} {'PSNR dB':>8} {'rel. error':>10} {'brain':>8}")
    for name, r in results.items():
        print(f"{name:10} {r['time_s']:8.3f} {updates / r['time_s']:7.2f} {r['peak_mb']:8.0f} {r['rmse']:8.4f} "
              f"{r['psnr_db']:8.2f} {r['relative_error']:10.4f} {r['brain']:8.4f}")
    print(f"truth of the brain {results['rtk']['brain_truth']:.4f}; "
          f"RTK takes {results['rtk']['time_s'] / results['isocenter']['time_s']:.1f} times as long")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
