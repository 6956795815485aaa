#!/usr/bin/env python3
"""segment_codes.py SOURCE: every coded concept that src/dicom/segment_codes.cpp gives a label is in PS3.16 as pydicom
has it, with that meaning, in the context group that belongs to its category."""
import pathlib
import re
import sys

from pydicom.sr._concepts_dict import concepts

CATEGORIES = 7150  # Segmentation Property Categories
GROUP_OF = {  # property types of a category
    "anatomical_structure": 7192,  # Anatomical Structure Segmentation Property Types
    "tissue": 7191,  # Tissue Segmentation Property Types
    "abnormal_structure": 7194,  # Morphologically Abnormal Structure Segmentation Property Types
}
SNOMED_CT_ALONE = {"20139000"}  # the source says why


def entries(code):
    """(meaning, context groups) of a SNOMED CT code in PS3.16."""
    return [by_code[code] for by_code in concepts["SCT"].values() if code in by_code]


def complaint(what, code, meaning, group):
    found = entries(code)
    if not found:
        return f"{what}: {code} is not in PS3.16"
    if not any(meaning == m and group in groups for m, groups in found):
        return f"{what}: {code} '{meaning}' is not in CID {group}; PS3.16 has {[(m, list(g)) for m, g in found]}"
    return None


def main(source):
    text = pathlib.Path(source).read_text(encoding="utf-8")
    categories = re.findall(r'const Code (\w+)\{"(\d+)", "SCT", "([^"]+)"\};', text)
    types = re.findall(r'\{"([a-z ]+)", (\w+), "(\d+)", "([^"]+)"\}', text)
    assert {name for name, _, _ in categories} == set(GROUP_OF), categories
    assert len(types) >= 35, f"only {len(types)} rows were read"
    wrong = [complaint(f"category {n}", code, meaning, CATEGORIES) for n, code, meaning in categories]
    wrong += [complaint(f"'{n}'", code, meaning, GROUP_OF[category])
              for n, category, code, meaning in types if code not in SNOMED_CT_ALONE]
    wrong += [f"{code} is in PS3.16 by now: take it from there" for code in SNOMED_CT_ALONE if entries(code)]
    wrong = [w for w in wrong if w]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(types)} segment codes and {len(categories)} categories are those of PS3.16")


if __name__ == "__main__":
    main(sys.argv[1])
