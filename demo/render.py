#!/usr/bin/env python3
"""Renders the demo frames: one 3D print, seen by a webcam, that turns to spaghetti.

Runs on Python 3.11 with the `bpy`, `numpy` and `Pillow` packages, and needs no other file:
every shape, texture and strand is made here, from numbers and a seed.

    python render.py --out frames --frames 12 --size 1280x720 --samples 32
    python render.py --out preview --size 480x270 --samples 16 --only 12

Units are millimetres and degrees, and one Blender unit is one millimetre. There are three
coordinate systems, each an empty object that its things hang on (a `root`):

* the room: x to the right, y away from the camera, z up, z = 0 at the bed's surface;
* the bed: slides along y under the nozzle, its origin is the middle of its surface;
* the head: slides along x and z, its origin is the tip of the nozzle.

What a picture shows is decided by two values only: a `Scene`, which holds for the whole print,
and a `PrintState`, which is one moment of it. `timeline` makes the moments of this demo.
"""

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy  # before the two that it brings along
import bmesh
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image, ImageFilter

# --------------------------------------------------------------------------------------------
# What is shown


@dataclass(frozen=True)
class Scene:
    """What stays the same for the whole print."""

    seed: int = 20
    # The printer.
    bed_size: float = 235.0
    bed_colour: tuple = (0.030, 0.029, 0.028)
    table_z: float = -82.0
    rail_length: float = 350.0
    # The filament and how it is laid.
    filament: tuple = (0.88, 0.17, 0.015)
    layer: float = 0.6
    strand_radius: float = 0.42
    # The part: a lobed, twisted vase.
    part_height: float = 84.0
    part_radius: float = 27.0
    part_belly: float = 8.0
    part_lobes: int = 7
    part_twist: float = 0.9
    wall: float = 1.7
    # Where loose strands gather, on the bed, and how far they spread.
    nest_centre: tuple = (-9.0, -13.0)
    nest_spread: float = 46.0
    # The webcam.
    camera: tuple = (-112.0, -262.0, 114.0)
    look_at: tuple = (-4.0, 0.0, 33.0)
    lens: float = 29.0
    barrel: float = 0.07
    tint: tuple = (1.02, 1.0, 0.96)
    saturation: float = 1.18
    # The room.
    wall_colour: tuple = (0.50, 0.47, 0.42)
    daylight: float = 17.0
    lamp: float = 14.0


@dataclass(frozen=True)
class PrintState:
    """One moment of the print."""

    index: int
    nozzle: tuple  # on the bed: x, y, and z above the surface
    part_top: float  # how high the part has grown
    ragged: float  # 0: a clean edge; 1: the last layers are torn
    tilt: float  # degrees by which the part has come off the bed
    loose: float  # length of loose strands on the bed
    dangling: int  # strands that hang from the nozzle
    exposure: float  # in stops, as the webcam drifts
    noise: float  # how noisy the webcam is


# The story, one column per moment: it is stretched over as many frames as are asked for.
STORY = {
    #            good print . . . . . . . . |  failing  | spaghetti . . . . . . . . .
    "part_top": (3.6, 13.2, 22.8, 32.4, 40.8, 45.6, 47.4, 48.0, 48.0, 48.0, 48.0, 48.0),
    "nozzle_z": (3.8, 13.4, 23.0, 32.6, 41.0, 46.0, 48.4, 50.6, 53.0, 55.4, 57.8, 60.2),
    "ragged": (0.0, 0.0, 0.0, 0.0, 0.0, 0.35, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0),
    "tilt": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 5.0, 6.0),
    "loose": (0, 0, 0, 0, 0, 190, 620, 2200, 5500, 11000, 18000, 27000),
    "dangling": (0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 3, 4),
}


def timeline(scene, frames):
    """The moments of the demo: `frames` of them, spread evenly over the story."""
    rng = np.random.default_rng(scene.seed)
    states = []
    for index in range(1, frames + 1):
        at = 0.0 if frames == 1 else (index - 1) / (frames - 1) * (len(STORY["loose"]) - 1)
        now = {key: float(np.interp(at, range(len(row)), row)) for key, row in STORY.items()}
        angle = math.radians(165 + 222.5 * (index * 0.618 % 1))
        reach = outline(scene, angle, now["nozzle_z"]) - scene.wall / 2
        states.append(
            PrintState(
                index=index,
                nozzle=(reach * math.cos(angle), reach * math.sin(angle), now["nozzle_z"]),
                part_top=now["part_top"],
                ragged=now["ragged"],
                tilt=now["tilt"],
                loose=now["loose"],
                dangling=round(now["dangling"]),
                exposure=float(rng.normal(0, 0.06)),
                noise=float(rng.uniform(0.85, 1.25)),
            )
        )
    return states


# --------------------------------------------------------------------------------------------
# Materials


def shader(name):
    """A new material: itself, its nodes, its links, and its main shader node."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes = made.node_tree.nodes
    return made, nodes, made.node_tree.links, nodes["Principled BSDF"]


def plain(name, colour, rough=0.5, metal=0.0, coat=0.0):
    """A material of one colour, made once and then found again by its name."""
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    made, _, _, surface = shader(name)
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Roughness"].default_value = rough
    surface.inputs["Metallic"].default_value = metal
    surface.inputs["Coat Weight"].default_value = coat
    return made


def noise_node(nodes, links, scale, detail=3.0, stretch=(1, 1, 1)):
    """Procedural noise over an object's own millimetres; `scale` is features per millimetre."""
    place = nodes.new("ShaderNodeTexCoord")
    mapping = nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = stretch
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = detail
    links.new(place.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], noise.inputs["Vector"])
    return noise


