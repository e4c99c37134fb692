"""Writes a model file from a network's state: export.py STATE.pt OUT.model --name NAME [--calibration FILE.json]

calibrate.py writes the calibration, from what a file without one says: its log odds are the network's logits.
Batch normalisation is folded into the convolutions, and each convolution's weights become bytes with a scale for each channel out.
docs/MODEL_CARD.md has the format, engine/src/model.rs reads it. What the format cannot express is refused, and nothing is written."""
import argparse
import json
import math
import pathlib
import struct
import zlib

import numpy

ARCHITECTURE = "efficientnet-lite0-map"
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
"""Expansion, channels out, blocks, stride of the first, kernel."""
STEM, FEATURES = 32, 1280
EPSILON = 1e-3
"""Of batch normalisation."""
ALIGNMENT = 64
LARGEST = 3_700_000
"""Bytes of a file."""
LONGEST_HEAD = 16 * 1024
"""Bytes of its head, for the engine."""


NONE = {"scale": 1.0, "offset": 0.0, "map_scale": 1.0, "map_offset": 0.0, "least": -99.0, "most": 99.0, "usual": 0.0}
"""No calibration: log odds are logits. What each means is in docs/MODEL_CARD.md."""


class Refused(Exception):
    """The state is of another network, or has what a file cannot hold."""


def convolutions():
    """Of the trunk, in order: the convolution's name in the state, its normalisation's, and (out, in, height, width)."""
    yield "_conv_stem", "_bn0", (STEM, 3, 3, 3)
    inputs, n = STEM, 0
    for expansion, outputs, count, _, kernel in STAGES:
        for _ in range(count):
            wide, at = inputs * expansion, f"_blocks.{n}."
            if expansion > 1:
                yield at + "_expand_conv", at + "_bn0", (wide, inputs, 1, 1)
            yield at + "_depthwise_conv", at + "_bn1", (wide, 1, kernel, kernel)
            yield at + "_project_conv", at + "_bn2", (outputs, wide, 1, 1)
            inputs, n = outputs, n + 1
    yield "_conv_head", "_bn1", (FEATURES, inputs, 1, 1)


class State:
    """Arrays by name; each is taken once, with the shape that it has to have."""

    def __init__(self, arrays):
        self.left = {name: numpy.asarray(array) for name, array in arrays.items() if not name.endswith("num_batches_tracked")}

    def take(self, name, shape):
        array = self.left.pop(name, None)
        if array is None:
            raise Refused(f"{name} is missing")
        if array.shape != shape:
            raise Refused(f"{name} is {array.shape}, not {shape}")
        array = array.astype(numpy.float64)
        if not numpy.isfinite(array).all():
            raise Refused(f"{name} has what is no number")
        return array

    def end(self):
        if self.left:
            raise Refused(f"there is no place for {', '.join(sorted(self.left)[:5])}")


def folded(state, convolution, norm, shape):
    """Weights and bias of a convolution with the normalisation that follows it."""
    weights, outputs = state.take(convolution + ".weight", shape), (shape[0],)
    gain, shift, mean, variance = (state.take(f"{norm}.{part}", outputs) for part in ("weight", "bias", "running_mean", "running_var"))
    if (variance < 0).any():
        raise Refused(f"{norm}.running_var is negative")
    factor = gain / numpy.sqrt(variance + EPSILON)
    return weights * factor[:, None, None, None], shift - mean * factor


def quantised(weights):
    """As int8, and each output's scale in 32 bits."""
    scale = numpy.abs(weights).max((1, 2, 3)) / 127
    scale = numpy.where(scale > 0, scale, 1).astype("<f4")
    return numpy.rint(weights / scale.astype(numpy.float64)[:, None, None, None]).clip(-127, 127).astype(numpy.int8), scale


def floats(array):
    with numpy.errstate(over="ignore"):
        array = numpy.asarray(array).astype("<f4")
    if not numpy.isfinite(array).all():
        raise Refused("a number is too large for 32 bits")
    return array.tobytes()


