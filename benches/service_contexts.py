"""What many prints take: service_contexts.py SERVER CONTEXTS VERDICTS SECONDS FRAME.jpg [-- OPTION...]

Makes so many contexts, calls VERDICTS of them a second for SECONDS, another one each time, and prints what that took: memory of the
service, and bytes a second that it wrote to its state (of the process, by /proc: its log is off). Then it starts the service again with
that state, which says how long that takes. Before, as a base, a service without contexts."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

arguments, options = sys.argv[1:], []
if "--" in arguments:
    at = arguments.index("--")
    arguments, options = arguments[:at], arguments[at + 1:]
server, contexts, rate, seconds = arguments[0], int(arguments[1]), float(arguments[2]), int(arguments[3])
frame = pathlib.Path(arguments[4]).read_bytes()
head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
picture = head + frame + b"\r\n--b--\r\n"
folder = pathlib.Path(tempfile.mkdtemp())
LIMITS = ["--max-contexts-per-key", str(contexts + 1), "--max-creates", str(contexts + 1), "--max-contexts", str(contexts + 1), "--minimum", "0"]


def start():
    port_file = folder / "address"
    port_file.unlink(missing_ok=True)
    began = time.monotonic()
    process = subprocess.Popen([server, "--listen", "127.0.0.1:0", "--edition", "b", "--log", "off", "--state", folder / "state",
                                "--port-file", port_file, *LIMITS, *options], stdout=subprocess.DEVNULL)
    while not port_file.exists() or not port_file.read_text():
        time.sleep(0.01)
    return process, port_file.read_text(), time.monotonic() - began


def memory(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1000


def written(process):
    counts = pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines()
    return int(next(line for line in counts if line.startswith("wchar:")).split()[1])


def disk():
    return sum(file.stat().st_size for file in (folder / "state").iterdir()) / 1e6


async def post(stream, path, kind, body):
    reader, writer = stream
    request = f"POST {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(request.encode() + body)
    await writer.drain()
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(answer.split("content-length:")[1].split("\r\n")[0])
    return int(answer.split()[1]), json.loads(await reader.readexactly(length))


async def create(address, count):
    stream = await asyncio.open_connection(*address.rsplit(":", 1))
    paths = []
    for _ in range(count):
        status, answer = await post(stream, "/api/gadget/v1/createcontext", "application/json", b"{}")
        assert status == 200, answer
        paths.append("/" + answer["ProcessRequestUrl"].split("/", 3)[3])
    return paths


async def call(address, paths):
    """At the rate, or as fast as it answers; says how many verdicts there were."""
    workers, done, begun = 4, [0], time.monotonic()
    nexts = iter(range(int(rate * seconds)))

    async def work():
        stream = await asyncio.open_connection(*address.rsplit(":", 1))
        for number in nexts:
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            if time.monotonic() > begun + seconds:
                return
            status, _ = await post(stream, paths[number % len(paths)], "multipart/form-data; boundary=b", picture)
            done[0] += status == 200

    await asyncio.gather(*[work() for _ in range(workers)])
    return done[0], time.monotonic() - begun


process, address, _ = start()
try:
    base = memory(process)
    before = written(process)
    paths = asyncio.run(create(address, contexts))
    time.sleep(3)
    made, after, made_disk = memory(process), written(process), disk()
    before_calls = written(process)
    verdicts, took = asyncio.run(call(address, paths))
    time.sleep(2)
    wrote, called, called_disk = written(process) - before_calls, memory(process), disk()
    process.send_signal(signal.SIGTERM)
    process.wait()
    process, address, again = start()
    restarted = memory(process)
finally:
    process.terminate()
    process.wait()
    shutil.rmtree(folder)
print(f"{contexts:,} contexts, {verdicts / took:.0f} verdicts a second for {took:.0f} s; load {os.getloadavg()[0]:.1f}")
print("| | MB of memory | MB on disk | KB written |")
print("| --- | ---: | ---: | ---: |")
print(f"| started | {base:.1f} | | |")
print(f"| contexts made | {made:.1f} | {made_disk:.1f} | {(after - before) / 1000:,.0f} |")
print(f"| {verdicts:,} verdicts later | {called:.1f} | {called_disk:.1f} | {wrote / 1000:,.0f} ({wrote / took / 1000:.0f} a second, {wrote / max(verdicts, 1):.0f} bytes a verdict) |")
print(f"| started again, in {again:.2f} s | {restarted:.1f} | | |")
