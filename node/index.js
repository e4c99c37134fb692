'use strict';
// A thin layer over the C library; include/oe_process.h is its manual. Times are milliseconds, as in all of Node.
const {
  NO_EVENT, OeError, away, bind, blank, bytesOf, contextLastError, i32, i32Of, ms, nothing, oe, qualityLevel, qualityText,
  setter, textOf, u16Of, u32, u32Of,
} = require('./native.js');
const { handles, setLog } = require('./log.js');

const CANCELLED = 2;
const SAVED_MAX = 8193;
const POLL_MS = 100;

const EventKind = Object.freeze({
  FRAME_WANTED: 1, RESULT: 2, WARNING: 3, PAUSE: 4, ERROR: 5, RECOVERED: 6, CAMERA_STALLED: 7, CAMERA_BACK: 8,
  CONTEXT_RENEWED: 9, LATCHED: 10, STOPPED: 11,
});
const Backend = Object.freeze({ SERVICE: 0, EMBEDDED: 1 });
const Feature = Object.freeze({ EMBEDDED: 1, TLS: 2, EVENT_FD: 3, MONITOR: 4 });
const QualityLevel = Object.freeze({ UNKNOWN: 0, GOOD: 1, WATCH: 2, BAD: 3 });
const LogLevel = Object.freeze({ ERROR: 1, WARN: 2, INFO: 3, DEBUG: 4, TRACE: 5 });
const Trust = Object.freeze({ BUNDLED: 0, SYSTEM: 1 });

const native = {
  checkKey: oe.func('int32_t oe_client_check_key(void *)'),
  contextCreate: oe.func('int32_t oe_context_create_with(void *, const oe_print_options *, _Out_ void **)'),
  renew: oe.func('int32_t oe_context_renew(void *)'),
  process: oe.func('int32_t oe_process_jpeg_at(void *, const uint8_t *, size_t, int64_t, _Inout_ oe_result *)'),
};
const optionsNew = oe.func('void *oe_options_new()');
const optionsFree = oe.func('void oe_options_free(void *)');
const clientNew = bind('oe_client_new(void *, _Out_ void **)');
const clientCancel = bind('oe_client_cancel(void *)');
const clientClearLatch = bind('oe_client_clear_latch(void *)');
const clientCreateDue = bind('oe_client_create_due_in_ms(void *, _Out_ uint32_t *)');
const clientUsage = bind('oe_client_usage(void *, _Inout_ oe_usage *)');
const nextEvent = bind(
  'oe_client_next_event(void *, uint32_t, _Inout_ oe_event *, _Inout_ oe_result *, _Inout_ oe_error *)');
const contextRestore = bind('oe_context_restore(void *, const char *, _Out_ void **)');
const contextCancel = bind('oe_context_cancel(void *)');
const contextDue = bind('oe_context_due_in_ms(void *, _Out_ uint32_t *)');
const contextInterval = bind('oe_context_set_interval_sec(void *, uint32_t)');
const contextConfidence = setter('confidence', 'oe_context_set_confidence(void *, int32_t, int32_t)');
const contextSave = bind('oe_context_save(void *, _Out_ uint8_t *, size_t, _Out_ size_t *)');
const contextInfo = bind('oe_context_info(void *, _Inout_ oe_info *)');
const monitorStart = bind('oe_monitor_start_with(void *, const oe_print_options *, uint64_t, _Out_ void **)');
const monitorStartSaved = bind('oe_monitor_start_saved(void *, const char *, uint64_t, _Out_ void **)');
const monitorSubmit = bind('oe_monitor_submit(void *, const uint8_t *, size_t, int64_t)');
const monitorStop = bind('oe_monitor_stop(void *)');
const monitorPause = bind('oe_monitor_pause(void *)');
const monitorResume = bind('oe_monitor_resume(void *)');
const monitorMute = bind('oe_monitor_mute(void *, int32_t)');
const monitorInterval = bind('oe_monitor_set_interval_sec(void *, uint32_t)');
const monitorConfidence = setter('confidence', 'oe_monitor_set_confidence(void *, int32_t, int32_t)');
const monitorSave = bind('oe_monitor_save(void *, _Out_ uint8_t *, size_t, _Out_ size_t *)');
const monitorInfo = bind('oe_monitor_info(void *, _Inout_ oe_info *)');
const free = {
  client: oe.func('void oe_client_free(void *)'),
  context: oe.func('void oe_context_free(void *)'),
  monitor: oe.func('void oe_monitor_free(void *)'),
};

