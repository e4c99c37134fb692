'use strict';
// The installed package against a service: OE_TEST_ENDPOINT, with the verdicts good, good, warning, pause; OE_TEST_FRAME a picture.
const assert = require('assert');
const { execFile } = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');
const test = require('node:test');
const { promisify } = require('util');
const { Backend, Client, EventKind, Feature, LogLevel, OeError, QualityLevel, buildInfo, has, version } = require('oe-process');

const run = promisify(execFile);
const soon = (ms = 200) => new Promise((resolve) => setTimeout(resolve, ms));

const frame = fs.readFileSync(process.env.OE_TEST_FRAME);
const client = (more) =>
  new Client({ apiKey: 'SECRETKEY', endpoint: process.env.OE_TEST_ENDPOINT, allowHttp: true, intervalSec: 5, ...more });

test('a verdict and what follows', async () => {
  const account = client();
  const print = await account.context({ warningConfidence: 1, pauseConfidence: 5 });
  assert.strictEqual(print.dueInMs, 0);
  const result = await print.process(frame);
  assert.deepStrictEqual([result.printQuality, result.score, result.pauseEdge], [9, 4, false]);
  await assert.rejects(print.process(frame), { code: 'OE_NOT_DUE', retryAfterMs: null });
  assert.ok(print.dueInMs > 0 && print.dueInMs <= result.nextDueMs);
  assert.deepStrictEqual([print.info.calls, print.info.lastQuality], [1, 9]);
  const text = print.save();
  assert.ok(!text.includes('SECRETKEY'));
  const again = account.restore(text);
  await assert.rejects(again.process(frame), { code: 'OE_NOT_DUE' });
  const wait = print.waitDue();
  setTimeout(() => print.cancel(), 100);
  await assert.rejects(wait, { code: 'OE_CANCELLED' });
  assert.strictEqual(account.usage.processed, 1);
  for (const handle of [again, print, account]) handle.close();
  assert.throws(() => print.info, { code: 'OE_ERR_HANDLE' });
});

test('errors say who has to act', async () => {
  assert.throws(() => new Client({}), { code: 'OE_ERR_ARGUMENT', retryable: false });
  const account = client();
  const print = await account.context();
  await assert.rejects(print.process(Buffer.from('GIF89a')), { code: 'OE_ERR_NOT_JPEG', retryable: false });
  print.close();
  account.close();
  const nobody = client({ endpoint: 'http://127.0.0.1:1' });
  await assert.rejects(nobody.context(), (error) => error instanceof OeError && error.code === 'OE_ERR_CONNECT' && error.retryable &&
    error.retryAfterMs > 0 && error.retryAfterMs < Infinity);
  nobody.close();
});

test('what is set for one print', async () => {
  const account = client(), corner = { x: 0, y: 0, width: 100, height: 100 };
  const print = await account.context({ warningConfidence: 2, pauseConfidence: 5, intervalSec: 33 });
  const result = await print.process(frame);
  assert.ok(result.nextDueMs > 32000 && result.nextDueMs <= 33000);
  assert.deepStrictEqual([result.place, result.qualityLevel], [null, QualityLevel.GOOD]);
  print.setConfidence(1, 1);
  assert.throws(() => print.setConfidence(1, 6), { message: /^OE_ERR_ARGUMENT: confidence: / });
  for (const [code, more] of [
    ['OE_ERR_UNSUPPORTED', { ignore: [corner] }], ['OE_ERR_UNSUPPORTED', { replay: true }],
    ['OE_ERR_ARGUMENT', { ignore: Array(9).fill(corner) }], ['OE_ERR_ARGUMENT', { ignore: [{ ...corner, width: 65536 + 5 }] }],
    ['OE_ERR_ARGUMENT', { ignore: [{ ...corner, width: 1000, height: 1000 }] }], ['OE_ERR_ARGUMENT', { intervalSec: 2 ** 32 + 5 }],
  ]) {
    await assert.rejects(account.context(more), { code });
    assert.throws(() => account.monitor(more), { code: more.replay ? 'OE_ERR_ARGUMENT' : code });
  }
  const monitor = account.monitor({ intervalSec: 40 });
  monitor.setConfidence(3, 3);
  monitor.stop();
  assert.throws(() => monitor.setConfidence(3, 3), { code: 'OE_ERR_CLOSED' });
  for (const handle of [monitor, print, account]) handle.close();
});

