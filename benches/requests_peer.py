"""Python and requests, with the command line and the checks of peer.h."""

import os
import resource
import sys
import time

import requests

url, ca_file, jpeg_file, calls, mode, threads, pause_ms = sys.argv[1:8]
calls = int(calls)
with open(jpeg_file, "rb") as file:
    jpeg = file.read()
session = requests.Session()
session.trust_env = False
session.verify = ca_file or True
session.headers["X-API-Key"] = "bench-key"


def call(printer):
    files = {"image": ("print.jpg", jpeg, "image/jpeg")}
    answer = session.post(f"{url}/p/{printer}", files=files, timeout=30)
    answer.raise_for_status()
    got = answer.json()
    k = printer % 10
    interval = {"Minimum": 5 + k, "Recommended": 20 + k}
    assert got["NextProcessIntervalSec"] == interval, got
    assert (got["PrintQuality"], got["Score"]) == (1 + k, 10 * k), got
    assert (got["WarningSuggested"], got["PauseSuggested"]) == (k > 7, k > 8), got


def cpu_us():
    return int(time.process_time() * 1_000_000)


call(0)
first_cpu, begun = cpu_us(), cpu_us()
with open("/proc/self/stat") as file:
    started = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
first = int((time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1_000_000)
lost = 0
for n in range(1, calls):
    try:
        call(n)
    except requests.RequestException:
        lost += 1
used = cpu_us() - begun
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fds, own = len(os.listdir("/proc/self/fd")) - 1, len(os.listdir("/proc/self/task"))
print(
    f"calls={calls - 1} lost={lost} cpu_us={used} first_cpu_us={first_cpu} first_us={first} "
    f"bytes=0 peak=0 rss_kb={rss} fds={fds} threads={own}"
)