const text = 'const char *';
const settings = {};
for (const [name, type, of, inC] of [
  ['apiKey', text, textOf, 'api_key'], ['backend', i32, i32Of, 'backend'], ['endpoint', text, textOf, 'endpoint'],
  ['allowHttp', i32, (name, value) => i32Of(name, Number(value)), 'allow_http'], ['trust', i32, i32Of, 'trust'],
  ['caFile', text, textOf, 'ca_file'], ['proxy', text, textOf, 'proxy'], ['timeoutMs', u32, u32Of, 'timeout_ms'],
  ['connectTimeoutMs', u32, u32Of, 'connect_timeout_ms'], ['intervalSec', u32, u32Of, 'interval_sec'],
  ['maxFrameAgeMs', u32, u32Of, 'max_frame_age_ms'], ['workers', u32, u32Of, 'workers'],
  ['userAgent', text, textOf, 'user_agent'], ['modelFile', text, textOf, 'model_file'],
  ['pictureMemoryMb', u32, u32Of, 'picture_memory_mb'],
]) settings[name] = { of, set: setter(name, `oe_options_set_${inC}(void *, ${type})`) };

const setResolve = setter('resolve', `oe_options_set_resolve(void *, ${text}, ${text})`);

// What is not given, and a string that is empty, is not set. A name that is none would be a setting that is lost.
function setAll(options, { log, logLevel = LogLevel.INFO, resolve, ...given }) {
  for (const [host, addresses] of Object.entries(resolve ?? {}))
    setResolve(options, textOf('resolve', host), textOf('resolve', addresses));
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(settings, name)) throw new TypeError(`there is no setting ${name}`);
    const { of, set } = settings[name];
    if (value !== undefined && value !== null && value !== '') set(options, of(name, value));
  }
  if (log !== undefined && log !== null) setLog(options, i32Of('logLevel', logLevel), log);
}

// The options of a print for C. More regions than there is room for are counted, and refused there.
const MOST_REGIONS = 8;
function printOptions({ warningConfidence = 0, pauseConfidence = 0, intervalSec = 0, ignore = [], replay = false }) {
  const regions = Array.from(ignore, (region) => {
    const { x, y, width, height } = region;
    return { x: u16Of('x', x), y: u16Of('y', y), width: u16Of('width', width), height: u16Of('height', height) };
  });
  const count = regions.length;
  while (regions.length < MOST_REGIONS) regions.push({ x: 0, y: 0, width: 0, height: 0 });
  return {
    ...blank('oe_print_options'),
    warning_confidence: i32Of('warningConfidence', warningConfidence),
    pause_confidence: i32Of('pauseConfidence', pauseConfidence),
    interval_sec: u32Of('intervalSec', intervalSec),
    ignore_count: count,
    flags: replay ? 1 : 0,
    ignore: regions.slice(0, MOST_REGIONS),
  };
}

const unixMs = (when) => (when === undefined ? 0 : Number(when));

function resultOf(r) {
  return {
    printQuality: r.print_quality,
    qualityText: qualityText(r.print_quality),
    qualityLevel: qualityLevel(r.print_quality),
    score: r.score < 0 ? null : r.score,
    warningSuggested: r.warning_suggested !== 0,
    pauseSuggested: r.pause_suggested !== 0,
    fasterInspectionSuggested: r.faster_inspection_suggested !== 0,
    minimumIntervalSec: r.minimum_interval_sec,
    recommendedIntervalSec: r.recommended_interval_sec,
    nextDueMs: ms(r.next_due_ms),
    flags: r.flags,
    warningEdge: (r.flags & 1) !== 0,
    pauseEdge: (r.flags & 2) !== 0,
    latencyMs: r.latency_ms,
    frameAgeMs: r.frame_age_ms,
    place: r.place.width === 0 ? null : { x: r.place.x, y: r.place.y, width: r.place.width, height: r.place.height },
  };
}

