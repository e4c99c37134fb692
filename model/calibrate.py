"""What a network's logits mean, from pictures of sources that it was not trained on:

    python3 calibrate.py SCORES.csv OUT.json [--failures TRAINED.csv]

SCORES.csv is the scores.csv of `cargo xtask eval` with a model that is not calibrated (export.py without --calibration). OUT.json is for
export.py. A straight line over the logit with ends, at even odds of a failure and a fine print, each source weighing the same; a second
line for the cell of the map that looks most like a failure. Printed is how well lines do on sources that they never saw.

TRAINED.csv: the same for pictures that the network was trained on. Their failures say how often a tangle looks like none: the least that
is told comes from there. Small tangles weigh as much as a source, for every tangle begins as one."""
import argparse
import csv
import json
import math
import pathlib
from dataclasses import dataclass

import numpy

SMALL = "looked-small-tangle"
"""The kind of pictures in which a tangle begins."""
EDGES = (-99, -3, -2, -1, -0.5, 0.5, 1, 2, 3, 99)
"""Ranges of the table, in log odds."""


@dataclass
class Scores:
    """Logits of pictures, with where each is from and what it shows."""
    logit: numpy.ndarray
    failed: numpy.ndarray
    source: numpy.ndarray
    group: numpy.ndarray

    def only(self, mask):
        return Scores(self.logit[mask], self.failed[mask], self.source[mask], self.group[mask])

    def joined(self, other):
        return Scores(*(numpy.concatenate([getattr(self, part), getattr(other, part)]) for part in ("logit", "failed", "source", "group")))


def counts(row):
    """Whether a row was judged and counts: presentations of finished prints are no false alarms."""
    return row["evidence"] != "" and (row["kind"] != "presentation" or row["failure"] == "1")


def read(path, column="evidence"):
    """The pictures that count, with one of the columns as their logit. Small tangles are a source of their own."""
    with pathlib.Path(path).open() as file:
        rows = [row for row in csv.DictReader(file) if counts(row)]
    failed = numpy.array([row["failure"] == "1" for row in rows])
    source = numpy.array([SMALL if row["kind"] == SMALL else row["source"] for row in rows])
    group = numpy.array([row["group"] for row in rows])
    return Scores(numpy.array([float(row[column]) for row in rows]), failed, source, group)


def weights(scores):
    """Fine prints weigh 1 together, and failures; of each, every source the same, and within it every picture."""
    out = numpy.zeros(len(scores.logit))
    for answer in (False, True):
        sources = numpy.unique(scores.source[scores.failed == answer])
        for source in sources:
            mask = (scores.failed == answer) & (scores.source == source)
            out[mask] = 1 / mask.sum() / len(sources)
    return out


def scenes(scores, answer):
    """How many scenes the weights are worth: those of a source with few count for few (Kish)."""
    mask, weight = scores.failed == answer, weights(scores)
    each = [weight[mask & (scores.group == group)].sum() for group in numpy.unique(scores.group[mask])]
    return sum(each) ** 2 / sum(w * w for w in each)


def line(scores):
    """(scale, offset): a logistic regression with Platt's targets, by which what was never seen is not impossible: of n scenes of an
    answer one more would have been the other."""
    weight = weights(scores)
    fine, failed = scenes(scores, False), scenes(scores, True)
    target = numpy.where(scores.failed, (failed + 1) / (failed + 2), 1 / (fine + 2))
    middle, spread = scores.logit.mean(), scores.logit.std()
    rows = numpy.stack([(scores.logit - middle) / spread, numpy.ones_like(scores.logit)], 1)
    answer = numpy.zeros(2)
    for _ in range(100):
        told = 1 / (1 + numpy.exp(-(rows @ answer)))
        slope = rows.T @ (weight * (told - target))
        bend = (rows * (weight * told * (1 - told))[:, None]).T @ rows + 1e-9 * numpy.eye(2)
        step = numpy.linalg.solve(bend, slope)
        answer -= step * min(1, 2 / numpy.abs(step).max())
        if numpy.abs(step).max() < 1e-10:
            break
    return answer[0] / spread, answer[1] - answer[0] * middle / spread


