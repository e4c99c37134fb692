"""What is printed, and what of filament lies about without being a failure."""

import math
from dataclasses import dataclass, replace

import bpy
import numpy as np
from render import empty, mesh, mesh_object, rod, spool, tube

AROUND = 96  # corners of an outline
FOLDS = 9  # of a support's zigzag


@dataclass(frozen=True)
class Piece:
    """A part, or one of several on the bed: outlines that change with height."""

    at: tuple = (0.0, 0.0)
    reach: float = 26.0  # mm, half of its width
    height: float = 70.0
    stretch: float = 1.0  # of y against x
    square: float = 2.0  # 2: round; 6: nearly a box
    lobes: int = 5
    lobe: float = 0.0
    twist: float = 0.0
    belly: float = 0.0  # how much wider in the middle
    taper: float = 0.0  # how much narrower at the top
    hollow: bool = False

    def outline(self, z):
        """The corners of its outline at a height."""
        angle = np.linspace(0, 2 * math.pi, AROUND, endpoint=False)
        up = z / self.height
        corner = np.abs(np.cos(angle)) ** self.square + np.abs(np.sin(angle)) ** self.square
        reach = self.reach * corner ** (-1 / self.square)
        reach = reach * (1 + self.belly * math.sin(math.pi * up) - self.taper * up)
        reach = reach * (1 + self.lobe * np.cos(self.lobes * (angle + self.twist * up)))
        x, y = reach * np.cos(angle), self.stretch * reach * np.sin(angle)
        return np.stack([self.at[0] + x, self.at[1] + y], 1)


