"""What goes wrong: strands in a heap, parts that come off, a blob on the nozzle."""

import math

import bmesh
import bpy
import numpy as np
import render
from objects import build
from render import mesh_object, tube

STRAND = 0.34  # mm, half of a strand's width


class LooseFilament:
    """The strands on the bed. A later frame has those of an earlier one, and more."""

    def __init__(self, shot, parts, bed, height):
        if shot.kind == "first layer lost":
            # Dragged about by the nozzle: flat, and all over the plate.
            shape = {"part_radius": 22.0, "nest_spread": 52.0, "nest_centre": (0.0, 0.0)}
        elif shot.kind in ("printing in the air", "torn off", "detached part"):
            # The part is gone: strands fall from the nozzle to where it stood.
            shape = {"part_radius": 6.0, "nest_spread": 34.0, "nest_centre": (4.0, -6.0)}
        else:
            reach = parts[-1].reach
            shape = {"part_radius": reach, "nest_spread": 20.0 + 0.9 * reach}
        self.scene = render.Scene(
            seed=shot.seed, bed_size=bed, strand_radius=STRAND, part_belly=0.0, **shape
        )
        self.nest = render.Nest(self.scene, height)
        self.paths, self.length = [], 0.0

    def strands(self, total):
        """The first so many millimetres."""
        while self.length < total:
            path = self.nest.strand(self.nest.rng.uniform(120, 520))
            self.paths.append(path)
            self.length += len(path)
        shown, left = [], int(total)
        for path in self.paths:
            if left < 2:
                break
            shown.append(path[:left])
            left -= len(path)
        return shown


class Failure:
    """The failure of one print, at any of its ages: frames since the onset, the first is 1."""

    def __init__(self, shot, parts, bed):
        self.shot, self.parts = shot, parts
        self.failed = parts[-1]
        self.stopped_at = shot.height + shot.rise * (shot.onset - 1)
        self.loose = LooseFilament(shot, parts, bed, self.stopped_at)
        self.rng = np.random.default_rng([shot.seed, 41])
        self.axis = self.rng.uniform(0.2, 1.2) + math.pi / 2
        self.pushed = self.rng.uniform(18, 30, 2)  # away from the cameras

    def moved(self, age):
        """Where the part that failed has gone: x, y, tilt in degrees, its axis."""
        kind = self.shot.kind
        if kind == "detached part":
            return (*self.pushed, 90.0, self.axis)
        if kind == "torn off":
            share = min(1.0, 0.3 + 0.14 * age)
            return (*(share * self.pushed * 1.5), min(90.0, 22.0 * age), self.axis)
        if kind == "printing in the air":
            return (self.failed.reach + 46.0, 18.0, 0.0, 0.0)
        if kind in ("tangle", "tangle at night") and age > 6:
            return (0.0, 0.0, min(7.0, age - 6.0), self.axis)
        return (0.0, 0.0, 0.0, 0.0)

    def part(self, age, layer, material, root):
        """The part that failed, as it is now."""
        return build(self.failed, self.stopped_at, layer, material, root, self.moved(age))

    def part_is_seen(self):
        """Whether the part's place is a sign of the failure by itself."""
        return self.shot.kind in ("detached part", "torn off", "printing in the air")

    def strands(self, age, material, place):
        """The strands on the bed, under a root at the place of the part that failed."""
        paths = self.loose.strands(self.shot.strands * age)
        return tube(place, "loose", paths, STRAND, material)

    def hanging(self, age, state, material, head):
        """What hangs from the nozzle: strands, and for one kind a blob."""
        scene = render.Scene(seed=self.shot.seed)
        count = 4 if self.shot.kind == "printing in the air" else 2
        paths = render.hanging_strands(scene, state)[: min(count, 1 + age // 3)]
        made = [tube(head, "hanging", paths, STRAND, material)] if paths else []
        if self.shot.kind == "blob":
            made.append(blob(self.shot.seed, min(19.0, 3.5 + 1.3 * age), material, head))
        return made


def blob(seed, size, material, root):
    """A lump of plastic around the nozzle and the heater block."""
    rng = np.random.default_rng([seed, 43])
    waves = rng.normal(0, 1, (14, 3)) * rng.uniform(1.5, 5.0, (14, 1))
    shift, share = rng.uniform(0, 2 * math.pi, 14), rng.uniform(0.02, 0.07, 14)
    shape = bmesh.new()
    bmesh.ops.create_icosphere(shape, subdivisions=5, radius=1.0)
    for corner in shape.verts:
        at = np.array(corner.co)
        lump = 1 + float(np.sum(share * np.sin(waves @ at + shift)))
        corner.co = at * lump * size * (1.0, 0.9, 0.75) + (1.0, -1.0, 0.45 * size)
    data = bpy.data.meshes.new("blob")
    shape.to_mesh(data)
    shape.free()
    return mesh_object(root, "blob", data, material, smooth=True)
