-- Watches a print through LuaJIT's ffi, which reads the header: luajit watch.lua LIBRARY HEADER ENDPOINT FRAMES_DIR
local library, header, endpoint, folder = ...
local ffi = require("ffi")
-- What is between the guards for C++, without macros and attributes, is C that LuaJIT takes.
local body = assert(io.open(header)):read("*a"):match('extern "C" {\n#endif(.-)#ifdef __cplusplus')
ffi.cdef((body:gsub("\n#[^\n]*", ""):gsub("OE_API ", ""):gsub("OE_CALL ", "")))
local oe = ffi.load(library)

local function check(status)
  if status < oe.OE_OK then error(ffi.string(oe.oe_status_text(status)), 0) end
  return status
end

local options, client, monitor = oe.oe_options_new(), ffi.new("oe_client *[1]"), ffi.new("oe_monitor *[1]")
check(oe.oe_options_set_api_key(options, os.getenv("OE_API_KEY")))
check(oe.oe_options_set_endpoint(options, endpoint))
check(oe.oe_options_set_allow_http(options, 1))
check(oe.oe_options_set_interval_sec(options, 5))
check(oe.oe_client_new(options, client))
check(oe.oe_monitor_start(client[0], 0, 0, 1, monitor))
local event = ffi.new("oe_event", { ffi.sizeof("oe_event") })
local result = ffi.new("oe_result", { ffi.sizeof("oe_result") })
local failure = ffi.new("oe_error", { ffi.sizeof("oe_error") })
local frames = io.popen("ls '" .. folder .. "'/*.jpg"):lines() -- sorted; Lua itself cannot list a folder
while event.kind ~= oe.OE_EVENT_PAUSE do
  if check(oe.oe_client_next_event(client[0], 1000, event, result, failure)) == oe.OE_OK then
    if event.kind == oe.OE_EVENT_FRAME_WANTED then
      local jpeg = assert(io.open(assert(frames()), "rb")):read("*a")
      check(oe.oe_monitor_submit(monitor[0], jpeg, #jpeg, 0))
    elseif event.kind == oe.OE_EVENT_RESULT then
      print(("quality %d score %d"):format(result.print_quality, result.score))
    elseif event.kind == oe.OE_EVENT_WARNING then print("warning")
    elseif event.kind == oe.OE_EVENT_ERROR then print("error: " .. ffi.string(failure.text)) end
  end
end
print("pause")
oe.oe_monitor_free(monitor[0])
oe.oe_client_free(client[0])
oe.oe_options_free(options)
