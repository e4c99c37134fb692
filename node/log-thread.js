'use strict';
// Takes the library's lines on a thread of its own; see log.js.
const { workerData } = require('worker_threads');
const koffi = require('koffi');

const { counts, callbacks, port } = workerData;
const [READY, LIVE] = [0, 1];

koffi.proto('void oe_log_fn(void *, int32_t, const char *)');
koffi.proto('void oe_free_fn(void *)');
const line = koffi.register((number, level, text) => port.postMessage([Number(number), level, text]), 'oe_log_fn *');
const gone = koffi.register((number) => {
  port.postMessage([Number(number)]);
  Atomics.sub(counts, LIVE, 1);
  Atomics.notify(counts, LIVE);
}, 'oe_free_fn *');

callbacks[0] = koffi.address(line);
callbacks[1] = koffi.address(gone);
Atomics.store(counts, READY, 1);
Atomics.notify(counts, READY);
setInterval(() => {}, 2 ** 30); // it ends with the process, and not for want of anything to do
