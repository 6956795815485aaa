#!/usr/bin/env python3
"""Puts the images that the tests of quality write together into docs/recon/quality.png and quality_orbits.png.

    mkdir images
    ISOCENTER_PICTURES=images build/release/bin/recon_tests --gtest_filter='*Quality.Of*:*MethodQuality.From*'
    python3 benchmarks/recon/quality_pictures.py images docs/recon

Needs only Python. Columns: FBP or FDK, SIRT, OS-SART, OSEM, CGLS, TV, PICCS; black is -1000 HU, white 0 HU.
"""
import pathlib
import struct
import sys
import zlib

TILE, GAP, METHODS = 96, 2, 7
GEOMETRIES = 7  # of tests/recon/quality_tables_test.cpp


def read_pgm(path):
    """Rows of grey values, each pixel repeated so that the picture is about TILE wide."""
    magic, size, _, pixels = path.read_bytes().split(b"\n", 3)
    if magic != b"P5":
        sys.exit(f"{path} is not a binary PGM. Fix: write the pictures with recon_tests")
    width, height = map(int, size.split())
    scale = TILE // width
    rows = []
    for y in range(height):
        row = b"".join(bytes([v]) * scale for v in pixels[y * width:(y + 1) * width])
        rows += [row] * scale
    return rows


def write_png(path, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def montage(path, names):
    """`names`: rows of files without their ending; None leaves a place empty."""
    side = TILE + GAP
    grey = [bytearray(side * METHODS) for _ in range(side * len(names))]
    for r, row in enumerate(names):
        for c, name in enumerate(row):
            if name is None:
                continue
            tile = read_pgm(folder / f"{name}.pgm")
            top = side * r + GAP // 2 + (TILE - len(tile)) // 2
            left = side * c + GAP // 2
            for y, pixels in enumerate(tile):
                grey[top + y][left:left + len(pixels)] = pixels
    write_png(path, grey)


if len(sys.argv) != 3:
    sys.exit(__doc__)
folder, out = map(pathlib.Path, sys.argv[1:])
montage(out / "quality.png", [[f"quality_{g}_{m}" for m in range(METHODS)] for g in range(GEOMETRIES)])
montage(
    out / "quality_orbits.png",
    [[f"quality_helix_{m}_axial" for m in range(METHODS)]]
    + [[None] + [f"quality_tomosynthesis_{m}_{plane}" for m in range(1, METHODS)] for plane in ("axial", "coronal")])
