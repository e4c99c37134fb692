'use strict';
// The library's log lines, for a function in JavaScript. A thread of the library that has a line waits until it is taken; Node's
// own thread may be waiting for just that thread, in close() or at its end. So another thread takes them, which does nothing
// else (log-thread.js), and sends them here.
const path = require('path');
const { MessageChannel, Worker, receiveMessageOnPort } = require('worker_threads');
const { setter } = require('./native.js');

const [READY, LIVE] = [0, 1];
const START_MS = 10000, END_MS = 5000;
const functions = new Map(); // by the number that the library hands back, until it says that it calls no more
const handles = new Set(); // what may log and is not closed
let next = 1;
let thread = null;

function take([number, level, text]) {
  if (level === undefined) functions.delete(number);
  else {
    try {
      functions.get(number)?.(level, text);
    } catch (error) {
      process.emitWarning(error); // nobody has called us who could catch it
    }
  }
}

// Started for the first that wants lines, and never before.
function start() {
  if (thread !== null) return thread;
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const callbacks = new BigUint64Array(new SharedArrayBuffer(16));
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(path.join(__dirname, 'log-thread.js'), {
    workerData: { counts, callbacks, port: port2 }, transferList: [port2], execArgv: [],
  });
  worker.unref();
  if (Atomics.wait(counts, READY, 0, START_MS) === 'timed-out') throw new Error('the thread for the log does not start');
  port1.on('message', take);
  port1.unref();
  // A line that comes when Node has ended would find nobody: what logs ends before, and with it the calls in flight.
  process.on('exit', () => {
    for (const handle of [...handles]) handle.close();
    for (let live; (live = Atomics.load(counts, LIVE)) !== 0;)
      if (Atomics.wait(counts, LIVE, live, END_MS) === 'timed-out') break;
    for (let line; (line = receiveMessageOnPort(port1)) !== undefined;) take(line.message);
  });
  const set = setter('logLevel', 'oe_options_set_log(void *, int32_t, void *, void *, void *)');
  thread = { counts, set, line: callbacks[0], gone: callbacks[1] };
  return thread;
}

function setLog(options, level, log) {
  if (typeof log !== 'function') throw new TypeError('log is not a function');
  const { counts, set, line, gone } = start();
  const number = next++;
  functions.set(number, log);
  Atomics.add(counts, LIVE, 1);
  set(options, level, line, BigInt(number), gone); // which lets go of the number also when it fails
}

module.exports = { handles, setLog };