test('a print is played for the engine', { timeout: 60000 }, async () => {
  assert.ok(has(Feature.EMBEDDED));
  const folder = path.dirname(process.env.OE_TEST_FRAME);
  const frames = fs.readdirSync(folder).filter((name) => name.startsWith('frame-')).sort();
  const played = [...frames.filter((_, n) => n % 2 === 0), ...Array(6).fill(frames.slice(-2)).flat()];
  const account = new Client({ backend: Backend.EMBEDDED }), print = await account.context({ replay: true }), results = [];
  for (const [n, name] of played.entries()) {
    results.push(await print.process(fs.readFileSync(path.join(folder, name)), 1.7e12 + 20000 * n));
  }
  assert.ok(results[0].printQuality >= 6 && results.at(-1).printQuality <= 3);
  assert.deepStrictEqual(['warningEdge', 'pauseEdge'].map((edge) => results.filter((result) => result[edge]).length), [1, 1]);
  assert.deepStrictEqual([account.usage.bytesSent, account.usage.bytesReceived].map(Number), [0, 0]);
  for (const handle of [print, account]) handle.close();
});

test('a name that is not looked up, no key, and what a service of ones own sees', { timeout: 60000 }, async () => {
  const said = { Place: [250, 500, 125, 400] };
  const service = http.createServer((request, response) => {
    request.resume().on('end', () => {
      const base = `http://printer.invalid:${service.address().port}`;
      response.end(JSON.stringify({
        ContextId: 'C', ProcessRequestUrl: `${base}/p`, FallbackProcessRequestUrl: `${base}/f`, NextProcessIntervalSec: 20,
        PrintQuality: 2, WarningSuggested: false, PauseSuggested: false, key: request.headers['x-api-key'], ...said,
      }));
    });
  });
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://printer.invalid:${service.address().port}`, allowHttp = true;
  const wrong = { endpoint, allowHttp, resolve: { 'printer.invalid': 'x' } };
  assert.throws(() => new Client(wrong), { message: /^OE_ERR_ARGUMENT: resolve: / });
  const account = new Client({ endpoint, allowHttp, resolve: { 'printer.invalid': '127.0.0.1' } });
  const print = await account.context(), result = await print.process(frame);
  assert.deepStrictEqual([result.place, result.qualityLevel], [{ x: 250, y: 500, width: 125, height: 400 }, QualityLevel.BAD]);
  said.Blind = true;
  const dark = await account.context();
  await assert.rejects(dark.process(frame), { code: 'OE_BLIND', status: 4, retryable: true });
  assert.ok(dark.dueInMs > 19000 && dark.info.lastStatus === 4);
  for (const handle of [dark, print, account]) handle.close();
  service.closeAllConnections?.();
  service.close();
  assert.ok(has(Feature.MONITOR) && !has(0));
});

test('an event says why', { timeout: 60000 }, async () => {
  const nobody = client({ endpoint: 'http://127.0.0.1:1' }), monitor = nobody.monitor();
  for await (const event of nobody) {
    assert.strictEqual(event.status, event.error === null ? 0 : event.error.status);
    if (event.kind === EventKind.ERROR) break;
  }
  monitor.close();
  nobody.close();
});

test('an iterator sees a print fail', { timeout: 60000 }, async () => {
  const account = client(), print = account.monitor({ tag: 7 }), seen = [];
  for await (const event of account) {
    assert.strictEqual(event.tag, 7);
    if (event.kind === EventKind.FRAME_WANTED)
      print.submit(Buffer.concat([frame.subarray(0, 2), Buffer.from([0xff, 0xfe, 0, 3, seen.length]), frame.subarray(2)]));
    else if (event.kind === EventKind.RESULT) seen.push(event.result.printQuality);
    else seen.push(-event.kind);
    if (event.kind === EventKind.PAUSE) break;
  }
  assert.deepStrictEqual(seen, [9, 9, 3, -EventKind.WARNING, 1, -EventKind.PAUSE]);
  print.close();
  account.close();
});

test('errors are in the words of Node', () => {
  const wrong = {
    apiKey: 'a b', endpoint: '127.0.0.1:8674', caFile: '/no/such/file', proxy: 'socks5://x', userAgent: 'a\tb', backend: 7,
    allowHttp: 'yes', trust: 9, timeoutMs: 999, connectTimeoutMs: 0, intervalSec: 1209601, workers: 0, pictureMemoryMb: 3, maxFrameAgeMs: 3600001,
    logLevel: 9,
  };
  for (const [name, value] of Object.entries(wrong)) {
    assert.throws(() => new Client({ apiKey: 'k', log: () => {}, [name]: value }), (error) => {
      assert.match(error.message, new RegExp(`^OE_ERR_ARGUMENT: ${name}: `));
      assert.doesNotMatch(error.message, /oe_|[a-z]_[a-z]/);
      return error.code === 'OE_ERR_ARGUMENT';
    });
  }
  assert.throws(() => new Client(), { message: /^OE_ERR_ARGUMENT: .*new Client\(\{ apiKey \}\)/ });
  assert.throws(() => new Client({ apiKey: 'k', endpoint: 'http://127.0.0.1:1' }), { message: /set allowHttp/ });
});

