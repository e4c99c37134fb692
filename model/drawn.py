"""Drawn prints, fine and tangled, for `train.py --quick` and the tests: enough to see whether training works, no more."""
import numpy
from PIL import Image, ImageDraw, ImageFilter

from pictures import Picture

SIDE = 320
COUNT = 300


def scene(random):
    """A bed and a wall."""
    image = Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in random.integers(30, 110, 3)))
    pen = ImageDraw.Draw(image)
    edge = int(random.uniform(0.45, 0.65) * SIDE)
    pen.polygon([(0, SIDE), (SIDE, SIDE), (int(0.85 * SIDE), edge), (int(0.15 * SIDE), edge)],
                fill=tuple(int(v) for v in random.integers(60, 200, 3)))
    return image, pen, edge


def part(pen, random, edge, colour):
    """A print of layers, in the middle of the bed."""
    width, layers = int(random.uniform(40, 110)), int(random.uniform(8, 36))
    left, bottom = int(random.uniform(0.25, 0.6) * SIDE), edge + int(random.uniform(30, 90))
    for layer in range(layers):
        shade = tuple(int(c * (0.8 + 0.2 * (layer % 2))) for c in colour)
        y = bottom - 3 * layer
        pen.line([(left, y), (left + width, y)], fill=shade, width=3)
    return left, bottom - 3 * layers, left + width, bottom


def tangle(pen, random, colour, box):
    """Strands that curl about a point, and the box around them."""
    cx, cy = random.uniform(box[0], box[2]), random.uniform(box[1] - 20, box[3])
    reach, points = random.uniform(25, 70), []
    for _ in range(int(random.uniform(6, 16))):
        radius, angle = random.uniform(0.3, 1.0) * reach, random.uniform(0, 6.3)
        turn, steps = random.uniform(-0.5, 0.5), 30
        ways = angle + numpy.cumsum(numpy.full(steps, turn) + random.normal(0, 0.15, steps))
        x = cx + radius * 0.7 * numpy.cos(ways) + random.normal(0, 3, steps)
        y = cy + radius * 0.5 * numpy.sin(ways) + random.normal(0, 3, steps)
        strand = list(zip(x.clip(0, SIDE - 1).tolist(), y.clip(0, SIDE - 1).tolist()))
        shade = tuple(int(min(255, c * random.uniform(0.7, 1.25))) for c in colour)
        pen.line(strand, fill=shade, width=int(random.integers(1, 4)))
        points += strand
    x, y = numpy.array(points).T / SIDE
    return (float((x.min() + x.max()) / 2), float((y.min() + y.max()) / 2), float(numpy.ptp(x)), float(numpy.ptp(y)))


def one(random, failed):
    """(the picture, boxes of its tangle)."""
    image, pen, edge = scene(random)
    colour = tuple(int(v) for v in random.integers(90, 255, 3))
    box = part(pen, random, edge, colour)
    boxes = (tangle(pen, random, colour, box),) if failed else ()
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1)))
    noisy = numpy.asarray(image, numpy.float32) + random.normal(0, random.uniform(0, 8), (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)), boxes


def pictures(seed, count=COUNT):
    """As many with a tangle as without; the same for the same seed. Three of a group."""
    random, out = numpy.random.default_rng(seed), []
    for n in range(count):
        failed = n % 2 == 1
        image, boxes = one(random, failed)
        out.append((Picture(f"drawn/{n:05}.png", failed, f"drawn{n // 3}", "drawn", boxes), image))
    return out
