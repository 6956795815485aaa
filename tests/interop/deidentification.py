#!/usr/bin/env python3
"""The table of deidentification_table.cpp against the one that dicom-anonymizer (PyPI) carries, row by row.
deidentification.py TABLE; exit code 0 when they agree."""
import pathlib
import re
import sys

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as theirs

lists = {"d": "D_TAGS", "z": "Z_TAGS", "x": "X_TAGS", "u": "U_TAGS", "zd": "Z_D_TAGS", "xz": "X_Z_TAGS", "xd": "X_D_TAGS",
         "xzd": "X_Z_D_TAGS", "xzu": "X_Z_U_STAR_TAGS"}
expected = {tag[0] << 16 | tag[1]: action for action, name in lists.items() for tag in getattr(theirs, name) if len(tag) == 2}
rows = re.findall(r"\{0x([0-9A-F]{8}), (\w+), \"(\w*)\"\}", pathlib.Path(sys.argv[1]).read_text())
ours = {int(tag, 16): action for tag, action, _ in rows}
assert len(rows) == len(ours) > 600, "a tag stands twice, or the table was not found"
assert [int(tag, 16) for tag, _, _ in rows] == sorted(ours), "the rows are not in order"
different = {f"{tag:08X}": (ours.get(tag), expected.get(tag)) for tag in ours.keys() | expected.keys() if ours.get(tag) != expected.get(tag)}
assert not different, f"ours and theirs differ: {different}"
print(f"{len(ours)} rows agree")
