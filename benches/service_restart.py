"""What a service that ends and comes back costs the prints: service_restart.py SERVER LIBRARY FRAME.jpg...

Prints of the library (the Python package over LIBRARY), a second apart, are watched at the pace that the service says. When all were looked
at for some time the service is killed with -9, is away for 3 s, and starts again with its state; in a second run it is told to end with
SIGTERM instead. Prints for each run how long after the end of the service the prints had their next verdict, and what was believed of them
before and after; and ends with 1 where one waited over 30 s, or is believed to be a new one."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

server, library, frames = sys.argv[1], sys.argv[2], [pathlib.Path(name).read_bytes() for name in sys.argv[3:]]
os.environ["OE_PROCESS_LIBRARY"] = os.path.abspath(library)
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
import oe_process  # noqa: E402

PRINTS, WATCHED, AWAY, MOST = 20, 85, 3, 30


class Service:
    def __init__(self, state):
        self.state, self.address = state, "127.0.0.1:0"

    def start(self):
        port_file = self.state / "address"
        port_file.unlink(missing_ok=True)
        command = [server, "--listen", self.address, "--edition", "b", "--log", "off", "--state", self.state / "state", "--port-file", port_file]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.02)
        self.address = port_file.read_text()

    def end(self, with_signal):
        self.process.send_signal(with_signal)
        self.process.wait()


class Print(threading.Thread):
    def __init__(self, address, delay):
        super().__init__(daemon=True)
        self.address, self.delay, self.verdicts, self.errors = address, delay, [], []

    def run(self):
        time.sleep(self.delay)
        with oe_process.Client(endpoint=f"http://{self.address}", allow_http=True) as client, client.context() as one:
            while True:
                one.wait_due()
                try:
                    result = one.process(frames[len(self.verdicts) % len(frames)])
                    self.verdicts.append((time.monotonic(), result.score))
                except oe_process.Error as error:
                    self.errors.append((time.monotonic(), error.status.name))

    def after(self, moment):
        return next((verdict for verdict in self.verdicts if verdict[0] > moment), None)

    def before(self, moment):
        return [verdict for verdict in self.verdicts if verdict[0] <= moment][-1]


def measure(name, with_signal):
    state = pathlib.Path(tempfile.mkdtemp())
    service = Service(state)
    service.start()
    prints = [Print(service.address, number) for number in range(PRINTS)]
    for one in prints:
        one.start()
    time.sleep(WATCHED)
    ended = time.monotonic()
    service.end(with_signal)
    time.sleep(max(0, ended + AWAY - time.monotonic()))
    service.start()
    while any(one.after(ended) is None for one in prints) and time.monotonic() < ended + 180:
        time.sleep(0.1)
    service.end(signal.SIGTERM)
    shutil.rmtree(state)
    waits = sorted((one.after(ended) or (ended + 999,))[0] - ended for one in prints)
    failed = sum(any(moment > ended for moment, _ in one.errors) for one in prints)
    first = max(one.verdicts[0][1] for one in prints)
    before = [one.before(ended)[1] for one in prints]
    after = [(one.after(ended) or (0, 0))[1] for one in prints]
    print(f"| {name} | {len(prints)} | {failed} | {waits[0]:.1f} | {waits[len(waits) // 2]:.1f} | {waits[-1]:.1f} "
          f"| {first} | {min(before)} | {min(after)} |", flush=True)
    return waits[-1] <= MOST and all(now >= then - 5 for now, then in zip(after, before)) and min(after) > first


print("| the service | prints | met it away | s to the next verdict: least | half | most | score: of a new print, most | before, least | after, least |")
print("| --- |" + " ---: |" * 8)
well = [measure(*how) for how in (("killed with -9", signal.SIGKILL), ("told to end", signal.SIGTERM))]
sys.exit(0 if all(well) else 1)