function infoOf(call, handle) {
  const i = blank('oe_info');
  call(handle, i);
  return {
    usingFallback: i.using_fallback !== 0,
    failuresInARow: i.failures_in_a_row,
    lastQuality: i.last_quality || null,
    ageSec: i.age_sec,
    calls: i.calls,
    lastStatus: i.last_status,
    dueInMs: ms(i.due_in_ms),
  };
}

function saved(call, handle) {
  const buffer = Buffer.alloc(SAVED_MAX), needed = [0];
  call(handle, buffer, buffer.length, needed);
  return buffer.toString('utf8', 0, Number(needed[0]));
}

// Something of the library's, freed once; using it afterwards throws OE_ERR_HANDLE.
class Handle {
  #kind;
  constructor(kind, handle, logs) {
    this.#kind = kind;
    this._handle = handle;
    this._logs = logs;
    if (logs) handles.add(this);
  }

  close() {
    const handle = this._handle;
    this._handle = null;
    handles.delete(this);
    if (handle !== null) free[this.#kind](handle);
  }
}
if (Symbol.dispose) Handle.prototype[Symbol.dispose] = Handle.prototype.close;

class Client extends Handle {
  #cancels = 0;
  #wakes = new Set();

  constructor(settings = {}) {
    const options = optionsNew(), out = [null];
    try {
      setAll(options, settings);
      clientNew(options, out);
    } finally {
      optionsFree(options);
    }
    super('client', out[0], typeof settings.log === 'function');
  }

  close() {
    super.close();
    this.#wake();
  }

  // Whoever waits for an event looks up.
  #wake() {
    for (const wake of [...this.#wakes]) wake();
  }

  async context(print = {}) {
    const out = [null];
    try {
      await away(native.contextCreate, nothing, this._handle, printOptions(print), out);
    } catch (error) {
      if (this._handle !== null && error instanceof OeError) error.retryAfterMs = this.createDueInMs;
      throw error;
    }
    return new Context(out[0], this._logs);
  }

  restore(saved) {
    const out = [null];
    contextRestore(this._handle, textOf('saved', saved), out);
    return new Context(out[0], this._logs);
  }

  monitor({ tag = 0, saved, ...print } = {}) {
    const out = [null], number = BigInt(tag); // which takes whole numbers only
    if (number < 0n || number >= 2n ** 64n) throw new RangeError('the tag is not within 0 to 2n ** 64n - 1n');
    if (saved === undefined) {
      monitorStart(this._handle, printOptions(print), number, out);
    } else {
      monitorStartSaved(this._handle, textOf('saved', saved), number, out);
    }
    return new Monitor(out[0], this._logs);
  }

  // What is there now; never waits.
  nextEvent() {
    const event = blank('oe_event'), result = blank('oe_result'), error = blank('oe_error');
    if (nextEvent(this._handle, 0, event, result, error) === NO_EVENT) return null;
    const kind = event.kind;
    return {
      kind,
      tag: event.tag,
      status: event.status,
      ageMs: event.age_ms,
      result: [2, 3, 4].includes(kind) ? resultOf(result) : null,
      error: [5, 10, 11].includes(kind) ? new OeError(error) : null,
    };
  }

  // Looks ten times a second, which costs microseconds; ends when the client is closed or cancelled.
  async *[Symbol.asyncIterator]() {
    const cancels = this.#cancels;
    while (this._handle !== null && this.#cancels === cancels) {
      const event = this.nextEvent();
      if (event !== null) yield event;
      else await this.#moment();
    }
  }

  #moment() {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, POLL_MS);
      this.#wakes.add(wake);
    });
  }

  get createDueInMs() {
    const out = [0];
    clientCreateDue(this._handle, out);
    return ms(out[0]);
  }

  checkKey() {
    return away(native.checkKey, nothing, this._handle);
  }

  clearLatch() {
    clientClearLatch(this._handle);
  }

  cancel() {
    this.#cancels += 1;
    this.#wake();
    clientCancel(this._handle);
  }

  get usage() {
    const u = blank('oe_usage');
    clientUsage(this._handle, u);
    return {
      contexts: u.contexts, processed: u.processed, possiblyBilled: u.possibly_billed, failed: u.failed,
      creates: u.creates, bytesSent: u.bytes_sent, bytesReceived: u.bytes_received, latched: u.latched,
    };
  }
}

