"""Watches a print through cffi, which reads the header: watch_cffi.py LIBRARY HEADER ENDPOINT FRAMES_DIR"""
import itertools, os, pathlib, re, sys
from cffi import FFI

def declarations(header):  # what is between the guards for C++, without macros and attributes
    body = header.split('extern "C" {\n#endif')[1].split("#ifdef __cplusplus")[0]
    return re.sub(r"^#.*|\bOE_API\b|\bOE_CALL\b", "", body, flags=re.MULTILINE)

def check(status):
    return status if status >= oe.OE_OK else sys.exit(ffi.string(oe.oe_status_text(status)).decode())

ffi = FFI()
ffi.cdef(declarations(pathlib.Path(sys.argv[2]).read_text()))
oe = ffi.dlopen(sys.argv[1])
options = ffi.gc(oe.oe_options_new(), oe.oe_options_free)
check(oe.oe_options_set_api_key(options, os.environb[b"OE_API_KEY"]))
check(oe.oe_options_set_endpoint(options, sys.argv[3].encode()))
check(oe.oe_options_set_allow_http(options, 1))
check(oe.oe_options_set_interval_sec(options, 5))
client, monitor = ffi.new("oe_client **"), ffi.new("oe_monitor **")
check(oe.oe_client_new(options, client))
check(oe.oe_monitor_start(client[0], 0, 0, 1, monitor))
event, result, error = (ffi.new(f"oe_{kind} *", [ffi.sizeof(f"oe_{kind}")]) for kind in ("event", "result", "error"))
frames = itertools.cycle(sorted(pathlib.Path(sys.argv[4]).glob("*.jpg")))
while event.kind != oe.OE_EVENT_PAUSE:
    if check(oe.oe_client_next_event(client[0], 1000, event, result, error)) == oe.OE_NO_EVENT:
        continue  # waiting a second at a time leaves Ctrl-C its turn
    if event.kind == oe.OE_EVENT_FRAME_WANTED:
        jpeg = next(frames).read_bytes()
        check(oe.oe_monitor_submit(monitor[0], jpeg, len(jpeg), 0))
    elif event.kind == oe.OE_EVENT_RESULT:
        print("quality", result.print_quality, "score", result.score)
    elif event.kind == oe.OE_EVENT_WARNING:
        print("warning")
    elif event.kind == oe.OE_EVENT_ERROR:
        print("error:", ffi.string(error.text).decode())
print("pause")
oe.oe_monitor_free(monitor[0])
oe.oe_client_free(client[0])
