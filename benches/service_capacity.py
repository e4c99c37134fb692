"""What oe-process-server bears: service_capacity.py SERVER FRAME SECONDS PRINTS... [-- OPTION...]

For each number of prints it starts a server, lets so many prints call it as they are told to, over kept connections, for SECONDS (after the first
60 s, in which they begin), and prints a row: looks a second, the interval of a print (mean and longest), what was refused, how long an answer took, and
what the server used: how many looks a second of a processor does, and how many prints at 20 s one processor bears. The prints run on the same
machine and take some of its processors; the load is that of the whole machine."""
import asyncio
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

BEGIN = 60
# What the service gives away of its processors, and the seconds between two pictures of a print.
SHARE, PACE = 0.85, 20
BOUNDARY = "capacity"


def body_of(frame):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="print.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + frame + f"\r\n--{BOUNDARY}--\r\n".encode()


class Print:
    """One print: it asks for a context, then calls when it was told to."""

    def __init__(self, run, number):
        self.run, self.number, self.last, self.worst, self.gaps = run, number, None, 0.0, []

    async def post(self, path, kind, body):
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection(self.run.host, self.run.port)
        head = f"POST {path} HTTP/1.1\r\nHost: {self.run.host}:{self.run.port}\r\nX-API-Key: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        after = head.split("retry-after:")[1].split("\r\n")[0] if "retry-after:" in head else "0"
        answer = json.loads(await self.reader.readexactly(length))
        return int(head.split()[1]), int(after), answer

    async def watch(self):
        self.reader = self.writer = None
        await asyncio.sleep(random.random() * BEGIN)
        _, _, context = await self.post("/api/gadget/v1/createcontext", "application/json", b"{}")
        path = "/" + context["ProcessRequestUrl"].split("/", 3)[3]
        while True:
            start = time.monotonic()
            try:
                status, after, answer = await self.post(path, f"multipart/form-data; boundary={BOUNDARY}", self.run.body)
            except (OSError, asyncio.IncompleteReadError):
                self.reader, status, after, answer = None, 0, 0, {}
            now = time.monotonic()
            counts = start > self.run.counted_from
            if status == 200:
                wait = answer["NextProcessIntervalSec"]["Recommended"]
                if counts:
                    self.run.took.append(now - start)
                    self.gap(now)
                self.last = now
            else:
                wait = max(20, after) * (1 + random.random() / 4)
                self.run.refused += counts
            await asyncio.sleep(wait + random.random() * 0.05)

    def gap(self, now):
        if self.last is not None:
            self.gaps.append(now - max(self.last, self.run.counted_from))


class Run:
    def __init__(self, port, frame):
        self.host, self.port = port.rsplit(":", 1)
        self.body, self.took, self.refused = body_of(frame), [], 0


def used(pid):
    """Seconds of processor, of threads that have ended too, and KB of memory."""
    counts = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = (int(counts[11]) + int(counts[12])) / os.sysconf("SC_CLK_TCK")
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return seconds, int(next(line for line in status if line.startswith("VmRSS")).split()[1])


async def measure(server, options, frame, seconds, count):
    port_file = pathlib.Path(tempfile.mkdtemp()) / "port"
    process = subprocess.Popen([server, "--listen", "127.0.0.1:0", "--edition", "b", "--log", "off", "--port-file", port_file, *options], stdout=subprocess.DEVNULL)
    try:
        while not port_file.exists() or not port_file.read_text():
            await asyncio.sleep(0.05)
        idle = used(process.pid)[1]
        run = Run(port_file.read_text().strip(), frame)
        run.counted_from = time.monotonic() + BEGIN
        prints = [Print(run, number) for number in range(count)]
        tasks = [asyncio.create_task(one.watch()) for one in prints]
        await asyncio.sleep(BEGIN)
        before = used(process.pid)[0]
        await asyncio.sleep(seconds)
        processor, memory = used(process.pid)
        now = time.monotonic()
        looks = len(run.took)
        for one in prints:
            one.gap(now)
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        if ended:
            raise SystemExit(f"{len(ended)} of the prints ended: {ended[0].exception()!r}")
        took = sorted(run.took) or [0.0]
        at = lambda share: took[min(len(took) - 1, int(len(took) * share))] * 1000
        longest = max(max(one.gaps, default=0) for one in prints)
        mean = count * seconds / max(looks, 1)
        busy = processor - before
        each = looks / max(busy, 0.01)
        print(f"| {count:,} | {looks / seconds:.1f} | {mean:.1f} | {longest:.1f} | {100 * run.refused / max(looks + run.refused, 1):.2f} "
              f"| {at(0.5):.0f} | {at(0.99):.0f} | {busy / seconds:.2f} | {each:.0f} | {each * SHARE * PACE:.0f} | {idle / 1000:.1f} "
              f"| {memory / 1000:.1f} | {os.getloadavg()[0]:.1f} |", flush=True)
    finally:
        process.terminate()
        process.wait()


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1:]
    server, frame, seconds, counts = arguments[0], pathlib.Path(arguments[1]).read_bytes(), int(arguments[2]), arguments[3:]
    print(f"{os.cpu_count()} processors, a frame of {len(frame):,} bytes, {seconds} s each")
    print("| prints | looks a second | interval, s: mean | longest | refused, % | answer, ms: p50 | p99 | processors used | looks a processor second "
          "| prints a processor | MB idle | MB | load |")
    print("| ---: " * 13 + "|")
    for count in counts:
        asyncio.run(measure(server, options, frame, seconds, int(count)))


if __name__ == "__main__":
    main()