def mottled(name, low, high, scale, rough=(0.4, 0.6), bump=0.0, stretch=(1, 1, 1)):
    """A material whose colour, gloss and relief follow noise: bed, table, wall, cardboard."""
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    made, nodes, links, surface = shader(name)
    noise = noise_node(nodes, links, scale, stretch=stretch)
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position = 0.32
    ramp.color_ramp.elements[1].position = 0.68
    ramp.color_ramp.elements[0].color = (*low, 1)
    ramp.color_ramp.elements[1].color = (*high, 1)
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], surface.inputs["Base Color"])
    smudge = nodes.new("ShaderNodeMapRange")
    smudge.inputs["To Min"].default_value, smudge.inputs["To Max"].default_value = rough
    links.new(noise_node(nodes, links, 0.03).outputs["Fac"], smudge.inputs["Value"])
    links.new(smudge.outputs["Result"], surface.inputs["Roughness"])
    if bump:
        relief = nodes.new("ShaderNodeBump")
        relief.inputs["Strength"].default_value = bump
        relief.inputs["Distance"].default_value = 0.4
        links.new(noise.outputs["Fac"], relief.inputs["Height"])
        links.new(relief.outputs["Normal"], surface.inputs["Normal"])
    return made


def plastic(scene):
    """The filament, as printed: a little glossy."""
    return plain("filament", scene.filament, rough=0.36)


def hatched_plastic(scene):
    """The filament, as laid in the diagonal lines of a solid floor."""
    made, nodes, links, surface = shader("filament floor")
    surface.inputs["Base Color"].default_value = (*scene.filament, 1)
    surface.inputs["Roughness"].default_value = 0.4
    place, wave = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeTexWave")
    wave.bands_direction = "DIAGONAL"
    wave.inputs["Scale"].default_value = 0.28
    relief = nodes.new("ShaderNodeBump")
    relief.inputs["Strength"].default_value = 0.8
    relief.inputs["Distance"].default_value = 0.3
    links.new(place.outputs["Object"], wave.inputs["Vector"])
    links.new(wave.outputs["Fac"], relief.inputs["Height"])
    links.new(relief.outputs["Normal"], surface.inputs["Normal"])
    return made


def steel():
    return plain("steel", (0.55, 0.55, 0.56), rough=0.28, metal=1.0)


def aluminium():
    return plain("aluminium", (0.62, 0.62, 0.63), rough=0.42, metal=1.0)


def anodised():
    return plain("anodised", (0.028, 0.028, 0.030), rough=0.38, metal=0.35)


def black_plastic():
    return plain("black plastic", (0.018, 0.018, 0.020), rough=0.45)


# --------------------------------------------------------------------------------------------
# Shapes


def empty(name, at=(0, 0, 0), turn=(0, 0, 0), parent=None):
    """A coordinate system to hang things on."""
    made = bpy.data.objects.new(name, None)
    made.location = at
    made.rotation_euler = [math.radians(angle) for angle in turn]
    made.parent = parent
    bpy.context.collection.objects.link(made)
    return made


def mesh(root, name, points, faces, material, smooth=False):
    """An object from points and faces."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([tuple(point) for point in points], [], faces)
    return mesh_object(root, name, data, material, smooth)


def mesh_object(root, name, data, material, smooth=False):
    data.materials.append(material)
    data.polygons.foreach_set("use_smooth", [smooth] * len(data.polygons))
    made = bpy.data.objects.new(name, data)
    made.parent = root
    bpy.context.collection.objects.link(made)
    return made


def soften(made, width, segments=2):
    """Rounds an object's edges."""
    bevel = made.modifiers.new("edges", "BEVEL")
    bevel.width, bevel.segments, bevel.limit_method = width, segments, "ANGLE"
    return made


def box(root, name, at, size, material, edge=0.6):
    """A box around `at`, with its edges rounded."""
    shape = bmesh.new()
    bmesh.ops.create_cube(shape, size=1.0)
    bmesh.ops.scale(shape, vec=size, verts=shape.verts)
    bmesh.ops.translate(shape, vec=at, verts=shape.verts)
    data = bpy.data.meshes.new(name)
    shape.to_mesh(data)
    shape.free()
    made = mesh_object(root, name, data, material)
    return soften(made, edge) if edge else made


def rod(root, name, start, end, radius, material, tip=None, sides=48):
    """A cylinder from `start` to `end`, or a cone where `tip` is another radius."""
    start, end = Vector(start), Vector(end)
    along = end - start
    turn = Vector((0, 0, 1)).rotation_difference(along.normalized()).to_matrix().to_4x4()
    shape = bmesh.new()
    bmesh.ops.create_cone(
        shape,
        cap_ends=True,
        segments=sides,
        radius1=radius,
        radius2=radius if tip is None else tip,
        depth=along.length,
        matrix=Matrix.Translation((start + end) / 2) @ turn,
    )
    data = bpy.data.meshes.new(name)
    shape.to_mesh(data)
    shape.free()
    return mesh_object(root, name, data, material)


