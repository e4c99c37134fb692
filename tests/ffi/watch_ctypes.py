"""Watches a print through ctypes: watch_ctypes.py LIBRARY HEADER ENDPOINT FRAMES_DIR"""
import ctypes as c, itertools, os, pathlib, sys
OE_OK, OE_NO_EVENT = 0, 3
OE_EVENT_FRAME_WANTED, OE_EVENT_RESULT, OE_EVENT_WARNING, OE_EVENT_PAUSE, OE_EVENT_ERROR = 1, 2, 3, 4, 5
def structure(**members):  # struct_size comes first and tells how many of the members this program has
    return type("Structure", (c.Structure,), {"_fields_": [("struct_size", c.c_uint32), *members.items()]})
def call(name, *arguments):  # each argument in its C type: ctypes passes a plain number as a C int
    status = oe[name](*arguments)
    return status if status >= OE_OK else sys.exit(oe.oe_status_text(status).decode())

Event = structure(kind=c.c_int32, tag=c.c_uint64, status=c.c_int32, age_ms=c.c_uint32)
Result = structure(print_quality=c.c_int32, score=c.c_int32)  # the others are not needed here
Error = structure(status=c.c_int32, http_status=c.c_int32, retry_after_ms=c.c_uint32,
                  error_type=c.c_char * 64, text=c.c_char * 256)
event, result, error = Event(c.sizeof(Event)), Result(c.sizeof(Result)), Error(c.sizeof(Error))
oe = c.CDLL(sys.argv[1])
oe.oe_options_new.restype, oe.oe_status_text.restype = c.c_void_p, c.c_char_p
options, client, monitor = c.c_void_p(oe.oe_options_new()), c.c_void_p(), c.c_void_p()
call("oe_options_set_api_key", options, os.environb[b"OE_API_KEY"])
call("oe_options_set_endpoint", options, sys.argv[3].encode())
call("oe_options_set_allow_http", options, c.c_int32(1))
call("oe_options_set_interval_sec", options, c.c_uint32(5))
call("oe_client_new", options, c.byref(client))
call("oe_monitor_start", client, c.c_int32(0), c.c_int32(0), c.c_uint64(1), c.byref(monitor))
frames = itertools.cycle(sorted(pathlib.Path(sys.argv[4]).glob("*.jpg")))
places = c.byref(event), c.byref(result), c.byref(error)
while event.kind != OE_EVENT_PAUSE:  # a second at a time, so that Ctrl-C gets its turn
    if call("oe_client_next_event", client, c.c_uint32(1000), *places) == OE_NO_EVENT:
        continue
    if event.kind == OE_EVENT_FRAME_WANTED:
        jpeg = next(frames).read_bytes()
        call("oe_monitor_submit", monitor, jpeg, c.c_size_t(len(jpeg)), c.c_int64(0))
    elif event.kind == OE_EVENT_RESULT:
        print("quality", result.print_quality, "score", result.score)
    elif event.kind == OE_EVENT_WARNING:
        print("warning")
    elif event.kind == OE_EVENT_ERROR:
        print("error:", error.text.decode())
print("pause")
oe.oe_monitor_free(monitor), oe.oe_client_free(client), oe.oe_options_free(options)
