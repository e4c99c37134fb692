"""python3 -m unittest, in this folder. What a logit means, and that a file's weights are the network's."""
import math
import unittest

import numpy
import torch

import calibrate
import check
import export
import network


def scores(*rows):
    """Of (source, failed, logits), each picture a scene."""
    logit, failed, source = [], [], []
    for name, answer, logits in rows:
        logit += list(logits)
        failed += [answer] * len(logits)
        source += [name] * len(logits)
    group = [f"{name}{n}" for n, name in enumerate(source)]
    return calibrate.Scores(*(numpy.array(part) for part in (logit, failed, source, group)))


def bells(random, count=3000):
    """Fine prints about -1, failures about 1, spread 1: a logit of x means log odds of 2x."""
    return scores(("a", False, random.normal(-1, 1, count)), ("a", True, random.normal(1, 1, count)))


class Calibrate(unittest.TestCase):
    def test_the_line_is_the_log_odds(self):
        scale, offset = calibrate.line(bells(numpy.random.default_rng(1)))
        self.assertAlmostEqual(scale, 2, delta=0.1)
        self.assertAlmostEqual(offset, 0, delta=0.1)

    def test_each_source_weighs_the_same_however_large(self):
        small = (("a", False, [-1.0, 0.0]), ("a", True, [1.0, 0.5]), ("b", False, [0.7, -0.3]))
        large = (*small[:2], ("b", False, [0.7, -0.3] * 50))
        one, other = scores(*small), scores(*large)
        self.assertAlmostEqual(calibrate.weights(other)[4:].sum(), 0.5)
        weight = calibrate.weights(one)
        self.assertAlmostEqual(weight[one.failed].sum(), 1)
        bits = [calibrate.bits(s, s.logit * 2) for s in (one, other)]
        self.assertAlmostEqual(*bits)

    def test_what_parts_all_pictures_is_not_told_as_certain(self):
        parted = scores(("a", False, numpy.linspace(-2, -1, 40)), ("a", True, numpy.linspace(1, 2, 40)))
        calibration = calibrate.fitted(parted)
        self.assertLessEqual(calibration.most, math.log(41) + 1e-9)
        self.assertGreater(calibration.least, -math.log(41) - 0.1)
        told = calibration(numpy.array([-9.0, 0.0, 9.0]))
        self.assertAlmostEqual(told[0], calibration.least)
        self.assertAlmostEqual(told[2], calibration.most)

    def test_failures_that_look_fine_raise_the_least(self):
        parted = scores(("a", False, numpy.linspace(-2, -1, 40)), ("a", True, numpy.linspace(1, 2, 40)))
        missed = scores(("c", True, [-1.5] * 10 + [1.5] * 90))
        self.assertGreater(calibrate.fitted(parted, missed).least, calibrate.fitted(parted).least + 0.5)

    def test_no_source_calibrates_itself(self):
        random = numpy.random.default_rng(2)
        rows = [("a", False, random.normal(-1, 1, 60)), ("a", True, random.normal(1, 1, 60)), ("b", False, random.normal(-1, 1, 60))]
        told = calibrate.crossed(scores(*rows))
        rows[2] = ("b", False, rows[2][2] + numpy.linspace(0, 3, 60))
        again = calibrate.crossed(scores(*rows))
        line = calibrate.fitted(scores(*rows[:2]))
        numpy.testing.assert_allclose(again[120:], line(rows[2][2]))
        self.assertFalse(numpy.allclose(told[:60], again[:60]), "of a's fine prints the line is b's")

    def test_the_table_counts_what_is_true(self):
        even = scores(("a", True, [1.5] * 80 + [-1.5] * 20), ("a", False, [1.5] * 20 + [-1.5] * 80))
        rows = list(calibrate.reliability(even, even.logit))
        self.assertEqual([(failed, fine) for _, _, failed, fine, _, _ in rows], [(20, 80), (80, 20)])
        self.assertAlmostEqual(rows[1][5], 0.8)


class Check(unittest.TestCase):
    def test_a_file_is_the_network_that_it_was_written_from(self):
        torch.manual_seed(1)
        net = network.Network().eval()
        with torch.no_grad():
            for name, value in net.state_dict().items():
                if "running_var" in name:
                    value.uniform_(0.5, 2)
                elif "map" in name or "glob" in name or "bias" in name:
                    value.normal_(0, 0.05)
        arrays = {name: value.numpy() for name, value in net.state_dict().items()}
        _, trunk, head = export.decode(export.encode(arrays, name="test", size=64, calibration=export.NONE))
        again = check.dequantised(trunk, head)
        x = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            for one, other in zip(net(x), again(x)):
                torch.testing.assert_close(one, other, atol=0.02, rtol=0.02)

    def test_found_is_above_what_fine_prints_have(self):
        some = scores(("a", False, range(100)), ("a", True, [97.5, 98.5, 200]))
        self.assertAlmostEqual(check.found(some, 0.01), 2 / 3)
        self.assertAlmostEqual(check.found(some, 0.03), 1)


if __name__ == "__main__":
    unittest.main()