def tube(root, name, paths, radius, material, smooth=False):
    """Round wires along paths of points: cables, hoses, strands of filament."""
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions, data.bevel_depth, data.bevel_resolution = "3D", radius, 2
    data.use_fill_caps = True
    data.resolution_u = 8 if smooth else 1
    for path in paths:
        spline = data.splines.new("NURBS" if smooth else "POLY")
        spline.points.add(len(path) - 1)
        flat = np.ones((len(path), 4))
        flat[:, :3] = path
        spline.points.foreach_set("co", flat.ravel())
        if smooth:
            spline.order_u, spline.use_endpoint_u = 4, True
    data.materials.append(material)
    made = bpy.data.objects.new(name, data)
    made.parent = root
    bpy.context.collection.objects.link(made)
    return made


def extrusion(root, name, at, axis, length, cells, material):
    """A slotted aluminium profile of 20 mm `cells` (across, up), running along an axis."""
    notch = ((-3.1, 0.0), (-3.1, 1.8), (-5.6, 1.8), (-3.2, 6.0), (3.2, 6.0), (5.6, 1.8),
             (3.1, 1.8), (3.1, 0.0))  # fmt: skip
    wide, high = cells[0] * 20.0, cells[1] * 20.0
    points = []
    for side, (count, half_run, half_deep) in enumerate(
        [(cells[0], wide / 2, high / 2), (cells[1], high / 2, wide / 2)] * 2
    ):
        cosine, sine = math.cos(side * math.pi / 2), math.sin(side * math.pi / 2)
        run = [(-half_run, 0.0)]
        for cell in range(count):
            run += [(x - half_run + 20 * cell + 10, depth) for x, depth in notch]
        for x, depth in run:
            y = depth - half_deep
            points.append((x * cosine - y * sine, x * sine + y * cosine))
    count = len(points)
    place = {
        "x": lambda u, v, w: (at[0] + w, at[1] + u, at[2] + v),
        "y": lambda u, v, w: (at[0] + u, at[1] + w, at[2] + v),
        "z": lambda u, v, w: (at[0] + u, at[1] + v, at[2] + w),
    }[axis]
    solid = [place(u, v, w) for w in (-length / 2, length / 2) for u, v in points]
    faces = [(k, (k + 1) % count, (k + 1) % count + count, k + count) for k in range(count)]
    faces += [tuple(range(count)), tuple(range(count, 2 * count))]
    return mesh(root, name, solid, faces, material)


def holed_plate(root, name, at, size, hole, depth, material):
    """A square plate in the x-z plane with a round hole, its front at `at`, going back in y."""
    steps = 96
    rings = []
    for back, outer in ((0, True), (0, False), (depth, False), (depth, True)):
        for step in range(steps):
            angle = 2 * math.pi * step / steps
            x, z = math.cos(angle), math.sin(angle)
            reach = size / 2 / max(abs(x), abs(z)) if outer else hole
            rings.append((at[0] + x * reach, at[1] + back, at[2] + z * reach))
    faces = []
    for ring in range(4):
        near, far = ring * steps, (ring + 1) % 4 * steps
        for step in range(steps):
            after = (step + 1) % steps
            faces.append((near + step, near + after, far + after, far + step))
    return mesh(root, name, rings, faces, material)


# --------------------------------------------------------------------------------------------
# The room


def room(scene):
    """The table, the wall behind it, and a few things left on the table."""
    floor = scene.table_z
    oak = mottled("oak", (0.30, 0.19, 0.11), (0.42, 0.28, 0.17), 0.05, bump=0.05,
                  stretch=(0.25, 4.0, 1.0))  # fmt: skip
    paint = mottled(
        "paint", scene.wall_colour, [c * 1.07 for c in scene.wall_colour], 0.4, (0.8, 0.9), 0.1
    )
    box(None, "table", (0, 60, floor - 15), (1900, 860, 30), oak, edge=3)
    box(None, "wall", (0, 640, 300), (4000, 20, 2600), paint, edge=0)
    box(None, "skirting", (0, 622, floor - 90), (4000, 16, 120), plain("trim", (0.7, 0.7, 0.68)), 2)
    card = mottled("cardboard", (0.36, 0.25, 0.15), (0.42, 0.30, 0.19), 0.08, (0.8, 0.9))
    carton = empty("carton", (-265, 395, floor), (0, 0, 24))
    box(carton, "carton", (0, 0, 62), (190, 150, 124), card, edge=1.5)
    box(carton, "tape", (0, 0, 124.2), (190.5, 46, 0.6), plain("tape", (0.55, 0.45, 0.30), 0.25), 0)
    spool(empty("spool", (262, 330, floor + 100), (0, 0, -28)))
    tin = plain("tin", (0.10, 0.22, 0.30), 0.3)
    rod(None, "mug", (60, 470, floor), (60, 470, floor + 95), 41, tin)
    rod(
        None, "pen", (52, 470, floor + 60), (35, 462, floor + 168), 4, plain("pen", (0.6, 0.1, 0.1))
    )
    rod(None, "ruler", (68, 478, floor + 60), (92, 486, floor + 190), 5, steel())


def spool(root):
    """A spool of another filament, standing on the table behind the printer."""
    winding = plain("winding", (0.10, 0.30, 0.20), rough=0.4)
    for side in (-1, 1):
        rod(root, "flange", (side * 30, 0, 0), (side * 33, 0, 0), 100, black_plastic(), sides=96)
    rod(root, "winding", (-30, 0, 0), (30, 0, 0), 84, winding, sides=96)
    rod(root, "hub", (-34, 0, 0), (34, 0, 0), 27, plain("hub", (0.35, 0.35, 0.36)), sides=64)


