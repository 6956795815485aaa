#!/usr/bin/env python3
"""Turns detector row 0 of TomoPy's tooth.h5 into counts.nrrd, flat.nrrd and dark.nrrd.

    python3 convert.py tooth.h5 FOLDER        (needs h5py and numpy)

Values are the file's float32 counts, unchanged; axes are columns, rows (one), frames.
"""
import pathlib
import sys

import h5py
import numpy as np

source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
with h5py.File(source) as file:
    for name, dataset in (("counts", "data"), ("flat", "data_white"), ("dark", "data_dark")):
        values = np.asarray(file["exchange/" + dataset][:, 0:1, :], dtype="<f4")
        frames, rows, columns = values.shape
        header = (
            "NRRD0004\ntype: float\ndimension: 3\n"
            f"sizes: {columns} {rows} {frames}\nspacings: 1 1 1\nendian: little\nencoding: raw\n\n"
        )
        (folder / f"{name}.nrrd").write_bytes(header.encode() + values.tobytes())
