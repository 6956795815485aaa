#!/usr/bin/env python3
"""Projectors and iterative reconstruction side by side: Isocenter, RTK (3-D cone beam) and ASTRA (2-D, CPU).

    python3 -m venv peers && peers/bin/pip install itk-rtk astra-toolbox numpy
    peers/bin/python benchmarks/peers/ct_iterative.py build/release/bin/ct_iterative

The same files for all: a Shepp-Logan head as voxels and its exact projections. cone: 120 views of 128 x 128, 128^3 voxels;
flat: 360 parallel views of 363, 256^2 pixels. Prints the times of a forward and a back projection (RTK: Joseph and its
adjoint; ASTRA: its "linear" projector, which is Joseph's), of CGLS and SIRT where the peer has them, how far each forward
projection is from the exact line integrals, and how far the two programs' results are from each other, all relative in the
L2 norm. RTK's forward projection and Isocenter run on all cores, RTK's adjoint and ASTRA's CPU code on one. Quote the
ratios of one run, not the seconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

CONE = dict(views=120, columns=128, rows=128, n=128, nz=128, voxel=2.0, cgls=5)
FLAT = dict(views=360, columns=363, rows=1, n=256, nz=1, voxel=1.0, cgls=20, sirt=50)


def load(folder, name, shape):
    return np.fromfile(os.path.join(folder, name + ".raw"), np.float32).reshape(shape)


def save(folder, name, array):
    np.ascontiguousarray(array, np.float32).tofile(os.path.join(folder, name + ".raw"))


def timed(work, repeats=1):
    best = None
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - begin
        best = seconds if best is None else min(best, seconds)
    return best, result


def run_rtk(folder):
    import itk
    from itk import RTK as rtk

    s = CONE
    image = itk.Image[itk.F, 3]
    # RTK's scanner turns around y: our (x, y, z) is its (x, z, -y).
    turn = lambda v: [float(v[0]), float(v[2]), float(-v[1])]
    there = lambda a: np.ascontiguousarray(a.transpose(1, 0, 2)[::-1])
    back_again = lambda a: a[::-1].transpose(1, 0, 2)
    views = np.loadtxt(os.path.join(folder, "cone.views.txt"))
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    for view in views:
        source, origin, u, v = view[0:3], view[3:6], view[6:9], view[9:12]
        geometry.AddProjection(
            itk.Point[itk.D, 3](turn(source)), itk.Point[itk.D, 3](turn(origin)),
            itk.Vector[itk.D, 3](turn(u / np.linalg.norm(u))), itk.Vector[itk.D, 3](turn(v / np.linalg.norm(v))))
    step = float(np.linalg.norm(views[0, 6:9]))

    def projections_of(array):
        p = itk.image_from_array(np.ascontiguousarray(array))
        p.SetSpacing([step, step, 1.0])
        p.SetOrigin([0.0, 0.0, 0.0])
        return p

    def volume_of(array):
        v = itk.image_from_array(array)
        v.SetSpacing([s["voxel"]] * 3)
        v.SetOrigin([-0.5 * (s["n"] - 1) * s["voxel"]] * 3)
        return v

    shape, stack = (s["nz"], s["n"], s["n"]), (s["views"], s["rows"], s["columns"])
    volume = volume_of(there(load(folder, "cone.truth", shape)))
    measured = projections_of(load(folder, "cone.projections", stack))

    def forward():  # the filters work in place: each run gets its own zeros
        f = rtk.JosephForwardProjectionImageFilter[image, image].New()
        f.SetInput(0, projections_of(np.zeros(stack, np.float32)))
        f.SetInput(1, volume)
        f.SetGeometry(geometry)
        f.Update()
        return itk.array_from_image(f.GetOutput())

    def back():
        f = rtk.JosephBackProjectionImageFilter[image, image].New()
        f.SetInput(0, volume_of(np.zeros(shape, np.float32)))
        f.SetInput(1, measured)
        f.SetGeometry(geometry)
        f.Update()
        return itk.array_from_image(f.GetOutput())

    times = {}
    times["forward"], projected = timed(forward, 3)
    times["back"], spread = timed(back, 2)
    save(folder, "cone.forward.rtk", projected)
    save(folder, "cone.back.rtk", back_again(spread))
    print(json.dumps(times))


def run_astra(folder):
    import astra

    s = FLAT
    views = np.loadtxt(os.path.join(folder, "flat.views.txt"))
    middle = 0.5 * (s["columns"] - 1)
    rays = [[v[0], v[1], v[3] + middle * v[6], v[4] + middle * v[7], v[6], v[7]] for v in views]
    # ASTRA's first image row is at the largest y.
    grid = astra.create_vol_geom(s["n"], s["n"])
    detector = astra.create_proj_geom("parallel_vec", s["columns"], np.array(rays))
    projector = astra.create_projector("linear", detector, grid)
    truth = load(folder, "flat.truth", (s["n"], s["n"]))[::-1]
    measured = load(folder, "flat.projections", (s["views"], s["columns"]))
    sinogram = astra.data2d.create("-sino", detector, measured)

    def run(algorithm, volume, data, iterations=1, options=None):
        config = astra.astra_dict(algorithm)
        config["ProjectorId"] = projector
        config["ProjectionDataId"] = data
        config["VolumeDataId" if algorithm == "FP" else "ReconstructionDataId"] = volume
        config["option"] = options or {}
        handle = astra.algorithm.create(config)
        astra.algorithm.run(handle, iterations)
        astra.algorithm.delete(handle)

    times = {}
    image, out = astra.data2d.create("-vol", grid, truth), astra.data2d.create("-sino", detector, 0)
    times["forward"], _ = timed(lambda: run("FP", image, out), 2)
    save(folder, "flat.forward.astra", astra.data2d.get(out))
    times["back"], _ = timed(lambda: run("BP", image, sinogram), 2)
    save(folder, "flat.back.astra", astra.data2d.get(image)[::-1])
    for name, algorithm, options in (("cgls", "CGLS", None), ("sirt", "SIRT", {"MinConstraint": 0.0})):
        result = astra.data2d.create("-vol", grid, 0)
        times[name], _ = timed(lambda: run(algorithm, result, sinogram, s[name], options))
        save(folder, "flat." + name + ".astra", astra.data2d.get(result)[::-1])
    print(json.dumps(times))


def last_json(command):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def difference(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))


def compare(folder, scan, s, peer, ours, theirs):
    stack, grid = (s["views"], s["rows"], s["columns"]), (s["nz"], s["n"], s["n"])
    exact, truth = load(folder, scan + ".projections", stack), load(folder, scan + ".truth", grid)
    for what in theirs:
        shape = stack if what == "forward" else grid
        a, b = load(folder, f"{scan}.{what}.isocenter", shape), load(folder, f"{scan}.{what}.{peer}", shape)
        line = (f"{scan:5} {what:8} isocenter {ours[what]:8.3f} s  {peer:6} {theirs[what]:8.3f} s  "
                f"ratio {theirs[what] / ours[what]:7.1f}  apart {difference(a, b):.2e}")
        if what == "forward":
            line += f"  from the exact: {difference(a, exact):.4f} and {difference(b, exact):.4f}"
        elif what != "back":
            line += f"  from the truth: {difference(a, truth):.4f} and {difference(b, truth):.4f}"
        print(line)


def main():
    if len(sys.argv) == 3 and sys.argv[1] in ("--rtk", "--astra"):
        return run_rtk(sys.argv[2]) if sys.argv[1] == "--rtk" else run_astra(sys.argv[2])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "write", folder], check=True)
        ours = last_json([sys.argv[1], "run", folder])
        for scan, s, peer in (("cone", CONE, "rtk"), ("flat", FLAT, "astra")):
            theirs = last_json([sys.executable, os.path.abspath(__file__), "--" + peer, folder])
            compare(folder, scan, s, peer, ours[scan], theirs)
        print(json.dumps(ours))


if __name__ == "__main__":
    main()
