"""Watches a print inside asyncio: watch_asyncio.py LIBRARY HEADER ENDPOINT FRAMES_DIR"""
import asyncio, itertools, os, pathlib, re, sys
from cffi import FFI

def declarations(header):  # what is between the guards for C++, without macros and attributes
    body = header.split('extern "C" {\n#endif')[1].split("#ifdef __cplusplus")[0]
    return re.sub(r"^#.*|\bOE_API\b|\bOE_CALL\b", "", body, flags=re.MULTILINE)

def check(status):
    return status if status >= oe.OE_OK else sys.exit(ffi.string(oe.oe_status_text(status)).decode())

async def watch(client, monitor, frames):
    event, result, error = (ffi.new(f"oe_{x} *", [ffi.sizeof(f"oe_{x}")]) for x in ("event", "result", "error"))
    loop, descriptor, paused = asyncio.get_running_loop(), oe.oe_client_event_fd(client), asyncio.Event()
    def on_readable():  # takes all that is there and never waits: the descriptor stays readable otherwise
        while check(oe.oe_client_next_event(client, 0, event, result, error)) == oe.OE_OK:
            if event.kind == oe.OE_EVENT_FRAME_WANTED:
                jpeg = next(frames).read_bytes()
                check(oe.oe_monitor_submit(monitor, jpeg, len(jpeg), 0))
            elif event.kind == oe.OE_EVENT_ERROR: print("error:", ffi.string(error.text).decode())
            elif event.kind == oe.OE_EVENT_RESULT: print("quality", result.print_quality, "score", result.score)
            elif event.kind == oe.OE_EVENT_WARNING: print("warning")
            elif event.kind == oe.OE_EVENT_PAUSE: paused.set()
    loop.add_reader(descriptor, on_readable)
    await paused.wait()  # everything else in this loop goes on meanwhile
    loop.remove_reader(descriptor)  # before the client goes, and the descriptor with it
    print("pause")

ffi = FFI()
ffi.cdef(declarations(pathlib.Path(sys.argv[2]).read_text()))
oe = ffi.dlopen(sys.argv[1])
options, client, monitor = oe.oe_options_new(), ffi.new("oe_client **"), ffi.new("oe_monitor **")
check(oe.oe_options_set_api_key(options, os.environb[b"OE_API_KEY"]))
check(oe.oe_options_set_endpoint(options, sys.argv[3].encode()))
check(oe.oe_options_set_allow_http(options, 1))
check(oe.oe_options_set_interval_sec(options, 5))
check(oe.oe_client_new(options, client))
check(oe.oe_monitor_start(client[0], 0, 0, 1, monitor))
asyncio.run(watch(client[0], monitor[0], itertools.cycle(sorted(pathlib.Path(sys.argv[4]).glob("*.jpg")))))
oe.oe_monitor_free(monitor[0]), oe.oe_client_free(client[0]), oe.oe_options_free(options)
