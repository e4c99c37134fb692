"""The printers that stand in the pictures, the light that falls on them, their cameras."""

import math
from dataclasses import dataclass

import bpy
import render
from render import aim, aluminium, black_plastic, box, empty, extrusion, mottled, plain, rod, steel
from render import tube


@dataclass(frozen=True)
class Printer:
    """A printer. Two styles: the bed of a "slinger" moves in y and its head in x and z; the head
    of a "box" moves in x and y, its bed in z, with a wall on three sides."""

    name: str
    style: str
    bed: float  # mm
    sheet: tuple  # colour of the bed
    gloss: float  # how rough the bed is, 0 to 1
    grid: bool
    trim: tuple  # colour of the frame
    head: str  # "open", "shell" or "block"
    shell: tuple  # colour of the head


@dataclass(frozen=True)
class Camera:
    """A place for a camera: x and y in halves of the bed from its middle, z in mm above it."""

    name: str
    at: tuple
    look: tuple  # what it looks at, in the same terms
    lens: float
    barrel: float


BLACK, GOLD, BRONZE = (0.030, 0.029, 0.028), (0.42, 0.29, 0.09), (0.30, 0.20, 0.06)
GLASS, WHITE, GREEN = (0.16, 0.18, 0.19), (0.55, 0.55, 0.53), (0.06, 0.20, 0.12)
DARK, SILVER, PALE = (0.02, 0.02, 0.02), (0.55, 0.55, 0.57), (0.7, 0.7, 0.68)
ORANGE, GREY = (0.75, 0.16, 0.02), (0.35, 0.36, 0.38)

PRINTERS = {
    made.name: made
    for made in (
        Printer("gorse", "slinger", 235, BLACK, 0.4, True, DARK, "open", DARK),
        Printer("hazel", "box", 256, GOLD, 0.45, False, DARK, "block", DARK),
        Printer("juniper", "slinger", 210, BRONZE, 0.5, True, DARK, "block", ORANGE),
        Printer("larch", "box", 300, BLACK, 0.5, True, DARK, "shell", DARK),
        Printer("maple", "slinger", 180, WHITE, 0.5, False, PALE, "block", PALE),
        Printer("oak", "box", 220, GLASS, 0.15, False, SILVER, "open", DARK),
        Printer("pine", "slinger", 300, GREEN, 0.55, False, DARK, "open", DARK),
        Printer("rowan", "box", 180, BLACK, 0.35, False, PALE, "shell", GREY),
    )
}

CAMERAS = {
    made.name: made
    for made in (
        Camera("front left", (-0.95, -2.2, 114), (0.0, 0.0, 30), 29, 0.07),
        Camera("front right low", (0.85, -2.0, 45), (0.0, 0.0, 28), 31, 0.04),
        Camera("left corner", (-1.1, -1.1, 180), (0.0, 0.05, 8), 18, 0.18),
        Camera("front high", (0.1, -1.7, 250), (0.0, 0.0, 10), 31, 0.05),
        Camera("left", (-1.75, -1.75, 120), (0.0, 0.0, 25), 31, 0.05),
        Camera("from afar", (0.9, -3.6, 170), (0.0, 0.0, 40), 42, 0.02),
        Camera("right high", (1.6, -1.6, 210), (0.0, 0.0, 15), 28, 0.10),
        Camera("close", (-0.5, -1.35, 85), (0.0, 0.0, 20), 27, 0.12),
    )
}


class Machine:
    """A printer that has been built, with the three roots on which its moving things hang."""

    def __init__(self, printer, rng):
        self.printer = printer
        self.bed, self.gantry, self.head = empty("bed"), empty("gantry"), empty("head")
        sheet(printer, self.bed)
        (slinger_body if printer.style == "slinger" else box_body)(printer, self.gantry)
        head(printer, self.head)
        room(printer, rng)

    def move(self, nozzle):
        """Brings the nozzle to a place on the bed, in the bed's coordinates."""
        x, y, z = nozzle
        if self.printer.style == "slinger":
            self.bed.location, self.gantry.location = (0, -y, 0), (0, 0, z)
            self.head.location = (x, 0, z)
        else:
            self.bed.location, self.gantry.location = (0, 0, -z), (0, y, 0)
            self.head.location = (x, y, 0)


