"""A Klipper extra for a printer without a board: PACE takes 50 ms, as a move would."""


class Pace:
    def __init__(self, config):
        self.reactor = config.get_printer().get_reactor()
        gcode = config.get_printer().lookup_object("gcode")
        gcode.register_command("PACE", self.pace, desc="Waits for 50 ms")

    def pace(self, command):
        self.reactor.pause(self.reactor.monotonic() + 0.05)


def load_config(config):
    return Pace(config)
