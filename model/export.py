"""Writes a model file: the network in ONNX, its weights as bytes with a scale for each channel, behind a head that says what
it takes and what its answer means. engine/src/model.rs reads it."""
import hashlib
import io
import json
import struct

import numpy
import onnx
import torch
from onnx import helper, numpy_helper


def onnx_of(network, size):
    """The network as ONNX, normalisation folded into the convolutions."""
    out = io.BytesIO()
    torch.onnx.export(network.eval(), torch.zeros(1, 3, size, size), out, opset_version=13, input_names=["picture"],
                      output_names=["failure"])
    model = onnx.load_from_string(out.getvalue())
    del model.graph.value_info[:]
    return model


def as_bytes(model):
    """Each convolution's weights as int8, a quarter of the size; dequantised when the model is read."""
    graph, steps = model.graph, []
    for initializer in list(graph.initializer):
        weights = numpy_helper.to_array(initializer)
        if weights.ndim != 4:
            continue
        scale = numpy.abs(weights).max((1, 2, 3)) / 127
        scale = numpy.where(scale > 0, scale, 1).astype(numpy.float32)
        stored = numpy.rint(weights / scale[:, None, None, None]).astype(numpy.int8)
        name = initializer.name
        graph.initializer.remove(initializer)
        graph.initializer.extend([
            numpy_helper.from_array(stored, name + ".stored"),
            numpy_helper.from_array(scale, name + ".scale"),
            numpy_helper.from_array(numpy.zeros(len(scale), numpy.int8), name + ".zero"),
        ])
        steps.append(helper.make_node("DequantizeLinear", [name + ".stored", name + ".scale", name + ".zero"], [name],
                                      axis=0))
    nodes = steps + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write(path, network, size, name, scale, offset, usual):
    """Everything in one file; gives the bytes of the network."""
    body = as_bytes(onnx_of(network, size))
    head = {"name": name, "size": size, "scale": scale, "offset": offset, "usual": usual,
            "sha256": hashlib.sha256(body).hexdigest()}
    text = json.dumps(head, sort_keys=True).encode()
    path.write_bytes(b"OEMODEL1" + struct.pack("<I", len(text)) + text + body)
    return body
