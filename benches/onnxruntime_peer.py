"""What a pass of the same network takes in ONNX Runtime, on one thread: onnxruntime_peer.py FILE.onnx COUNT. Prints as engine/examples/parts.rs
does."""
import sys
import time

import numpy
import onnxruntime


def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


before = memory("RssAnon:"), memory("VmRSS:")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
start = time.process_time_ns()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print("load_ns", time.process_time_ns() - start)
planes = ((numpy.arange(3 * 320 * 320) * 7919 % 251).reshape(1, 3, 320, 320).astype(numpy.float32) - 127) / 128
times = []
for _ in range(int(sys.argv[2])):
    start = time.process_time_ns()
    session.run(["answer"], {"picture": planes})
    times.append(time.process_time_ns() - start)
times.sort()
print("least_ns", times[0])
print("median_ns", times[len(times) // 2])
print("anon_growth_kb", memory("RssAnon:") - before[0])
print("all_growth_kb", memory("VmRSS:") - before[1])
