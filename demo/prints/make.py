#!/usr/bin/env python3
"""Renders time-lapses of 3D prints of which it is known when they fail, with a manifest.

    python make.py --out prints
    python make.py --out preview --only blob --frames 1,20 --samples 6

Frames that are there already are not rendered again: a run that was ended goes on when it is
started again. README.md says what the manifest's columns are.
"""

import argparse
import contextlib
import csv
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bpy  # before the two that it brings along
import numpy as np
import render
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

import machines
import objects
from failures import Failure
from scenes import PACE, PRINTS

LAYER = 0.6
COLUMNS = ("file", "failure", "group", "set", "kind", "boxes", "frame", "seconds", "onset")
SET = "rendered"


class Stage:
    """A print that has been built but for what changes from frame to frame."""

    def __init__(self, shot):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.shot = shot
        rng = np.random.default_rng([shot.seed, 1])
        self.printer = machines.PRINTERS[shot.printer]
        self.camera = machines.CAMERAS[shot.camera]
        self.parts = objects.pieces(shot.part, rng, self.printer.bed)
        self.material = render.plain("filament", shot.filament, rough=0.36)
        self.machine = machines.Machine(self.printer, rng)
        at = machines.camera(self.camera, self.printer, shot.height, rng)
        machines.lights(shot.light, at, rng)
        litter = np.random.default_rng([shot.seed, 2])
        root = self.machine.bed
        objects.litter(self.printer, self.parts, shot.extras, self.material, root, litter)
        if "spool" in shot.extras:
            objects.spool_in_view(self.printer, self.material)
        self.failure = Failure(shot, self.parts, self.printer.bed) if shot.fails else None

    def show(self, frame):
        """Builds what this frame shows; returns its state, and what is a failure in it."""
        shot, material, root = self.shot, self.material, self.machine.bed
        age = max(0, frame - shot.onset + 1) if shot.fails else 0
        top = shot.height + shot.rise * (frame - 1 - age)
        state = self.state(frame, top + 0.3 * age)
        self.machine.move(state.nozzle)
        for piece in self.parts:
            if not (age and piece is self.failure.failed):
                objects.build(piece, top, LAYER, material, root)
                self.beside(piece, top, root)
        if "hairs" in shot.extras:
            objects.hairs(self.parts, top, material, root, np.random.default_rng([shot.seed, 3]))
        return state, self.fail(age, state) if age else []

    def beside(self, piece, top, root):
        """What belongs to a piece that is fine."""
        if "supports" in self.shot.extras:
            for side in (0.2, 1.9, 4.4):
                objects.support(piece, top, side, self.material, root)
        if "infill" in self.shot.extras:
            objects.infill(piece, top, self.material, root)

    def fail(self, age, state):
        """Builds the failure; returns the objects that show it."""
        failure, root = self.failure, self.machine.bed
        part = failure.part(age, LAYER, self.material, root)
        place = render.empty("place", (*failure.failed.at, 0), parent=root)
        signs = [failure.strands(age, self.material, place)]
        signs += failure.hanging(age, state, self.material, self.machine.head)
        return signs + ([part] if failure.part_is_seen() else [])

    def state(self, frame, height):
        """The nozzle's place, over an outline of a part, and the webcam's moods."""
        rng = np.random.default_rng([self.shot.seed, 4, frame])
        piece = self.parts[-1 if self.shot.fails and frame >= self.shot.onset
                           else int(rng.integers(len(self.parts)))]  # fmt: skip
        outline = piece.outline(min(height, piece.height))
        x, y = outline[int(rng.integers(len(outline)))]
        return render.PrintState(
            index=frame,
            nozzle=(float(x), float(y), min(height, piece.height + 12.0) + 0.3),
            part_top=height,
            ragged=0.0,
            tilt=0.0,
            loose=0.0,
            dangling=4,
            exposure=float(rng.normal(0, 0.06)),
            noise=float(rng.uniform(0.85, 1.25)) * (2.0 if self.shot.light == "night" else 1.0),
        )

    def webcam(self):
        """How the webcam develops its pictures: by night without colour."""
        rng = np.random.default_rng([self.shot.seed, 5])
        night = self.shot.light == "night"
        tint = (1.0, 1.0, 1.0) if night else tuple(rng.normal(1, 0.03, 3))
        return render.Scene(
            seed=self.shot.seed,
            barrel=self.camera.barrel,
            tint=tint,
            saturation=0.0 if night else float(rng.uniform(1.0, 1.25)),
        )


@contextlib.contextmanager
def taken_away():
    """Takes away what is built within, when the picture is made."""
    before = set(bpy.data.objects)
    yield
    for made in set(bpy.data.objects) - before:
        data = made.data
        bpy.data.objects.remove(made)
        if isinstance(data, bpy.types.Mesh):
            bpy.data.meshes.remove(data)
        elif isinstance(data, bpy.types.Curve):
            bpy.data.curves.remove(data)