test('what is not set, misspelt or cut', () => {
  const empty = Object.fromEntries(['endpoint', 'caFile', 'proxy', 'userAgent', 'modelFile'].map((name) => [name, '']));
  new Client({ apiKey: 'k', ...empty, trust: null, workers: undefined }).close();
  assert.throws(() => new Client({ apiKey: '' }), { message: /needs an API key/ });
  // With an endpoint that is lost the key would go to the hosted service.
  assert.throws(() => new Client({ apiKey: 'k', endPoint: 'http://127.0.0.1:1' }), { name: 'TypeError', message: /endPoint/ });
  assert.throws(() => new Client({ apiKey: 'k', toString: 'x' }), TypeError);
  for (const name of ['apiKey', 'endpoint', 'caFile', 'proxy', 'userAgent', 'modelFile']) {
    assert.throws(() => new Client({ apiKey: 'k', [name]: 'https://x\0y' }), { message: `${name} holds a null character` });
    assert.throws(() => new Client({ apiKey: 'k', [name]: 5 }), { message: `${name} is not a string` });
  }
  const cut = { workers: 2 ** 32 + 4, intervalSec: 2 ** 32 + 5, timeoutMs: 2 ** 32 + 60000, trust: 2 ** 32, maxFrameAgeMs: 0.5 };
  for (const [name, value] of Object.entries(cut))
    assert.throws(() => new Client({ apiKey: 'k', [name]: value }), { code: 'OE_ERR_ARGUMENT' });
  assert.throws(() => new Client({ apiKey: 'k', workers: '4' }), { message: 'workers is not a number' });
  const account = client();
  for (const tag of [-1, 2n ** 64n, 0.5]) assert.throws(() => account.monitor({ tag }), RangeError);
  assert.throws(() => account.monitor({ warningConfidence: 2 ** 32 + 1 }), { code: 'OE_ERR_ARGUMENT' });
  assert.throws(() => account.restore('x\0'), { message: 'saved holds a null character' });
  account.close();
});

test('a picture is taken from whatever holds it', async () => {
  const account = client(), whole = new Uint8Array(frame).buffer, shared = new SharedArrayBuffer(frame.length);
  new Uint8Array(shared).set(frame);
  const larger = new Uint8Array(frame.length + 7);
  larger.set(frame, 5);
  const even = new Uint8Array(frame.length + frame.length % 2);
  even.set(frame);
  const pictures = {
    Buffer: frame, Uint8Array: new Uint8Array(whole), ArrayBuffer: whole, SharedArrayBuffer: shared,
    subarray: larger.subarray(5, 5 + frame.length), DataView: new DataView(larger.buffer, 5, frame.length),
    Uint16Array: new Uint16Array(even.buffer), clamped: new Uint8ClampedArray(whole),
    pooled: Buffer.from(Buffer.concat([frame.subarray(0, 1000), frame.subarray(1000)])),
  };
  let sent = account.usage.bytesSent;
  for (const [name, picture] of Object.entries(pictures)) {
    const context = await account.context();
    assert.strictEqual((await context.process(picture)).printQuality, 9, name);
    context.close();
    // The whole of it, and nothing besides but what surrounds it.
    const now = account.usage.bytesSent, more = now - sent - frame.length;
    assert.ok(more > 300 && more < 3000, `${name}: ${more} bytes besides`);
    sent = now;
  }
  const print = account.monitor();
  for (const picture of Object.values(pictures)) print.submit(picture);
  assert.throws(() => print.submit(larger), { code: 'OE_ERR_NOT_JPEG' });
  for (const wrong of ['text', null, undefined, 5, [255, 216, 255]]) {
    assert.throws(() => print.submit(wrong), TypeError);
    const context = await account.context();
    await assert.rejects(context.process(wrong), TypeError);
    context.close();
  }
  print.close();
  account.close();
});