class Context extends Handle {
  #waits = new Set();

  constructor(handle, logs) {
    super('context', handle, logs);
  }

  async process(jpeg, capturedAt) {
    const result = blank('oe_result'), handle = this._handle, bytes = bytesOf(jpeg);
    const read = (failure) => contextLastError(handle, failure);
    await away(native.process, read, handle, bytes, bytes.length, unixMs(capturedAt), result);
    return resultOf(result);
  }

  get dueInMs() {
    const out = [0];
    contextDue(this._handle, out);
    return ms(out[0]);
  }

  // By timers: no thread of the pool waits. Looks again each second, as what is due may change.
  async waitDue() {
    for (let due; (due = this.dueInMs) !== 0;) {
      await new Promise((resolve, reject) => {
        const end = (settle, value) => {
          clearTimeout(timer);
          this.#waits.delete(cancel);
          settle(value);
        };
        const cancel = () => end(reject, new OeError({ status: CANCELLED }));
        const timer = setTimeout(() => end(resolve), Math.min(due, 1000));
        this.#waits.add(cancel);
      });
    }
  }

  cancel() {
    for (const cancel of [...this.#waits]) cancel();
    contextCancel(this._handle);
  }

  renew() {
    const handle = this._handle;
    return away(native.renew, (failure) => contextLastError(handle, failure), handle);
  }

  setInterval(seconds) {
    contextInterval(this._handle, u32Of('the interval', seconds));
  }

  setConfidence(warning, pause) {
    contextConfidence(this._handle, i32Of('warning', warning), i32Of('pause', pause));
  }

  save() {
    return saved(contextSave, this._handle);
  }

  get info() {
    return infoOf(contextInfo, this._handle);
  }
}

class Monitor extends Handle {
  constructor(handle, logs) {
    super('monitor', handle, logs);
  }

  submit(jpeg, capturedAt) {
    const bytes = bytesOf(jpeg);
    monitorSubmit(this._handle, bytes, bytes.length, unixMs(capturedAt));
  }

  stop() {
    monitorStop(this._handle);
  }

  pause() {
    monitorPause(this._handle);
  }

  resume() {
    monitorResume(this._handle);
  }

  mute(muted = true) {
    monitorMute(this._handle, Number(muted));
  }

  setInterval(seconds) {
    monitorInterval(this._handle, u32Of('the interval', seconds));
  }

  setConfidence(warning, pause) {
    monitorConfidence(this._handle, i32Of('warning', warning), i32Of('pause', pause));
  }

  save() {
    return saved(monitorSave, this._handle);
  }

  get info() {
    return infoOf(monitorInfo, this._handle);
  }
}

const hasFeature = oe.func('int32_t oe_has(int32_t)');
const versionNumber = oe.func('uint32_t oe_version()');
const buildInfoText = oe.func('size_t oe_build_info(_Out_ uint8_t *, size_t)');

function version() {
  const number = versionNumber();
  return `${number >>> 16}.${(number >>> 8) & 255}.${number & 255}`;
}

function has(feature) {
  return hasFeature(i32Of('feature', feature)) === 1;
}

function buildInfo() {
  const buffer = Buffer.alloc(512);
  buildInfoText(buffer, buffer.length);
  return buffer.toString('utf8', 0, buffer.indexOf(0));
}

module.exports = {
  Backend, Client, Context, EventKind, Feature, LogLevel, Monitor, OeError, QualityLevel, Trust, buildInfo, has, version,
};
