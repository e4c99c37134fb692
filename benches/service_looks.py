"""Processor time of oe-process-server for each picture: service_looks.py SERVER COUNT FRAME.jpg... It counts all threads of the server, the
reading of requests too, after a first picture of each frame."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request


def post(url, body, kind):
    request = urllib.request.Request(url, body, {"Content-Type": kind, "X-API-Key": "bench"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def cpu_ms(pid):
    """Of all threads, to the nanosecond where the kernel counts so."""
    folders = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((folder / "schedstat").read_text().split()[0]) for folder in folders) / 1e6


server, count, frames = sys.argv[1], int(sys.argv[2]), [pathlib.Path(name).read_bytes() for name in sys.argv[3:]]
port_file = pathlib.Path(tempfile.mkdtemp()) / "port"
process = subprocess.Popen([server, "--listen", "127.0.0.1:0", "--minimum", "0", "--edition", "b", "--log", "off", "--port-file", port_file],
                           stdout=subprocess.DEVNULL)
try:
    while not port_file.exists() or not port_file.read_text():
        time.sleep(0.05)
    url = f"http://{port_file.read_text()}/api/gadget/v1/createcontext"
    place = post(url, b"{}", "application/json")["ProcessRequestUrl"]
    bodies = [b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + frame + b"\r\n--b--\r\n"
              for frame in frames]
    ask = lambda n: post(place, bodies[n % len(bodies)], "multipart/form-data; boundary=b")
    for n in range(len(bodies)):
        ask(n)
    start = cpu_ms(process.pid)
    for n in range(count):
        ask(n)
    each = (cpu_ms(process.pid) - start) / count
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    rss = next(line for line in status if line.startswith("VmRSS")).split()[1]
    print(f"cpu_ms_each {each:.2f}")
    print(f"looks_per_core_second {1000 / each:.1f}")
    print("rss_kb", rss)
    print("binary_kb", os.path.getsize(server) // 1000)
finally:
    process.terminate()
    process.wait()
