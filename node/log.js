'use strict';
// The library's log lines, for a function in JavaScript. It runs on Node's own thread; a thread of the library that has a line
// waits until it has run. So nothing that waits for such a thread may be called on Node's thread: see Handle.close().
const koffi = require('koffi');
const { setter } = require('./native.js');

const functions = new Map(); // by the number that the library hands back as user data, until it says that it calls no more
const clients = new Set();
let next = 1n;
let registered = null;

function onLine(number, level, text) {
  const log = functions.get(number);
  if (log === undefined) return;
  try {
    log(level, text);
  } catch (error) {
    process.emitWarning(error); // it cannot be thrown through C
  }
}

// Two callbacks for all clients, made when the first is needed and never let go of.
function register() {
  if (registered !== null) return registered;
  koffi.proto('void oe_log_fn(void *, int32_t, const char *)');
  koffi.proto('void oe_free_fn(void *)');
  const set = setter('logLevel', 'oe_options_set_log(void *, int32_t, oe_log_fn *, void *, oe_free_fn *)');
  const line = koffi.register(onLine, 'oe_log_fn *');
  const gone = koffi.register((number) => functions.delete(number), 'oe_free_fn *');
  // When Node has ended there is nobody to take a line. Where there is time, nothing of it waits on this thread.
  process.on('beforeExit', () => clients.forEach((client) => client.close()));
  process.on('exit', () => clients.forEach((client) => client._closeNow()));
  registered = { set, line, gone };
  return registered;
}

function setLog(options, level, log) {
  if (typeof log !== 'function') throw new TypeError('log is not a function');
  const { set, line, gone } = register();
  const number = next++;
  functions.set(number, log);
  set(options, level, line, number, gone); // which frees the number, also when it throws
}

module.exports = { clients, setLog };