test('a loop over events ends', { timeout: 20000 }, async () => {
  const read = async (account) => {
    for await (const event of account) assert.fail(event);
    return 'ended';
  };
  for (const end of ['cancel', 'close']) {
    const account = client();
    const loops = [read(account), read(account)];
    await soon();
    account[end]();
    assert.deepStrictEqual(await Promise.all(loops), ['ended', 'ended'], end);
    if (end === 'close') continue;
    const again = read(account); // it is still of use
    assert.strictEqual(await Promise.race([again, soon(300)]), undefined);
    account.close();
    await again;
  }
  // And between two events.
  const account = client(), print = account.monitor();
  let count = 0;
  for await (const event of account) {
    count += event.kind === EventKind.FRAME_WANTED ? 1 : 100;
    account.cancel();
  }
  assert.strictEqual(count, 1);
  print.close();
  account.close();
});

test('a function gets the lines of every thread', { timeout: 20000 }, async () => {
  const lines = [];
  const account = client({ log: (...line) => lines.push(line), logLevel: LogLevel.TRACE });
  const print = account.monitor();
  for await (const event of account) {
    if (event.kind === EventKind.FRAME_WANTED) print.submit(frame);
    if (event.kind === EventKind.RESULT) break;
  }
  const context = await account.context();
  await context.process(frame);
  for (const handle of [context, print, account]) handle.close();
  await soon();
  assert.ok(lines.length > 3, `${lines.length}`);
  for (const [level, text] of lines) {
    assert.ok(level >= LogLevel.ERROR && level <= LogLevel.TRACE && text.length > 0);
    assert.ok(!text.includes('SECRETKEY'));
  }
});

test('closing waits for nobody who waits for a line to be taken', { timeout: 60000 }, async () => {
  for (let n = 0; n < 5; n++) {
    const account = client({ log: () => {}, logLevel: LogLevel.TRACE });
    const prints = Array.from({ length: 8 }, () => account.monitor());
    prints.forEach((print) => print.submit(frame));
    await soon(20 * n);
    const begun = Date.now();
    prints.forEach((print) => print.close());
    account.close();
    assert.ok(Date.now() - begun < 1500, `${Date.now() - begun} ms`);
  }
});

test('what it throws is a warning', async () => {
  const warned = new Promise((resolve) => process.once('warning', resolve));
  const account = client({ log: () => { throw new Error('of the host'); }, logLevel: LogLevel.TRACE });
  await account.checkKey();
  assert.strictEqual((await warned).message, 'of the host');
  account.close();
});

// Monitors log when Node ends, by itself or told to.
for (const [name, end] of [['by itself', ''], ['told to', 'setTimeout(() => process.exit(0), 30);']]) {
  test(`Node ends ${name} while monitors log`, { timeout: 60000 }, async () => {
    const program = `
      const { Client } = require('oe-process');
      const client = new Client({ apiKey: 'k', endpoint: process.env.OE_TEST_ENDPOINT, allowHttp: true, log: () => {}, logLevel: 5 });
      const frame = require('fs').readFileSync(process.env.OE_TEST_FRAME);
      for (let n = 0; n < 8; n++) client.monitor().submit(frame);
      ${end}`;
    for (let n = 0; n < 3; n++) {
      const { stdout, stderr } = await run(process.execPath, ['-e', program], { cwd: __dirname, timeout: 20000 });
      assert.deepStrictEqual([stdout, stderr], ['', '']);
    }
  });
}

// A call is in flight on a thread of the pool, which has something to log when it is ended.
test('Node ends while a call is in flight', { timeout: 60000 }, async () => {
  const program = `
    const { Client } = require('oe-process');
    const server = require('net').createServer((socket) => socket.once('data', () => process.exit(0)));
    server.listen(0, '127.0.0.1', () => {
      const endpoint = 'http://127.0.0.1:' + server.address().port;
      const client = new Client({ apiKey: 'k', endpoint, allowHttp: true, logLevel: 5, log: (level, text) => console.log(level) });
      client.context().catch(() => {});
    });`;
  for (let n = 0; n < 3; n++) {
    const { stdout, stderr } = await run(process.execPath, ['-e', program], { cwd: __dirname, timeout: 20000 });
    assert.match(stdout, /^([1-5]\n)+$/); // the last lines are told too
    assert.strictEqual(stderr, '');
  }
});

test('a library that cannot be loaded is said to be', async () => {
  const load = (environment) => run(process.execPath, ['-e', "require('oe-process')"], {
    cwd: __dirname, env: { ...process.env, ...environment } });
  await assert.rejects(load({ OE_PROCESS_LIBRARY: '/no/such' }), { message: /Error: OE_PROCESS_LIBRARY names \/no\/such, which/ });
});

test('the package is what the library is', () => {
  assert.strictEqual(version(), require('oe-process/package.json').version);
  assert.match(buildInfo(), /oe_process/);
});
