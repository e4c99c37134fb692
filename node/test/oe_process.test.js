'use strict';
// The installed package against a service: OE_TEST_ENDPOINT, with the verdicts good, good, warning, pause; OE_TEST_FRAME a picture.
const assert = require('assert');
const fs = require('fs');
const test = require('node:test');
const { Client, EventKind, OeError, buildInfo, version } = require('oe-process');

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

test('the package is what the library is', () => {
  assert.strictEqual(version(), require('oe-process/package.json').version);
  assert.match(buildInfo(), /oe_process/);
});