def lights(scene):
    """Daylight from a window on the left, a warm lamp above, and a weak glow all around."""
    window = ((-900, -420, 620), (0, 0, 30), (700, 900), scene.daylight, (0.86, 0.93, 1.0))
    lamp = ((260, 60, 1250), (0, 60, 0), (420, 420), scene.lamp, (1.0, 0.84, 0.66))
    for at, target, size, radiance, colour in (window, lamp):
        data = bpy.data.lights.new("light", "AREA")
        data.shape, data.size, data.size_y = "RECTANGLE", size[0], size[1]
        data.energy = radiance * math.pi * size[0] * size[1]
        data.color = colour
        made = bpy.data.objects.new("light", data)
        made.location = at
        made.rotation_euler = aim(at, target)
        bpy.context.collection.objects.link(made)
    glow = bpy.data.worlds.new("glow")
    glow.use_nodes = True
    glow.node_tree.nodes["Background"].inputs["Color"].default_value = (0.9, 0.93, 1.0, 1)
    glow.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.16
    bpy.context.scene.world = glow


def aim(at, target):
    """The rotation that makes a camera or a light at `at` face `target`."""
    return (Vector(target) - Vector(at)).to_track_quat("-Z", "Y").to_euler()


# --------------------------------------------------------------------------------------------
# The printer


def frame(scene):
    """What of the printer does not move: its feet, its uprights, the beam under the bed."""
    floor, half = scene.table_z, scene.rail_length / 2
    for y in (-150, 48):
        extrusion(None, "foot beam", (0, y, floor + 26), "x", 2 * half + 40, (1, 2), anodised())
    for x in (-1, 1):
        extrusion(None, "upright", (x * (half + 8), 48, floor + 230), "z", 440, (1, 2), anodised())
        rod(None, "leadscrew", (x * (half - 18), 58, floor), (x * (half - 18), 58, 360), 4, steel())
    extrusion(None, "top beam", (0, 48, floor + 460), "x", 2 * half + 40, (1, 1), anodised())
    extrusion(None, "bed beam", (0, 0, floor + 38), "y", 420, (2, 2), anodised())
    box(None, "control box", (110, -140, floor + 24), (120, 60, 44), black_plastic(), 3)


def bed(scene, root):
    """The heated bed: a textured sheet with a printed grid, on a plate, on a carriage."""
    size, half = scene.bed_size, scene.bed_size / 2
    coat = mottled(
        "pei", [c * 0.35 for c in scene.bed_colour], [c * 2.7 for c in scene.bed_colour], 0.9,
        rough=(0.34, 0.54), bump=0.8,
    )  # fmt: skip
    box(root, "sheet", (0, 0, -0.6), (size, size, 1.2), coat, edge=0.4)
    box(root, "tab", (0, -half - 6, -0.6), (70, 13, 1.0), coat, edge=0.4)
    box(root, "plate", (0, 0, -3.4), (size - 3, size - 3, 4.0), aluminium(), edge=0.5)
    box(root, "carriage", (0, 0, -26), (170, 170, 4), anodised(), edge=1)
    for x in (-1, 1):
        for y in (-1, 1):
            at = (x * (half - 9), y * (half - 9))
            turn = np.linspace(0, 14 * math.pi, 170)
            coil = np.stack([at[0] + 4 * np.cos(turn), at[1] + 4 * np.sin(turn),
                             -24 + 19 * turn / turn[-1]], axis=1)  # fmt: skip
            tube(root, "spring", [coil], 0.75, plain("spring", (0.65, 0.5, 0.1), 0.35, 0.4))
            rod(root, "bed screw", (*at, -24), (*at, -5), 1.6, steel())
            rod(root, "knob", (*at, -33), (*at, -24), 17, black_plastic(), sides=24)
            box(root, "clip", (at[0], y * (half - 1.5), 0.4), (16, 9, 1.0), steel(), 0.3)
    bed_marks(scene, root)


def bed_marks(scene, root):
    """The grid on the sheet: fine lines, heavier ones through the middle, and a border."""
    ink = plain("ink", (0.13, 0.13, 0.125), rough=0.5)
    half = scene.bed_size / 2 - 7.5
    strips = [((0, 0), (2 * half, 0.9)), ((0, 0), (0.9, 2 * half))]
    for side in (-1, 1):
        strips += [((0, side * half), (2 * half, 0.9)), ((side * half, 0), (0.9, 2 * half))]
    for step in range(-5, 6):
        strips += [((0, 20 * step), (2 * half, 0.45)), ((20 * step, 0), (0.45, 2 * half))]
    points, faces = [], []
    for layer, ((x, y), (wide, deep)) in enumerate(strips):
        first, z = len(points), 0.012 + 0.0005 * layer
        points += [(x + i * wide / 2, y + j * deep / 2, z)
                   for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]  # fmt: skip
        faces.append((first, first + 1, first + 2, first + 3))
    mesh(root, "grid", points, faces, ink)


def gantry(scene, height, head_x):
    """The rail that carries the head, with its belt, end plates, wheels and motor."""
    root, half = empty("gantry", (0, 0, height)), scene.rail_length / 2
    extrusion(root, "rail", (0, 40, 52), "x", scene.rail_length, (1, 1), anodised())
    belt = plain("belt", (0.012, 0.012, 0.012), 0.8)
    box(root, "belt", (0, 28.5, 52), (scene.rail_length - 10, 1.4, 6), belt, 0)
    for side in (-1, 1):
        x = side * (half - 1)
        box(root, "end plate", (x, 25, 52), (52, 3, 78), anodised(), 0.6)
        for z in (26, 78):
            wheel(root, (x + side * 17, 30, z))
            wheel(root, (x - side * 15, 30, z))
        rod(root, "pulley", (x, 23, 52), (x, 12, 52), 8, aluminium())
    box(root, "motor", (-half + 4, -3, 52), (42, 40, 42), black_plastic(), 3)
    for z in (22, 82):
        for x in (-22, 22):
            wheel(root, (head_x + x, 30, z - 0.5 if z > 50 else z + 0.5))


