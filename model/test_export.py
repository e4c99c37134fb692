"""What export.py writes can be read again, and what it cannot express it refuses: python3 -m unittest discover model. Needs numpy alone."""
import unittest

import numpy

import export

LINE = {"scale": 1.5, "offset": -0.5, "map_scale": 1.25, "map_offset": -0.25, "least": -3.5, "most": 4.5}
CALIBRATION = {**LINE, "usual": -3.0}
HEAD = dict(name="test", size=320, calibration=CALIBRATION)


def state():
    """A network with weights that mean nothing."""
    random, arrays = numpy.random.default_rng(1), {}
    for convolution, norm, shape in export.convolutions():
        arrays[convolution + ".weight"] = random.normal(size=shape).astype(numpy.float16)
        for part in ("weight", "bias", "running_mean"):
            arrays[f"{norm}.{part}"] = random.normal(size=shape[0]).astype(numpy.float16)
        arrays[norm + ".running_var"] = random.uniform(0.5, 2, shape[0]).astype(numpy.float16)
        arrays[norm + ".num_batches_tracked"] = numpy.array(3)
    arrays["map.weight"], arrays["map.bias"] = random.normal(size=(1, export.FEATURES, 1, 1)), numpy.array([-2.0])
    arrays["glob.weight"], arrays["glob.bias"] = random.normal(size=(1, export.FEATURES)), numpy.array([0.5])
    return arrays


class Export(unittest.TestCase):
    def test_what_is_written_can_be_read(self):
        arrays = state()
        file = export.encode(arrays, **HEAD)
        self.assertLessEqual(len(file), export.LARGEST)
        head, convolutions, (maps, means, ends) = export.decode(file)
        self.assertEqual({name: head[name] for name in ("name", "size", "usual")}, {"name": "test", "size": 320, "usual": -3.0})
        self.assertEqual(head["calibration"], LINE)
        for (convolution, norm, shape), (weights, bias) in zip(export.convolutions(), convolutions, strict=True):
            part = lambda name: arrays[f"{norm}.{name}"].astype(numpy.float64)
            gain = part("weight") / numpy.sqrt(part("running_var") + 1e-3)
            expected = arrays[convolution + ".weight"].astype(numpy.float64) * gain[:, None, None, None]
            self.assertEqual(weights.shape, shape)
            # Half of a step of 127.
            step = numpy.abs(expected).max((1, 2, 3)) / 127
            self.assertTrue((numpy.abs(weights - expected) <= step[:, None, None, None] * 0.501).all(), convolution)
            numpy.testing.assert_allclose(bias, part("bias") - part("running_mean") * gain, rtol=1e-5, atol=1e-6)
        numpy.testing.assert_allclose(maps, arrays["map.weight"].ravel(), rtol=1e-6)
        numpy.testing.assert_allclose(means, arrays["glob.weight"].ravel(), rtol=1e-6)
        self.assertEqual(list(ends), [-2.0, 0.5])

    def test_the_weights_lie_aligned(self):
        arrays = state()
        for length in range(1, 70):
            file = export.encode(arrays, **{**HEAD, "name": "n" * length})
            self.assertEqual((len(file) - len(export.weights_of(file)[1])) % 64, 0, length)

    def refused(self, change, **head):
        arrays = state()
        change(arrays)
        with self.assertRaises(export.Refused) as why:
            export.encode(arrays, **{**HEAD, **head})
        return str(why.exception)

    def test_what_cannot_be_expressed_is_refused(self):
        name = "_blocks.3._expand_conv.weight"
        self.assertIn(f"{name} is missing", self.refused(lambda s: s.pop(name)))
        self.assertIn("(144, 24, 1, 1)", self.refused(lambda s: s.update({name: numpy.zeros((144, 25, 1, 1))})))
        self.assertIn("no place for _fc.weight", self.refused(lambda s: s.update({"_fc.weight": numpy.zeros(3)})))
        self.assertIn("no place for _blocks.1._se", self.refused(lambda s: s.update({"_blocks.1._se_reduce.weight": numpy.zeros(3)})))
        self.assertIn("map.weight has what is no number", self.refused(lambda s: s["map.weight"].fill(numpy.nan)))
        self.assertIn("negative", self.refused(lambda s: s["_bn0.running_var"].fill(-1)))
        self.assertIn("too large for 32 bits", self.refused(lambda s: s["glob.weight"].fill(1e300)))
        nothing = lambda s: None
        wrongs = (dict(scale=0.0), dict(map_scale=-1.0), dict(least=0.0), dict(most=-1.0), dict(scale=float("nan")), dict(offset=float("inf")),
                  dict(usual=float("nan")), dict(usual="none"), dict(more=1.0))
        for wrong in wrongs:
            self.assertIn("calibration", self.refused(nothing, calibration={**CALIBRATION, **wrong}))
        self.assertIn("calibration", self.refused(nothing, calibration={"scale": 1.0}))
        self.assertIn("16 pixels", self.refused(nothing, size=16))
        self.assertIn("head is too long", self.refused(nothing, name="n" * 17_000))

    def test_a_channel_of_zeros_stays_one(self):
        arrays = state()
        arrays["_conv_stem.weight"][5] = 0
        weights, _ = export.decode(export.encode(arrays, **HEAD))[1][0]
        self.assertTrue((weights[5] == 0).all() and numpy.isfinite(weights).all())

    def test_a_damaged_file_is_found_out(self):
        file = bytearray(export.encode(state(), **HEAD))
        file[-1] ^= 1
        with self.assertRaises(export.Refused):
            export.decode(bytes(file))
        with self.assertRaises(export.Refused):
            export.decode(b"OEMODEL1" + bytes(100))


if __name__ == "__main__":
    unittest.main()
