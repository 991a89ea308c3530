import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { newSignerKey, readSigner, rotateKey } from 'indelible';
import { AuditClient } from 'indelible/client';
import { parseSignerKey } from 'indelible/note';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type Served, serve } from '../support/served.ts';

async function world(t: TestContext): Promise<{ served: Served; dir: string; vkey: string }> {
  const served = await serve(t);
  const dir = join(served.data, 'logs', 'main');
  return { served, dir, vkey: readFileSync(join(dir, 'log.vkey'), 'utf8').trim() };
}

function clientOf(t: TestContext, served: Served, vkey: string, state?: string): AuditClient {
  const client = new AuditClient({
    url: served.url,
    key: served.key,
    vkey,
    heartbeatMs: 0,
    retryMs: 5000,
    ...(state !== undefined && { state }),
  });
  t.after(() => client.close());
  return client;
}

test('a client that pinned the old key, or the root key, goes on when the key of a running server is replaced', async (t) => {
  const { served, dir, vkey } = await world(t);
  const root = readSigner(join(dir, 'root.key'));
  const state = temporaryFolder(t);
  const client = clientOf(t, served, vkey, state);
  const before = await client.record(signIn('a'));
  const { history } = await rotateKey(dir, root);
  const after = await client.record(signIn('b'));
  assert.ok(after.index > before.index);
  assert.equal((await client.prove('a')).index, before.index);
  await client.close();
  // What it kept is signed by the new key; it starts again from the old one.
  const again = clientOf(t, served, vkey, state);
  assert.ok((await again.checkpoint()).size > after.index);
  for (const pinned of [root.vkey, history.vkey]) {
    const other = clientOf(t, served, pinned);
    assert.equal((await other.prove('b')).index, after.index);
    assert.equal((await other.record(signIn(`c-${pinned.length}`))).index > after.index, true);
  }
});

test('a key that was replaced without its own signature is told, not followed', async (t) => {
  const { served, dir, vkey } = await world(t);
  const client = clientOf(t, served, vkey);
  await client.record(signIn('a'));
  // Handed in as if the old key were lost: nothing but the root key signs the change.
  const successor = parseSignerKey(newSignerKey(readSigner(join(dir, 'log.key')).name));
  const stranger = parseSignerKey(newSignerKey(successor.name));
  await rotateKey(dir, readSigner(join(dir, 'root.key')), { successor, old: stranger });
  await assert.rejects(client.checkpoint(), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'key_retired');
    assert.match(error.message, /has not signed it/);
    return true;
  });
  await clientOf(t, served, successor.vkey).checkpoint();
});