def wheel(root, at):
    """A rubber wheel on a screw."""
    x, y, z = at
    rod(root, "wheel", (x, y - 4, z), (x, y + 5, z), 11.5, plain("rubber", (0.02, 0.02, 0.02), 0.7))
    rod(root, "screw", (x, y - 10, z), (x, y - 4, z), 4.5, steel(), sides=6)


def head(root):
    """The print head: everything that moves with the nozzle."""
    hot_end(root)
    cooling(root)
    black, grey = black_plastic(), plain("carriage plate", (0.05, 0.05, 0.055), 0.4, 0.6)
    box(root, "carriage plate", (0, 22, 50), (70, 4, 84), grey, 1)
    for x in (-26, 26):
        for z in (16, 84):
            rod(root, "screw", (x, 17, z), (x, 20, z), 3.6, steel(), sides=24)
    box(root, "shroud", (0, 3, 48), (46, 34, 46), black, 2.5)
    rod(
        root,
        "coupler",
        (0, 2, 71),
        (0, 2, 80),
        5,
        plain("coupler", (0.05, 0.11, 0.35), 0.35),
        sides=6,
    )
    hose = [(0, 2, 78), (0, 2, 105), (-8, 10, 150), (-70, 40, 210), (-160, 60, 190)]
    tube(root, "hose", [hose], 2.0, plain("ptfe", (0.75, 0.76, 0.78), 0.3), smooth=True)
    loom = [(14, 16, 68), (14, 18, 92), (6, 26, 130), (-50, 60, 175), (-130, 70, 140)]
    tube(root, "loom", [loom], 4.6, plain("braid", (0.02, 0.02, 0.02), 0.8), smooth=True)


def hot_end(root):
    """The nozzle, the heater block with its wires, and the heatsink above it."""
    brass = plain("brass", (0.62, 0.42, 0.14), rough=0.3, metal=1.0)
    block = plain("block", (0.50, 0.49, 0.47), rough=0.45, metal=0.9)
    rod(root, "nozzle", (0, 0, 0), (0, 0, 3.6), 0.7, brass, tip=3.6)
    rod(root, "nozzle hex", (0, 0, 3.6), (0, 0, 8.2), 4.4, brass, sides=6)
    box(root, "heater block", (2, 1, 13.7), (22, 14, 11), block, 0.5)
    rod(root, "heater", (-9.5, -2, 11), (-13, -2, 11), 3.0, steel())
    rod(root, "grub screw", (-4, -5.9, 16.5), (-4, -6.8, 16.5), 1.6, black_plastic(), sides=6)
    red, white = plain("red wire", (0.45, 0.02, 0.02), 0.5), plain("white wire", (0.7, 0.7, 0.68))
    for offset in (0.0, 1.9):
        wire = [(-12, -2 + offset, 11), (-19, -2 + offset, 12), (-24, 2 + offset, 25),
                (-25, 14 + offset, 46), (-22, 18 + offset, 66)]  # fmt: skip
        tube(root, "heater wire", [wire], 0.95, red, smooth=True)
    wire = [(-6, -5.5, 12.5), (-12, -11, 13), (-20, -9, 20), (-27, 6, 36), (-24, 18, 60)]
    tube(root, "sensor wire", [wire], 0.6, white, smooth=True)
    rod(root, "heat break", (0, 0, 18), (0, 0, 22), 2.2, steel())
    for fin in range(2):
        rod(root, "fin", (0, 0, 21.2 + 2.0 * fin), (0, 0, 22.1 + 2.0 * fin), 11, aluminium())


def cooling(root):
    """The round fan in front of the heatsink, and the blower with its duct to the nozzle."""
    black, blade = black_plastic(), plain("blade", (0.03, 0.03, 0.033), 0.3)
    holed_plate(
        root, "fan frame", (0, -25, 48), 41, 18.6, 10.5, plain("fan", (0.03, 0.03, 0.03), 0.5)
    )
    rod(root, "fan back", (0, -15.2, 48), (0, -14.6, 48), 19, plain("dark", (0.004,) * 3, 0.9))
    rod(root, "fan hub", (0, -23.6, 48), (0, -16, 48), 9, blade)
    rod(root, "fan label", (0, -23.9, 48), (0, -23.5, 48), 7.6, plain("label", (0.30, 0.30, 0.29)))
    for step in range(7):
        turn = math.radians(step * 360 / 7 + 11)
        tilt = empty("blade", (math.cos(turn) * 13.2, -20, 48 + math.sin(turn) * 13.2))
        tilt.rotation_euler = (0, -turn, 0)
        tilt.parent = root
        vane = box(tilt, "blade", (0, 0, 0), (10.4, 1.0, 11.5), blade, 0.3)
        vane.rotation_euler = (math.radians(35), 0, 0)
    for x in (-17, 17):
        for z in (-17, 17):
            rod(root, "screw", (x, -26, 48 + z), (x, -24.9, 48 + z), 2.1, steel(), sides=24)
    box(root, "blower", (33, 2, 52), (16, 46, 48), black, 3)
    rod(root, "blower hub", (41, 2, 54), (42.2, 2, 54), 15, plain("dark", (0.004,) * 3, 0.9))
    top = [(26, -14, 30), (40, -14, 30), (40, 14, 30), (26, 14, 30)]
    tip = [(13.5, -9, 3.6), (17.5, -9, 3.2), (17.5, 9, 3.2), (13.5, 9, 3.6)]
    bend = [(22, -12, 12), (34, -12, 9), (34, 12, 9), (22, 12, 12)]
    sides = [(a, (a + 1) % 4, (a + 1) % 4 + 4, a + 4) for a in range(4)]
    sides += [tuple(corner + 4 for corner in face) for face in sides] + [(8, 9, 10, 11)]
    soften(mesh(root, "duct", top + bend + tip, sides, black), 1.0)


