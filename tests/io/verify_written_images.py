"""Holds what our writers wrote to nibabel and SimpleITK; run by hand.

ISOCENTER_IO_SAMPLES=FOLDER io_tests --gtest_filter='*WritesSamples*'
python -m venv V && V/bin/pip install numpy nibabel SimpleITK && V/bin/python verify_written_images.py FOLDER
"""
import pathlib
import sys

import nibabel
import numpy as np
import SimpleITK as sitk

folder = pathlib.Path(sys.argv[1])
series = np.fromfile(folder / "voxels.f32", np.float32).reshape(3, 5, 6, 7)
spacing, origin = (0.78125, 0.7, 3.3), np.array((-101.512345678901, 33.25, 412.0625))
a, b, c = 0.19, -0.42, 0.64
rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
matrix = rz @ ry @ rx @ np.diag(spacing)
checked = 0

for path in sorted(p for p in folder.iterdir() if p.suffix not in (".raw", ".zraw", ".f32")):
    kind = path.name.split(".")[0]
    is_nifti = ".nii" in path.name.lower()
    values = series if kind == "series" else series.reshape(-1)[: 5 * 6 * 7].reshape(5, 6, 7)
    if kind == "labels":
        values = (np.arange(4 * 5 * 6) % 7).reshape(4, 5, 6)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image), values), path
    index = (5, 4, 3) + ((2,) if kind == "series" else ())
    at = np.array(image.TransformIndexToPhysicalPoint(index))
    expected = matrix @ index[:3] + origin
    assert np.allclose(at[:3], expected, rtol=0, atol=1e-4 if is_nifti else 1e-12), (path, at, expected)
    if kind == "series":
        assert abs(image.GetSpacing()[3] - 0.04) < 1e-8, path
        assert is_nifti or at[3] == 1.5 + 2 * 0.04, path
    if is_nifti:
        loaded = nibabel.load(path)
        assert np.array_equal(np.asarray(loaded.dataobj), values.transpose()), path
        lps = np.diag([-1, -1, 1, 1]) @ loaded.affine @ np.array([5, 4, 3, 1])
        assert np.allclose(lps[:3], expected, rtol=0, atol=1e-4), path
        assert np.allclose(loaded.get_qform(), loaded.get_sform(), rtol=0, atol=1e-4), path
        assert loaded.header.get_xyzt_units() == ("mm", "sec"), path
        if kind == "series":
            assert loaded.header["toffset"] == 1.5, path
        if kind == "labels":
            assert loaded.header.get_intent()[0] == "label", path
    checked += 1
print("checked", checked, "files; all agree")
