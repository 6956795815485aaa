#!/usr/bin/env python3
"""CT side by side, every method on the very same files: Isocenter, RTK, ASTRA, scikit-image (CPU) and plastimatch.

    python3 -m venv peers && peers/bin/pip install itk-rtk astra-toolbox scikit-image numpy
    sudo apt-get install plastimatch                       # without it the row is left out
    peers/bin/python benchmarks/peers/ct_methods.py build/release/bin/ct_methods [N] [--check] [--device cuda:0]

A Shepp-Logan head (original contrast) as voxels and its exact projections. cone: N^3 voxels (128) from 15 N / 16
views of N x N; tilted: the same with source and detector turned and moved by other few degrees and millimetres in
each view; flat: (2 N + 1)^2 pixels from 45 N / 16 parallel views. Each line is a process of its own: time of the
method (the shortest of two or three runs where it is short), peak memory of the process, relative error from the
exact line integrals (forward) or, in the head's cylinder, from the truth, and how far the image is from Isocenter's
("apart", both relative in the L2 norm; tilted: of the rays that both sample in the same planes); RMSE in HU, of forward
projections as line integrals. RTK and Isocenter run on all cores, ASTRA's CPU code, scikit-image and RTK's adjoint on
one. Quote the ratios of one run, not the seconds. With --check it ends with 1 when something is farther apart than
BOUNDS.

With --device Isocenter runs on that GPU, beside ASTRA's and RTK's CUDA code where they are installed (PyPI: astra-toolbox,
itk-rtk-cuda124); each from host memory to host memory, the shortest of two or three runs. The card's memory is what
nvidia-smi saw at most, beyond what was taken before. A peer that fails is named with its error, and the others go on.
RTK's CUDA projectors are its ray caster (steps of half a voxel) and its voxel-driven back projection, ASTRA's 3-D ones
Joseph's and voxel-driven: --check holds FDK's errors only.
"""
import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

# Largest "apart" for programs that compute the same. CGLS: rounding grows with the iterations, and ASTRA adds up its
# scalar products in float32. RTK's SART and SIRT divide by lengths in the box, scikit-image's weights along the ray:
# other methods.
BOUNDS = {("cone", "forward", "rtk"): 2e-6, ("cone", "fdk", "rtk"): 2e-5, ("flat", "forward", "astra"): 1e-4,
          ("flat", "back", "astra"): 1e-4, ("flat", "sirt", "astra"): 1e-3, ("flat", "cgls", "astra"): 0.05,
          ("flat", "fbp", "astra"): 0.04, ("flat", "fbp", "skimage"): 1e-5,
          ("cone", "cgls", "rtk"): 0.05, ("cone", "sirt", "rtk"): 0.03, ("cone", "sart", "rtk"): 0.3,
          ("tilted", "forward", "rtk"): 2e-6}
MU_WATER = 0.02  # 1/mm, as ct_methods.cpp has it
# By how much Isocenter's error may be larger than a peer's.
WORSE = 1.05

METHODS = {"cone": ("forward", "back", "fdk", "sirt", "sart", "cgls"), "tilted": ("forward", "back"),
           "flat": ("forward", "back", "fbp", "sirt", "sart", "cgls")}
PEERS = {("cone", "rtk"): ("forward", "back", "fdk", "sirt", "sart", "cgls"), ("tilted", "rtk"): ("forward", "back"),
         ("cone", "plastimatch"): ("fdk",),
         ("flat", "astra"): ("forward", "back", "fbp", "sirt", "cgls"), ("flat", "skimage"): ("fbp", "sart")}
GPU_PEERS = {("cone", "rtk_cuda"): ("forward", "back", "fdk", "sirt", "sart", "cgls"),
             ("cone", "astra_cuda"): ("forward", "back", "fdk", "sirt", "cgls"),
             ("flat", "astra_cuda"): ("forward", "back", "fbp", "sirt", "cgls")}
PACKAGES = {"rtk": "itk-rtk", "rtk_cuda": "itk-rtk-cuda124", "astra": "astra-toolbox", "astra_cuda": "astra-toolbox",
            "skimage": "scikit-image"}


def load(folder, name, shape):
    return np.fromfile(os.path.join(folder, name + ".raw"), np.float32).reshape(shape)


