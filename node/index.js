'use strict';
// A thin layer over the C library; include/oe_process.h is its manual. Times are milliseconds, as in all of Node.
const {
  NO_EVENT, OeError, away, bind, blank, contextLastError, i32, ms, nothing, oe, qualityText, u32,
} = require('./native.js');

const CANCELLED = 2;
const SAVED_MAX = 8193;
const POLL_MS = 100;

const EventKind = Object.freeze({
  FRAME_WANTED: 1, RESULT: 2, WARNING: 3, PAUSE: 4, ERROR: 5, RECOVERED: 6, CAMERA_STALLED: 7, CAMERA_BACK: 8,
  CONTEXT_RENEWED: 9, LATCHED: 10, STOPPED: 11,
});
const Backend = Object.freeze({ SERVICE: 0, EMBEDDED: 1 });
const Trust = Object.freeze({ BUNDLED: 0, SYSTEM: 1 });

const native = {
  checkKey: oe.func('int32_t oe_client_check_key(void *)'),
  contextCreate: oe.func('int32_t oe_context_create(void *, int32_t, int32_t, _Out_ void **)'),
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
const contextSave = bind('oe_context_save(void *, _Out_ uint8_t *, size_t, _Out_ size_t *)');
const contextInfo = bind('oe_context_info(void *, _Inout_ oe_info *)');
const monitorStart = bind('oe_monitor_start(void *, int32_t, int32_t, uint64_t, _Out_ void **)');
const monitorStartSaved = bind('oe_monitor_start_saved(void *, const char *, uint64_t, _Out_ void **)');
const monitorSubmit = bind('oe_monitor_submit(void *, const uint8_t *, size_t, int64_t)');
const monitorStop = bind('oe_monitor_stop(void *)');
const monitorPause = bind('oe_monitor_pause(void *)');
const monitorResume = bind('oe_monitor_resume(void *)');
const monitorMute = bind('oe_monitor_mute(void *, int32_t)');
const monitorInterval = bind('oe_monitor_set_interval_sec(void *, uint32_t)');
const monitorSave = bind('oe_monitor_save(void *, _Out_ uint8_t *, size_t, _Out_ size_t *)');
const monitorInfo = bind('oe_monitor_info(void *, _Inout_ oe_info *)');
const free = {
  client: oe.func('void oe_client_free(void *)'),
  context: oe.func('void oe_context_free(void *)'),
  monitor: oe.func('void oe_monitor_free(void *)'),
};

const unixMs = (when) => (when === undefined ? 0 : Number(when));

function resultOf(r) {
  return {
    printQuality: r.print_quality,
    qualityText: qualityText(r.print_quality),
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
  constructor(kind, handle) {
    this.#kind = kind;
    this._handle = handle;
  }

  close() {
    const handle = this._handle;
    this._handle = null;
    if (handle !== null) free[this.#kind](handle);
  }
}
if (Symbol.dispose) Handle.prototype[Symbol.dispose] = Handle.prototype.close;

class Client extends Handle {
  constructor(settings) {
    const options = optionsNew(), out = [null];
    const set = (name, type, value) => {
      if (value !== undefined) bind(`oe_options_set_${name}(void *, ${type})`)(options, value);
    };
    try {
      set('api_key', 'const char *', settings.apiKey);
      set('backend', i32, settings.backend);
      set('endpoint', 'const char *', settings.endpoint);
      set('allow_http', i32, settings.allowHttp === undefined ? undefined : Number(settings.allowHttp));
      set('trust', i32, settings.trust);
      set('ca_file', 'const char *', settings.caFile);
      set('proxy', 'const char *', settings.proxy);
      set('timeout_ms', u32, settings.timeoutMs);
      set('connect_timeout_ms', u32, settings.connectTimeoutMs);
      set('interval_sec', u32, settings.intervalSec);
      set('max_frame_age_ms', u32, settings.maxFrameAgeMs);
      set('workers', u32, settings.workers);
      set('user_agent', 'const char *', settings.userAgent);
      set('model_file', 'const char *', settings.modelFile);
      clientNew(options, out);
    } finally {
      optionsFree(options);
    }
    super('client', out[0]);
  }

  async context({ warningConfidence = 0, pauseConfidence = 0 } = {}) {
    const out = [null];
    try {
      await away(native.contextCreate, nothing, this._handle, warningConfidence, pauseConfidence, out);
    } catch (error) {
      if (this._handle !== null) error.retryAfterMs = this.createDueInMs;
      throw error;
    }
    return new Context(out[0]);
  }

  restore(text) {
    const out = [null];
    contextRestore(this._handle, text, out);
    return new Context(out[0]);
  }

  monitor({ tag = 0, warningConfidence = 0, pauseConfidence = 0, saved: text } = {}) {
    const out = [null];
    if (text === undefined) monitorStart(this._handle, warningConfidence, pauseConfidence, tag, out);
    else monitorStartSaved(this._handle, text, tag, out);
    return new Monitor(out[0]);
  }

  // What is there now; never waits.
  nextEvent() {
    const event = blank('oe_event'), result = blank('oe_result'), error = blank('oe_error');
    if (nextEvent(this._handle, 0, event, result, error) === NO_EVENT) return null;
    const kind = event.kind;
    return {
      kind,
      tag: event.tag,
      ageMs: event.age_ms,
      result: [2, 3, 4].includes(kind) ? resultOf(result) : null,
      error: [5, 10, 11].includes(kind) ? new OeError(error) : null,
    };
  }

  // Looks ten times a second, which costs microseconds; ends when the client is closed.
  async *[Symbol.asyncIterator]() {
    while (this._handle !== null) {
      const event = this.nextEvent();
      if (event !== null) yield event;
      else await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
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

  constructor(handle) {
    super('context', handle);
  }

  async process(jpeg, capturedAt) {
    const result = blank('oe_result'), handle = this._handle;
    const read = (failure) => contextLastError(handle, failure);
    await away(native.process, read, handle, jpeg, jpeg.length, unixMs(capturedAt), result);
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
    contextInterval(this._handle, seconds);
  }

  save() {
    return saved(contextSave, this._handle);
  }

  get info() {
    return infoOf(contextInfo, this._handle);
  }
}

class Monitor extends Handle {
  constructor(handle) {
    super('monitor', handle);
  }

  submit(jpeg, capturedAt) {
    monitorSubmit(this._handle, jpeg, jpeg.length, unixMs(capturedAt));
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
    monitorInterval(this._handle, seconds);
  }

  save() {
    return saved(monitorSave, this._handle);
  }

  get info() {
    return infoOf(monitorInfo, this._handle);
  }
}

const versionNumber = oe.func('uint32_t oe_version()');
const buildInfoText = oe.func('size_t oe_build_info(_Out_ uint8_t *, size_t)');

function version() {
  const number = versionNumber();
  return `${number >>> 16}.${(number >>> 8) & 255}.${number & 255}`;
}

function buildInfo() {
  const buffer = Buffer.alloc(512);
  buildInfoText(buffer, buffer.length);
  return buffer.toString('utf8', 0, buffer.indexOf(0));
}

module.exports = { Backend, Client, Context, EventKind, Monitor, OeError, Trust, buildInfo, version };