def sheet(printer, root):
    """The bed: its coat, the plate below, and on some a grid."""
    half = printer.bed / 2
    low = [colour * 0.6 for colour in printer.sheet]
    high = [min(1.0, colour * 1.5) for colour in printer.sheet]
    rough = (printer.gloss * 0.8, printer.gloss * 1.2)
    coat = mottled("coat", low, high, 0.9, rough=rough, bump=0.5)
    box(root, "sheet", (0, 0, -0.6), (printer.bed, printer.bed, 1.2), coat, edge=0.4)
    box(root, "tab", (0, -half - 6, -0.6), (printer.bed * 0.3, 13, 1.0), coat, edge=0.4)
    plate = (printer.bed - 3, printer.bed - 3, 4.0)
    box(root, "plate", (0, 0, -3.6), plate, aluminium(), edge=0.5)
    for x in (-half + 9, half - 9):
        for y in (-half + 9, half - 9):
            rod(root, "knob", (x, y, -30), (x, y, -6), 8, black_plastic(), sides=16)
    if printer.grid:
        render.bed_marks(render.Scene(bed_size=printer.bed), root)


def slinger_body(printer, gantry):
    """Feet, two uprights, and the rail that carries the head."""
    half, trim, floor = printer.bed / 2 + 40, plain("frame", printer.trim, 0.4, 0.3), -82.0
    for side in (-1, 1):
        upright, screw = side * (half + 8), side * (half - 12)
        extrusion(None, "upright", (upright, 48, floor + 230), "z", 440, (1, 2), trim)
        rod(None, "leadscrew", (screw, 58, floor), (screw, 58, 360), 4, steel())
    extrusion(None, "top", (0, 48, floor + 460), "x", 2 * half + 40, (1, 1), trim)
    for y in (-150, 48):
        extrusion(None, "foot", (0, y, floor + 20), "x", 2 * half + 40, (1, 2), trim)
    extrusion(None, "under the bed", (0, 0, floor + 38), "y", 420, (2, 2), trim)
    extrusion(gantry, "rail", (0, 40, 52), "x", 2 * half, (1, 1), trim)
    box(gantry, "belt", (0, 28.5, 52), (2 * half - 10, 1.4, 6), black_plastic(), 0)
    box(gantry, "motor", (-half + 4, -3, 52), (42, 40, 42), black_plastic(), 3)


def box_body(printer, gantry):
    """Posts and walls around the bed, and the two rails that carry the head."""
    half, trim, deep, high = printer.bed / 2, plain("frame", printer.trim, 0.4, 0.3), 300.0, 90.0
    inside = plain("inside", [colour * 0.8 + 0.01 for colour in printer.trim], 0.6)
    tall, middle, wide = deep + 60, high - deep / 2, 2 * half + 110
    box(None, "back", (0, half + 52, middle), (wide, 4, tall), inside, 0)
    box(None, "floor", (0, 20, high - deep - 40), (wide, wide, 4), inside, 0)
    for x in (-half - 50, half + 50):
        for y in (-half - 10, half + 50):
            box(None, "post", (x, y, middle), (20, 20, tall), trim, 1)
        box(None, "side", (x * 1.02, 20, middle), (4, 2 * half + 60, tall), inside, 0)
        near = x * 0.88
        rod(None, "rail", (near, -half, 45), (near, half + 40, 45), 4, steel())
        rod(None, "screw", (near, half + 30, high - deep), (near, half + 30, 60), 4, steel())
    for z in (45, 62):
        rod(gantry, "cross rail", (-half - 45, 22, z), (half + 45, 22, z), 5, steel())


def head(printer, root):
    """The print head."""
    if printer.head == "open":
        render.head(root)
        return
    render.hot_end(root)
    shell = plain("shell", printer.shell, 0.35)
    if printer.head == "shell":
        box(root, "shell", (0, 2, 44), (48, 46, 58), shell, 6)
        box(root, "duct", (0, -16, 12), (26, 10, 14), black_plastic(), 2)
    else:
        box(root, "block", (0, 8, 46), (40, 30, 44), shell, 2)
        box(root, "side fan", (28, 6, 40), (15, 42, 42), black_plastic(), 2)
    rod(root, "fan", (0, -22, 46), (0, -20, 46), 14, plain("dark", (0.01,) * 3, 0.8))
    loom = [(10, 16, 72), (12, 18, 100), (0, 30, 140), (-60, 70, 170), (-120, 90, 140)]
    tube(root, "loom", [loom], 4.0, plain("braid", (0.02, 0.02, 0.02), 0.8), smooth=True)


