#!/usr/bin/env python3
"""Image quality per dose: PSNR against the number of photons and the number of views, for FDK, OS-SART and TV.

    python3 benchmarks/recon/ct_dose.py build/release/bin/isocenter [figure.png]

A modified Shepp-Logan head in a fan beam (96^2 pixels of 2 mm, 144 columns of 1.33 mm at the isocentre), Poisson noise.
Left: 180 views, photons per element from 3e2 to 1e6. Right: views from 15 to 360 at the same dose in all, 1.8e6 photons for
each detector element over the scan. Each point is one run of the command with compare_volumes: PSNR within 85 mm, the
truth being means over the pixels. FDK's window, TV's weight and the number of OS-SART's iterations are the best of a few
for each point, because a user chooses them by the dose, too. Prints the table; with a second argument draws it
(matplotlib).
"""
import json
import os
import subprocess
import sys
import tempfile

PHOTONS = [3e2, 1e3, 3e3, 1e4, 1e5, 1e6]
VIEWS = [15, 30, 60, 120, 360]
ALL_PHOTONS = 1.8e6
GRID = "{nx: 96, ny: 96, nz: 1, spacing_mm: 2%s}"
CHOICES = {
    "FDK": [("fdk_reconstruction", f", window: {w}, cutoff: {c}, largest_gap_deg: 60")
            for w, c in (("ramp", 1), ("hann", 1), ("hann", 0.5), ("hann", 0.25))],
    "OS-SART": [("os_sart_reconstruction", f", subsets: 5, iterations: {k}") for k in (1, 2, 4, 8, 16, 32, 64)],
    "TV": [("tv_reconstruction", f", iterations: 50, weight_per_mm: {w}") for w in (3e-6, 1e-5, 3e-5, 1e-4, 3e-4)],
}
PIPELINE = """isocenter: 1
nodes:
  - name: scan
    operator: phantom_projections
    parameters: {{phantom: shepp_logan_modified, radius_mm: 90, mu_water_per_mm: 0.02, views: {views}, columns: 144, rows: 1,
                 column_step_mm: 2, row_step_mm: 2, photons: {photons}}}
  - name: truth
    operator: phantom_volume
    parameters: {{phantom: shepp_logan_modified, radius_mm: 90, mu_water_per_mm: 0.02, nx: 96, ny: 96, nz: 1, spacing_mm: 2,
                 samples: 4}}
{nodes}"""
NODE = """  - {{name: image_{i}, operator: {operator}, inputs: {{input: scan}}, parameters: {grid}}}
  - {{name: error_{i}, operator: compare_volumes, inputs: {{input: image_{i}, truth: truth.output}},
     parameters: {{radius_mm: 85}}}}
"""


def psnr(program, views, photons):
    """Of each method, the best of its choices."""
    runs = [(method, *choice) for method, choices in CHOICES.items() for choice in choices]
    nodes = "".join(NODE.format(i=i, operator=operator, grid=GRID % more)
                    for i, (_, operator, more) in enumerate(runs))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dose.yaml")
        with open(path, "w") as file:
            file.write(PIPELINE.format(views=views, photons=photons, nodes=nodes))
        subprocess.run([program, "run", path, "-o", os.path.join(folder, "out"), "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "out", "report.json")) as file:
            report = json.load(file)
    best = {}
    for i, (method, *_) in enumerate(runs):
        node = next(n for n in report["nodes"] if n["name"] == f"error_{i}")
        best[method] = max(best.get(method, -1e9), node["metrics"]["psnr_db"]["values"][0])
    return best


def draw(path, by_photons, by_views):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, table, label in ((axes[0], by_photons, "photons per element and view (180 views)"),
                               (axes[1], by_views, "views (the same dose in all)")):
        for method in CHOICES:
            axis.semilogx(list(table), [row[method] for row in table.values()], "o-", label=method)
        axis.minorticks_off()
        axis.set_xticks(list(table), [f"{n:g}" for n in table])
        axis.set_xlabel(label)
        axis.grid(True, alpha=0.3)
    axes[0].set_ylabel("PSNR, dB")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    by_photons = {n: psnr(sys.argv[1], 180, n) for n in PHOTONS}
    by_views = {n: psnr(sys.argv[1], n, ALL_PHOTONS / n) for n in VIEWS}
    for what, table in (("photons", by_photons), ("views", by_views)):
        print(f"| {what} | " + " | ".join(CHOICES) + " |")
        for n, row in table.items():
            print(f"| {n:g} | " + " | ".join(f"{row[m]:.1f}" for m in CHOICES) + " |")
    if len(sys.argv) == 3:
        draw(sys.argv[2], by_photons, by_views)


if __name__ == "__main__":
    main()
