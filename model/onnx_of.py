"""A model file as ONNX with 32-bit weights, which other programs run: onnx_of.py FILE.model OUT.onnx [SIZE]

With --scores FOLDER it writes what ONNX Runtime says of the pictures of the engine's tests (engine/tests/scores.csv). Needs onnx, numpy,
and for the scores onnxruntime."""
import argparse
import math
import pathlib

import numpy
import onnx
from onnx import helper, numpy_helper

import export


def graph(file, size=None):
    """One input (1, 3, size, size), RGB as (x - 127) / 128; the answer and the map, as logits."""
    head, convolutions, (maps, means, ends) = export.decode(file)
    size = size or head["size"]
    nodes, initial, left = [], [], list(convolutions)

    def constant(name, array):
        initial.append(numpy_helper.from_array(numpy.ascontiguousarray(array), name))
        return name

    def convolution(source, stride=1, clamp=True, groups=1):
        weights, bias = left.pop(0)
        n, kernel = len(left), weights.shape[-1]
        nodes.append(helper.make_node("Conv", [source, constant(f"w{n}", weights), constant(f"b{n}", bias)], [f"c{n}"], group=groups,
                                      kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4))
        if clamp:
            nodes.append(helper.make_node("Clip", [f"c{n}", "zero", "six"], [f"r{n}"]))
        return f"r{n}" if clamp else f"c{n}"

    constant("zero", numpy.float32(0)), constant("six", numpy.float32(6))
    here, inputs = convolution("picture", 2), export.STEM
    for expansion, outputs, count, stride, _ in export.STAGES:
        for n in range(count):
            step, wide = stride if n == 0 else 1, inputs * expansion
            deep = convolution(here) if expansion > 1 else here
            deep = convolution(convolution(deep, step, groups=wide), clamp=False)
            if step == 1 and inputs == outputs:
                nodes.append(helper.make_node("Add", [here, deep], [deep + "s"]))
                deep += "s"
            here, inputs = deep, outputs
    features = convolution(here)
    side = math.ceil(size / 32)
    for name, array in dict(mw=maps.reshape(1, -1, 1, 1), mb=ends[:1], gw=means.reshape(1, -1, 1, 1), gb=ends[1:], two=numpy.float32(2),
                            off=numpy.float32(math.log(side ** 2) / 4)).items():
        constant(name, array)
    step = lambda kind, sources, name, **more: nodes.append(helper.make_node(kind, sources, [name], **more))
    step("Conv", [features, "mw", "mb"], "map", kernel_shape=[1, 1])
    step("Mul", ["map", "two"], "twice")
    step("ReduceLogSumExp", ["twice"], "sum", axes=[1, 2, 3], keepdims=0)
    step("Div", ["sum", "two"], "half")
    step("Sub", ["half", "off"], "pooled")
    step("GlobalAveragePool", [features], "mean")
    step("Conv", ["mean", "gw", "gb"], "everywhere", kernel_shape=[1, 1])
    step("Add", ["pooled", "everywhere"], "answer")
    value = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    made = helper.make_graph(nodes, "oe-vision", [value("picture", [1, 3, size, size])], 
                             [value("answer", [1, 1, 1, 1]), value("map", [1, 1, side, side])], initial)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def drawn(size, seed):
    """The picture that engine/src/network/tests.rs draws."""
    rgb, state = numpy.zeros((size, size, 3), numpy.uint8), seed
    for y in range(size):
        for x in range(size):
            state = (state * 6364136223846793005 + 1) % 2 ** 64
            noise, dx, dy = (state >> 33) % 32, x * 8 % size, y * 5 % size
            disc = 70 if dx * dx + dy * dy < size * size // 3 else 0
            for colour in range(3):
                rgb[y, x, colour] = min(255, (x * (colour + 1) + y * (3 - colour)) * 96 // size + disc + noise)
    return rgb


def scores(file, folder):
    """A line for each picture: its size, the seed it is drawn with or its file, the answer, and some cells of the map."""
    import onnxruntime
    pictures = [(size, str(seed), drawn(size, seed)) for size, seed in ((320, 1), (320, 2), (256, 3), (131, 4), (33, 5))]
    for raw in sorted(folder.glob("*.rgb")):
        size = math.isqrt(raw.stat().st_size // 3)
        pictures.append((size, raw.name, numpy.frombuffer(raw.read_bytes(), numpy.uint8).reshape(size, size, 3)))
    lines = []
    for size, name, rgb in pictures:
        session = onnxruntime.InferenceSession(graph(file, size).SerializeToString(), providers=["CPUExecutionProvider"])
        planes = (rgb.astype(numpy.float32).transpose(2, 0, 1)[None] - 127) / 128
        answer, cells = (out.ravel() for out in session.run(None, {"picture": planes}))
        some = [cells[0], cells[len(cells) // 2], cells[-1]]
        lines.append(",".join([str(size), name, *(f"{value:.6f}" for value in [answer[0], *some])]))
    return "size,picture,answer,first cell,middle cell,last cell\n" + "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("size", type=int, nargs="?")
    parser.add_argument("--scores", type=pathlib.Path, metavar="FOLDER", help="of raw pictures; OUT is the table then")
    given = parser.parse_args()
    file = given.model.read_bytes()
    if given.scores:
        given.out.write_text(scores(file, given.scores))
    else:
        onnx.save(graph(file, given.size), given.out)


if __name__ == "__main__":
    main()