def room(printer, rng):
    """What is behind and beside the printer: a table, a wall, cables that hang or lie about."""
    wall = tuple(float(c) for c in rng.uniform(0.25, 0.7) * rng.uniform(0.85, 1.1, 3))
    half = printer.bed / 2
    if printer.style == "slinger":
        tones = [(c * 0.7, c * 0.45, c * 0.28) for c in rng.uniform(0.2, 0.9, 2)]
        oak = mottled("table", *tones, 0.05, stretch=(0.25, 4, 1))
        box(None, "table", (0, 60, -97), (1900, 1200, 30), oak, edge=3)
        box(None, "wall", (0, 480, 300), (4000, 20, 2600), plain("paint", wall, 0.85), edge=0)
        back = half + 90
    else:
        box(None, "table", (0, 0, -300), (1900, 1400, 30), plain("table", wall, 0.6), edge=0)
        box(None, "wall", (0, 700, 100), (4000, 20, 2600), plain("paint", wall, 0.85), edge=0)
        back = half + 30
    for _ in range(int(rng.integers(1, 4))):
        path = [(rng.uniform(-1.2, 1.2) * half, back, -60)]
        for _ in range(7):
            step = rng.normal(0, (25, 6, 25)) + (0, 0, 22)
            path.append(tuple(a + b for a, b in zip(path[-1], step)))
        tone = rng.choice([0.02, 0.4, 0.7]) * rng.uniform(0.5, 1, 3)
        cable = plain(f"cable {tone}", tone, 0.5)
        tube(None, "cable", [path], rng.uniform(1.5, 3.5), cable, smooth=True)


def area(at, size, radiance, colour, target=(0, 0, 0)):
    """A light that is a rectangle."""
    data = bpy.data.lights.new("light", "AREA")
    data.shape, data.size, data.size_y = "RECTANGLE", size[0], size[1]
    data.energy, data.color = radiance * math.pi * size[0] * size[1], colour
    made = bpy.data.objects.new("light", data)
    made.location, made.rotation_euler = at, aim(at, target)
    bpy.context.collection.objects.link(made)


def lights(kind, camera_at, rng):
    """Lights the room: "day", "lamp", "strip", "window", "office", or "night": the camera's own
    infrared lamp."""
    ambient, side = 0.15, rng.choice([-1, 1])
    if kind == "day":
        area((-900, -420, 620), (700, 900), 17, (0.86, 0.93, 1.0))
        area((side * 260, 60, 1250), (420, 420), 14, (1.0, 0.82, 0.62))
    if kind == "window":
        area((side * 900, -500, 620), (700, 900), 24, (0.86, 0.93, 1.0))
    if kind == "lamp":
        area((side * 260, -60, 1250), (420, 420), 44, (1.0, 0.82, 0.62))
    if kind == "strip":
        tints = ((1, 1, 1), (0.7, 0.8, 1.0), (1.0, 0.7, 0.9))
        area((0, -90, 110), (300, 10), 110, tints[int(rng.integers(3))], (0, 30, -60))
        ambient = 0.08
    if kind == "night":
        area(tuple(c + d for c, d in zip(camera_at, (8, 0, 8))), (14, 14), 1500, (1, 1, 1))
        ambient = 0.02
    if kind == "office":
        area((0, -500, 1500), (1500, 1500), 6, (0.95, 1.0, 0.97))
        ambient = 0.4
    glow = bpy.data.worlds.new("glow")
    glow.use_nodes = True
    sky = glow.node_tree.nodes["Background"]
    sky.inputs["Color"].default_value = (0.9, 0.93, 1.0, 1)
    sky.inputs["Strength"].default_value = ambient
    bpy.context.scene.world = glow


def camera(where, printer, height, rng):
    """Hangs the camera up, and returns where. `height` is that of the print."""
    half = printer.bed / 2
    at = [where.at[0] * half, where.at[1] * half, where.at[2]]
    look = [where.look[0] * half, where.look[1] * half, where.look[2]]
    if printer.style == "box":  # in its open front, below its top; the bed sinks
        reach = half + 35
        at = [max(-reach, min(reach, at[0])), max(-2.1 * half, at[1]), min(at[2], 80)]
        look[2] = -0.6 * height
    at = [c + float(t) for c, t in zip(at, rng.normal(0, 6, 3))]
    data = bpy.data.cameras.new("webcam")
    data.lens, data.sensor_width = where.lens, 36.0
    data.clip_start, data.clip_end = 5.0, 10000.0
    made = bpy.data.objects.new("webcam", data)
    made.location, made.rotation_euler = at, aim(at, look)
    made.rotation_euler.rotate_axis("Z", math.radians(float(rng.normal(0, 1.5))))
    bpy.context.collection.objects.link(made)
    bpy.context.scene.camera = made
    return tuple(at)