def body(arrays):
    """The weights as they lie in a file."""
    state, parts = State(arrays), []
    for convolution, norm, shape in convolutions():
        weights, bias = folded(state, convolution, norm, shape)
        stored, scale = quantised(weights)
        # (height, width, in, out): what the engine reads for one output after the other lies so.
        parts += [floats(scale), floats(bias), numpy.ascontiguousarray(stored.transpose(2, 3, 1, 0)).tobytes()]
    maps, means = state.take("map.weight", (1, FEATURES, 1, 1)), state.take("glob.weight", (1, FEATURES))
    ends = [state.take("map.bias", (1,)), state.take("glob.bias", (1,))]
    state.end()
    return b"".join(parts) + floats(maps) + floats(means) + floats(ends)


def checked(calibration):
    """A calibration of which engine/src/model.rs makes sense."""
    if set(calibration) != set(NONE) or not all(isinstance(x, (int, float)) and math.isfinite(x) for x in calibration.values()):
        raise Refused(f"a calibration is {', '.join(NONE)}, all of them numbers")
    over = [calibration["scale"], calibration["map_scale"], calibration["most"], -calibration["least"]]
    if min(over) <= 0:
        raise Refused("of a calibration the scales and the most are over 0, and the least is under")
    return dict(calibration)


def encode(arrays, name, size, calibration):
    """A whole file."""
    calibration = checked(calibration)
    usual = calibration.pop("usual")
    if not 32 <= size <= 1024:
        raise Refused(f"an input of {size} pixels: 32 to 1024 are possible")
    weights = body(arrays)
    head = {"name": name, "size": size, "architecture": ARCHITECTURE, "calibration": calibration,
            "usual": usual, "crc32": f"{zlib.crc32(weights):08x}"}
    text = json.dumps(head, sort_keys=True).encode()
    if len(text) > LONGEST_HEAD:
        raise Refused("the head is too long: what is the name?")
    start = b"OEMODEL2" + struct.pack("<I", len(text)) + text
    file = start + bytes(-len(start) % ALIGNMENT) + weights
    if len(file) > LARGEST:
        raise Refused(f"{len(file)} bytes, over {LARGEST}")
    return file


def write(path, arrays, **head):
    """Writes a file; gives how many bytes it has."""
    file = encode(arrays, **head)
    pathlib.Path(path).write_bytes(file)
    return len(file)


def weights_of(file):
    """The head of a file, and its weights."""
    if file[:8] != b"OEMODEL2":
        raise Refused("no model of version 2")
    end = 12 + struct.unpack("<I", file[8:12])[0]
    head, weights = json.loads(file[12:end]), file[end + -end % ALIGNMENT:]
    if f"{zlib.crc32(weights):08x}" != head["crc32"]:
        raise Refused("the checksum is another")
    return head, weights


def decode(file):
    """The head; each convolution's weights (out, in, height, width) and bias as the engine has them; the weights of the map and of the mean,
    and their biases."""
    (head, weights), at = weights_of(file), 0

    def take(kind, count):
        nonlocal at
        array = numpy.frombuffer(weights, kind, count, at)
        at += array.nbytes
        return array

    trunk = []
    for _, _, (outputs, inputs, high, wide) in convolutions():
        scale, bias = take("<f4", outputs), take("<f4", outputs)
        stored = take("i1", outputs * inputs * high * wide).reshape(high, wide, inputs, outputs).transpose(3, 2, 0, 1)
        trunk.append((stored.astype(numpy.float32) * scale[:, None, None, None], bias))
    ends = take("<f4", FEATURES), take("<f4", FEATURES), take("<f4", 2)
    if at != len(weights):
        raise Refused("it is longer than its architecture")
    return head, trunk, ends


def read_state(path):
    """What torch saved, as arrays."""
    import torch
    state = torch.load(path, map_location="cpu")
    if not isinstance(state, dict) or not all(hasattr(value, "numpy") for value in state.values()):
        raise Refused(f"{path} is no state of a network")
    return {name: value.detach().numpy() for name, value in state.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--calibration", type=pathlib.Path, help="what calibrate.py wrote; none: log odds are logits")
    given = parser.parse_args()
    try:
        calibration = json.loads(given.calibration.read_text()) if given.calibration else NONE
        count = write(given.out, read_state(given.state), name=given.name, size=given.size, calibration=calibration)
    except Refused as why:
        parser.exit(1, f"{given.state}: {why}\n")
    print(f"{given.out}: {count} bytes")


if __name__ == "__main__":
    main()
