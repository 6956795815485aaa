#!/usr/bin/env python3
"""Volume rendering side by side: Isocenter and VTK's fixed-point ray caster on the same volume, camera and transfer function.

    python3 -m venv peers && peers/bin/pip install numpy scipy vtk
    peers/bin/python benchmarks/peers/render.py build/release/bin/run_operator [N] [FOLDER]

The volume is a head of N^3 voxels (256 by default): skin, brain with texture, a skull with openings. Both render 800 x 800
pixels from the front without perspective, one sample a voxel edge, on all cores; ours from float32, VTK's from int16 as
it likes best. Prints the time of a frame (the shortest of three; ours with the search for empty space in it), and how
the pictures agree: the correlation of their grey levels and the mean difference in bytes, of linear light. VTK mixes and
lights colours as they are displayed with a light at the camera, ours in linear light from above the viewer's shoulder, so
shaded pictures differ in tone; absorption and intensity have to agree. With FOLDER the pictures are written there as PPM.
Quote the ratios of one run, not the seconds.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy.ndimage import gaussian_filter

SIZE = 800
# Value, opacity of 1 mm, red, green, blue.
OPAQUE = [(400, 0, .9, .75, .6), (700, .9, 1, .95, .85), (1500, .95, 1, 1, .95)]
TRANSLUCENT = [(-400, 0, .9, .6, .5), (-100, .01, .9, .6, .5), (300, .01, .9, .5, .4), (700, .05, 1, .95, .85),
               (1500, .08, 1, 1, .95)]


def head(n):
    axis = (np.arange(n) - 0.5 * (n - 1)) / n
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    r = np.sqrt((x / .34) ** 2 + (y / .42) ** 2 + (z / .44) ** 2)
    v = np.full((n, n, n), -1000, np.float32)
    v[r < 1] = 40
    v[(r < .93) & (r > .85)] = 1200
    for sx in (-.12, .12):  # eyes
        v[(x - sx) ** 2 + (y + .36) ** 2 + (z - .02) ** 2 < .06 ** 2] = 20
    texture = gaussian_filter(np.random.default_rng(3).normal(0, 1, v.shape).astype(np.float32), 2)
    v[r < .85] += 30 * texture[r < .85] / texture.std()
    return np.rint(gaussian_filter(v, 0.8)).astype(np.int16)


def isocenter(tool, volume, operator, **parameters):
    n = volume.shape[0]
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "in.raw"), os.path.join(folder, "out.raw")
        volume.astype(np.float32).tofile(source)
        settings = dict(width=SIZE, height=SIZE, frames=1, camera="orthographic", samples_per_voxel=1, **parameters)
        done = subprocess.run([tool, operator, source, str(n), str(n), str(n), "1", "1", "1", result, "repeats=3"] +
                              [f"{k}={v}" for k, v in settings.items()], check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)["time_s"], np.fromfile(result, np.uint8).reshape(SIZE, SIZE, 3)


class Vtk:
    def __init__(self, volume):
        import vtk
        from vtk.util.numpy_support import numpy_to_vtk
        self.vtk, n = vtk, volume.shape[0]
        image = vtk.vtkImageData()
        image.SetDimensions(n, n, n)
        image.SetOrigin(*[-0.5 * (n - 1)] * 3)
        image.GetPointData().SetScalars(numpy_to_vtk(volume.ravel(), deep=True))
        self.mapper = vtk.vtkFixedPointVolumeRayCastMapper()
        self.mapper.SetInputData(image)
        self.mapper.SetSampleDistance(1.0)
        self.mapper.SetInteractiveSampleDistance(1.0)
        self.mapper.SetAutoAdjustSampleDistances(0)
        self.mapper.SetImageSampleDistance(1.0)
        self.property = vtk.vtkVolumeProperty()
        self.property.SetInterpolationTypeToLinear()
        actor = vtk.vtkVolume()
        actor.SetMapper(self.mapper)
        actor.SetProperty(self.property)
        self.renderer = vtk.vtkRenderer()
        self.renderer.AddVolume(actor)
        camera = self.renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetPosition(0, -3 * n, 0)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewUp(0, 0, 1)
        camera.SetParallelScale(0.5 * n)
        self.renderer.ResetCameraClippingRange()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetSize(SIZE, SIZE)
        self.window.AddRenderer(self.renderer)

    def render(self, points, shade):
        from vtk.util.numpy_support import vtk_to_numpy
        opacity, colour = self.vtk.vtkPiecewiseFunction(), self.vtk.vtkColorTransferFunction()
        for value, alpha, r, g, b in points:
            opacity.AddPoint(value, alpha)
            colour.AddRGBPoint(value, r, g, b)
        self.property.SetScalarOpacity(opacity)
        self.property.SetColor(colour)
        self.property.SetScalarOpacityUnitDistance(1.0)
        self.property.SetShade(1 if shade else 0)
        self.property.SetAmbient(0.2)
        self.property.SetDiffuse(0.8)
        self.property.SetSpecular(0.15)
        self.property.SetSpecularPower(24)
        best = 1e9
        for turn in range(4):  # the first run builds VTK's gradients and tables
            self.window.Modified()
            begin = time.perf_counter()
            self.window.Render()
            if turn > 0:
                best = min(best, time.perf_counter() - begin)
        grab = self.vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        return best, vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(SIZE, SIZE, 3)[::-1]


def write_ppm(folder, name, picture):
    with open(os.path.join(folder, name + ".ppm"), "wb") as file:
        file.write(b"P6 %d %d 255\n" % (SIZE, SIZE) + np.ascontiguousarray(picture).tobytes())


def main():
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    tool, volume = sys.argv[1], head(int(sys.argv[2]) if len(sys.argv) > 2 else 256)
    vtk = Vtk(volume)
    fives = lambda points: ", ".join(str(number) for point in points for number in point)
    grey = [(-1000, 1, 0, 0, 0), (1500, 1, 1, 1, 1)]
    glass = [(-1000, 0, 1, 1, 1), (1500, .02, 1, 1, 1)]
    runs = [
        ("opaque, shaded", "volume_render", dict(transfer_points=fives(OPAQUE), background="0, 0, 0"), OPAQUE, True),
        ("translucent, shaded", "volume_render", dict(transfer_points=fives(TRANSLUCENT), background="0, 0, 0"),
         TRANSLUCENT, True),
        ("absorption, white", "volume_render", dict(transfer_points=fives(glass), background="0, 0, 0", shading="false"),
         glass, False),
        ("maximum intensity", "maximum_intensity_projection", dict(window_centre=250, window_width=2500), grey, False),
    ]
    print(f"{volume.shape[0]}^3 voxels, {SIZE} x {SIZE} pixels, VTK {vtk.vtk.VTK_VERSION}")
    print(f"{'':22} {'ours s':>8} {'VTK s':>8} {'ratio':>7} {'correlation':>11} {'mean diff.':>10}")
    results = {}
    for name, operator, parameters, points, shade in runs:
        if operator != "volume_render":
            vtk.mapper.SetBlendModeToMaximumIntensity()
        theirs, picture = vtk.render(points, shade)
        ours, own = isocenter(tool, volume, operator, **parameters)
        a, b = own.astype(float).mean(2), picture.astype(float).mean(2)
        if name.startswith("absorption"):  # VTK's bytes are the share of light that was absorbed; ours are encoded
            a = 255 * np.where(a <= 10, a / 255 / 12.92, ((a / 255 + .055) / 1.055) ** 2.4)
        results[name] = {"ours_s": ours, "vtk_s": theirs, "correlation": np.corrcoef(a.ravel(), b.ravel())[0, 1],
                         "mean_difference": np.abs(a - b).mean()}
        r = results[name]
        print(f"{name:22} {ours:8.3f} {theirs:8.3f} {theirs / ours:7.1f} {r['correlation']:11.4f} "
              f"{r['mean_difference']:10.2f}", flush=True)
        if len(sys.argv) > 3:
            write_ppm(sys.argv[3], name.replace(", ", "_").replace(" ", "_") + "_ours", own)
            write_ppm(sys.argv[3], name.replace(", ", "_").replace(" ", "_") + "_vtk", picture)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