# --------------------------------------------------------------------------------------------
# The part


def outline(scene, angle, z):
    """How far the vase's wall is from its axis. Takes numbers or arrays."""
    up = np.asarray(z) / scene.part_height
    body = scene.part_radius + scene.part_belly * np.sin(math.pi * (0.95 * up - 0.08))
    return body * (1 + 0.055 * np.cos(scene.part_lobes * (angle + scene.part_twist * up)))


def torn_edge(scene, state, angle):
    """How high the wall stands at each angle, once the last layers have torn."""
    rng = np.random.default_rng([scene.seed, 7])
    dip = sum(
        rng.uniform(0.3, 1.0) / wave * np.cos(wave * angle + rng.uniform(0, 2 * math.pi))
        for wave in range(1, 9)
    )
    dip = np.clip(dip - dip.min(), 0, None) / np.ptp(dip)
    return state.part_top - state.ragged * 8.5 * dip**1.5


def wall_rows(scene, state, inner):
    """The points of one face of the wall: rows of rings, three to a layer, bottom to top."""
    angle = np.linspace(0, 2 * math.pi, 288, endpoint=False)
    rng = np.random.default_rng([scene.seed, 3])
    wobble = rng.normal(0, 0.05, 400)
    edge = torn_edge(scene, state, angle)
    rows = []
    for layer in range(max(1, round(state.part_top / scene.layer))):
        for rise, bulge in ((0.06, -0.10), (0.5, 0.12), (0.94, -0.10)):
            z = np.minimum((layer + rise) * scene.layer, edge)
            reach = outline(scene, angle, z)
            if inner:
                reach = reach - scene.wall - bulge
            else:
                seam = 0.35 * np.exp(-(((angle - 4.1) / 0.02) ** 2))
                reach = reach + bulge + wobble[layer] + seam * rng.uniform(0.4, 1.0)
            loose = np.clip(1 - (edge - z) / 5.0, 0, 1) ** 2 * state.ragged
            reach = reach + loose * 1.6 * np.sin(9 * angle + 1.7 * layer + 3 * np.sin(4 * angle))
            rows.append(np.stack([reach * np.cos(angle), reach * np.sin(angle), z], axis=1))
    return np.array(rows)


def part(scene, state, root):
    """The vase, as far as it has grown, with its skirt and the line that primed the nozzle."""
    lean = empty("part", turn=(-state.tilt * 0.6, state.tilt, 0), parent=root)
    lean.location = (0.9 * state.tilt, 0.5 * state.tilt, 0.42 * state.tilt)
    outer, inner = wall_rows(scene, state, False), wall_rows(scene, state, True)
    rows = np.concatenate([outer, inner[::-1]])
    count = rows.shape[1]
    faces = []
    for row in range(len(rows) - 1):
        near, far = row * count, (row + 1) * count
        faces += [(near + k, near + (k + 1) % count, far + (k + 1) % count, far + k)
                  for k in range(count)]  # fmt: skip
    mesh(lean, "wall", rows.reshape(-1, 3), faces, plastic(scene), smooth=True)
    floor = inner[0].copy()
    floor[:, 2] = min(1.8, state.part_top - 0.4)
    mesh(lean, "floor", floor, [tuple(range(count))], hatched_plastic(scene))
    angle = np.linspace(0, 2 * math.pi, 180)
    loops = []
    for turn in range(2):
        reach = outline(scene, angle, 0.0) + 6 + turn * 0.95
        loops.append(np.stack([reach * np.cos(angle), reach * np.sin(angle), 0 * angle + 0.2], 1))
    prime = [[(-102 + x, -78, 0.25), (-102 + x, 62, 0.25)] for x in (0, 1.0)]
    tube(root, "skirt", loops + prime, 0.44, plastic(scene))


# --------------------------------------------------------------------------------------------
# The strands


