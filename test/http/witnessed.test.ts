// A server whose log has a witness: what it shows to C2SP tools, and what to its own clients.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  openWithPolicy,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignerKey,
  signerKeyFromSeed,
} from 'indelible/note';
import { verifyProof } from 'indelible/verify';
import { temporaryFolder } from '../support/folders.ts';
import { makeWitness, policyText, serveWitness } from '../support/witness-process.ts';
import { startHandler } from './server.ts';

test('the tlog-tiles route shows what is cosigned, ?newest=true what is new, and proofs carry the quorum', async (t) => {
  const { ask, data, handler, key } = await startHandler(t);
  const read = await key(['write', 'read'], 'alpha');
  const summary = await (await ask('GET', '/v1/logs/alpha', { key: read })).json();
  await handler.close();

  const folder = join(temporaryFolder(t), 'witness');
  makeWitness(folder, 'w.example');
  const witness = await serveWitness(t, folder, summary.vkey);
  const text = policyText(summary.vkey, [witness], 1);
  const policy = parsePolicy(text);
  writeFileSync(join(data, 'logs', 'alpha', 'policy'), text);

  const again = await startHandler(t, { data });
  const json = { id: 'e-1', action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };
  assert.equal((await again.ask('POST', '/v1/logs/alpha/events', { key: read, json })).status, 201);
  const note = async (query = '') =>
    new Uint8Array(
      await (await again.ask('GET', `/logs/alpha/checkpoint${query}`, { key: read })).arrayBuffer(),
    );
  const sizeOf = (bytes: Uint8Array) => parseCheckpoint(parseNote(bytes).text).size;
  let cosigned = await note();
  for (let waited = 0; waited < 10_000; waited += 50) {
    cosigned = await note();
    if (parseNote(cosigned).signatures.length === 2 && sizeOf(cosigned) >= 2) break;
    await sleep(50);
  }
  assert.equal(openWithPolicy(cosigned, policy).verified.length, 2);
  assert.equal(parseNote(await note('?newest=true')).signatures.length, 1);
  const bytes = async (path: string) =>
    new Uint8Array(await (await again.ask('GET', path, { key: read })).arrayBuffer());
  const proof = await bytes('/v1/logs/alpha/events/e-1/proof');
  const entry = await bytes('/v1/logs/alpha/events/e-1/entry');
  assert.ok(verifyProof({ proof, entry, policy }).index >= 1);
});

test('a witness that does not know the log’s key is told by the figures and by the integrity page, and so is a policy that is none', async (t) => {
  const { ask, data, handler, key } = await startHandler(t);
  const read = await key(['write', 'read', 'audit'], 'alpha');
  const { vkey } = await (await ask('GET', '/v1/logs/alpha', { key: read })).json();
  await handler.close();
  const folder = join(temporaryFolder(t), 'witness');
  makeWitness(folder, 'w.example');
  const stranger = parseSignerKey(signerKeyFromSeed('other.example/log', new Uint8Array(32).fill(3))).vkey;
  const witness = await serveWitness(t, folder, stranger);
  const policy = join(data, 'logs', 'alpha', 'policy');
  const json = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };
  for (const [text, said] of [
    [policyText(vkey, [witness], 1), 'warnings'],
    ['quorum nobody\n', 'contradictions'],
  ] as const) {
    writeFileSync(policy, text);
    const again = await startHandler(t, { data });
    const operator = await again.key(['admin']);
    assert.equal((await again.ask('POST', '/v1/logs/alpha/events', { key: read, json })).status, 201);
    let figures = '';
    for (let waited = 0; waited < 20_000 && !/^indelible_witnesses_failing 1$/m.test(figures); waited += 50) {
      figures = await (await again.ask('GET', '/metrics', { key: operator })).text();
      await sleep(50);
    }
    assert.match(figures, /^indelible_witnesses_failing 1$/m);
    const { tier } = await (await again.ask('GET', '/v1/logs/alpha/verification', { key: read })).json();
    assert.equal(tier[said].length, 1, JSON.stringify(tier));
    await again.handler.close();
  }
});
