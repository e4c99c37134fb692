// Watches a print through koffi: node watch.js LIBRARY HEADER ENDPOINT FRAMES_DIR
const fs = require('fs'), path = require('path'), koffi = require('koffi');
const OE_OK = 0;
const OE_EVENT_FRAME_WANTED = 1, OE_EVENT_RESULT = 2, OE_EVENT_WARNING = 3, OE_EVENT_PAUSE = 4, OE_EVENT_ERROR = 5;
const [library, , endpoint, folder] = process.argv.slice(2), oe = koffi.load(library);
const i32 = 'int32_t', u32 = 'uint32_t', statusText = oe.func('const char *oe_status_text(int32_t)');
koffi.struct('Event', { struct_size: u32, kind: i32, tag: 'uint64_t', status: i32, age_ms: u32 });
koffi.struct('Result', { struct_size: u32, print_quality: i32, score: i32 }); // the others are not needed here
koffi.struct('Failure', { struct_size: u32, status: i32, http_status: i32, retry_after_ms: u32,
  error_type: 'char [64]', text: 'char [256]' });
function bind(prototype) { // a function of the library whose status is checked
  const call = oe.func('int32_t ' + prototype);
  return (...values) => { const s = call(...values); if (s < OE_OK) throw Error(statusText(s)); return s; };
}
const nextEvent = bind('oe_client_next_event(void *, uint32_t, _Inout_ Event *, _Inout_ Result *, _Inout_ Failure *)');
const submit = bind('oe_monitor_submit(void *, const uint8_t *, size_t, int64_t)');
const options = oe.func('void *oe_options_new()')(), client = [null], monitor = [null];
bind('oe_options_set_api_key(void *, const char *)')(options, process.env.OE_API_KEY);
bind('oe_options_set_endpoint(void *, const char *)')(options, endpoint);
bind('oe_options_set_allow_http(void *, int32_t)')(options, 1);
bind('oe_options_set_interval_sec(void *, uint32_t)')(options, 5);
bind('oe_client_new(void *, _Out_ void **)')(options, client);
bind('oe_monitor_start(void *, int32_t, int32_t, uint64_t, _Out_ void **)')(client[0], 0, 0, 1, monitor);
const [event, result, failure] = ['Event', 'Result', 'Failure'].map((type) => ({ struct_size: koffi.sizeof(type) }));
const names = fs.readdirSync(folder).filter((name) => name.endsWith('.jpg')).sort();
const timer = setInterval(() => { // looks what is there and never waits: the event loop stays free
  while (nextEvent(client[0], 0, event, result, failure) === OE_OK) {
    if (event.kind === OE_EVENT_FRAME_WANTED) {
      names.push(names.shift());
      const jpeg = fs.readFileSync(path.join(folder, names.at(-1)));
      submit(monitor[0], jpeg, jpeg.length, 0);
    } else if (event.kind === OE_EVENT_RESULT) console.log(`quality ${result.print_quality} score ${result.score}`);
    else if (event.kind === OE_EVENT_WARNING) console.log('warning');
    else if (event.kind === OE_EVENT_ERROR) console.log('error: ' + failure.text);
    else if (event.kind === OE_EVENT_PAUSE) { console.log('pause'); clearInterval(timer); }
  }
  if (event.kind !== OE_EVENT_PAUSE) return;
  for (const [kind, handle] of [['monitor', monitor[0]], ['client', client[0]], ['options', options]])
    oe.func(`void oe_${kind}_free(void *)`)(handle);
}, 250);
