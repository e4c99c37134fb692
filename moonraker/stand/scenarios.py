#!/usr/bin/env python3
"""oe-moonraker against a real Moonraker and a real Klippy: scenarios.py FOLDER [NAME...]

FOLDER holds what is installed, from the Python Package Index, and is kept. Needs oe-moonraker (make, in the folder above) and
oe-process-server (cargo build -p oe-process-server), which answers from a script, so that each scenario sees what it is about.
$AGENT and $SERVER say where they are. A scenario takes about half a minute.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback
import http.server

import stand as stands
from webcam import Webcam

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
AGENT = pathlib.Path(os.environ.get("AGENT", HERE.parent / "oe-moonraker"))
SERVER = pathlib.Path(os.environ.get("SERVER", ROOT / "target/debug/oe-process-server"))
PICTURES = [path.read_bytes() for path in sorted((ROOT / "demo/frames").glob("*.jpg"))]

GOOD = {"quality": 9, "score": 4}
DOUBT = {"quality": 3, "score": 61, "warning": True}
BAD = {"quality": 1, "score": 93, "warning": True, "pause": True}


class Service:
    """A service that answers from a script; $SERVICE is the address of one that does already."""

    def __init__(self, folder, verdicts):
        self.url, self.process = os.environ.get("SERVICE"), None
        if self.url:
            return
        script = folder / "verdicts.jsonl"
        script.write_text("".join(json.dumps(verdict) + "\n" for verdict in verdicts))
        port_file = folder / "service.port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [SERVER, "--listen", "127.0.0.1:0", "--port-file", port_file, "--verdicts", script, "--minimum", "5", "--log", "off"])
        while not (port_file.exists() and port_file.read_text().strip()):
            time.sleep(0.05)
        self.url = "http://127.0.0.1:" + port_file.read_text().strip().split(":")[-1]

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Agent:
    def __init__(self, host, text):
        self.host, self.lines = host, []
        (host.config / "oe_process.cfg").write_text(f"[moonraker]\nname: stand\nurl: {host.url}\n" + text)
        self.words = [AGENT, "--state", host.data / "state", host.config / "oe_process.cfg"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True).start()

    def read(self, pipe):
        for line in pipe:
            self.lines.append(line.strip())

    def wait(self, words, times=1, seconds=60):
        end = time.monotonic() + seconds
        while self.count(words) < times:
            assert time.monotonic() < end, f"not {times} times within {seconds} s: {words}"
            time.sleep(0.1)

    def count(self, words):
        return sum(words in line for line in self.lines)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=3) == 0


class Bell:
    """What a notifier of Moonraker rings."""

    def __init__(self):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Scene:
    """One scenario's host, camera, service and agent."""

    def __init__(self, folder, verdicts=(GOOD,), text="", **host):
        self.camera, self.bell = Webcam(PICTURES), Bell()
        self.host = stands.Stand(folder, self.camera.port, self.bell.port, **host).start()
        self.service = Service(self.host.data, verdicts)
        self.agent = Agent(self.host, f"[engine]\nservice: {self.service.url}\ninterval: 5\n" + text)

    def stop(self):
        self.agent.kill()
        self.service.stop()
        self.host.stop()


def print_and_pause(s):
    """Start, warning, the printer's own PAUSE, resume, cancel."""
    s.agent.wait("camera bed", 0)
    s.host.print()
    s.agent.wait("watching benchy.gcode")
    s.agent.wait("camera bed")
    s.agent.wait("warning: the print may be failing")
    s.host.until(lambda: any("may be failing" in line for line in s.host.console()), "the console says it")
    display = lambda: s.host.ask("/printer/objects/query?display_status")["status"]["display_status"]["message"] or ""
    s.host.until(lambda: "may be failing" in display(), "the display says it")
    s.agent.wait("stand: paused")
    assert s.host.state() == "paused"
    assert any("own PAUSE" in line for line in s.host.console())
    s.host.until(lambda: any("failing" in words for words in s.bell.heard), "the notifier says it")
    served = s.camera.served
    time.sleep(7)
    assert s.camera.served == served, "nothing while it is paused"
    s.host.ask("/printer/print/resume", post=True)
    s.agent.wait("stand: resumed")
    s.agent.wait("quality", s.agent.count("quality") + 1)
    s.host.ask("/printer/print/cancel", post=True)
    s.agent.wait("benchy.gcode: cancelled")
    served = s.camera.served
    time.sleep(7)
    assert s.camera.served == served, "nothing after the print"


def check(s):
    """`oe-moonraker check` finds nothing missing, and what is."""
    run = lambda: subprocess.run([AGENT, "check", s.host.config / "oe_process.cfg"], stdout=subprocess.PIPE, text=True).stdout
    text = run()
    assert text.endswith("Ready.\n") and "note" not in text, text
    s.camera.plugged = False
    s.host.kill("klippy")
    s.host.until(lambda: "its state is disconnected" in run(), "Klipper is missed")
    text = run()
    assert "gives no picture" in text and text.endswith("see what is MISSING.\n"), text


