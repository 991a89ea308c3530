// What the viewer does around a query: chips and text in step, completion, the address, the sentences.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { RecordedEvent } from 'indelible';
import { learnSentences, linkOf, sentenceOf } from '../../viewer/src/drawer/sentence.ts';
import { visible } from '../../viewer/src/drawer/visible.ts';
import { chipsOf, withoutChip, withTerm, withTimes } from '../../viewer/src/query/chips.ts';
import { completionsOf, wordAt } from '../../viewer/src/query/completion.ts';
import { formatRoute, home, parseRoute, type Route } from '../../viewer/src/shell/route.ts';

test('a query and its chips are two spellings of one thing', () => {
  const q = 'actor:user/u_42 -outcome:success action:role.*,mfa.* "free text"';
  const chips = chipsOf(q).map(({ text }) => text);
  assert.deepEqual(chips, [
    'actor:user/u_42',
    '-outcome:success',
    'action:role.* OR action:mfa.*',
    '"free text"',
  ]);
  assert.deepEqual(chipsOf(chips.join(' ')), chipsOf(q));
  assert.equal(withoutChip(q, 2), 'actor:user/u_42 -outcome:success "free text"');
  assert.equal(withoutChip('outcome:denied', 0), '');
  assert.throws(() => chipsOf('actor:('));
});

test('a term that is added joins the others, once; a time takes the place of another', () => {
  assert.equal(withTerm('outcome:denied', 'severity:high'), 'outcome:denied severity:high');
  assert.equal(withTerm('severity:high', 'severity:high'), 'severity:high');
  assert.equal(withTerm('outcome:success', 'outcome:denied'), 'outcome:denied');
  assert.equal(withTerm('', 'outcome:denied'), 'outcome:denied');
  const [from, to] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
  assert.equal(withTimes('after:2025 words', from, to), `words after:${from} before:${to}`);
});

test('completion offers fields, then values, those of this log first', () => {
  const stats = {
    ...{
      total: 1,
      complete: 1,
      size: 1,
      byActor: [],
      byOutcome: [],
      bucketMs: 1,
      buckets: [],
      isExact: true,
    },
    byAction: [{ value: 'invoice.sent', count: 12 }],
  };
  assert.deepEqual(wordAt('outcome:denied -act', 19), { start: 16, word: 'act' });
  assert.deepEqual(
    completionsOf('act', stats).map(({ word }) => word),
    ['actor:', 'action:'],
  );
  assert.equal(completionsOf('action:', stats)[0]?.word, 'action:invoice.sent ');
  assert.equal(completionsOf('severity:high,crit', stats)[0]?.word, 'severity:high,critical ');
});

test('what the viewer shows is in the address, and comes back out of it', () => {
  const routes: readonly Partial<Route>[] = [
    { log: 'main', q: 'actor:"a b" OR x?&#%', event: 'id/1', isLive: true, withHousekeeping: true },
    { log: 'main', screen: 'entity', entity: 'user/u 1', side: 'actor' },
    { log: 'main', screen: 'integrity' },
    { screen: 'keys' },
  ];
  for (const part of routes) {
    const route = { ...home, ...part };
    assert.deepEqual(parseRoute(formatRoute(route)), route);
  }
  assert.deepEqual(parseRoute('#/%E0%A4%A/nonsense/?q'), home);
});

const event = (change: Partial<RecordedEvent>): RecordedEvent => ({
  ...{ index: 1, id: 'e', occurredAt: '2026-01-01T00:00:00.000Z', recordedAt: '2026-01-01T00:00:00.000Z' },
  ...{ action: 'role.assigned', outcome: 'success', targets: [], withheld: [] },
  actor: { type: 'user', id: 'u_1', name: 'Ada' },
  source: { service: 's', instance: 'i', seq: 1 },
  ...change,
});
const words = (change: Partial<RecordedEvent>): string =>
  sentenceOf(event(change))
    .map((piece) => (typeof piece === 'string' ? piece : (piece.party['name'] ?? piece.party.id)))
    .join('');

test('an event reads as a sentence, with or without a template', () => {
  const targets = [{ type: 'user', id: 'u_2' }];
  assert.equal(words({ targets }), 'Ada gave a role to u_2.');
  assert.equal(words({ targets, outcome: 'denied' }), 'Ada gave a role to u_2 (denied).');
  assert.equal(
    words({ action: 'invoice.sent', targets: [{ type: 'invoice', id: 'in_7' }] }),
    'Ada sent the invoice in_7.',
  );
  assert.equal(words({ action: 'user.signed_in' }), 'Ada signed in.');
});

test("sentences of the server's operator stand before those of the viewer, but not for what the log says of itself", () => {
  const targets = [{ type: 'invoice', id: 'in_7' }];
  learnSentences({ 'invoice.sent': '{actor} mailed {target}', 'log.viewed': 'nobody looked', 'a.b': 7 });
  assert.equal(words({ action: 'invoice.sent', targets }), 'Ada mailed in_7.');
  assert.equal(words({ action: 'log.viewed' }), 'Ada looked at this log.');
  assert.equal(words({ action: 'a.b' }), 'Ada: a b.');
  learnSentences();
  assert.equal(words({ action: 'invoice.sent', targets }), 'Ada sent the invoice in_7.');
  assert.equal(words({ action: 'constructor', targets }), 'Ada constructor the invoice in_7.');
});

test('attack 28: only an https address without a user is a link', () => {
  const linked = (href: string) => linkOf({ type: 'user', id: 'u', href });
  assert.equal(linked('https://app.example/u/1'), 'https://app.example/u/1');
  for (const href of [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://a.example',
    'https://good@evil.example',
    ' ',
    '/x',
  ]) {
    assert.equal(linked(href), undefined, href);
  }
});

test('marks that turn or hide text are shown as what they are', () => {
  assert.equal(visible('a\u202eb\u200bc\u0007'), 'a⟨U+202E⟩b⟨U+200B⟩c⟨U+0007⟩');
  assert.equal(visible('line\nnext\tcolumn'), 'line\nnext\tcolumn');
});
