"""A picture of the network's result on a CT series (a folder of DICOM files): six axial slices, three coronal ones,
three sagittal ones, each without and with the labels in colour."""

import argparse
import pathlib

import numpy
import pydicom
from PIL import Image
from scipy import ndimage

from network import COLOURS, LABELS, SPACING_MM, onnx_runner, sliding_window


def read_series(folder):
    """HU, z, y, x, and spacing z, y, x in mm; axial slices, head up."""
    slices = [pydicom.dcmread(f) for f in pathlib.Path(folder).glob("*.dcm")]
    slices.sort(key=lambda s: float(s.ImagePositionPatient[2]))
    if [round(float(v), 3) for v in slices[0].ImageOrientationPatient] != [1, 0, 0, 0, 1, 0]:
        raise SystemExit("ImageOrientationPatient (0020,0037) is not axial; this script only looks at axial series")
    hu = numpy.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    step = float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2])
    return hu.astype(numpy.float32), numpy.array([step, *[float(v) for v in slices[0].PixelSpacing]])


def resample(hu, spacing, to=SPACING_MM):
    """Linear, after a blur along axes that get coarser."""
    sigma = numpy.sqrt(numpy.maximum(0.0, to**2 - spacing**2)) / 2.355 / spacing
    size = numpy.round(numpy.array(hu.shape) * spacing / to).astype(int)
    axes = [(numpy.arange(n) + 0.5) * to / s - 0.5 for n, s in zip(size, spacing)]
    grid = numpy.meshgrid(*axes, indexing="ij")
    return ndimage.map_coordinates(ndimage.gaussian_filter(hu, sigma), grid, order=1, mode="nearest")


def picture(hu, labels, zoom=2):
    palette = 255.0 * numpy.array(COLOURS)

    def tile(grey, found):
        grey = numpy.clip((grey + 1000.0) / 1500.0, 0, 1)[..., None] * numpy.full(3, 255.0)
        mixed = numpy.where(found[..., None] > 0, 0.5 * grey + 0.5 * palette[found], grey)
        return numpy.vstack([grey, mixed])

    def row(tiles):
        height = max(t.shape[0] for t in tiles)
        return numpy.hstack([numpy.pad(t, ((0, height - t.shape[0]), (0, 2), (0, 0))) for t in tiles])

    hu, labels = hu[::-1], labels[::-1]  # head up
    nz, ny, nx = hu.shape
    axial = [int(nz * f) for f in (0.08, 0.25, 0.4, 0.55, 0.7, 0.88)]
    rows = [row([tile(hu[k], labels[k]) for k in axial])]
    coronal = [tile(hu[:, k], labels[:, k]) for k in (int(ny * f) for f in (0.42, 0.52, 0.64))]
    sagittal = [tile(hu[:, :, k], labels[:, :, k]) for k in (int(nx * f) for f in (0.35, 0.5, 0.64))]
    rows.append(row(coronal + sagittal))
    width = max(r.shape[1] for r in rows)
    whole = numpy.vstack([numpy.pad(r, ((0, 2), (0, width - r.shape[1]), (0, 0))) for r in rows])
    return Image.fromarray(whole.astype(numpy.uint8)).resize((whole.shape[1] * zoom, whole.shape[0] * zoom))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("onnx", type=pathlib.Path)
    parser.add_argument("series", type=pathlib.Path, help="a folder of .dcm files")
    parser.add_argument("picture", type=pathlib.Path, help="the PNG to write")
    arguments = parser.parse_args()
    hu = resample(*read_series(arguments.series))
    labels = sliding_window(onnx_runner(arguments.onnx), hu).argmax(0)
    millilitres = SPACING_MM**3 / 1000.0
    for k, name in enumerate(LABELS):
        print(f"{name}: {(labels == k).sum() * millilitres:.0f} ml")
    picture(hu, labels).quantize(256).save(arguments.picture, optimize=True)


if __name__ == "__main__":
    main()