def points(made):
    """The points of an object, in the room."""
    if isinstance(made.data, bpy.types.Curve):
        own = [point.co.to_3d() for spline in made.data.splines for point in spline.points]
    else:
        own = [vertex.co for vertex in made.data.vertices]
    return [made.matrix_world @ point for point in own[:: max(1, len(own) // 4000)]]


@dataclass(frozen=True)
class Box:
    """Where a failure is: middle and size in shares of the picture."""

    x: float
    y: float
    wide: float
    high: float

    def __str__(self):
        return f"0:{self.x:.4f}:{self.y:.4f}:{self.wide:.4f}:{self.high:.4f}"


def seen_box(signs, size, barrel):
    """The box of these objects as the webcam sees them; none when they are out of view."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size  # the view depends on its shape
    bpy.context.view_layer.update()
    seen = [world_to_camera_view(scene, scene.camera, Vector(point))
            for made in signs for point in points(made)]  # fmt: skip
    places = np.array([(at.x, 1 - at.y) for at in seen if at.z > 0]).reshape(-1, 2)
    if not len(places):
        return None
    low, high = np.percentile(bent(places, size, barrel), (0.5, 99.5), axis=0).clip(0, 1)
    wide, tall = high - low
    if min(wide, tall) <= 0:
        return None
    middle = (low + high) / 2
    return Box(*middle.tolist(), wide, tall)


def bent(places, size, barrel):
    """Where the lens of `render.through_lens` puts what lies at these places without it."""
    half = np.array(size) / 2
    from_middle = (places * 2 - 1) * half
    at = from_middle.copy()
    for _ in range(5):
        reach = (at**2).sum(1, keepdims=True) / (half**2).sum()
        at = from_middle * (1 + barrel) / (1 + barrel * reach)
    return (at / half + 1) / 2


class Manifest:
    """What is known of each frame that is rendered, in a file that is always whole."""

    def __init__(self, path):
        self.path, self.rows = path, {}
        if path.exists():
            with path.open(newline="") as file:
                self.rows = {row["file"]: row for row in csv.DictReader(file)}

    def add(self, shot, frame, box):
        """Adds a frame, and writes the file."""
        failed = shot.fails and frame >= shot.onset
        name = file_name(shot, frame)
        cells = (name, int(failed), shot.name, SET, shot.kind, box or "", frame,
                 (frame - 1) * PACE, shot.onset or "")  # fmt: skip
        self.rows[name] = dict(zip(COLUMNS, map(str, cells)))
        order = [made.name for made in PRINTS]
        rows = sorted(
            self.rows.values(), key=lambda row: (order.index(row["group"]), int(row["frame"]))
        )
        whole = self.path.with_suffix(".part")
        with whole.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(whole, self.path)


def file_name(shot, frame):
    return f"{shot.name}/frame-{frame:03}.jpg"


def photograph(stage, state, chosen, target):
    """Renders what is built. The file is there when it is whole."""
    with tempfile.TemporaryDirectory() as scratch:
        rendered = Path(scratch) / "frame.png"
        render.render(chosen.size, chosen.samples, rendered, threads=chosen.threads)
        whole = target.with_suffix(".part")
        render.develop(stage.webcam(), state, rendered, whole)
        os.replace(whole, target)


def shoot(shot, chosen, manifest):
    """Renders the frames of a print that are wanted and not there."""
    frames = chosen.frames or range(1, shot.frames + 1)
    missing = [
        frame
        for frame in frames
        if frame <= shot.frames
        and not (
            file_name(shot, frame) in manifest.rows
            and (chosen.out / file_name(shot, frame)).exists()
        )
    ]
    if not missing:
        return
    (chosen.out / shot.name).mkdir(parents=True, exist_ok=True)
    stage = Stage(shot)
    for frame in missing:
        with taken_away():
            state, signs = stage.show(frame)
            box = seen_box(signs, chosen.size, stage.camera.barrel) if signs else None
            photograph(stage, state, chosen, chosen.out / file_name(shot, frame))
        manifest.add(shot, frame, box)
        print(f"made {file_name(shot, frame)}", flush=True)


def options():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for frames and manifest")
    parser.add_argument("--only", help="names of prints, with commas between")
    parser.add_argument("--frames", help="numbers of frames, with commas between")
    parser.add_argument("--size", default="448x256", help="width x height, in pixels")
    parser.add_argument("--samples", type=int, default=12, help="samples a pixel")
    parser.add_argument("--threads", type=int, default=1, help="threads that render")
    chosen = parser.parse_args()
    chosen.size = tuple(int(side) for side in chosen.size.split("x"))
    chosen.frames = [int(n) for n in chosen.frames.split(",")] if chosen.frames else None
    names = chosen.only.split(",") if chosen.only else [shot.name for shot in PRINTS]
    chosen.prints = [shot for shot in PRINTS if shot.name in names]
    if len(chosen.prints) != len(names):
        parser.error(f"the prints are: {', '.join(shot.name for shot in PRINTS)}")
    return chosen


def main():
    chosen = options()
    chosen.out.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(chosen.out / "manifest.csv")
    for shot in chosen.prints:
        shoot(shot, chosen, manifest)


if __name__ == "__main__":
    main()
