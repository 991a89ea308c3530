import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type as ark } from 'arktype';
import { defineEvents } from 'indelible/catalogue';
import type { AuditClient } from 'indelible/client';
import type { PostgresLog } from 'indelible/postgres';
import { openRecorder } from 'indelible/recorder';
import { expectRecorded, openMemoryLog } from 'indelible/testing';
import ts from 'typescript';
import * as v from 'valibot';
import { z } from 'zod';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';

const actor = { type: 'user', id: 'u_1' };
const invoice = { type: 'invoice', id: 'in_7' } as const;

const schemas = {
  zod: z.object({ amount: z.number(), currency: z.enum(['EUR', 'USD']).default('EUR') }),
  valibot: v.object({ amount: v.number(), currency: v.optional(v.picklist(['EUR', 'USD']), 'EUR') }),
  arktype: ark({ amount: 'number', currency: "'EUR' | 'USD' = 'EUR'" }),
};

for (const [name, metadata] of Object.entries(schemas) as [string, typeof schemas.zod][]) {
  describe(`a catalogue with schemas of ${name}`, () => {
    const events = defineEvents({
      'invoice.voided': {
        targets: ['invoice'],
        metadata,
        sentence: '{actor} voided {target}',
        version: 2,
        critical: true,
      },
      'user.greeted': {},
    });

    test('records what fits, as the schema makes it, with its version', async () => {
      const log = await openMemoryLog();
      const audit = events.bind(log);
      await audit.record({ action: 'invoice.voided', actor, targets: [invoice], metadata: { amount: 5 } });
      await expectRecorded(log, {
        action: 'invoice.voided',
        targets: ['invoice/in_7'],
        metadata: { amount: 5, currency: 'EUR' },
        labels: { version: '2' },
      });
      await audit.record({ action: 'user.greeted', actor });
      await expectRecorded(log, { action: 'user.greeted' });
    });

    test('refuses what does not, with a code, and records nothing of it', async () => {
      const log = await openMemoryLog();
      const audit = events.bind(log) as { record(event: object): Promise<unknown> };
      const base = { action: 'invoice.voided', actor, targets: [invoice], metadata: { amount: 5 } };
      const refused = (change: object, code: string, message: RegExp) =>
        assert.rejects(audit.record({ ...base, ...change }), (error: { code: string; message: string }) => {
          assert.equal(error.code, code);
          assert.match(error.message, message);
          assert.ok(error instanceof TypeError || error instanceof RangeError);
          return true;
        });
      await refused({ action: 'invoice.lost' }, 'action_unknown', /invoice\.voided/);
      await refused({ action: 'constructor' }, 'action_unknown', /constructor/);
      await refused({ metadata: { amount: 'five' } }, 'metadata_invalid', /amount/);
      await refused({ metadata: undefined }, 'metadata_invalid', /invoice\.voided/);
      await refused({ targets: [] }, 'target_missing', /invoice/);
      await refused({ targets: [{ type: 'user', id: 'u_2' }] }, 'target_missing', /invoice/);
      await refused({ action: 'user.greeted', metadata: {} }, 'metadata_invalid', /no metadata/);
      assert.equal((await log.checkpoint()).size, 1);
    });

    test('is written as a page for people', () => {
      const page = events.toMarkdown({ title: 'What we record' });
      assert.match(page, /^# What we record\n/);
      assert.match(page, /\| `invoice\.voided` \| the actor voided the target \| `invoice` \| 2 \| fails \|/);
      assert.match(page, /## `invoice\.voided`\n\n> \{actor\} voided \{target\}/);
      assert.equal(events.toMarkdown(), events.toMarkdown());
    });
  });
}

test('a page names the fields of the metadata where the library can say them', () => {
  const page = defineEvents({ 'a.b': { metadata: schemas.zod } }).toMarkdown();
  assert.match(page, /\| `amount` \| number \| yes \|/);
  assert.match(page, /\| `currency` \| "EUR" or "USD" \| no \|/);
});

test('what is critical blocks, also through a recorder that spools', async (t) => {
  const away = { record: () => Promise.reject(new Error('the store is away')) };
  await using recorder = await openRecorder(away, { spool: temporaryFolder(t), warn: () => {} });
  const events = defineEvents({
    'a.critical': { critical: true },
    'a.usual': {},
    'a.spooled': { onFailure: 'spool' },
  });
  const audit = events.bind(recorder);
  await assert.rejects(audit.record({ action: 'a.critical', actor }), /away/);
  assert.ok('isSpooled' in (await audit.record({ action: 'a.usual', actor })));
  assert.ok('isSpooled' in (await audit.record({ action: 'a.critical', actor }, { onFailure: 'spool' })));
  assert.deepEqual(events.onFailure, { 'a.critical': 'block', 'a.spooled': 'spool' });
  assert.equal(recorder.spooled, 2);
});

test('recordIn goes through the catalogue too', async () => {
  const recorded: unknown[] = [];
  const outbox = {
    recordIn: async (_transaction: object, event: object) => {
      recorded.push(event);
      return 'e-1';
    },
  };
  const audit = defineEvents({ 'a.b': { metadata: schemas.zod } }).bind(outbox);
  assert.equal(await audit.recordIn({}, { action: 'a.b', actor, metadata: { amount: 1 } }), 'e-1');
  assert.deepEqual(recorded, [{ action: 'a.b', actor, metadata: { amount: 1, currency: 'EUR' } }]);
  await assert.rejects(
    (audit as { recordIn(...parts: unknown[]): Promise<string> }).recordIn({}, { action: 'a.c' }),
    {
      code: 'action_unknown',
    },
  );
});

test('definitions that are none are refused', () => {
  const define =
    (definition: object, action = 'a.b') =>
    () =>
      defineEvents({ [action]: definition as never });
  assert.throws(define({}, 'Not An Action'), { code: 'option_invalid' });
  assert.throws(define({}, 'log.created'), { code: 'option_invalid' });
  assert.throws(define({ taget: [] }), { code: 'option_unknown' });
  for (const wrong of [
    { targets: 'invoice' },
    { targets: ['in/voice'] },
    { metadata: {} },
    { sentence: '{who} did it' },
    { sentence: 'two\nlines' },
    { version: 0 },
    { onFailure: 'drop' },
  ]) {
    assert.throws(define(wrong), { code: 'option_invalid' }, JSON.stringify(wrong));
  }
});

/** What the compiler says of lines that use a catalogue, by line. */
function diagnosticsOf(lines: readonly string[]): string[] {
  const name = `${projectRoot}/test/capture/typed.ts`;
  const text = `
    import { z } from 'zod';
    import { defineEvents } from 'indelible/catalogue';
    import type { Log } from 'indelible';
    import type { AuditClient } from 'indelible/client';
    import type { PostgresLog } from 'indelible/postgres';
    declare const log: Log, client: AuditClient<'spool'>, postgres: PostgresLog;
    const actor = { type: 'user', id: 'u_1' };
    const targets = [{ type: 'invoice', id: 'in_7' }] as const;
    const events = defineEvents({
      'invoice.voided': { targets: ['invoice'], metadata: z.object({ amount: z.number() }) },
      'user.greeted': {},
    });
    const audit = events.bind(log);
${lines.join('\n')}`;
  const before = text.split('\n').length - lines.length;
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === name || fileExists.call(host, path);
  host.getSourceFile = (path, ...rest) =>
    path === name
      ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2024)
      : getSourceFile.call(host, path, ...rest);
  const program = ts.createProgram([name], options, host);
  return ts
    .getPreEmitDiagnostics(program, program.getSourceFile(name))
    .map(({ messageText, file, start = 0 }) => {
      const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) - before;
      return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
}

test('the compiler refuses what the catalogue does not have', () => {
  const fits = [
    `const receipt: import('indelible').Receipt = await audit.record({ action: 'invoice.voided', actor, targets, metadata: { amount: 5 } });
    await audit.record({ action: 'user.greeted' });
    const kept: import('indelible/client').Receipt | import('indelible/client').Spooled = await events.bind(client).record({ action: 'user.greeted', actor });
    const id: string = await events.bind(postgres).recordIn({ query: async () => {} } as never, { action: 'user.greeted', actor });
    await events.bind(postgres).record({ action: 'user.greeted', actor });
    export { receipt, kept, id };`.replaceAll('\n', ' '),
  ];
  const wrong = {
    'an unknown action': "audit.record({ action: 'invoice.lost', actor });",
    'wrong metadata':
      "audit.record({ action: 'invoice.voided', actor, targets, metadata: { amount: 'five' } });",
    'no metadata': "audit.record({ action: 'invoice.voided', actor, targets });",
    'no target': "audit.record({ action: 'invoice.voided', actor, metadata: { amount: 5 } });",
    'another target':
      "audit.record({ action: 'invoice.voided', actor, targets: [{ type: 'user', id: 'u' }], metadata: { amount: 5 } });",
    'metadata where there are none':
      "audit.record({ action: 'user.greeted', actor, metadata: { amount: 5 } });",
    'a slip in a definition': "defineEvents({ 'a.b': { taget: ['invoice'] } });",
    'recordIn of a log without transactions': "audit.recordIn({}, { action: 'user.greeted', actor });",
  };
  // In one program, since the compiler takes seconds for each.
  const told = diagnosticsOf([...fits, ...Object.values(wrong)]);
  const refused = new Set(told.map((text) => Number(text.split(':')[0])));
  assert.deepEqual(
    told.filter((text) => text.startsWith('0:')),
    [],
  );
  const missed = Object.keys(wrong).filter((_, at) => !refused.has(at + fits.length));
  assert.deepEqual(missed, []);
});

test('catalogues bind to the client and to PostgreSQL by type', () => {
  const events = defineEvents({ 'a.b': {} });
  const bindable = (client: AuditClient<'spool'>, postgres: PostgresLog) => [
    events.bind(client),
    events.bind(postgres),
  ];
  assert.equal(typeof bindable, 'function');
});
