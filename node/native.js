'use strict';
// The C library: where it is, its structures, and how its functions are called.
const fs = require('fs');
const path = require('path');
const { isAnyArrayBuffer } = require('util').types;
const koffi = require('koffi');

const NEVER = 0xffffffff;
const NO_EVENT = 3;

function hasGlibc() {
  // Without the network's part, for which a report asks the resolver about every open socket.
  const before = process.report.excludeNetwork;
  process.report.excludeNetwork = true;
  const { header } = process.report.getReport();
  process.report.excludeNetwork = before;
  return Boolean(header.glibcVersionRuntime);
}

// What the environment names comes first, then what the package brought, then what is installed.
function load() {
  const windows = process.platform === 'win32';
  const musl = process.platform === 'linux' && !hasGlibc();
  const folder = `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
  const inside = path.join(__dirname, 'lib', folder, windows ? 'oe_process.dll' : 'liboe_process.so');
  const named = process.env.OE_PROCESS_LIBRARY;
  const file = named || (fs.existsSync(inside) ? inside : windows ? 'oe_process.dll' : 'liboe_process.so.0');
  try {
    return koffi.load(file);
  } catch (cause) {
    let text = `oe-process has no library for ${folder}, and none is installed: name one in OE_PROCESS_LIBRARY`;
    if (named) text = `OE_PROCESS_LIBRARY names ${file}, which cannot be loaded`;
    else if (/\.asar([\\/]|$)/.test(__dirname))
      text = 'oe-process lies inside an archive, and no library can be loaded out of one: have it unpacked (asarUnpack)';
    else if (file === inside) text = `${file} cannot be loaded here`;
    throw new Error(`${text} (${cause.message})`, { cause });
  }
}

const oe = load();
const u16 = 'uint16_t', i32 = 'int32_t', u32 = 'uint32_t', u64 = 'uint64_t';
koffi.struct('oe_region', { x: u16, y: u16, width: u16, height: u16 });
const types = {
  oe_error: { status: i32, http_status: i32, retry_after_ms: u32, error_type: 'char [64]', text: 'char [256]' },
  oe_usage: { contexts: u32, processed: u64, possibly_billed: u64, failed: u64, creates: u64, bytes_sent: u64,
    bytes_received: u64, latched: i32, reserved: u32 },
  oe_info: { using_fallback: i32, failures_in_a_row: u32, last_quality: i32, age_sec: u64, calls: u64,
    last_status: i32, due_in_ms: u32 },
  oe_result: { print_quality: i32, score: i32, warning_suggested: i32, pause_suggested: i32,
    faster_inspection_suggested: i32, minimum_interval_sec: u32, recommended_interval_sec: u32, next_due_ms: u32,
    flags: u32, latency_ms: u32, frame_age_ms: u32, place: 'oe_region' },
  oe_print_options: { warning_confidence: i32, pause_confidence: i32, interval_sec: u32, ignore_count: u32, flags: u32,
    ignore: koffi.array('oe_region', 8, 'Array') },
  oe_event: { kind: i32, tag: u64, status: i32, age_ms: u32 },
};
for (const [name, members] of Object.entries(types)) koffi.struct(name, { struct_size: u32, ...members });
const blank = (name) => ({ struct_size: koffi.sizeof(name) });

const statusName = oe.func('const char *oe_status_name(int32_t)');
const statusText = oe.func('const char *oe_status_text(int32_t)');
const isRetryable = oe.func('int32_t oe_status_is_retryable(int32_t)');
const qualityLevel = oe.func('int32_t oe_quality_level(int32_t)');
const qualityText = oe.func('const char *oe_quality_text(int32_t)');
const lastError = oe.func('int32_t oe_last_error(_Inout_ oe_error *)');
const contextLastError = oe.func('int32_t oe_context_last_error(void *, _Inout_ oe_error *)');

const ms = (value) => (value === NEVER ? Infinity : value);

// A text of the library's, which speaks of C, in the words of this package. The codes are the same.
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const inNode = (text) => text
  .replace(/\boe_options_set_(\w+)(\(\))?/g, (_, name) => `new Client({ ${camel(name)} })`)
  .replace(/\boe_(client|context|monitor)_(\w+)(\(\))?/g, (_, kind, name) => `${kind}.${camel(name)}()`)
  .replace(/\b(api_key|allow_http|ca_file|user_agent|model_file)\b/g, camel);

class OeError extends Error {
  constructor(failure, setting) {
    const text = inNode(failure.text || statusText(failure.status));
    super(`${statusName(failure.status)}: ${setting === undefined ? '' : setting + ': '}${text}`);
    this.name = 'OeError';
    this.status = failure.status;
    this.code = statusName(failure.status);
    this.httpStatus = failure.http_status || 0;
    this.retryAfterMs = failure.retry_after_ms === undefined ? null : ms(failure.retry_after_ms);
    this.errorType = failure.error_type || '';
    this.retryable = isRetryable(failure.status) !== 0;
  }
}

function failed(status, read, setting) {
  const failure = blank('oe_error');
  read(failure);
  return new OeError(failure.status === status ? failure : { status }, setting);
}

// A function of the library whose status is checked. The last error is of the thread that calls, which is this one.
function bind(prototype) {
  return setter(undefined, prototype);
}

// The same of a function that sets what is called so here.
function setter(setting, prototype) {
  const call = oe.func('int32_t ' + prototype);
  return (...values) => {
    const status = call(...values);
    if (status !== 0 && status !== NO_EVENT) throw failed(status, lastError, setting);
    return status;
  };
}

// What goes to C, checked here: there a string ends at its first NUL, and a number is cut to its bits.
function textOf(name, value) {
  if (typeof value !== 'string') throw new TypeError(`${name} is not a string`);
  if (value.includes('\0')) throw new TypeError(`${name} holds a null character`);
  return value;
}

// One that does not fit becomes what is refused everywhere.
function numberOf(name, value, lowest, highest, refused) {
  if (typeof value !== 'number') throw new TypeError(`${name} is not a number`);
  return Number.isInteger(value) && value >= lowest && value <= highest ? value : refused;
}
const i32Of = (name, value) => numberOf(name, value, -(2 ** 31), 2 ** 31 - 1, -1);
const u32Of = (name, value) => numberOf(name, value, 0, NEVER, NEVER);
const u16Of = (name, value) => numberOf(name, value, 0, 65535, 65535);

// A picture where it lies: a part of a larger buffer is that part.
function bytesOf(data) {
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (isAnyArrayBuffer(data)) return Buffer.from(data);
  throw new TypeError('the picture is in no Buffer, typed array, DataView or ArrayBuffer');
}

// A call that goes to the network, on a thread of Node's pool. That thread's last error is not this one's to read: `read` gets
// that of the handle, where it keeps one.
const nothing = () => {};
function away(call, read, ...values) {
  return new Promise((resolve, reject) => {
    call.async(...values, (broken, status) => {
      values.length = 0; // until here they are held, and with them the picture
      if (broken) reject(broken);
      else if (status !== 0) reject(failed(status, read));
      else resolve();
    });
  });
}

module.exports = {
  NO_EVENT, OeError, away, bind, blank, bytesOf, contextLastError, i32, i32Of, ms, nothing, oe, qualityLevel, qualityText,
  setter, textOf, u16Of, u32, u32Of,
};
