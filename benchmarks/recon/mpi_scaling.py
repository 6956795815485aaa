#!/usr/bin/env python3
"""How a reconstruction scales over processes, and what each of them holds.

    nice mpi_scaling.py build/release/bin/isocenter [--processes 1,2,4] [--threads 1] [--size 256] [--views 96]
        [--device cpu]  (cuda: a GPU for each process)

For FDK and OS-SART and each number of processes: seconds of the reconstruction on rank 0, against one process; bytes that
the plan of each rank states; and ||volume - volume of one process|| / ||volume of one process||.
"""
import argparse
import array
import json
import math
import os
import pathlib
import subprocess
import tempfile

PIPELINE = """isocenter: 1
name: scaling
description: One reconstruction on several processes.
nodes:
  - name: raw
    operator: phantom_projections
    parameters: {{views: {views}, columns: {columns}, rows: {columns}, column_step_mm: {step}, row_step_mm: {step}}}
  - name: recon
    operator: {operator}
    inputs: {{input: raw}}
    parameters: {{unit: 1/mm, nx: {size}, ny: {size}, nz: {size}, spacing_mm: {spacing}{more}}}
  - name: sink
    operator: image_sink
    inputs: {{input: recon}}
    parameters: {{path: "${{output}}/volume.mhd"}}
"""
METHODS = {"fdk_reconstruction": "", "os_sart_reconstruction": ", subsets: 8, iterations: 2"}


def run(options, processes, folder, name):
    out = folder / name
    words = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(processes), options.command, "run",
             str(folder / "pipeline.yaml"), "--output", str(out), "--device", options.device, "--threads",
             str(options.threads), "--quiet"]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    voxels = array.array("f")
    voxels.frombytes((out / "volume.raw").read_bytes())
    return find_nodes(json.loads((out / "report.json").read_text())), voxels


def find_nodes(report):
    if isinstance(report, dict):
        if isinstance(report.get("nodes"), list):
            return {node["name"]: node for node in report["nodes"]}
        for value in report.values():
            if (nodes := find_nodes(value)) is not None:
                return nodes
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", type=int, default=96)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    counts = [int(n) for n in options.processes.split(",")]
    if counts[0] != 1:
        raise SystemExit("--processes must begin with 1, which the others are compared with")
    columns = options.size // 2
    print(f"{'method':24} {'processes':>9} {'seconds':>8} {'speed-up':>8} {'apart':>8}  planned MB of each rank")
    for operator, more in METHODS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "pipeline.yaml").write_text(PIPELINE.format(
                views=options.views, columns=columns, step=384 / columns, operator=operator, size=options.size,
                spacing=230 / options.size, more=more))
            alone = None
            for n in counts:
                nodes, voxels = run(options, n, folder, f"of{n}")
                seconds = nodes["recon"]["time_s"]["total"]
                if alone is None:
                    alone = (seconds, voxels)
                    held = [sum(sum(node["memory_bytes"].values()) for node in nodes.values())]
                else:
                    held = nodes["recon.output->whole"]["metrics"]["planned_bytes_of_rank"]["values"]
                apart = math.dist(voxels, alone[1]) / math.hypot(*alone[1])
                print(f"{operator:24} {n:9} {seconds:8.3f} {alone[0] / seconds:8.2f} {apart:8.1e}  "
                      + ", ".join(f"{b * 1e-6:.0f}" for b in held))


if __name__ == "__main__":
    main()