def mute(s):
    """OE_MUTE holds for one print."""
    s.host.print()
    s.agent.wait("watching benchy.gcode")
    s.host.gcode("OE_MUTE")
    s.agent.wait("muted for this print")
    s.agent.wait("quality", 3)
    assert s.host.state() == "printing" and s.agent.count("failing") == 0
    s.host.ask("/printer/print/cancel", post=True)
    s.agent.wait("benchy.gcode: cancelled")
    variable = lambda: s.host.ask("/printer/objects/query?gcode_macro%20OE_PROCESS")["status"]["gcode_macro OE_PROCESS"]["muted"]
    s.host.until(lambda: variable() is False, "the mute ends with the print")
    s.host.print()
    s.agent.wait("stand: paused")


def camera_unplugged(s):
    s.host.print()
    s.agent.wait("quality")
    s.camera.plugged = False
    s.agent.wait("camera: HTTP 503")
    s.agent.wait("nobody watches this print", seconds=100)
    assert s.host.state() == "printing"
    s.camera.plugged = True
    s.agent.wait("pictures again")
    s.agent.wait("quality", s.agent.count("quality") + 1)


def klippy_killed(s):
    s.host.print()
    s.agent.wait("quality")
    s.host.kill("klippy")
    s.agent.wait("Klipper is gone")
    served = s.camera.served
    time.sleep(12)
    assert s.camera.served == served, "no pictures while Klipper is gone"
    s.host.start_klippy()
    s.agent.wait("the printer is back")
    s.agent.wait("benchy.gcode: standby")
    s.host.wait_ready()
    s.host.print()
    s.agent.wait("watching benchy.gcode", 2)


def moonraker_restarted(s):
    s.host.print()
    s.agent.wait("quality")
    s.host.kill("moonraker")
    s.agent.wait("Moonraker does not answer")
    s.host.start_moonraker()
    s.agent.wait("the printer is back")
    s.agent.wait("quality", s.agent.count("quality") + 1)
    assert s.agent.count("watching benchy.gcode") == 1, "one print, one watch"


def agent_killed(s):
    s.host.print()
    s.agent.wait("quality")
    time.sleep(1)
    s.agent.kill()
    s.agent.start()
    s.agent.wait("going on with benchy.gcode")
    s.agent.wait("stand: paused")
    s.agent.kill()
    s.host.ask("/printer/print/resume", post=True)
    s.agent.start()
    s.agent.wait("going on with benchy.gcode", 2)
    s.agent.wait("quality", s.agent.count("quality") + 1)
    assert s.host.state() == "printing", "the same alarm does not pause twice"


def login_required(s):
    s.agent.wait("asks for a login")
    s.agent.kill()
    assert s.agent.count("asks for a login") == 1
    s.agent = Agent(s.host, f"api_key: {s.host.key()}\n[engine]\nservice: {s.service.url}\ninterval: 5\n")
    s.host.print()
    s.agent.wait("stand: paused")


def no_pause_resume(s):
    s.host.print()
    s.agent.wait("[pause_resume] is missing")
    s.agent.wait("not paused: [pause_resume] is missing")
    time.sleep(5)
    assert s.agent.count("not paused") == 1 and s.host.state() == "printing"


def embedded(s):
    """No service: the engine inside."""
    s.agent.kill()
    s.service.stop()
    s.agent = Agent(s.host, "[engine]\ninterval: 5\n[camera]\nname: bed\n")
    s.host.print()
    s.agent.wait("camera bed")
    for n in range(60):
        # The print as it fails, then its end again and again.
        s.camera.shown = n if n < len(PICTURES) else len(PICTURES) - 1 - n % 3
        seen = s.agent.count("quality")
        paused = lambda: s.agent.count("stand: paused") > 0
        s.host.until(lambda: s.agent.count("quality") > seen or paused(), "a look")
        if paused():
            return
    raise AssertionError("the print was not paused")


def emergency_stop(s):
    s.host.print()
    s.agent.wait("quality")
    s.host.ask("/printer/emergency_stop", post=True)
    s.agent.wait("Klipper is gone: its state is shutdown")
    served = s.camera.served
    time.sleep(12)
    assert s.camera.served == served, "no pictures after an emergency stop"


FAILS = (GOOD, DOUBT, BAD)
SCENARIOS = {
    "print_and_pause": (print_and_pause, dict(verdicts=FAILS, text="[alerts]\nnotifier: bell\n")),
    "check": (check, dict(text="[alerts]\nnotifier: bell\n")),
    "mute": (mute, dict(verdicts=FAILS)),
    "camera_unplugged": (camera_unplugged, {}),
    "klippy_killed": (klippy_killed, {}),
    "moonraker_restarted": (moonraker_restarted, {}),
    "agent_killed": (agent_killed, dict(verdicts=FAILS)),
    "login_required": (login_required, dict(verdicts=FAILS, login=True)),
    "no_pause_resume": (no_pause_resume, dict(verdicts=FAILS, pauses=False)),
    "emergency_stop": (emergency_stop, {}),
    "embedded": (embedded, {}),
}


def run(folder, name):
    scenario, settings = SCENARIOS[name]
    scene, begun = None, time.monotonic()
    try:
        scene = Scene(folder, **settings)
        scenario(scene)
        print(f"{name}: ok ({time.monotonic() - begun:.0f} s)", flush=True)
        return True
    except Exception:
        traceback.print_exc()
        print(f"{name}: FAILED", *(scene.agent.lines[-20:] if scene else []), sep="\n    ", flush=True)
        return False
    finally:
        if scene:
            scene.stop()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    stands.install(folder)
    results = [run(folder, name) for name in sys.argv[2:] or SCENARIOS]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