class Nest:
    """Loose filament, laid step by step: what lies already carries what comes after."""

    CELL = 3.0

    def __init__(self, scene, part_top):
        self.scene, self.part_top = scene, part_top
        self.rng = np.random.default_rng([scene.seed, 11])
        self.cells = int(scene.bed_size / self.CELL)
        self.heap = np.zeros((self.cells, self.cells))

    def cell(self, at):
        half = self.scene.bed_size / 2
        return tuple(int(np.clip((v + half) / self.CELL, 0, self.cells - 1)) for v in at[:2])

    def raise_heap(self, at):
        """One step of filament at `at`: a nest is mostly air, so it rises a good deal."""
        x, y = self.cell(at)
        self.heap[max(0, x - 1) : x + 2, max(0, y - 1) : y + 2] += 0.085

    def settle(self):
        """Lets the heap slump: its steep places give to their neighbours."""
        heap = self.heap
        around = sum(np.roll(heap, by, axis) for by in (-1, 1) for axis in (0, 1)) / 4
        self.heap = 0.5 * heap + 0.5 * around

    def ground(self, at, on_part):
        """How high a strand comes to rest here: on the heap, and some strands on the part."""
        above = math.hypot(at[0], at[1]) < self.scene.part_radius + self.scene.part_belly
        return self.heap[self.cell(at)] + (self.part_top - 3.0 if on_part and above else 0.5)

    def keep_out_of_part(self, at):
        """Moves a point that is in the part, below its edge, to its outside."""
        reach, angle = math.hypot(at[0], at[1]), math.atan2(at[1], at[0])
        if at[2] < self.part_top - 5.0:
            wall = float(outline(self.scene, angle, at[2])) + 0.9
            if reach < wall:
                at[0], at[1] = wall * math.cos(angle), wall * math.sin(angle)

    def strand(self, length):
        """One strand: it leaves the part's torn edge, curls, sags, and rests on the heap."""
        rng, scene = self.rng, self.scene
        angle = rng.uniform(0, 2 * math.pi) if rng.random() < 0.4 else rng.normal(4.1, 0.8)
        reach = float(outline(scene, angle, self.part_top)) + rng.normal(0, 1.0)
        at = np.array([reach * math.cos(angle), reach * math.sin(angle), self.part_top + 0.5])
        way = np.array([-math.sin(angle), math.cos(angle), rng.normal(0.1, 0.2)])
        on_part = rng.random() < 0.12
        spread = 8.0 if on_part else scene.nest_spread * 0.5
        goal = rng.normal(0, spread, 2) + (0.0 if on_part else scene.nest_centre)
        tight, loft = rng.choice([4.0, 5.0, 7.0, 10.0, 18.0]), rng.uniform(0.5, 8.0)
        path, axis, left = [at.copy()], np.array([0.0, 0.0, 1.0]), 0.0
        for _ in range(int(length)):
            if left <= 0:  # a new curl: another axis to turn about, another radius
                left = rng.uniform(12, 60)
                axis = rng.normal(0, 0.55, 3) + (0, 0, rng.choice([-1.0, 1.0]))
                axis *= 1 / (np.linalg.norm(axis) * tight * rng.uniform(0.6, 1.9))
            left -= 1
            way = way + np.cross(axis, way)
            away = goal - at[:2]
            far = np.linalg.norm(away) / scene.nest_spread
            way[:2] += 0.035 * far**2 * away / (np.linalg.norm(away) + 1e-6)
            way[2] += np.clip(0.06 * (self.ground(at, on_part) + loft - at[2]), -0.18, 0.25)
            way /= np.linalg.norm(way)
            at = at + way
            self.keep_out_of_part(at)
            if at[2] < scene.strand_radius:
                at[2], way[2] = scene.strand_radius, abs(way[2]) * 0.3
            path.append(at.copy())
            self.raise_heap(at)
        self.settle()
        return smoothed(np.array(path))


def smoothed(path):
    """Takes the corners out of a path, its ends kept."""
    for _ in range(2):
        path[1:-1] = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
    return path


def loose_strands(scene, state):
    """All strands on the bed. A later moment has the strands of an earlier one, and more."""
    nest, total, paths = Nest(scene, max(STORY["part_top"])), 0.0, []
    while total < state.loose:
        length = nest.rng.uniform(120, 520)
        path = nest.strand(length)
        paths.append(path[: max(2, int(state.loose - total))])
        total += length
    return paths


def hanging_strands(scene, state):
    """Strands that hang from the nozzle, in the head's coordinates; the first goes far down."""
    paths = []
    for turn in range(state.dangling):
        rng = np.random.default_rng([scene.seed, 31, turn])
        drop = state.nozzle[2] * (0.9 if turn == 0 else rng.uniform(0.25, 0.6))
        at, path = np.array([rng.normal(0, 0.8), rng.normal(0, 0.8), 1.0 + 2.2 * turn]), []
        way, spin = np.array([rng.normal(0, 0.6), -0.5, -0.6]), rng.uniform(0.12, 0.24)
        while at[2] > 1.0 - drop and len(path) < 260:
            path.append(at.copy())
            side = np.array([-way[1], way[0], 0.0])
            pull = np.array([-0.004 * at[0], -0.004 * (at[1] + 4), -0.035])
            way = way + spin * side + pull + rng.normal(0, 0.03, 3)
            way[2] = min(way[2], 0.35)
            way /= np.linalg.norm(way)
            at = at + way
        paths.append(smoothed(np.array(path)))
    return paths


def strands(scene, state, bed_root, head_root):
    """The spaghetti of this moment."""
    if state.loose:
        tube(bed_root, "loose", loose_strands(scene, state), scene.strand_radius, plastic(scene))
    if state.dangling:
        paths = hanging_strands(scene, state)
        tube(head_root, "hanging", paths, scene.strand_radius, plastic(scene))


# --------------------------------------------------------------------------------------------
# The webcam


def camera(scene):
    """A webcam on the table, in front of the printer: wide, and sharp almost everywhere."""
    data = bpy.data.cameras.new("webcam")
    data.lens, data.sensor_width = scene.lens, 36.0
    data.clip_start, data.clip_end = 5.0, 10000.0
    data.dof.use_dof = True
    data.dof.focus_distance = (Vector(scene.look_at) - Vector(scene.camera)).length
    data.dof.aperture_fstop = scene.lens / 1000 / 2.4  # an opening of 2.4 mm
    made = bpy.data.objects.new("webcam", data)
    made.location = scene.camera
    made.rotation_euler = aim(scene.camera, scene.look_at)
    bpy.context.collection.objects.link(made)
    bpy.context.scene.camera = made