def save(folder, name, array):
    np.ascontiguousarray(array, np.float32).tofile(os.path.join(folder, name + ".raw"))


def stack_of(s):
    return s["views"], s["rows"], s["columns"]


def grid_of(s):
    return s["nz"], s["n"], s["n"]


def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def timed(work, repeats):
    best = None
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - begin
        best = seconds if best is None else min(best, seconds)
    return best, result


def run_rtk(folder, s, method, cuda=False):
    import itk
    from itk import RTK as rtk

    plain = itk.Image[itk.F, 3]
    image = itk.CudaImage[itk.F, 3] if cuda else plain
    on_device = itk.cuda_image_from_image if cuda else lambda i: i
    # RTK's scanner turns around y: our (x, y, z) is its (x, z, -y).
    turn = lambda v: [float(v[0]), float(v[2]), float(-v[1])]
    there = lambda a: np.ascontiguousarray(a.transpose(1, 0, 2)[::-1])
    back_again = lambda a: a[::-1].transpose(1, 0, 2)
    views = np.loadtxt(os.path.join(folder, s["scan"] + ".views.txt"))
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
        return on_device(p)

    def volume_of(array):
        v = itk.image_from_array(array)
        v.SetSpacing([s["voxel"]] * 3)
        v.SetOrigin([-0.5 * (s["n"] - 1) * s["voxel"]] * 3)
        return on_device(v)

    shape, stack = grid_of(s), stack_of(s)
    readings = load(folder, s["scan"] + ".projections", stack)
    on_host = projections_of(readings)
    measured = lambda: projections_of(readings) if cuda else on_host  # the card's copy is made anew in each run
    zeros = lambda: volume_of(np.zeros(shape, np.float32))  # the filters work in place: each run gets its own

    def forward():
        f = rtk.CudaForwardProjectionImageFilter[image].New() if cuda else \
            rtk.JosephForwardProjectionImageFilter[image, image].New()
        f.SetInput(0, projections_of(np.zeros(stack, np.float32)))
        f.SetInput(1, volume_of(there(load(folder, s["scan"] + ".truth", shape))))
        return f

    def back():
        f = rtk.CudaBackProjectionImageFilter[image].New() if cuda else \
            rtk.JosephBackProjectionImageFilter[image, image].New()
        f.SetInput(0, zeros())
        f.SetInput(1, measured())
        return f

    def fdk():
        f = rtk.CudaFDKConeBeamReconstructionFilter.New() if cuda else rtk.FDKConeBeamReconstructionFilter[image].New()
        f.SetInput(0, zeros())
        f.SetInput(1, measured())
        f.GetRampFilter().SetTruncationCorrection(0.0)
        f.GetRampFilter().SetHannCutFrequency(0.0)
        return f

    def with_projectors(f):
        f.SetInput(0, zeros())
        f.SetInput(1, measured())
        f.SetForwardProjectionFilter(f.ForwardProjectionType_FP_CUDARAYCAST if cuda else f.ForwardProjectionType_FP_JOSEPH)
        f.SetBackProjectionFilter(f.BackProjectionType_BP_CUDAVOXELBASED if cuda else f.BackProjectionType_BP_JOSEPH)
        return f

    def sirt():  # RTK's SART with one subset of all views
        f = with_projectors(rtk.SARTConeBeamReconstructionFilter[image, image].New())
        f.SetNumberOfIterations(s["sirt"])
        f.SetNumberOfProjectionsPerSubset(s["views"])
        f.SetLambda(1.0)
        f.SetEnforcePositivity(True)
        return f

    def sart():
        f = with_projectors(rtk.SARTConeBeamReconstructionFilter[image, image].New())
        f.SetNumberOfIterations(s["sart"])
        f.SetNumberOfProjectionsPerSubset(1)
        f.SetLambda(s["relaxation"])
        f.SetEnforcePositivity(False)
        return f

    def cgls():
        f = with_projectors(rtk.ConjugateGradientConeBeamReconstructionFilter[image].New())
        f.SetNumberOfIterations(s["cgls"])
        return f

    def work():
        f = {"forward": forward, "back": back, "fdk": fdk, "sirt": sirt, "sart": sart, "cgls": cgls}[method]()
        f.SetGeometry(geometry)
        f.Update()
        result = f.GetOutput()
        if cuda:
            result.UpdateBuffers()
            host = plain.New()
            host.CopyInformation(result)
            host.SetRegions(result.GetBufferedRegion())
            host.SetPixelContainer(result.GetPixelContainer())
            result = host
        return itk.array_from_image(result)

    seconds, result = timed(work, 2 if cuda or method in ("forward", "fdk") else 1)
    save(folder, f"{s['scan']}.{method}.rtk" + ("_cuda" if cuda else ""), result if method == "forward" else back_again(result))
    return seconds