def share(scores, answer, below):
    """Of failures, or of fine prints, the share under a logit; one more scene is taken to be there."""
    mask, count = scores.failed == answer, scenes(scores, answer)
    return (weights(scores)[mask & (scores.logit < below)].sum() * count + 1) / (count + 1)


def ends(scores, failures, scale, offset):
    """The least and the most that is told. The most: of the scenes of fine prints, one more would have looked so. The least: how much
    rarer failures are than fine prints among what looks fine."""
    least, most = -1.0, math.log(scenes(scores, False) + 1)
    for _ in range(50):
        below = (least - offset) / scale
        least = (least + math.log(share(failures, True, below) / share(scores, False, below))) / 2
    return least, most


@dataclass
class Calibration:
    scale: float
    offset: float
    least: float
    most: float

    def __call__(self, logit):
        return numpy.clip(logit * self.scale + self.offset, self.least, self.most)


def fitted(scores, more=None):
    """`more`: failures that the network was trained on."""
    failures = scores.only(scores.failed)
    scale, offset = line(scores)
    return Calibration(scale, offset, *ends(scores, failures.joined(more) if more else failures, scale, offset))


def parts(scores, count=5):
    """Scenes dealt out."""
    groups = {group: n % count for n, group in enumerate(sorted(set(scores.group)))}
    return numpy.array([groups[group] for group in scores.group])


def crossed(scores, more=None):
    """What each picture is told by a line that saw none of its source. Where a source has all the failures there are, the line saw those of
    other scenes than the picture's, and none of the source's fine prints."""
    out, part = numpy.zeros(len(scores.logit)), parts(scores)
    for source in numpy.unique(scores.source):
        here = scores.source == source
        alone = not (scores.failed & ~here).any()
        for n in range(part.max() + 1) if alone else [None]:
            now = here & (part == n) if alone else here
            seen = ~here | (here & scores.failed & (part != n)) if alone else ~here
            out[now] = fitted(scores.only(seen), more)(scores.logit[now])
    return out


def reliability(scores, told):
    """Rows: range, failures, fine prints, what was told on average, what share is true at even odds."""
    weight = weights(scores)
    for low, high in zip(EDGES, EDGES[1:]):
        here = (told >= low) & (told < high)
        if here.any():
            total = weight[here].sum()
            true = weight[here & scores.failed].sum() / total
            yield low, high, (here & scores.failed).sum(), (here & ~scores.failed).sum(), (weight * told)[here].sum() / total, true


def bits(scores, told):
    """What it costs to believe it, a picture, at even odds: 1 when it says nothing."""
    against = numpy.where(scores.failed, -told, told)
    return float((weights(scores) * numpy.logaddexp(0, against)).sum() / math.log(2) / 2)


def show(scores, told):
    print("| log odds told | failed / fine | on average | means, % | true, % |\n| --- | ---: | ---: | ---: | ---: |")
    for low, high, failed, fine, mean, true in reliability(scores, told):
        print(f"| {low} to {high} | {failed} / {fine} | {mean:+.2f} | {100 / (1 + math.exp(-mean)):.1f} | {100 * true:.1f} |")
    print(f"bits a picture: {bits(scores, told):.4f}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--failures")
    given = parser.parse_args()

    def both(column):
        more = read(given.failures, column) if given.failures else None
        return read(given.scores, column), more.only(more.failed) if more else None

    scores, more = both("evidence")
    print("Each source by a line that never saw it:\n")
    show(scores, crossed(scores, more))
    calibration, cell = fitted(scores, more), fitted(*both("strongest"))
    told = calibration(scores.logit)
    print("By the line of all, which is what ships:\n")
    show(scores, told)
    usual = float((weights(scores) * told)[~scores.failed].sum())
    values = {"scale": calibration.scale, "offset": calibration.offset, "map_scale": cell.scale, "map_offset": cell.offset,
              "least": calibration.least, "most": calibration.most, "usual": usual}
    given.out.write_text(json.dumps({name: round(float(value), 3) for name, value in values.items()}, indent=1) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
