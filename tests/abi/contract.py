#!/usr/bin/env python3
"""contract.py HEADER...: writes C source that defines every function that the headers of the C ABI declare.

Compiled with debugging information it is the binary contract alone: the types and functions of isocenter.h, without
what is behind them. `--names` lists the functions instead."""
import pathlib
import re
import sys


def declarations(text):
    """(return type, name, parameters) of each ISOCENTER_API function."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    for statement in re.findall(r"^ISOCENTER_API\s+([^;]*);", text, flags=re.S | re.M):
        statement = " ".join(statement.split())
        match = re.fullmatch(r"(.*?[\s*])(isocenter_\w+)\((.*)\)", statement)
        if match is None:
            sys.exit(f"contract.py: cannot read the declaration: {statement}")
        yield match.group(1).strip(), match.group(2), match.group(3)


def main(arguments):
    names_only = "--names" in arguments
    headers = [pathlib.Path(a) for a in arguments if a != "--names"]
    for header in headers:
        found = list(declarations(header.read_text(encoding="utf-8")))
        if not names_only:
            print(f'#include "{header.resolve()}"')
        for result, name, parameters in found:
            if names_only:
                print(name)
            elif result == "void":
                print(f"void {name}({parameters}) {{}}")
            else:
                print(f"{result} {name}({parameters}) {{ static {result} zero; return zero; }}")


if __name__ == "__main__":
    main(sys.argv[1:])
