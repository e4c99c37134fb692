"""Trains the built-in model: train.py PICTURES OUT.model REPORT.json. See README.md.

The backbone stays as ImageNet made it; what is learnt is a logistic regression on what it sees, and what its answer means."""
import argparse
import json
import pathlib

import numpy
import torch
from sklearn.linear_model import LogisticRegression

import export
import measure
import network
import pictures

SEED = 1
COPIES = 2
"""Augmented copies of each picture, besides itself."""
STRENGTH = 1e-3
"""Inverse of the penalty. From 1e-4 to 1e-2 nothing much changes (README.md)."""


def features_of(found, folder, size, log):
    """Of each picture and its copies: (pictures, 1 + COPIES, features)."""
    random = numpy.random.default_rng(SEED)
    backbone = network.pretrained(network.weights_file()).eval()
    rows = []
    with torch.no_grad():
        for n, picture in enumerate(found):
            image = pictures.load(folder, picture)
            views = [image] + [pictures.webcam(image, random) for _ in range(COPIES)]
            stack = torch.from_numpy(numpy.stack([pictures.planes(view, size) for view in views]))
            rows.append(backbone.pool(backbone.trunk(stack)).numpy())
            if n % 200 == 0:
                log(f"features: {n} of {len(found)}")
    return numpy.stack(rows)


class Head:
    """A logistic regression over standardised features."""

    def __init__(self, features, failed):
        count = features.shape[1]
        flat = features.reshape(-1, features.shape[-1])
        self.mean, self.spread = flat.mean(0), flat.std(0) + 1e-3
        fit = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=400)
        fit.fit((flat - self.mean) / self.spread, numpy.repeat(failed, count))
        self.weights, self.bias = fit.coef_[0], fit.intercept_[0]

    def answer(self, features):
        return (features - self.mean) / self.spread @ self.weights + self.bias

    def into(self, net):
        """Standardisation folded in."""
        weights = self.weights / self.spread
        with torch.no_grad():
            net.head.weight.copy_(torch.from_numpy(weights[None]).float())
            net.head.bias.fill_(float(self.bias - self.mean @ weights))


def calibrated(answers, failed):
    """Scale and offset that make answers log odds, at even odds of both; the average of the fine ones."""
    fit = LogisticRegression(C=1e6, class_weight="balanced").fit(answers[:, None], failed)
    scale, offset = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return scale, offset, float((answers[~failed] * scale + offset).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--features", type=pathlib.Path, help="kept there from one run to the next")
    given = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(given.threads)

    def log(text):
        print(text, flush=True)


    found = pictures.read(given.pictures)
    hashes = {p.file: pictures.difference_hash(pictures.load(given.pictures, p)) for p in found}
    kept, dropped = pictures.distinct(found, hashes)
    log(f"{len(found)} labelled pictures, {dropped} near-duplicates left out")
    if given.features and given.features.exists():
        features = numpy.load(given.features)
    else:
        features = features_of(kept, given.pictures, given.size, log)
        if given.features:
            numpy.save(given.features, features)

    failed = numpy.array([p.failed for p in kept])
    fold = pictures.folds(kept)
    tested = numpy.array([p.file.startswith("wf/") and p.printing for p in kept])
    answers = numpy.zeros(len(kept))
    for n in range(fold.max() + 1):
        head = Head(features[fold != n], failed[fold != n])
        answers[fold == n] = head.answer(features[fold == n, 0])
        log(f"fold {n}: {int((fold == n).sum())} pictures")
    scale, offset, usual = calibrated(answers[tested], failed[tested])
    report = measure.report(answers, failed, fold, tested, [p.camera for p in kept], [p.kind for p in kept])
    report.update(pictures=len(kept), dropped=dropped, size=given.size, cameras=len({p.camera for p in kept}))

    net = network.pretrained(network.weights_file())
    Head(features, failed).into(net)
    body = export.write(given.out, net, given.size, "oe-vision 1", scale, offset, usual)
    report["bytes"] = len(body)
    given.report.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    log(json.dumps(report, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
