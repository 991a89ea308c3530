import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineEvents } from 'indelible/catalogue';
import { startHandler } from './server.ts';

test('the sentences of a catalogue go to the viewer with its session', async (context) => {
  const { sentences } = defineEvents({
    'invoice.voided': { sentence: '{actor} voided {target}' },
    'a.b': {},
  });
  const server = await startHandler(context, { sentences });
  const key = await server.key(['read']);
  const session = await (await server.ask('GET', '/v1/session', { key })).json();
  assert.deepEqual(session.sentences, { 'invoice.voided': '{actor} voided {target}' });
  const plain = await startHandler(context);
  const other = await plain.ask('GET', '/v1/session', { key: await plain.key(['read']) });
  assert.equal((await other.json()).sentences, undefined);
});

test('sentences that are none are refused', async (context) => {
  for (const sentences of [
    ['x'],
    { 'a.b': '{who}' },
    { 'a.b': 1 },
    { 'A B': 'x' },
    { 'a.b': 'x'.repeat(201) },
  ]) {
    await assert.rejects(startHandler(context, { sentences: sentences as never }), {
      code: 'option_invalid',
    });
  }
});