def run_astra_3d(folder, s, method):
    """On a GPU: ASTRA's 3-D code has no other. Its stacks are rows x views x columns."""
    import astra

    views = np.loadtxt(os.path.join(folder, "cone.views.txt"))
    source, origin, u, v = (views[:, k:k + 3] for k in (0, 3, 6, 9))
    middle = origin + 0.5 * (s["columns"] - 1) * u + 0.5 * (s["rows"] - 1) * v
    detector = astra.create_proj_geom("cone_vec", s["rows"], s["columns"], np.hstack([source, middle, u, v]))
    half, half_z = 0.5 * s["n"] * s["voxel"], 0.5 * s["nz"] * s["voxel"]
    grid = astra.create_vol_geom(s["n"], s["n"], s["nz"], -half, half, -half, half, -half_z, half_z)
    turned = lambda stack: np.ascontiguousarray(stack.transpose(1, 0, 2))
    measured = turned(load(folder, "cone.projections", stack_of(s)))
    truth = load(folder, "cone.truth", grid_of(s))
    name = {"forward": "FP3D_CUDA", "back": "BP3D_CUDA", "fdk": "FDK_CUDA", "sirt": "SIRT3D_CUDA",
            "cgls": "CGLS3D_CUDA"}[method]

    def work():
        image = astra.data3d.create("-vol", grid, truth if method == "forward" else 0)
        data = astra.data3d.create("-sino", detector, 0 if method == "forward" else measured)
        config = astra.astra_dict(name)
        config["ProjectionDataId"] = data
        config["VolumeDataId" if method == "forward" else "ReconstructionDataId"] = image
        config["option"] = {"MinConstraint": 0.0} if method == "sirt" else {}
        handle = astra.algorithm.create(config)
        astra.algorithm.run(handle, s.get(method, 1))
        result = astra.data3d.get(data if method == "forward" else image)
        astra.algorithm.delete(handle)
        astra.data3d.delete([image, data])
        return result

    seconds, result = timed(work, 3)
    save(folder, f"cone.{method}.astra_cuda", turned(result) if method == "forward" else result)
    return seconds


def run_astra(folder, s, method, cuda=False):
    if s["scan"] == "cone":
        return run_astra_3d(folder, s, method)
    import astra

    views = np.loadtxt(os.path.join(folder, "flat.views.txt"))
    middle = 0.5 * (s["columns"] - 1)
    rays = [[v[0], v[1], v[3] + middle * v[6], v[4] + middle * v[7], v[6], v[7]] for v in views]
    half = 0.5 * s["n"] * s["voxel"]
    # ASTRA's first image row is at the largest y.
    grid = astra.create_vol_geom(s["n"], s["n"], -half, half, -half, half)
    detector = astra.create_proj_geom("parallel_vec", s["columns"], np.array(rays))
    if method == "fbp":  # its filter takes angles only; ours count the other way round, y downwards
        angles = np.arctan2(views[:, 7], views[:, 6])
        detector = astra.create_proj_geom("parallel", float(np.hypot(views[0, 6], views[0, 7])), s["columns"], -angles)
    projector = None if cuda else astra.create_projector("linear", detector, grid)
    sinogram = astra.data2d.create("-sino", detector, load(folder, "flat.projections", (s["views"], s["columns"])))
    flip = method != "fbp"
    truth = load(folder, "flat.truth", (s["n"], s["n"]))[::-1]
    name = {"forward": "FP", "back": "BP", "fbp": "FBP", "sirt": "SIRT", "cgls": "CGLS"}[method] + ("_CUDA" if cuda else "")

    def work():
        image = astra.data2d.create("-vol", grid, truth if method == "forward" else 0)
        data = astra.data2d.create("-sino", detector, 0) if method == "forward" else sinogram
        config = astra.astra_dict(name)
        if not cuda:
            config["ProjectorId"] = projector
        config["ProjectionDataId"] = data
        config["VolumeDataId" if method == "forward" else "ReconstructionDataId"] = image
        config["option"] = {"MinConstraint": 0.0} if method == "sirt" else {}
        if method == "fbp":
            config["FilterType"] = "Ram-Lak"
        handle = astra.algorithm.create(config)
        astra.algorithm.run(handle, s.get(method, 1))
        astra.algorithm.delete(handle)
        result = astra.data2d.get(data if method == "forward" else image)
        return result if method == "forward" or not flip else result[::-1]

    seconds, result = timed(work, 2 if cuda or method in ("forward", "back", "fbp") else 1)
    save(folder, f"flat.{method}.astra" + ("_cuda" if cuda else ""), result)
    return seconds


