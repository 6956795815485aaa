#!/usr/bin/env python3
"""RTK reads our geometry files and sends the same rays.

    python3 -m venv peers && peers/bin/pip install itk-rtk numpy
    peers/bin/python tests/interop/rtk_geometry.py build/release/bin/rtk_geometry

For each scan that rtk_geometry writes: RTK reads our XML; its projection matrices equal ours view by view to a part in
1e9 (of the largest number of each row, in elements); and RTK's line integrals through the same ellipsoid equal our
exact ones to single precision. Ends with 1 when one does not.
"""
import os
import re
import subprocess
import sys
import tempfile

import itk
import numpy as np
from itk import RTK as rtk

MATRIX_BOUND, LENGTH_BOUND_MM = 1e-9, 5e-4
# x = X, y = -Z, z = Y: from RTK's fixed system to the patient frame.
LPS_OF_RTK = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], float)
CENTRE_LPS, HALF_AXES_LPS = (10, -15, 20), (60, 90, 45)


def read_geometry(path):
    reader = rtk.ThreeDCircularProjectionGeometryXMLFileReader.New()
    reader.SetFilename(path)
    reader.GenerateOutputInformation()
    return reader.GetOutputObject()


def rtk_matrices(geometry, path):
    """As RTK computes them from the parameters that it read: through its writer, with 15 digits."""
    writer = rtk.ThreeDCircularProjectionGeometryXMLFileWriter.New()
    writer.SetObject(geometry)
    writer.SetFilename(path)
    writer.WriteFile()
    found = re.findall(r"<Matrix>(.*?)</Matrix>", open(path).read(), re.DOTALL)
    return np.array([np.array(text.split(), float).reshape(3, 4) for text in found])


def matrix_difference(geometry, path, first, step):
    """The largest difference of two matrices from RTK's fixed system to elements, relative to each row's largest."""
    ours = np.loadtxt(path + ".txt", ndmin=2).reshape(-1, 3, 4)
    rtks = rtk_matrices(geometry, path + ".rtk.xml")
    assert len(rtks) == len(ours)
    to_elements = np.array([[1 / step[0], 0, -first[0] / step[0]], [0, 1 / step[1], -first[1] / step[1]], [0, 0, 1]])
    worst = 0.0
    for view, our in enumerate(ours):
        a, b = our @ LPS_OF_RTK, to_elements @ rtks[view]
        scale = (a * b).sum() / (b * b).sum()  # a matrix is known up to a factor
        worst = max(worst, np.max(np.abs(a - scale * b) / np.max(np.abs(a), axis=1, keepdims=True)))
    return worst


def rtk_lengths(geometry, shape, first, step):
    image = itk.Image[itk.F, 3]
    stack = rtk.ConstantImageSource[image].New()
    stack.SetSize([shape[2], shape[1], shape[0]])
    stack.SetSpacing([step[0], step[1], 1.0])
    stack.SetOrigin([first[0], first[1], 0.0])
    rays = rtk.RayEllipsoidIntersectionImageFilter[image, image].New()
    rays.SetInput(stack.GetOutput())
    rays.SetGeometry(geometry)
    rays.SetDensity(1.0)
    rays.SetCenter([CENTRE_LPS[0], CENTRE_LPS[2], -CENTRE_LPS[1]])
    rays.SetAxis([HALF_AXES_LPS[0], HALF_AXES_LPS[2], HALF_AXES_LPS[1]])
    rays.SetAngle(0.0)
    rays.Update()
    return itk.array_from_image(rays.GetOutput())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        for line in open(os.path.join(folder, "scans.txt")):
            name, *numbers = line.split()
            columns, rows, views = map(int, numbers[:3])
            first, step = tuple(map(float, numbers[3:5])), tuple(map(float, numbers[5:7]))
            path = os.path.join(folder, name)
            geometry = read_geometry(path + ".xml")
            matrices = os.path.exists(path + ".txt")
            difference = matrix_difference(geometry, path, first, step) if matrices else 0.0
            ours = np.fromfile(path + ".raw", np.float32).reshape(views, rows, columns)
            rtks = rtk_lengths(geometry, ours.shape, first, step)
            # Where a ray grazes the ellipsoid a rounding of its place shows as the root of it.
            grazing = np.minimum(ours, rtks) < 2.0
            error = np.abs(ours - rtks)[~grazing].max()
            met = int((~grazing).sum())
            bad = difference > MATRIX_BOUND or error > LENGTH_BOUND_MM or met < 1000 or \
                np.abs(ours - rtks)[grazing].max() > 2.0
            failed |= bad
            print(f"{name:20} {'matrices ' + format(difference, '.1e') if matrices else 'no matrices':20} "
                  f"lengths {error:.1e} mm over {met} rays{'  WRONG' if bad else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