def pieces(kind, rng, bed):
    """What a print of a kind makes: one part, or a few."""
    scale = bed / 235

    def piece(at=(0.0, 0.0), **traits):
        made = Piece(at=tuple(float(c) for c in at), **traits)
        wide, high = scale * rng.uniform(0.9, 1.25), scale * rng.uniform(0.8, 1.2)
        return replace(made, reach=made.reach * wide, height=made.height * high)

    spot = rng.uniform(-0.1, 0.1, 2) * bed
    if kind == "vase":
        lobes, belly = int(rng.integers(4, 9)), rng.uniform(0.1, 0.35)
        vase = {"lobe": 0.06, "twist": rng.uniform(-1, 1), "hollow": True, "height": 90}
        return [piece(spot, lobes=lobes, belly=belly, **vase)]
    if kind == "box":
        return [piece(spot, square=7.0, stretch=rng.uniform(0.6, 1.0), hollow=True, height=50)]
    if kind == "towers":
        places = ((-34, 8), (0, -12), (36, 10))
        return [piece(spot + place, reach=10, height=110, taper=0.2) for place in places]
    if kind == "plate":
        return [piece(spot, reach=55, height=5, square=5.0, stretch=0.7)]
    if kind == "many":
        one = piece(reach=13, height=36, square=3.0, taper=0.3)
        places = [(x * 0.22 * bed, y * 0.22 * bed) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        return [replace(one, at=place) for place in places]
    if kind == "figure":
        shape = {"lobe": 0.25, "twist": 2.0, "belly": 0.4, "taper": 0.4, "height": 85}
        return [piece(spot, reach=20, lobes=3, **shape)]
    raise ValueError(f"no piece of the kind {kind!r}")


def build(piece, top, layer, material, root, moved=(0, 0, 0, 0)):
    """A piece as far as it has grown. `moved`: x, y, tilt in degrees, its axis in radians."""
    top = min(top, piece.height)
    x, y, tilt, axis = moved
    turned = empty("piece", (piece.at[0] + x, piece.at[1] + y, 0), parent=root)
    if tilt:
        # It turns over its edge: it rises by what its low side would sink.
        turned.location[2] = piece.reach * min(1.0, piece.stretch) * math.sin(math.radians(tilt))
        turn = math.radians(tilt)
        turned.rotation_euler = (turn * math.cos(axis), turn * math.sin(axis), 0)
    rows = rings(piece, top, layer)
    if piece.hollow:
        rows += inner_rings(piece, rows)
    count = len(rows)
    k = np.arange(AROUND)
    faces = []
    for row in range(count - 1):
        near, far = row * AROUND, (row + 1) * AROUND
        after = (k + 1) % AROUND
        faces += np.stack([near + k, near + after, far + after, far + k], 1).tolist()
    faces.append(tuple(range((count - 1) * AROUND, count * AROUND)))
    faces.append(tuple(range(AROUND))[::-1])
    return mesh(turned, "piece", np.concatenate(rows), faces, material)


def rings(piece, top, layer):
    """Its outside, from the bed up: each layer bulges."""
    made = []
    for n in range(max(1, round(top / layer))):
        for rise, bulge in ((0.1, -0.1), (0.55, 0.12), (0.95, -0.1)):
            z = (n + rise) * layer
            ring = (piece.outline(min(z, piece.height)) - piece.at) * (1 + bulge / piece.reach)
            made.append(np.concatenate([ring, np.full((AROUND, 1), z)], 1))
    return made


def inner_rings(piece, outer):
    """The inside of its wall, from the top down to its floor."""
    made = []
    for row in outer[::-1]:
        middle, inner = row[:, :2].mean(0), row.copy()
        inner[:, :2] = middle + (row[:, :2] - middle) * (1 - 1.6 / piece.reach)
        made.append(inner)
        if row[0, 2] < 1.5:
            break
    return made


def skirt(piece, brim):
    """A skirt of two rings around it, or a brim of seven, as paths."""
    outline = piece.outline(0.0)
    middle, made = outline.mean(0), []
    for n in range(7 if brim else 2):
        wider = (0.5 if brim else 5.0) + 0.9 * n
        ring = middle + (outline - middle) * (1 + wider / piece.reach)
        ring = np.concatenate([ring, ring[:1]])
        made.append(np.concatenate([ring, np.full((len(ring), 1), 0.2)], 1))
    return made


def support(piece, top, side, material, root):
    """A thin wall in zigzag beside a piece, a little apart."""
    high = max(1.0, min(top, piece.height * 0.8))
    run = np.linspace(-1, 1, FOLDS) * piece.reach
    zig = piece.reach * (1 + max(piece.belly, 0)) + 4.0 + 9.0 * (np.arange(FOLDS) % 2)
    x = piece.at[0] + zig * math.cos(side) - run * math.sin(side)
    y = piece.at[1] + piece.stretch * (zig * math.sin(side) + run * math.cos(side))
    points = np.concatenate([np.stack([x, y, 0 * x], 1), np.stack([x, y, 0 * x + high], 1)])
    faces = [(i, i + 1, i + FOLDS + 1, i + FOLDS) for i in range(FOLDS - 1)]
    data = bpy.data.meshes.new("support")
    data.from_pydata(points.tolist(), [], faces)
    made = mesh_object(root, "support", data, material)
    made.modifiers.new("wall", "SOLIDIFY").thickness = 0.5


def infill(piece, top, material, root):
    """The grid that fills a piece, its upper edge in view."""
    lines, reach = [], piece.reach - 1.6
    for at in np.arange(-reach, reach + 0.1, 6.0):
        for turn in (0, 1):
            for z in np.arange(max(0.6, top - 4.0), top, 0.6):
                deep = reach * piece.stretch
                ends = [(at, -deep), (at, deep)] if turn else [
                    (-reach, at * piece.stretch), (reach, at * piece.stretch)]  # fmt: skip
                lines.append([(piece.at[0] + x, piece.at[1] + y, z) for x, y in ends])
    tube(root, "infill", lines, 0.35, material)


def curl(rng, at, length, tight, flat=0.45):
    """A short piece of filament that lies at a place."""
    path, way = [np.array([*at, flat])], rng.uniform(0, 2 * math.pi)
    turn = rng.choice([-1, 1]) / tight
    for _ in range(int(length)):
        way += turn + rng.normal(0, 0.05)
        path.append(path[-1] + [math.cos(way), math.sin(way), 0])
        path[-1][2] = flat + 0.3 * abs(math.sin(len(path) / 9))
    return np.array(path)


def litter(printer, parts, extras, material, root, rng):
    """Prime lines, skirts, dropped ends, purged coils beside the print: all of it usual."""
    half, paths = printer.bed / 2, []
    if "prime" in extras:
        x, y = -half + 10, 0.65 * half
        paths += [np.array([(x + n, -y, 0.25), (x + n, y, 0.25)]) for n in (0, 1.2)]
    for piece in parts:
        if "skirt" in extras or "brim" in extras:
            paths += skirt(piece, "brim" in extras)
    while "ends" in extras and len(paths) < 12:
        at = rng.uniform(-0.85, 0.85, 2) * half
        if all(math.dist(at, piece.at) > piece.reach + 25 for piece in parts):
            paths.append(curl(rng, at, rng.uniform(15, 60), rng.uniform(8, 60)))
    if paths:
        tube(root, "laid", paths, 0.45, material)
    if "purge" in extras:  # dropped at the front edge of the bed
        at, heap = np.array([rng.uniform(-0.6, 0.6) * half, -half + 14]), []
        for _ in range(3):
            place, tight = at + rng.normal(0, 5, 2), rng.uniform(2, 5)
            heap.append(curl(rng, place, rng.uniform(50, 110), tight, rng.uniform(0.5, 3)))
        tube(root, "purge", heap, 0.5, material)


def hairs(parts, top, material, root, rng):
    """Thin wisps between parts, those that are already below the nozzle."""
    made = []
    for _ in range(45):
        one, other = rng.choice(len(parts), 2, replace=False)
        z = rng.uniform(0.02, 0.8) * min(parts[one].height, parts[other].height)
        ends = []
        for near, far in ((one, other), (other, one)):
            outline = parts[near].outline(z)
            nearest = np.argsort(np.linalg.norm(outline - parts[far].at, axis=1))
            ends.append(np.array([*outline[nearest[int(rng.integers(6))]], z]))
        sag = np.array([*rng.normal(0, 1.5, 2), -rng.uniform(0, 4)])
        if z < top:
            made.append(np.array([ends[0], (ends[0] + ends[1]) / 2 + sag, ends[1]]))
    if made:
        tube(root, "hairs", made, 0.12, material)


def spool_in_view(printer, material):
    """A spool beside the printer, its windings loose, and the filament that leads from it."""
    half = printer.bed / 2
    stand = empty("spool", (half * 0.95, 150, 60), (0, 0, -12))
    spool(stand)
    turns = np.linspace(0, 2 * math.pi * 22, 1400)
    rng = np.random.default_rng(5)
    loose = 84.5 + 2.2 * np.abs(np.sin(turns * 0.31)) + 1.5 * np.sin(turns * 0.11 + 1.0)
    along = 24 * np.sin(turns / 9) + rng.normal(0, 0.5, len(turns))
    tube(stand, "windings", [np.stack([along, loose * np.cos(turns), loose * np.sin(turns)], 1)],
         0.9, material)  # fmt: skip
    lead = [(half * 0.95, 150, 146), (half * 0.7, 120, 260), (half * 0.3, 90, 300), (0, 60, 210)]
    tube(None, "lead", [lead], 0.9, material, smooth=True)
    rod(None, "holder", (half * 0.95, 150, -82), (half * 0.95, 150, 60), 6, material)
