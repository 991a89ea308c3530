// A log of the first version of the formats, whose key was replaced and then revoked, in which a person was erased: whatever comes
// later has to read it, and so has the verifier in Python. The files are never made anew.

import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openLog, type Receipt, verifyLog } from 'indelible';
import { parseSignerKey } from 'indelible/note';
import { openPublished, restoreLog, verifyPublished } from 'indelible/publish';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { audit } from '../evidence/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { pythonMissing, pythonVerdicts, pythonVerdictsOf } from '../support/python.ts';
import { golden, keyText, origin, root } from './rotated.ts';

const SIZE = 315;
const ROOT = 'J9eAlfuL2MvymHbPyvmK0nLQJ279gjAXwTFY2WUqnec=';

const at = (name: string): string => join(golden, name);
const vkeys = [0, 1, 2].map((number) => parseSignerKey(keyText(number)).vkey);
const stranger = parseSignerKey(keyText(9)).vkey;
const receipts = readFileSync(at('receipts.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Receipt);

/** A copy, which may be opened. */
function copyOf(t: TestContext, name: string): string {
  const copy = join(temporaryFolder(t), name);
  cpSync(at(name), copy, { recursive: true });
  return copy;
}

describe('the golden log whose key was replaced and revoked', () => {
  test('is the log that it was, with every receipt, for whoever pinned any of its keys', async (t) => {
    const dir = copyOf(t, 'log');
    for (const vkey of [...vkeys, root.vkey]) {
      const report = await verifyLog(dir, { vkey, held: receipts });
      assert.deepEqual(report.findings, [], vkey);
      assert.deepEqual([report.size, report.root], [SIZE, ROOT]);
      assert.deepEqual(report.held, { given: receipts.length, agree: receipts.length, size: 309 });
      assert.ok(report.counts.erased > 0 && report.counts.missing === 0);
    }
    const found = await verifyLog(dir, { vkey: stranger });
    assert.ok(found.findings.some(({ code }) => code === 'key_unknown'));
  });

  test('is opened, searched and written on with the key of today, and with none before it', async (t) => {
    const dir = copyOf(t, 'log');
    await assert.rejects(openLog(dir, { key: () => keyText(1) }), { code: 'key_mismatch' });
    await using log = await openLog(dir, { key: () => keyText(2), heartbeatMs: 0, warn: () => {} });
    const { keys, vkey } = await log.keys();
    assert.deepEqual(
      keys.map((key) => [key.vkey, key.first, key.last, key.compromisedSince?.size]),
      [
        [vkeys[0], 0, 8, undefined],
        [vkeys[1], 9, 305, 305],
        [vkeys[2], 306, undefined, undefined],
      ],
    );
    assert.equal(vkey, vkeys[2]);
    const [first] = (await log.query('actor:user/u_2 action:role.assigned').page()).events;
    assert.match(String(first?.reason), /^because of /);
    assert.equal((await log.get('event-4'))?.reason, undefined);
    const receipt = await log.record(signIn('new'));
    assert.deepEqual((await log.verify({ vkey: root.vkey, held: [...receipts, receipt] })).findings, []);
  });

  test('its published form verifies, is read and restored, here and in Python', async (t) => {
    const place = pathToFileURL(at('published')).href;
    for (const vkey of [...vkeys, root.vkey])
      assert.deepEqual((await verifyPublished(place, { vkey, threads: 0 })).findings, [], vkey);
    {
      await using reader = await openPublished(place, root.vkey);
      assert.equal((await reader.checkpoint()).size, SIZE);
    }
    const to = join(temporaryFolder(t), 'restored');
    assert.equal((await restoreLog({ from: place, to, vkey: root.vkey })).size, SIZE);
    if (pythonMissing !== false) return;
    assert.deepEqual(await pythonVerdictsOf('tiles', [[at('published')]], vkeys[2]), [true]);
    assert.deepEqual(await pythonVerdictsOf('tiles', [[at('published')]], stranger), [false]);
  });

  test('proofs from before and after the changes verify, each by its key, here and in Python', async () => {
    for (const [name, by] of [
      ['before', 0],
      ['now', 2],
    ] as const) {
      const [proof, entry] = [readFileSync(at(`${name}.tlog-proof`)), readFileSync(at(`${name}.entry`))];
      for (const [number, vkey] of vkeys.entries()) {
        const verify = () => verifyProof({ proof, entry, policy: { vkey } });
        if (number === by) assert.equal(verify().index, 4);
        else assert.throws(verify, { code: /policy_unsatisfied|signature_unknown/ });
        if (pythonMissing !== false) continue;
        const item = [at(`${name}.tlog-proof`), at(`${name}.entry`)];
        assert.deepEqual(await pythonVerdictsOf('proof', [item], vkey), [number === by]);
      }
    }
  });

  test('evidence of it verifies by any of its keys, here, on the command line and in Python', async () => {
    const text = readFileSync(at('evidence.json'), 'utf8');
    for (const vkey of [...vkeys, root.vkey]) {
      const report = audit(text, vkey);
      assert.deepEqual([report.findings, report.verdict, report.origin], [[], 'verified', origin]);
      if (pythonMissing === false)
        assert.deepEqual(await pythonVerdicts([at('evidence.json')], vkey), [true]);
    }
    assert.notDeepEqual(audit(text, stranger).findings, []);
    const ended = indelible(['verify', at('evidence.json'), '--vkey', vkeys[0]!]);
    assert.equal(ended.status, 0, ended.stdout + ended.stderr);
  });
});
