"""Makes the files in this folder with programs that are not ours, and expected.txt with what they say of them.

Run by hand: python -m venv V && V/bin/pip install numpy nibabel SimpleITK pillow && V/bin/python make_fixtures.py
Made with nibabel 5.4.2, SimpleITK 2.5.7, Pillow 13.0.0, NumPy 2.4.6. All of it is generated: CC0.

expected.txt has a line for each voxel that is checked: file, index i j k t, position x y z in mm (LPS), time in s, value.
Positions come from nibabel's affine (RAS, turned to LPS here) and from SimpleITK's TransformIndexToPhysicalPoint.
"""
import gzip
import pathlib

import nibabel
import numpy as np
import SimpleITK as sitk
from PIL import Image, PngImagePlugin

here = pathlib.Path(__file__).parent
CHECKED = [(0, 0, 0), (4, 0, 0), (0, 3, 0), (0, 0, 2), (4, 3, 2)]
lines = []


def values(*shape):
    """i + 10 j + 100 k + 1000 t, axes in the order i j k (t)."""
    grid = np.indices(shape)
    return sum(g * 10**n for n, g in enumerate(grid))


def oblique(spacing, angles_deg, origin):
    """A 4 x 4 matrix from three rotations, about x, y and z."""
    a, b, c = np.deg2rad(angles_deg)
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    m = np.eye(4)
    m[:3, :3] = rz @ ry @ rx @ np.diag(spacing)
    m[:3, 3] = origin
    return m


def expect(file, index, t, lps, time_s, value):
    numbers = [*index, t, *lps, time_s, value]
    lines.append(" ".join([file] + [repr(float(n)) for n in numbers]))


def save_nifti(file, image, time_s=lambda t: 0.0, scale=1):
    nibabel.save(image, here / file)
    loaded = nibabel.load(here / file)
    data = loaded.get_fdata()
    for index in CHECKED:
        for t in range(data.shape[3] if data.ndim == 4 else 1):
            ras = loaded.affine @ [*index, 1] * scale
            value = data[(*index, t)] if data.ndim == 4 else data[index]
            expect(file, index, t, (-ras[0], -ras[1], ras[2]), time_s(t), value)


def save_itk(file, image, compress=False):
    sitk.WriteImage(image, str(here / file), useCompression=compress)
    loaded = sitk.ReadImage(str(here / file))
    for index in CHECKED:
        for t in range(loaded.GetSize()[3] if loaded.GetDimension() == 4 else 1):
            full = (*index, t) if loaded.GetDimension() == 4 else index
            at = loaded.TransformIndexToPhysicalPoint(full)
            expect(file, index, t, at[:3], at[3] if loaded.GetDimension() == 4 else 0.0, loaded[full])


def main():
    affine = oblique((0.78125, 0.7, 3.3), (11, -24, 37), (-101.5, 33.25, 412.125))

    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.int16), affine)
    image.header.set_slope_inter(0.5, -1024)
    image.header.set_xyzt_units("mm", "sec")
    save_nifti("oblique_scaled_int16.nii.gz", image)

    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(values(5, 4, 3, 2).astype(np.int16), affine, header=header)
    image.header.set_data_dtype(np.dtype(">i2"))
    image.header.set_xyzt_units("mm", "msec")
    image.header["pixdim"][4] = 250
    image.header["toffset"] = 1500
    save_nifti("big_endian_4d_msec.nii", image, lambda t: 1.5 + 0.25 * t)

    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.uint8), affine)
    image.set_sform(None, code=0)
    image.set_qform(affine, code=1)
    save_nifti("quaternion_only_uint8.nii", image)

    left_handed = affine @ np.diag([-1, 1, 1, 1])
    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.float64), left_handed)
    save_nifti("left_handed_float64.nii.gz", image)

    image = nibabel.Nifti2Image(values(5, 4, 3, 2).astype(np.uint16), affine)
    image.header["pixdim"][4] = 0.25
    image.header["toffset"] = 1.5
    image.header.set_xyzt_units("mm", "sec")
    save_nifti("nifti2_4d_uint16.nii", image, lambda t: 1.5 + 0.25 * t)

    metres = affine.copy()
    metres[:3] /= 1000
    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.int16), metres)
    image.header.set_xyzt_units("meter", "sec")
    save_nifti("in_metres.nii", image, scale=1000)

    # Matrix and quaternion that disagree: nibabel, as we, takes the matrix.
    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.int16), affine)
    moved = affine.copy()
    moved[:3, 3] += (3, 4, 0)
    image.set_qform(moved, code=1)
    save_nifti("two_places.nii", image)

    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.int16), np.diag([2, 2, 2, 1]))
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nibabel.save(image, here / "no_orientation.nii")

    image = nibabel.Nifti1Image(values(5, 4, 3).astype(np.int16), np.array([[1, 0.4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    image.set_qform(None, code=0)
    nibabel.save(image, here / "sheared.nii")

    rgb = np.zeros((5, 4, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, affine), here / "colour.nii")

    volume = sitk.GetImageFromArray(values(5, 4, 3).T.astype(np.float32))
    volume.SetSpacing((0.78125, 0.7, 3.3))
    volume.SetOrigin((-101.512345678901, 33.25, 412.125))
    volume.SetDirection((affine[:3, :3] / np.array((0.78125, 0.7, 3.3))).flatten())
    save_itk("oblique_float.mha", volume)
    save_itk("oblique_float_compressed.mha", volume, compress=True)
    save_itk("oblique_int16.mhd", sitk.Cast(volume, sitk.sitkInt16), compress=True)
    save_itk("oblique_uint16_compressed.nrrd", sitk.Cast(volume, sitk.sitkUInt16), compress=True)
    series = sitk.JoinSeries([volume, volume + 1000], 0.5, 0.04)
    save_itk("series_float.mha", series)
    save_itk("series_float.nrrd", series)

    # A NRRD as 3D Slicer writes older ones: RAS, big endian, detached. Positions follow from its own numbers.
    (here / "ras_big_endian.nhdr").write_text(
        "NRRD0004\n# RAS\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 5 4 3\n"
        "space directions: (0,-2,0) (1.5,0,0) (0,0,4)\nkinds: domain domain domain\nendian: big\nencoding: gzip\n"
        "space origin: (10,20,30)\ndata file: ras_big_endian.raw.gz\n")
    (here / "ras_big_endian.raw.gz").write_bytes(gzip.compress(values(5, 4, 3).T.astype(">i2").tobytes(), mtime=0))
    for i, j, k in CHECKED:
        ras = (10 + 1.5 * j, 20 - 2 * i, 30 + 4 * k)
        expect("ras_big_endian.nhdr", (i, j, k), 0, (-ras[0], -ras[1], ras[2]), 0.0, i + 10 * j + 100 * k)

    (here / "expected.txt").write_text("\n".join(lines) + "\n")
    make_pngs()


def make_pngs():
    """Pixel (x, y): grey 1000 y + x (16 bits) or 10 y + x (8 bits); colours (10 x, 20 y, 5 x y)."""
    y, x = np.mgrid[0:4, 0:7]
    Image.fromarray((10 * y + x).astype(np.uint8)).save(here / "grey8.png", dpi=(0.0254 / 0.0005, 0.0254 / 0.001))
    Image.fromarray((1000 * y + x).astype(np.uint16)).save(here / "grey16.png")
    colours = np.stack([10 * x, 20 * y, 5 * x * y], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(here / "rgb8.png")
    Image.fromarray(colours).quantize(28).save(here / "palette.png")
    Image.fromarray(np.dstack([colours, 255 - colours[..., 0]])).save(here / "alpha.png")


main()
