"""Makes sphere_detector.onnx: a matched filter for balls in lung, as a detector's network. Nothing is trained; see
README.md.

    python export.py [FILE]            needs numpy and onnx"""

import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

VOXEL_MM = 5.0
RADII = (2.0, 3.2)  # voxels: 10 and 16 mm
REACH = 1.5  # voxels that the ball's neighbourhood reaches beyond it
HALF = 5  # the kernels have 2 * HALF + 1 taps along each axis
WINDOW = 40
ROWS = 64


def ball(radius):
    """The part of each tap's voxel that a ball holds, by 8 x 8 x 8 samples."""
    fine = (numpy.arange((2 * HALF + 1) * 8) + 0.5) / 8 - HALF - 0.5
    inside = fine[:, None, None] ** 2 + fine[None, :, None] ** 2 + fine[None, None, :] ** 2 <= radius**2
    n = 2 * HALF + 1
    return inside.reshape(n, 8, n, 8, n, 8).mean(axis=(1, 3, 5))


def kernels():
    """For each radius: the mean within less the mean of the shell's part that looks along an axis, six of them; the
    mass; its first moments along x, y and z."""
    at = numpy.arange(-HALF, HALF + 1, dtype=float)
    x, y, z = at[None, None, :], at[None, :, None], at[:, None, None]
    far = numpy.sqrt(x**2 + y**2 + z**2)
    heat, mass, moments = [], [], []
    for radius in RADII:
        core, near = ball(radius - 0.5), ball(radius + REACH)
        shell = near - ball(radius + 0.5)
        for along in (x, -x, y, -y, z, -z):
            side = shell * (along > 0.5 * far)
            heat.append(core / core.sum() - side / side.sum())
        mass.append(near)
        moments.append([near * x, near * y, near * z])
    first = [[of_radius[axis] for of_radius in moments] for axis in range(3)]
    return numpy.array(heat + mass + sum(first, []), dtype=numpy.float16)[:, None]


def graph():
    count, voxels = len(RADII), WINDOW**3
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(numpy.asarray(value), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output] if isinstance(output, str) else output, **attributes))
        return output if isinstance(output, str) else output[0]

    integer = lambda name, *v: constant(name, numpy.array(v, dtype=numpy.int64))
    real = lambda name, v: constant(name, numpy.float32(v))

    # 16-bit weights, which an importer folds.
    node("Cast", [constant("weights16", kernels())], "weights", to=TensorProto.FLOAT)
    node("Conv", ["image", "weights"], "features", pads=[HALF] * 6)
    node("Split", ["features", integer("parts", 6 * count, count, 3 * count)], ["sides", "mass", "moments"], axis=1)
    # The brightest side counts: a vessel is no ball.
    node("Reshape", ["sides", integer("by_radius", count, 6, WINDOW, WINDOW, WINDOW)], "six")
    node("ReduceMin", ["six"], "least", axes=[1], keepdims=0)
    node("Unsqueeze", ["least", integer("first", 0)], "contrast")
    # Peaks: Zhou, Wang and Kraehenbuehl, "Objects as Points", arXiv 1904.07850, section 3.
    node("MaxPool", ["contrast"], "most", kernel_shape=[3, 3, 3], pads=[1] * 6)
    node("Equal", ["contrast", "most"], "is_peak")
    node("Where", ["is_peak", "contrast", real("nothing", -1)], "peaks")
    node("Reshape", ["peaks", integer("as_row", 1, -1)], "row")
    node("TopK", ["row", integer("rows", ROWS)], ["contrasts", "places"], axis=1)
    node("Clip", ["contrasts", real("zero", 0), real("one", 1)], "scores")
    node("Mod", ["places", integer("voxels", voxels)], "voxel")
    coordinates = []
    for axis, step in (("x", 1), ("y", WINDOW), ("z", WINDOW**2)):
        node("Div", ["voxel", integer(f"step_{axis}", step)], f"line_{axis}")
        node("Mod", [f"line_{axis}", integer(f"extent_{axis}", WINDOW)], f"index_{axis}")
        coordinates.append(node("Cast", [f"index_{axis}"], f"corner_{axis}", to=TensorProto.FLOAT))
    # The centre of mass, and the radius of a ball of this mass.
    node("Reshape", ["mass", "as_row"], "masses")
    node("GatherElements", ["masses", "places"], "peak_mass", axis=1)
    node("Max", ["peak_mass", real("least_mass", 1)], "its_mass")
    node("Reshape", ["moments", integer("as_axes", 3, -1)], "by_axis")
    centres = []
    for i, (axis, corner) in enumerate(zip("xyz", coordinates)):
        node("Gather", ["by_axis", integer(f"axis_{axis}", i)], f"moments_{axis}", axis=0)
        node("GatherElements", [f"moments_{axis}", "places"], f"moment_{axis}", axis=1)
        node("Div", [f"moment_{axis}", "its_mass"], f"offset_{axis}")
        node("Add", [corner, f"offset_{axis}"], f"place_{axis}")
        centres.append(node("Add", [f"place_{axis}", "half"], f"centre_{axis}"))
    real("half", 0.5)
    node("Mul", ["its_mass", real("volume", 6 / numpy.pi)], "cube")
    node("Pow", ["cube", real("third", 1 / 3)], "diameter")
    node("Mul", ["contrasts", "zero"], "class")
    columns = [node("Unsqueeze", [v, "last"], f"{v}_column") for v in (*centres, "diameter", "scores", "class")]
    integer("last", 2)
    columns[3:4] = [columns[3]] * 3
    node("Concat", columns, "detections", axis=2)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, WINDOW, WINDOW, WINDOW])
    found = helper.make_tensor_value_info("detections", TensorProto.FLOAT, [1, ROWS, 8])
    return helper.make_graph(nodes, "sphere_detector", [image], [found], constants)


def main():
    model = helper.make_model(graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.producer_name = "isocenter models/sphere_detector/export.py"
    helper.set_model_props(
        model,
        {
            "isocenter.class_names": "nodule",
            "isocenter.spacing_mm": f"{VOXEL_MM:g} {VOXEL_MM:g} {VOXEL_MM:g}",
            "isocenter.window": f"{WINDOW} {WINDOW} {WINDOW}",
            "isocenter.axes": "LPS",
            "isocenter.intensity": "clip -820 45 scale 0 1",
            "isocenter.intended_use": "Demonstration only: no medical product.",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    default = pathlib.Path(__file__).with_name("sphere_detector.onnx")
    onnx.save(model, sys.argv[1] if len(sys.argv) > 1 else default)


main()
