"""python3 -m unittest, in this folder. About half a minute; no picture and no weights are needed."""
import pathlib
import tempfile
import unittest
from dataclasses import replace

import numpy
import torch
from PIL import ImageOps

import average
import batches
import drawn
import network
import pictures
import train

FEW = drawn.pictures(3, 12)


def run(**others):
    torch.manual_seed(1)
    given = {"seed": 1, "rate": 1e-3, "steps": 4, "size": 2, "device": "cpu", **others}
    source = batches.Batches([p for p, _ in FEW], [i for _, i in FEW], given["seed"], "cpu")
    return train.Run(network.Network(), source, given)


def quiet(*_):
    pass


class Pictures(unittest.TestCase):
    def test_copies_are_left_out_and_their_groups_joined(self):
        found = [(replace(FEW[n][0], group=f"g{n}", file=f"wf/{n}.png"), FEW[n][1]) for n in range(3)]
        copy = replace(found[0][0], group="elsewhere", file="pr/9.png")
        found.append((copy, ImageOps.mirror(found[0][1])))
        kept, scenes = pictures.distinct([p for p, _ in found], [i for _, i in found])
        self.assertEqual([p.file for p in kept], ["wf/0.png", "wf/1.png", "wf/2.png"])
        self.assertEqual(scenes.of("elsewhere"), scenes.of("g0"))
        self.assertNotEqual(scenes.of("g1"), scenes.of("g0"))

    def test_a_row_teaches_what_it_says(self):
        row = {"file": "pr/1.jpg", "failure": "", "group": "IMG_8343", "kind": "warping", "boxes": "4:.5:.5:.1:.1"}
        fine = pictures.taken(row)
        self.assertEqual((fine.failed, fine.kind, fine.boxes), (False, "pr-other-defect", ()))
        self.assertEqual(fine.group, pictures.group_of("pr", "IMG_8347"))
        self.assertIsNone(pictures.taken({**row, "kind": "stringing+warping"}))
        self.assertIsNone(pictures.taken({**row, "file": "wf/1.jpg", "kind": ""}))
        failed = pictures.taken({**row, "failure": "1", "boxes": "4:.1:.1:.1:.1 1:.5:.6:.2:.3"})
        self.assertEqual(failed.boxes, ((.5, .6, .2, .3),))

    def test_a_group_is_in_one_fold_and_not_all_of_a_large_one_is_taken(self):
        many = [replace(FEW[0][0], file=f"wf/{n}.png", group=f"g{n % 7}", failed=n % 2 == 1) for n in range(140)]
        fold = pictures.folds(many, 3)
        of = {}
        for picture, n in zip(many, fold):
            self.assertEqual(of.setdefault(picture.group, n), n)
        self.assertEqual(set(fold), {0, 1, 2})
        thin = pictures.thinned(many, {True: 3, False: 5})
        self.assertEqual((sum(p.failed for p in thin), sum(not p.failed for p in thin)), (21, 35))

    def test_a_written_manifest_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            told = [replace(p, file=f"pr/{n}.png", kind="pr") for n, (p, _) in enumerate(FEW)]
            pictures.write(pathlib.Path(folder) / "manifest.csv", told)
            again = pictures.read(folder)
        self.assertEqual([p.failed for p in again], [p.failed for p in told])
        for one, other in zip(again, told):
            numpy.testing.assert_allclose(one.boxes, other.boxes, atol=1e-4)


class Pasting(unittest.TestCase):
    def test_a_pasted_tangle_is_a_failure_with_a_place_and_a_pasted_fine_piece_is_not(self):
        source, n = run().batches, 40
        x, y, m = torch.full((n, 3, 320, 320), 0.5), torch.zeros(n), torch.zeros(n, 1, 320, 320)
        source.paste(x, y, m, n)
        where = m.amax((1, 2, 3)) > 0
        self.assertTrue(torch.equal(where, y > 0))
        self.assertTrue(5 < y.sum() < 35)
        changed = ((x - 0.5).abs() > 0.02).any(1)
        self.assertTrue((changed.flatten(1).any(1)).all(), "a fine piece was pasted too")
        outside = changed & (m[:, 0] == 0)
        self.assertLess((outside & where.view(-1, 1, 1)).float().mean(), 0.2)

    def test_the_mask_is_the_box(self):
        picture = replace(FEW[1][0], boxes=((0.5, 0.25, 0.5, 0.5),))
        cells = batches.mask(picture)[0]
        self.assertEqual(cells.sum(), 400)
        self.assertTrue(cells[:20, 10:30].all())
        self.assertTrue((batches.mask(replace(picture, boxes=()))[0] < 0).all())

    def test_both_answers_are_drawn_alike(self):
        few = [replace(FEW[0][0], failed=n == 0, group=f"g{n}") for n in range(10)]
        self.assertAlmostEqual(batches.chances(few)[0], 0.5)


class Training(unittest.TestCase):
    def test_a_run_that_is_taken_up_again_ends_as_one_that_was_not_stopped(self):
        torch.set_num_threads(1)
        whole = run()
        train.train(whole, log=quiet)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = pathlib.Path(folder) / "run"
            train.train(run(), checkpoint, stop=2, log=quiet)
            again = run()
            left = train.train(again, checkpoint, log=quiet)
            self.assertEqual(len(left), 2)
            with self.assertRaises(SystemExit):
                run(rate=5e-4).restore(checkpoint)
        for name, value in whole.finished().state_dict().items():
            self.assertTrue(torch.equal(value, again.finished().state_dict()[name]), name)

    def test_imagenets_statistics_stay_and_the_weights_do_not(self):
        started = run()
        before = {name: value.clone() for name, value in started.net.state_dict().items()}
        train.train(started, stop=2, log=quiet)
        changed = {name for name, value in started.net.state_dict().items() if not torch.equal(value, before[name])}
        self.assertFalse([name for name in changed if "running" in name])
        self.assertIn("_conv_stem.weight", changed)

    def test_cells_between_are_not_taught(self):
        y, m = torch.ones(1), torch.zeros(1, 1, 320, 320)
        m[0, 0, :32, :32] = 1
        m[0, 0, :32, 32:36] = 1  # an eighth of the next cell
        at = torch.zeros(1, 10, 10)
        there = at.clone()
        there[0, 0, 1] = 5.0
        elsewhere = at.clone()
        elsewhere[0, 5, 5] = 5.0
        answer = torch.zeros(1)
        base = train.loss_of(answer, at, y, m)
        self.assertEqual(train.loss_of(answer, there, y, m), base)
        self.assertGreater(train.loss_of(answer, elsewhere, y, m), base)

    def test_runs_are_averaged(self):
        states = [{"w": torch.full((2,), v), "n": torch.tensor(7)} for v in (1.0, 2.0, 6.0)]
        mean = average.average(states)
        self.assertEqual((mean["w"].tolist(), int(mean["n"])), ([3.0, 3.0], 7))
        with self.assertRaises(ValueError):
            average.average([states[0], {"w": torch.zeros(3), "n": torch.tensor(7)}])


if __name__ == "__main__":
    unittest.main()
