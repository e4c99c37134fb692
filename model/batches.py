"""Batches of augmented pictures, made where the network is trained."""
import math

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

from network import SIZE

MASK = 40
"""Cells of the mask that says where the tangle is, each way: four in each cell of the map."""
SOMEWHERE = -1.0
"""The mask of a failure without a box."""
WEIGHTS = {"presentation": 0.5, "pr-other-defect": 0.6, "looked-small-tangle": 1.2}
"""How often a kind is drawn, compared with the others."""
GREY = (0.299, 0.587, 0.114)


def square(image):
    return numpy.array(image.convert("RGB").resize((SIZE, SIZE), Image.BICUBIC))


def mask(picture):
    """1 where the tangle is, 0 where it is not."""
    cells = torch.zeros(1, MASK, MASK)
    if picture.failed and not picture.boxes:
        cells[:] = SOMEWHERE
    for x, y, w, h in picture.boxes:
        left, right = int((x - w / 2) * MASK), math.ceil((x + w / 2) * MASK)
        top, bottom = int((y - h / 2) * MASK), math.ceil((y + h / 2) * MASK)
        cells[0, max(0, top):max(1, bottom), max(0, left):max(1, right)] = 1
    return cells


def chances(pictures):
    """How likely each is drawn: both answers alike, and of a group the root of its size."""
    size = {}
    for picture in pictures:
        size[picture.group] = size.get(picture.group, 0) + 1
    weight = numpy.array([WEIGHTS.get(p.kind, 1.0) / math.sqrt(size[p.group]) for p in pictures])
    failed = numpy.array([p.failed for p in pictures])
    for answer in (False, True):
        weight[failed == answer] /= weight[failed == answer].sum()
    return weight / weight.sum()


