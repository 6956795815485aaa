"""PSNR and SSIM of held-out scans as they are, after our non-local means and after the network.

The truth is the reconstruction without noise; the range of both measures is 400 HU, a window for soft tissue, to which
values are held: noise in air is not what matters. SSIM: Wang et al., IEEE TIP 13 (2004) 600, slice by slice, Gaussian of
1.5 pixels, by scikit-image. Non-local means and the network run in Isocenter; of non-local means the best of several
strengths counts for each measure, which no user could choose without the truth."""

import argparse
import pathlib
import subprocess
import tempfile

import numpy
from skimage.metrics import structural_similarity

from network import read_nifti, read_scan, scans

LOW, HIGH = -160.0, 240.0
PIPELINE = """isocenter: 1
name: measure
nodes:
  - {{name: read, operator: image_source, parameters: {{path: "{scan}", unit: HU}}}}
  - {{name: filter, operator: {operator}, inputs: {{input: read}}, parameters: {{{parameters}}}}}
  - {{name: write, operator: image_sink, inputs: {{input: filter}}, parameters: {{path: "${{output}}/out.nii", voxel_type: int16}}}}
"""


def filtered(command, scan, operator, parameters):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "measure.yaml"
        file.write_text(PIPELINE.format(scan=scan.resolve(), operator=operator, parameters=parameters))
        subprocess.run([command, "run", file, "--output", f"{folder}/out", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        return read_nifti(f"{folder}/out/out.nii")


def measures(found, truth):
    found, truth = (numpy.clip(v, LOW, HIGH) for v in (found, truth))
    psnr = 10 * numpy.log10((HIGH - LOW) ** 2 / numpy.mean((found - truth) ** 2))
    ssim = [
        structural_similarity(
            f, t, data_range=HIGH - LOW, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for f, t in zip(found, truth)
    ]
    return float(psnr), float(numpy.mean(ssim))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("isocenter", help="the command")
    parser.add_argument("held_out", type=pathlib.Path)
    parser.add_argument("onnx", type=pathlib.Path, nargs="+")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.8, 1.2, 1.6, 2.0, 2.6])
    arguments = parser.parse_args()
    rows = {}
    for item in scans(arguments.held_out):
        (truth,) = read_scan(arguments.held_out, item, "clean")
        scan = arguments.held_out / f"noisy_{item:04d}.nii"
        rows.setdefault("as it is", []).append(measures(read_nifti(scan), truth))
        for strength in arguments.strengths:
            found = filtered(arguments.isocenter, scan, "non_local_means", f"strength: {strength}")
            rows.setdefault(f"non-local means, strength {strength}", []).append(measures(found, truth))
        for model in arguments.onnx:
            found = filtered(arguments.isocenter, scan, "network_inference", f'model: "{model.resolve()}"')
            rows.setdefault(model.name, []).append(measures(found, truth))
    for name, values in rows.items():
        psnr, ssim = numpy.mean(values, axis=0)
        print(f"{name}: PSNR {psnr:.2f} dB, SSIM {ssim:.4f} over {len(values)} scans")


if __name__ == "__main__":
    main()
