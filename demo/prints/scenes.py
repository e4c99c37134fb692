"""The prints that are rendered: eight that fail at a known frame, six that are fine but hard."""

from dataclasses import dataclass

PACE = 20  # seconds from one frame to the next


@dataclass(frozen=True)
class Print:
    """One print: what is the same in all its frames."""

    name: str
    seed: int
    printer: str
    camera: str
    light: str
    filament: tuple
    part: str
    kind: str  # of failure; of a fine print, what makes it hard
    onset: int | None  # the first frame of the failure, counted from 1
    strands: float  # mm of loose filament that each frame adds after the onset
    height: float  # mm that the print has at its first frame
    extras: tuple = ()  # see objects.litter
    frames: int = 34
    rise: float = 0.4  # mm that each frame adds to a print that is fine

    @property
    def fails(self):
        return self.onset is not None


ORANGE, BLUE, GREEN = (0.88, 0.17, 0.015), (0.03, 0.18, 0.70), (0.08, 0.45, 0.10)
WHITE, GREY = (0.75, 0.75, 0.72), (0.22, 0.23, 0.24)
RED, YELLOW, TEAL = (0.60, 0.03, 0.03), (0.85, 0.55, 0.04), (0.02, 0.35, 0.36)

# Failing and fine in turns, so that what is finished is of use.
PRINTS = (
    Print("tangle-on-vase", 101, "gorse", "front left", "day", ORANGE, "vase", "tangle",
          15, 1300, 34, ("prime", "skirt")),
    Print("supports", 201, "juniper", "front right low", "day", WHITE, "figure", "supports",
          None, 0, 34, ("prime", "brim", "supports"), 30),
    Print("torn-off", 102, "hazel", "left corner", "strip", WHITE, "figure", "torn off",
          17, 1100, 40, ("prime",), 36),
    Print("purged", 202, "pine", "right high", "lamp", YELLOW, "box", "purge and ends",
          None, 0, 16, ("prime", "ends", "purge", "skirt"), 30),
    Print("in-the-air", 103, "juniper", "left", "lamp", BLUE, "box", "printing in the air",
          14, 900, 26, ("prime", "skirt"), 32),
    Print("wisps", 203, "gorse", "close", "window", RED, "towers", "wisps",
          None, 0, 48, ("prime", "brim", "hairs"), 30),
    Print("detached", 104, "pine", "from afar", "day", TEAL, "figure", "detached part",
          16, 260, 58, ("skirt",), 34),
    Print("spool", 204, "maple", "from afar", "office", GREEN, "vase", "spool in view",
          None, 0, 40, ("skirt", "spool"), 30),
    Print("blob", 105, "maple", "close", "office", YELLOW, "box", "blob",
          15, 90, 20, ("prime", "skirt"), 32),
    Print("night-many", 205, "larch", "left corner", "night", GREY, "many", "night",
          None, 0, 14, ("prime", "skirt", "ends"), 30),
    Print("night-tangle", 106, "larch", "front high", "night", WHITE, "vase", "tangle at night",
          15, 1200, 30, ("prime",), 34),
    Print("infill", 206, "rowan", "front high", "strip", ORANGE, "box", "infill",
          None, 0, 12, ("prime", "skirt", "infill"), 30),
    Print("first-layer", 107, "oak", "right high", "window", GREEN, "plate", "first layer lost",
          13, 800, 0.6, ("prime", "skirt"), 32, 0.05),
    Print("one-of-nine", 108, "rowan", "front right low", "office", RED, "many", "small tangle",
          16, 350, 20, ("prime",), 36),
)  # fmt: skip