class Batches:
    def __init__(self, pictures, images, seed, device):
        """`images` gives each picture's image, in the same order. They are kept as bytes: 0.3 MB each."""
        self.device, self.random = device, numpy.random.default_rng(seed)
        self.generator = torch.Generator(device=device).manual_seed(seed)
        self.images = torch.empty(len(pictures), 3, SIZE, SIZE, dtype=torch.uint8)
        for n, image in enumerate(images):
            self.images[n] = torch.from_numpy(square(image)).permute(2, 0, 1)
        self.images = self.images.to(device)
        self.failed = numpy.array([p.failed for p in pictures], numpy.float32)
        self.boxes = [p.boxes for p in pictures]
        self.boxed = numpy.array([len(p.boxes) > 0 for p in pictures])
        self.masks = torch.stack([mask(p) for p in pictures]).to(device)
        self.chances = chances(pictures)

    def state(self):
        """Where its random numbers are, to go on from there."""
        return {"random": self.random.bit_generator.state, "generator": self.generator.get_state().cpu()}

    def restore(self, state):
        self.random.bit_generator.state = state["random"]
        self.generator.set_state(state["generator"])

    def uniform(self, n, low=0.0, high=1.0):
        return torch.rand(n, device=self.device, generator=self.generator) * (high - low) + low

    def normal(self, *shape):
        return torch.randn(*shape, device=self.device, generator=self.generator)

    def views(self, n):
        """Crop, stretch, turn, flip, barrel distortion, as one sampling grid."""
        scale, stretch = torch.sqrt(self.uniform(n, 0.62 ** 2, 1.05 ** 2)), torch.exp(self.uniform(n, -0.25, 0.25))
        angle = self.uniform(n, -0.22, 0.22) * (self.uniform(n) < 0.6)
        flip = torch.where(self.uniform(n) < 0.5, -1.0, 1.0)
        sx, sy = scale * stretch.sqrt(), scale / stretch.sqrt()
        tx = self.uniform(n, -1, 1) * (1 - sx).clamp(min=0)
        ty = self.uniform(n, -1, 1) * (1 - sy).clamp(min=0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        rows = [torch.stack([flip * sx * cos, -sy * sin, tx], 1), torch.stack([flip * sx * sin, sy * cos, ty], 1)]
        grid = F.affine_grid(torch.stack(rows, 1), (n, 1, SIZE, SIZE), align_corners=False)
        bend = (self.uniform(n, -0.08, 0.22) * (self.uniform(n) < 0.35)).view(n, 1, 1, 1)
        return grid * (1 + bend * (grid ** 2).sum(-1, keepdim=True)) / (1 + bend)

    def light(self, x):
        """Grey, colour, contrast, gamma, tint, exposure, uneven light, low resolution, noise."""
        n = len(x)

        def between(low, high):
            return self.uniform(n, low, high).view(n, 1, 1, 1)

        def some(share):
            return (self.uniform(n) < share).view(n, 1, 1, 1)

        grey = (x * torch.tensor(GREY, device=self.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
        x = torch.where(some(0.18), grey.expand_as(x), grey + (x - grey) * between(0.3, 1.5))
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (mean + (x - mean) * between(0.55, 1.45)).clamp(1e-4, 1) ** torch.exp(between(-0.6, 0.75))
        tint = torch.rand(n, 3, 1, 1, device=self.device, generator=self.generator) - 0.5
        x = x * (1 + tint * 0.5 * some(0.45)) * between(0.6, 1.15)
        ramp = torch.linspace(-1, 1, SIZE, device=self.device)
        uneven = ramp.view(1, 1, 1, -1) * between(-0.4, 0.4) + ramp.view(1, 1, -1, 1) * between(-0.4, 0.4)
        x = x * (1 + some(0.35) * uneven)
        coarse = between(0, 1)
        x = torch.where(coarse < 0.25, lower(x, 0.5), torch.where(coarse < 0.38, lower(x, 0.3), x))
        noise = between(0, 0.07) * some(0.6)
        return (x + noise * (0.6 * self.normal(n, 3, SIZE, SIZE) + self.normal(n, 1, SIZE, SIZE))).clamp(0, 1)

    def pieces(self, fine, sources):
        """What is cut out of each source, and where it goes: middle, size, size there, middle there."""
        drawn, out = self.random.uniform, []
        for is_fine, source in zip(fine, sources):
            if is_fine:
                box = (drawn(0.2, 0.8), drawn(0.2, 0.8), drawn(0.15, 0.5), drawn(0.15, 0.5))
            else:
                box = self.boxes[source][self.random.integers(len(self.boxes[source]))]
            zoom = drawn(0.25, 1.1)
            w, h = min(box[2] * zoom, 0.8), min(box[3] * zoom, 0.8)
            out.append((*box, w, h, drawn(w / 2, 1 - w / 2), drawn(h / 2, 1 - h / 2)))
        return [column.view(-1, 1, 1) for column in torch.tensor(out, device=self.device).float().T]

    def paste(self, x, y, m, n):
        """Into the fine ones of the first n pictures goes a piece of another: of a tangle (then it is a failure) or of a fine
        print (then it is not). So what is around a tangle says nothing, and neither does the seam."""
        at = (y[:n] < 0.5).nonzero()[:, 0]
        if not len(at) or not self.boxed.any():
            return
        fine = self.random.random(len(at)) < 0.5
        sources = numpy.where(fine, self.random.choice(numpy.nonzero(self.failed == 0)[0], len(at)),
                              self.random.choice(numpy.nonzero(self.boxed)[0], len(at)))
        cx, cy, w, h, wide, high, ox, oy = self.pieces(fine, sources)
        middle = (torch.arange(SIZE, device=self.device) + 0.5) / SIZE
        u = ((middle.view(1, 1, -1) - ox) / wide * 2).expand(-1, SIZE, SIZE)  # -1 to 1 inside the piece
        v = ((middle.view(1, -1, 1) - oy) / high * 2).expand(-1, SIZE, SIZE)
        flip = torch.where(self.uniform(len(at)) < 0.5, -1.0, 1.0).view(-1, 1, 1)
        grid = torch.stack([(cx * 2 - 1) + flip * u * w, (cy * 2 - 1) + v * h], -1)
        cut = self.images[torch.from_numpy(sources).to(self.device)].float() / 255
        piece = F.grid_sample(cut, grid, align_corners=False, padding_mode="reflection")
        away = (u.abs() ** 3 + v.abs() ** 3) ** (1 / 3)
        soft = self.uniform(len(at)).view(-1, 1, 1) * 0.35 + 0.05
        alpha = ((1 - away) / soft).clamp(0, 1).unsqueeze(1)
        base = x[at]
        shift = base.mean((2, 3), keepdim=True) - piece.mean((2, 3), keepdim=True)
        piece = (piece + shift * self.uniform(len(at)).view(-1, 1, 1, 1) * 0.6).clamp(0, 1)
        x[at] = base * (1 - alpha) + piece * alpha
        tangle = torch.from_numpy(~fine).to(self.device)
        y[at] = torch.where(tangle, torch.ones_like(y[at]), y[at])
        m[at] = torch.where(tangle.view(-1, 1, 1, 1), (alpha > 0.5).float(), m[at])

    def next(self, n):
        """(n, 3, SIZE, SIZE) as the network takes it, the answers, and where: (n, 1, SIZE, SIZE)."""
        picked = self.random.choice(len(self.chances), n, p=self.chances)
        at, grid = torch.from_numpy(picked).to(self.device), self.views(n)
        y = torch.from_numpy(self.failed[picked]).to(self.device)
        x = F.grid_sample(self.images[at].float() / 255, grid, align_corners=False, padding_mode="reflection")
        m = F.grid_sample(self.masks[at], grid, align_corners=False, mode="nearest")
        lost = (self.masks[at].amin((1, 2, 3)) >= 0) & (y > 0) & (m.amax((1, 2, 3)) <= 0)
        y = torch.where(lost, torch.zeros_like(y), y)  # the crop lost the tangle
        self.paste(x, y, m, n // 2)
        return (self.light(x) * 255 - 127) / 128, y, m


def lower(x, factor):
    """As of a camera with fewer pixels."""
    small = F.interpolate(x, scale_factor=factor, mode="bilinear", antialias=True)
    return F.interpolate(small, size=(SIZE, SIZE), mode="bilinear")