def sampled(picture, x, y):
    """The picture's colours between its pixels."""
    high, wide = picture.shape[:2]
    x, y = np.clip(x, 0, wide - 1.001), np.clip(y, 0, high - 1.001)
    left, top = x.astype(int), y.astype(int)
    u, v = (x - left)[..., None], (y - top)[..., None]
    above = picture[top, left] * (1 - u) + picture[top, left + 1] * u
    below = picture[top + 1, left] * (1 - u) + picture[top + 1, left + 1] * u
    return above * (1 - v) + below * v


def through_lens(scene, picture):
    """Barrel distortion, a little colour fringing, and darker corners."""
    high, wide = picture.shape[:2]
    y, x = np.mgrid[0:high, 0:wide].astype(float)
    middle_x, middle_y = (wide - 1) / 2, (high - 1) / 2
    u, v = x - middle_x, y - middle_y
    reach = (u**2 + v**2) / (middle_x**2 + middle_y**2)
    bend = (1 + scene.barrel * reach) / (1 + scene.barrel)
    seen = np.empty_like(picture)
    for channel, fringe in enumerate((1.0008, 1.0, 0.9992)):
        from_x, from_y = middle_x + u * bend * fringe, middle_y + v * bend * fringe
        seen[..., channel] = sampled(picture[..., channel : channel + 1], from_x, from_y)[..., 0]
    return seen * (1 - 0.30 * reach[..., None] ** 1.3)


def on_sensor(scene, state, picture):
    """Colours, exposure and noise, as a small sensor and its processor leave them."""
    rng = np.random.default_rng([scene.seed, 97, state.index])
    high, wide = picture.shape[:2]
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + scene.saturation * (picture - grey)
    drift = 1 + rng.normal(0, 0.006, 3)
    picture = picture * np.array(scene.tint) * drift * 2**state.exposure
    grain = rng.normal(0, 0.013, (high, wide, 1))
    blotches = rng.normal(0, 1.0, (high // 3 + 1, wide // 3 + 1, 3))
    blotches = blotches.repeat(3, axis=0).repeat(3, axis=1)[:high, :wide]
    shade = 1.25 - 0.6 * np.clip(picture.mean(axis=2, keepdims=True), 0, 1)
    picture = picture + state.noise * shade * (grain + 0.006 * blotches)
    return 0.018 + 0.965 * picture


def develop(scene, state, rendered, target):
    """From what Blender rendered to the JPEG that a webcam would send."""
    with Image.open(rendered) as image:
        picture = np.asarray(image.convert("RGB"), dtype=float) / 255
    picture = through_lens(scene, picture)
    soft = Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
    scale = soft.width / 1280
    soft = soft.filter(ImageFilter.GaussianBlur(0.75 * scale))
    soft = soft.filter(ImageFilter.UnsharpMask(radius=1.6 * scale, percent=45, threshold=0))
    picture = on_sensor(scene, state, np.asarray(soft, dtype=float) / 255)
    final = Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
    final.save(target, "JPEG", quality=85, subsampling="4:2:0", progressive=False)


# --------------------------------------------------------------------------------------------
# Rendering


def compose(scene, state):
    """Builds the whole picture, as objects, from nothing."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    x, y, z = state.nozzle
    bed_root = empty("bed", (0, -y, 0))
    head_root = empty("head", (x, 0, z))
    room(scene)
    lights(scene)
    frame(scene)
    bed(scene, bed_root)
    gantry(scene, z, x)
    head(head_root)
    part(scene, state, bed_root)
    strands(scene, state, bed_root, head_root)
    camera(scene)


def render(size, samples, target, threads=2):
    """Renders what was built, on the processor, as a PNG."""
    setup = bpy.context.scene
    setup.render.engine = "CYCLES"
    setup.cycles.device = "CPU"
    setup.cycles.samples = samples
    setup.cycles.seed = 1
    setup.cycles.use_denoising = True
    setup.cycles.denoiser = "OPENIMAGEDENOISE"
    setup.cycles.max_bounces = 6
    setup.render.threads_mode, setup.render.threads = "FIXED", threads
    setup.render.resolution_x, setup.render.resolution_y = size
    setup.render.resolution_percentage = 100
    setup.view_settings.view_transform = "AgX"
    setup.view_settings.look = "AgX - High Contrast"
    setup.render.image_settings.file_format = "PNG"
    setup.render.image_settings.color_mode = "RGB"
    setup.render.filepath = str(target)
    bpy.ops.render.render(write_still=True)


def options():
    """The command line."""
    parser = argparse.ArgumentParser(description="Render the demo frames.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the frames")
    parser.add_argument("--frames", type=int, default=12, help="how many frames the print takes")
    parser.add_argument("--size", default="1280x720", help="width x height, in pixels")
    parser.add_argument("--samples", type=int, default=32, help="samples a pixel")
    parser.add_argument("--only", type=int, help="render this frame only, counted from 1")
    chosen = parser.parse_args()
    chosen.size = tuple(int(side) for side in chosen.size.split("x"))
    return chosen


def main():
    chosen, scene = options(), Scene()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for state in timeline(scene, chosen.frames):
        if chosen.only not in (None, state.index):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            rendered = Path(scratch) / "frame.png"
            compose(scene, state)
            render(chosen.size, chosen.samples, rendered)
            develop(scene, state, rendered, chosen.out / f"frame-{state.index:02}.jpg")


if __name__ == "__main__":
    main()