def run_skimage(folder, s, method):
    from skimage.transform import iradon, iradon_sart

    views = np.loadtxt(os.path.join(folder, "flat.views.txt"))
    step = float(np.hypot(views[0, 6], views[0, 7]))
    degrees = -np.degrees(np.arctan2(views[:, 7], views[:, 6]))
    sinogram = load(folder, "flat.projections", (s["views"], s["columns"])).T
    n, columns = s["n"], s["columns"]  # both odd: its axis is at column n // 2, and its pixels are as large as a column
    if method == "fbp":
        seconds, image = timed(lambda: iradon(sinogram, theta=degrees, output_size=n, filter_name="ramp", circle=False), 2)
    else:  # as many pixels as columns
        seconds, image = timed(lambda: iradon_sart(sinogram.astype(np.float64), theta=degrees,
                                                   relaxation=s["relaxation"]), 1)
        first = (columns - n) // 2
        image = image[first:first + n, first:first + n]
    save(folder, f"flat.{method}.skimage", image / step)
    return seconds


def run_plastimatch(folder, s, method):
    """Its images are the stack's views, its geometry its own text. Its ramp filter takes rows as periodic, so they get a
    border of zeros; the scale of its volume is fitted."""
    views = np.loadtxt(os.path.join(folder, "cone.views.txt"))
    border = s["columns"]
    stack = np.pad(load(folder, "cone.projections", stack_of(s)), ((0, 0), (0, 0), (border, border)))
    inputs = os.path.join(folder, "plastimatch")
    os.makedirs(inputs, exist_ok=True)
    u, v = 0.5 * (s["columns"] - 1), 0.5 * (s["rows"] - 1)
    for k, view in enumerate(views):
        source, origin, du, dv = view[0:3], view[3:6], view[6:9], view[9:12]
        detector = origin + u * du + v * dv
        sad, sid = np.linalg.norm(source), np.linalg.norm(source - detector)
        normal, right = source / sad, du / np.linalg.norm(du)
        down = -dv / np.linalg.norm(dv)  # its rows run downwards
        step_u, step_v = np.linalg.norm(du), np.linalg.norm(dv)
        extrinsic = np.eye(4)
        extrinsic[:3, :3] = right, down, -normal
        extrinsic[2, 3] = sad
        intrinsic = np.array([[1 / step_u, 0, 0, 0], [0, 1 / step_v, 0, 0], [0, 0, 1 / sid, 0]])
        rows = lambda m: "\n".join(" ".join(f"{x:18.10e}" for x in row) for row in m)
        with open(os.path.join(inputs, f"p{k:04d}.txt"), "w") as text:
            text.write(f"{u + border:18.10e} {v:18.10e}\n{rows(intrinsic @ extrinsic)}\n{sad:18.10e}\n{sid:18.10e}\n"
                       f"{rows([-normal])}\nExtrinsic\n{rows(extrinsic)}\nIntrinsic\n{rows(intrinsic)}\n")
        with open(os.path.join(inputs, f"p{k:04d}.pfm"), "wb") as pixels:
            pixels.write(f"Pf\n{stack.shape[2]} {s['rows']}\n-1\n".encode() + stack[k][::-1].astype("<f4").tobytes())
    size = s["n"] * s["voxel"]
    out = os.path.join(folder, "plastimatch.mha")
    begin = time.perf_counter()
    done = subprocess.Popen(["plastimatch", "fdk", "-I", inputs, "-O", out, "-r", f"{s['n']} {s['n']} {s['nz']}", "-z",
                             f"{size} {size} {size}", "-f", "ramp"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(done.pid, 0)
    seconds = time.perf_counter() - begin
    if status != 0:
        sys.exit("plastimatch fdk failed")
    with open(out, "rb") as file:
        data = file.read()
    volume = np.frombuffer(data[-4 * s["n"] ** 2 * s["nz"]:], "<f4").reshape(grid_of(s))
    truth = load(folder, "cone.truth", grid_of(s))
    inside = region(s)
    scale, offset = np.polyfit(volume[inside].astype(np.float64), truth[inside].astype(np.float64), 1)
    save(folder, f"cone.{method}.plastimatch", scale * volume + offset)
    return seconds, usage.ru_maxrss / 1024


def region(s):
    """The cylinder that holds the head (0.46 of the field; 0.9 of its length along z)."""
    radius = 0.46 * s["n"] * s["voxel"]
    axis = lambda n: (np.arange(n) - 0.5 * (n - 1)) * s["voxel"]
    x, y, z = axis(s["n"]), axis(s["n"]), axis(s["nz"])
    return (z[:, None, None] ** 2 <= (0.5 * radius) ** 2) & (y[None, :, None] ** 2 + x[None, None, :] ** 2 <=
                                                              (0.95 * radius) ** 2)


def steps_as_its_column(folder, s):
    """The rays whose fastest axis is that of their column's middle ray. Of the others Isocenter takes the samples in the
    column's planes and RTK in the ray's own: two Joseph projections of one ray, neither of them the truer one."""
    views = np.loadtxt(os.path.join(folder, s["scan"] + ".views.txt"))[:, None, None, :]
    column, row = np.arange(s["columns"])[:, None], np.arange(s["rows"])[:, None, None]
    fastest = lambda j: np.abs(views[..., 3:6] + column * views[..., 6:9] + j * views[..., 9:12] - views[..., :3]).argmax(-1)
    return fastest(row) == fastest(0.5 * (s["rows"] - 1))


def run_peer(peer, folder, scan, method):
    s = json.load(open(os.path.join(folder, scan + ".json")))
    if peer.endswith("_cuda"):
        result = {"rtk_cuda": run_rtk, "astra_cuda": run_astra}[peer](folder, s, method, cuda=True)
    else:
        result = {"rtk": run_rtk, "astra": run_astra, "skimage": run_skimage,
                  "plastimatch": run_plastimatch}[peer](folder, s, method)
    seconds, memory = result if isinstance(result, tuple) else (result, peak_mb())
    print(json.dumps({"time_s": seconds, "peak_mb": memory}))


class CardMemory:
    """What nvidia-smi sees of one card's memory, at most, beyond what was taken at first (MB; None without it)."""

    def __init__(self, device):
        self.command = ["nvidia-smi", "--id=" + (device.partition(":")[2] or "0"), "--query-gpu=memory.used",
                        "--format=csv,noheader,nounits"]
        self.before = self.now()
        self.most, self.done = self.before, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def now(self):
        try:
            return float(subprocess.run(self.command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
        except (OSError, ValueError, subprocess.CalledProcessError):
            return None

    def watch(self):
        while self.before is not None and not self.done.wait(0.05):
            self.most = max(self.most, self.now() or 0.0)

    def stop(self):
        self.done.set()
        self.thread.join()
        return None if self.before is None else self.most - self.before


def figures_of(command, device):
    """What the command printed last; where it failed, a text: its last line of error."""
    card = CardMemory(device) if device != "cpu" else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    taken = card.stop() if card is not None else None
    if done.returncode != 0:
        return f"exit code {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "card_mb": taken}


def installed(peer):
    if peer == "plastimatch":
        return shutil.which("plastimatch") is not None
    try:
        importlib.metadata.version(PACKAGES[peer])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def difference(a, b, where=None):
    a, b = a.astype(np.float64), b.astype(np.float64)
    if where is not None:
        a, b = a[where], b[where]
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def rmse(a, b, where=None):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.sqrt(np.mean((a - b)[where if where is not None else ...] ** 2)))


def compare(program, device, folder, n, s, failures):
    scan = s["scan"]
    exact, truth = load(folder, scan + ".projections", stack_of(s)), load(folder, scan + ".truth", grid_of(s))
    inside = region(s)
    same_planes = steps_as_its_column(folder, s) if scan == "tilted" else None
    peers = PEERS if device == "cpu" else GPU_PEERS
    for method in METHODS[scan]:
        shape = stack_of(s) if method == "forward" else grid_of(s)
        where = None if method in ("forward", "back") else inside
        reference, ours = None, None
        for who in ["isocenter"] + [p for (of, p), methods in peers.items() if of == scan and method in methods]:
            if who != "isocenter" and not installed(who):
                continue
            command = [program, "run", folder, str(n), scan, method, device] if who == "isocenter" else \
                [sys.executable, os.path.abspath(__file__), "--peer", who, folder, scan, method]
            figures = figures_of(command, device)
            if isinstance(figures, str):
                print(f"{scan:6} {method:8} {who:12} FAILED: {figures}", flush=True)
                if who == "isocenter" or device == "cpu":
                    failures.append(f"{scan} {method} {who}: {figures}")
                if who == "isocenter":
                    break
                continue
            result = load(folder, f"{scan}.{method}.{who}", shape)
            against = exact if method == "forward" else None if method == "back" else truth
            error = None if against is None else difference(result, against, where)
            line = f"{scan:6} {method:8} {who:12} {figures['time_s']:9.3f} s {figures['peak_mb']:7.0f} MB"
            if figures["card_mb"] is not None:
                line += f" {figures['card_mb']:7.0f} MB on the card"
            if error is None:
                line += "  error   -     RMSE   -      "
            else:  # of images in HU, of forward projections as line integrals
                size = rmse(result, against, where) * (1 if method == "forward" else 1000 / MU_WATER)
                line += f"  error {error:.4f}  RMSE {size:8.4g}"
            if who == "isocenter":
                reference, ours = result, (figures["time_s"], error)
            else:
                apart = difference(result, reference, same_planes if (scan, method) == ("tilted", "forward") else where)
                line += f"  {figures['time_s'] / ours[0]:7.1f} times ours  apart {apart:.1e}"
                bound = BOUNDS.get((scan, method, who))
                if bound is not None and not apart < bound:
                    failures.append(f"{scan} {method} {who}: apart {apart:.2e}, bound {bound:g}")
                if error is not None and ours[1] > WORSE * error and (device == "cpu" or method == "fdk"):
                    failures.append(f"{scan} {method}: error {ours[1]:.4f}, {who}'s {error:.4f}")
            print(line, flush=True)


def print_machine(device):
    with open("/proc/cpuinfo") as info:
        text = info.read()
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "unknown")
    flags = "AVX-512" if "avx512f" in text else "AVX2"
    versions = ", ".join(f"{d.name} {d.version}" for d in importlib.metadata.distributions()
                         if d.name in {*PACKAGES.values(), "itk", "numpy"})
    if shutil.which("plastimatch"):
        versions += ", " + subprocess.run(["plastimatch", "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"{time.strftime('%Y-%m-%d')}, {model} ({flags}), {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}")
    print(versions, flush=True)
    if device != "cpu" and shutil.which("nvidia-smi"):
        subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])


def main():
    if len(sys.argv) == 6 and sys.argv[1] == "--peer":
        return run_peer(*sys.argv[2:])
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("n", nargs="?", type=int, default=128, metavar="N")
    options.add_argument("--check", action="store_true")
    options.add_argument("--device", default="cpu")
    o = options.parse_args()
    program, n = o.program, o.n
    failures = []
    print_machine(o.device)
    with tempfile.TemporaryDirectory() as folder:
        written = subprocess.run([program, "write", folder, str(n)], check=True, stdout=subprocess.PIPE, text=True)
        for line in written.stdout.strip().splitlines():
            s = json.loads(line)
            with open(os.path.join(folder, s["scan"] + ".json"), "w") as file:
                file.write(line)
            compare(program, o.device, folder, n, s, failures)
    for failure in failures:
        print("WORSE OR APART:", failure)
    if o.check and failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
