"""What is learnt from: the manifest, copies left out, groups of one scene joined, folds by group.

    python3 pictures.py PICTURES OUT.csv      the manifest with joined groups, for `cargo xtask eval --manifest`
"""
import collections
import csv
import pathlib
import re
import sys
from dataclasses import dataclass, replace

import numpy
from PIL import Image, ImageOps

COPY = 0.98
"""Pictures whose grey thumbnails correlate more are one picture; a difference hash of 8 bits lets such copies through."""
SCENE = 0.95
"""Pictures whose thumbnails correlate more are of one scene: their groups are joined."""
MOST = {True: 45, False: 200}
"""So many failures, and fine prints, are taken of one group: a video of one tangle must not drown the rest."""
TANGLE = {"pr": "1", "pd": "1", "wf": "0"}
"""Which class of a set's boxes is the tangle."""


@dataclass(frozen=True)
class Picture:
    file: str
    failed: bool
    group: str
    kind: str
    boxes: tuple
    """Of the tangle, in shares of the picture: middle across and down, width, height. Empty: none known."""

    @property
    def source(self):
        return self.file.split("/")[0]


def group_of(source, group):
    """Groups of one numbered series are one camera for ten numbers: IMG_8343 and IMG_8347 show the same printer."""
    return source + re.sub(r"(\D\d{2,})\d$", r"\1x", group)


def boxes_of(row, source):
    boxes = (box.split(":") for box in row["boxes"].split())
    return tuple(tuple(map(float, box[1:])) for box in boxes if box[0] == TANGLE.get(source, "0"))


def taken(row):
    """What a row of the manifest teaches, or None. Where another defect than a tangle is named, there is no tangle; stringing
    looks too much like one to say so."""
    source = row["file"].split("/")[0]
    group = group_of(source, row["group"])
    if row["failure"] == "1":
        return Picture(row["file"], True, group, "pr" if source == "pr" else row["kind"], boxes_of(row, source))
    if row["failure"] == "0":
        return Picture(row["file"], False, group, row["kind"], ())
    if source == "pr" and "stringing" not in row["kind"]:
        return Picture(row["file"], False, group, "pr-other-defect", ())
    return None


def read(folder):
    """What is learnt from, before copies are left out."""
    with (pathlib.Path(folder) / "manifest.csv").open() as manifest:
        rows = (taken(row) for row in csv.DictReader(manifest))
        return [picture for picture in rows if picture]


def load(folder, picture):
    return Image.open(pathlib.Path(folder) / picture.file).convert("RGB")


def thumbnail(image):
    """32 x 32 grey, mean taken off, of length 1: the product of two is their correlation."""
    values = numpy.asarray(image.convert("L").resize((32, 32), Image.BILINEAR), numpy.float32).ravel()
    values = values - values.mean()
    return values / (numpy.linalg.norm(values) + 1e-6)


class Scenes:
    """Groups, of which some turn out to be the same."""

    def __init__(self):
        self.parent = {}

    def of(self, group):
        self.parent.setdefault(group, group)
        while self.parent[group] != group:
            group = self.parent[group]
        return group

    def join(self, one, other):
        self.parent[self.of(one)] = self.of(other)


def distinct(pictures, images):
    """Of copies the first, with groups joined that share a scene. `images` gives each picture's image, in the same order."""
    kept, scenes = [], Scenes()
    seen = numpy.zeros((len(pictures), 32 * 32), numpy.float32)
    for picture, image in zip(pictures, images):
        plain, mirrored = thumbnail(image), thumbnail(ImageOps.mirror(image))
        here = seen[:len(kept)]
        alike = numpy.maximum(here @ plain, here @ mirrored)
        scenes.of(picture.group)
        for n in numpy.nonzero(alike > SCENE)[0]:
            scenes.join(kept[n].group, picture.group)
        if len(alike) and alike.max() > COPY:
            continue
        seen[len(kept)] = plain
        kept.append(picture)
    return [replace(picture, group=scenes.of(picture.group)) for picture in kept], scenes


def thinned(pictures, most=None):
    """At most so many of a group and answer, picked at random but always the same."""
    most, count, kept = most or MOST, collections.Counter(), []
    for n in numpy.random.default_rng(1).permutation(len(pictures)):
        picture = pictures[n]
        count[picture.group, picture.failed] += 1
        if count[picture.group, picture.failed] <= most[picture.failed]:
            kept.append(picture)
    return sorted(kept, key=lambda picture: picture.file)


def learnt_from(folder):
    """All that is learnt from: copies left out, groups joined and thinned."""
    found = read(folder)
    kept, _ = distinct(found, (load(folder, picture) for picture in found))
    return thinned(kept)


def folds(pictures, count):
    """Groups dealt out so that each fold has its share of both answers, the largest first."""
    sizes = collections.defaultdict(lambda: numpy.zeros(2))
    for picture in pictures:
        sizes[picture.group][int(picture.failed)] += 1
    total = sum(sizes.values())
    filled, fold_of = numpy.zeros((count, 2)), {}
    for group in sorted(sizes, key=lambda g: (-sizes[g].max(), g)):
        costs = [(((filled[n] + sizes[group]) / total) ** 2).sum() - ((filled[n] / total) ** 2).sum() for n in range(count)]
        fold_of[group] = int(numpy.argmin(costs))
        filled[fold_of[group]] += sizes[group]
    return numpy.array([fold_of[picture.group] for picture in pictures])


def write(path, pictures):
    """A manifest that `cargo xtask eval --manifest` reads. Every box of it is of a tangle."""
    with pathlib.Path(path).open("w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["file", "failure", "group", "kind", "boxes"])
        for p in pictures:
            boxes = " ".join(f"{TANGLE.get(p.source, '0')}:" + ":".join(f"{v:.4f}" for v in box) for box in p.boxes)
            rows.writerow([p.file, int(p.failed), p.group, p.kind, boxes])


if __name__ == "__main__":
    write(sys.argv[2], learnt_from(sys.argv[1]))
