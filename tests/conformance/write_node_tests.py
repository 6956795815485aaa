"""Writes ONNX's backend node tests as folders, for onnx_node_test: PyPI's onnx has them in its wheel up to 1.22.0, and makes
them in memory from 1.23 on.

    python write_node_tests.py FOLDER      with the onnx to be tested; onnx_node_test FOLDER then counts

Values that are no tensors (sequences, optionals) are left out: such cases are not applicable.
"""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def as_tensor(value, port):
    if isinstance(value, onnx.TensorProto):
        return value
    if value is None or isinstance(value, (list, dict)):
        return None
    tensor = numpy_helper.from_array(np.asarray(value), port.name)
    return tensor if tensor.data_type == port.type.tensor_type.elem_type else None


def write(case, folder):
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    onnx.save(case.model, os.path.join(folder, "model.onnx"))
    inputs, outputs = case.data_sets[0]
    for kind, values, ports in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
        for i, (value, port) in enumerate(zip(values, ports)):
            tensor = as_tensor(value, port)
            if tensor is not None:
                with open(os.path.join(folder, "test_data_set_0", f"{kind}_{i}.pb"), "wb") as file:
                    file.write(tensor.SerializeToString())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = collect_testcases(None)
    for case in cases:
        write(case, os.path.join(sys.argv[1], case.name))
    print(f"{len(cases)} cases of onnx {onnx.__version__}")


if __name__ == "__main__":
    main()
