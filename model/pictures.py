"""What is learnt from: the manifest, near-duplicates left out, folds by camera, and what webcams do to a picture."""
import collections
import csv
import io
import pathlib
import re
from dataclasses import dataclass

import numpy
from PIL import Image, ImageEnhance, ImageFilter

HASH_BITS = 8
"""Pictures whose difference hashes are this near are taken for one; random pairs are 32 apart."""


@dataclass(frozen=True)
class Picture:
    file: str
    failed: bool
    camera: str
    kind: str

    @property
    def printing(self):
        """A print in progress, not a presentation of one."""
        return self.kind != "presentation"


def camera_of(group):
    """Groups of one numbered series are one camera for ten numbers: IMG_8343 and IMG_8347 show the same printer."""
    return re.sub(r"(\D\d{2,})\d$", r"\1x", group)


def read(folder):
    """All labelled pictures, in the order of their names."""
    rows = csv.DictReader((pathlib.Path(folder) / "manifest.csv").open())
    labelled = (row for row in rows if row["failure"] != "")
    found = [Picture(row["file"], row["failure"] == "1", camera_of(row["group"]), row["kind"]) for row in labelled]
    return sorted(found, key=lambda picture: picture.file)


def load(folder, picture):
    return Image.open(pathlib.Path(folder) / picture.file).convert("RGB")


def difference_hash(image):
    small = numpy.asarray(image.convert("L").resize((9, 8), Image.BILINEAR), numpy.int16)
    return numpy.packbits(small[:, 1:] > small[:, :-1])


def distinct(pictures, hashes):
    """Of each pair of near-duplicates the first, with what was dropped counted. Within a camera too: copies teach nothing."""
    bits = numpy.unpackbits(numpy.stack([hashes[p.file] for p in pictures]), axis=1)
    kept, dropped = [], 0
    for n in range(len(pictures)):
        near = kept and ((bits[kept] != bits[n]).sum(1) <= HASH_BITS).any()
        if near:
            dropped += 1
        else:
            kept.append(n)
    return [pictures[n] for n in kept], dropped


def folds(pictures, count=5):
    """Cameras dealt out so that each fold has its share of both answers, the largest first."""
    sizes = collections.defaultdict(lambda: numpy.zeros(2))
    for picture in pictures:
        sizes[picture.camera][int(picture.failed)] += 1
    total = sum(sizes.values())
    filled = numpy.zeros((count, 2))
    fold_of = {}
    for camera in sorted(sizes, key=lambda c: (-sizes[c].max(), c)):
        costs = [(((filled[n] + sizes[camera]) / total) ** 2).sum() - ((filled[n] / total) ** 2).sum()
                 for n in range(count)]
        fold_of[camera] = int(numpy.argmin(costs))
        filled[fold_of[camera]] += sizes[camera]
    return numpy.array([fold_of[picture.camera] for picture in pictures])


def webcam(image, random):
    """What a cheap camera at a printer makes of a picture: another crop, exposure, tint, blur, noise, night, JPEG."""
    width, height = image.size
    scale = random.uniform(0.75, 1.0)
    w, h = round(width * scale), round(height * min(1.0, scale * random.uniform(0.9, 1.1)))
    left, top = random.integers(0, width - w + 1), random.integers(0, height - h + 1)
    image = image.crop((left, top, left + w, top + h))
    if random.random() < 0.5:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    if random.random() < 0.3:
        image = fisheye(image, random.uniform(0.05, 0.25))
    if random.random() < 0.15:
        image = image.convert("L").convert("RGB")
    image = ImageEnhance.Color(image).enhance(random.uniform(0.4, 1.4))
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.6, 1.4))
    pixels = numpy.asarray(image, numpy.float32) / 255
    pixels = pixels ** random.uniform(0.6, 1.8)
    if random.random() < 0.4:
        pixels = pixels * random.uniform(0.75, 1.1, 3)
    noise = random.uniform(0, 0.06)
    pixels = pixels + random.normal(0, 1, pixels.shape[:2] + (1,)) * noise + random.normal(0, 1, pixels.shape) * noise / 2
    image = Image.fromarray((pixels.clip(0, 1) * 255).astype(numpy.uint8))
    if random.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2.0)))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=int(random.integers(25, 90)))
    return Image.open(data).convert("RGB")


def fisheye(image, strength):
    """Barrel distortion as of a wide lens."""
    width, height = image.size
    pixels = numpy.asarray(image)
    y, x = numpy.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    bend = (1 + strength * (x * x + y * y)) / (1 + strength)
    column = ((x * bend + 1) / 2 * (width - 1)).round().astype(int).clip(0, width - 1)
    row = ((y * bend + 1) / 2 * (height - 1)).round().astype(int).clip(0, height - 1)
    return Image.fromarray(pixels[row, column])


def planes(image, size):
    """What the network takes."""
    pixels = numpy.asarray(image.resize((size, size), Image.BILINEAR), numpy.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)
