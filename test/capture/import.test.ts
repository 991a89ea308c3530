import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { prepareEvent } from 'indelible/event';
import { findRecord, mapCloudTrail, mapGitHub, mapRecord, Occurrences } from '#dist/capture/index.js';
import { indelible, type JsonLine, jsonLines } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { samplesDir } from '../support/vectors.ts';

const own = (name: string): string => join(import.meta.dirname, 'samples', name);
const linesOf = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
const samplesMissing =
  samplesDir === undefined ? 'the shared samples (../shared/samples) are not here' : false;

/** Runs the rules of a log over an event, as `record` would. Throws where they refuse it. */
function accept(event: unknown): void {
  prepareEvent(event, {
    id: 'unused',
    occurredAt: '2026-01-01T00:00:00.000Z',
    now: Date.UTC(2030, 0),
    source: { service: 'test', instance: '00000000-0000-4000-8000-000000000000', seq: 0 },
    personalIds: 'refuse',
  });
}

describe('CloudTrail', () => {
  const records = linesOf(own('cloudtrail.jsonl')).map((line) => JSON.parse(line));

  test('a call is named after its service and what was called', () => {
    const event = mapCloudTrail(records[0]);
    assert.equal(event.action, 'aws.s3.get_object');
    assert.equal(event.outcome, 'denied');
    assert.equal(event.id, 'cloudtrail:6f2c1c1e-0000-4000-8000-000000000001');
    assert.equal(event.occurredAt, '2026-01-12T08:00:00.000Z');
    assert.deepEqual(event.actor, {
      type: 'assumed_role',
      id: 'AROAEXAMPLE',
      name: 'reader',
      sessionName: 'i-0abc',
      arn: 'arn:aws:sts::111122223333:assumed-role/reader/i-0abc',
      accountId: '111122223333',
      accessKeyId: 'ASIAEXAMPLE',
    });
    assert.deepEqual(event.targets, [
      { type: 's3_object', id: 'arn:aws:s3:::example-bucket/plan.txt' },
      { type: 's3_bucket', id: 'arn:aws:s3:::example-bucket', accountId: '111122223333' },
    ]);
    assert.deepEqual(event.context, { ip: '203.0.113.4', userAgent: 'aws-cli/2', requestId: 'REQ1' });
    assert.deepEqual(event.error, { code: 'AccessDenied', message: 'Access Denied' });
  });

  test('outcomes: no error, a denial, another error, a failed sign-in', () => {
    assert.deepEqual(
      records.slice(0, 4).map((record) => mapCloudTrail(record).outcome),
      ['denied', 'success', 'failure', 'failure'],
    );
  });

  test('acronyms stay together in names', () => {
    assert.equal(mapCloudTrail(records[1]).action, 'aws.rds.describe_db_instances');
    assert.equal(mapCloudTrail(records[3]).action, 'aws.signin.console_login');
  });

  test('a mail address never becomes an id where another id is known', () => {
    const event = mapCloudTrail(records[4]);
    assert.equal(event.actor.type, 'identity_center_user');
    assert.equal(event.actor.id, '444455556666');
    assert.equal(event.actor.name, 'ada@example.com');
  });
});

describe('GitHub', () => {
  const deliveries = linesOf(own('github.jsonl')).map((line) => JSON.parse(line));

  test('an event is named after the hook and its action, people after their numbers', () => {
    const event = mapGitHub(deliveries[0]);
    assert.equal(event.action, 'github.issues.edited');
    assert.equal(event.occurredAt, '2026-01-12T07:00:00.000Z');
    assert.deepEqual(event.actor, { type: 'user', id: '17', name: 'ada-example' });
    assert.deepEqual(
      event.targets?.map(({ type, id, name }) => [type, id, name]),
      [
        ['issue', '501', 'New title'],
        ['repository', '42', 'example/notes'],
        ['organization', '7', 'example'],
      ],
    );
    assert.deepEqual(event.changes, [{ path: '/title', from: 'Old title', to: 'New title' }]);
  });

  test('a push changes a reference', () => {
    const event = mapGitHub(deliveries[1]);
    assert.equal(event.action, 'github.push');
    assert.equal(event.targets?.[0]?.type, 'git_ref');
    assert.equal(event.targets?.[0]?.id, '42:refs/heads/main');
    assert.equal(event.changes?.[0]?.path, '/sha');
  });

  test("a delivery as GitHub's API gives it has an id and a time", () => {
    const event = mapGitHub(deliveries[2]);
    assert.equal(event.id, 'github:0b989ba4-242f-11e5-81e1-c7b6966d2516');
    assert.equal(event.occurredAt, '2026-01-12T09:00:00.000Z');
    assert.equal(event.action, 'github.member.added');
    assert.equal(event.targets?.[0]?.id, '18');
  });
});

describe('what does not fit', () => {
  test('is kept as import.unmapped with the reason', () => {
    for (const text of [
      '{"eventName":"X"}',
      '[1]',
      'no json at all',
      '{"a":1,"a":2}',
      '{"n":12345678901234567890}',
      '{"...":1}',
    ]) {
      const { event, unmapped, originalLeftOut } = mapRecord(
        'cloudtrail',
        findRecord(text),
        new Occurrences(),
      );
      assert.equal(event.action, 'import.unmapped');
      assert.equal(typeof unmapped, 'string');
      assert.equal(originalLeftOut, false);
      const metadata = event.metadata as Record<string, unknown>;
      assert.ok(metadata['original'] !== undefined || metadata['originalText'] === text, text);
      accept(event);
    }
  });

  test('an original that is too large is left out, by its digest, and said so', () => {
    const record = JSON.parse(linesOf(own('cloudtrail.jsonl'))[1] ?? '');
    for (const [length, left] of [
      [100, false],
      [31_000, false],
      [32_768, true],
      [1_000_000, true],
    ] as const) {
      record.requestParameters = { filler: 'x'.repeat(length) };
      const { event, originalLeftOut } = mapRecord(
        'cloudtrail',
        findRecord(JSON.stringify(record)),
        new Occurrences(),
      );
      assert.equal(originalLeftOut, left, String(length));
      if (left) assert.match(JSON.stringify(event.metadata), /"originalLeftOut":.*"sha256":"[0-9a-f]{64}"/);
      accept(event);
    }
  });

  test('an original that nests as deep as an event may is still kept', () => {
    for (const depth of [5, 28, 29, 30, 31]) {
      const text = `{"eventSource":"a.amazonaws.com","eventName":"B","userIdentity":{"type":"Root","accountId":"1"},"requestParameters":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const { event, originalLeftOut } = mapRecord('cloudtrail', findRecord(text), new Occurrences());
      assert.equal(originalLeftOut, false);
      accept(event);
    }
  });

  test('names that every object has are no members of a record', () => {
    const text =
      '{"eventSource":"x.amazonaws.com","eventName":"constructor","userIdentity":{"type":"Root","accountId":"1"},"requestParameters":{"constructor":"c","__proto__":{"userName":"u"},"toString":{}}}';
    const { event } = mapRecord('cloudtrail', findRecord(text), new Occurrences());
    assert.deepEqual(event.targets, [{ type: 'iam_user', id: 'u' }]);
    accept(event);
    accept(
      mapRecord(
        'github',
        findRecord('{"event":"constructor","payload":{"action":"toString","sender":{"id":1}}}'),
        new Occurrences(),
      ).event,
    );
  });

  test('equal records of one file have ids of their own, the same each time', () => {
    const record = findRecord('{"action":"a.b","actor":{"type":"user","id":"u"}}');
    const occurrences = [new Occurrences(), new Occurrences()] as const;
    const ids = [0, 0, 0, 1].map((file) => mapRecord('jsonl', record, occurrences[file as 0 | 1]).event.id);
    assert.equal(new Set(ids).size, 3);
    assert.equal(ids[0], ids[3]);
    const spaced = findRecord('{ "actor": {"id":"u", "type":"user"}, "action":"a.b" }');
    assert.equal(mapRecord('jsonl', spaced, new Occurrences()).event.id, ids[0]);
  });
});

describe('import, the command', () => {
  const setup = (t: Parameters<typeof temporaryFolder>[0]): string => {
    const log = join(temporaryFolder(t), 'log');
    assert.equal(indelible(['init', log, '--origin', 'test.example/import']).status, 0);
    return log;
  };

  for (const [format, file, expected] of [
    ['cloudtrail', 'cloudtrail.jsonl', { imported: 5, unmapped: 1 }],
    ['github', 'github.jsonl', { imported: 3, unmapped: 1 }],
    ['jsonl', 'events.jsonl', { imported: 3, unmapped: 2 }],
  ] as const) {
    test(`${format}: every record is counted once, and a second import records nothing`, (t) => {
      const log = setup(t);
      const words = ['import', '--log', log, '--from', format, own(file), '--json'];
      const first = indelible(words);
      assert.equal(first.status, 0, first.stderr);
      const { imported, unmapped, repeated, refused } = JSON.parse(first.stdout);
      assert.deepEqual({ imported, unmapped, repeated, refused }, { ...expected, repeated: 0, refused: 0 });
      const second = JSON.parse(indelible(words).stdout);
      assert.equal(second.repeated, expected.imported + expected.unmapped);
      assert.equal(second.imported + second.unmapped, 0);
      assert.equal(indelible(['verify', log]).status, 0);
    });
  }

  test('a CloudTrail file as AWS delivers it is unfolded', (t) => {
    const log = setup(t);
    const records = linesOf(own('cloudtrail.jsonl'))
      .slice(0, 5)
      .map((line) => JSON.parse(line));
    const run = indelible(['import', '--log', log, '--from', 'cloudtrail', '-'], {
      input: JSON.stringify({ Records: records }),
    });
    assert.match(run.stdout, /^5 imported, 0 repeated, 0 unmapped, 0 refused\n$/);
  });

  test('a line that cannot be read is kept as import.unmapped, by its digest', (t) => {
    const log = setup(t);
    const bad = Buffer.from('{"a":"\xff"}', 'latin1');
    const input = Buffer.concat([bad, Buffer.from('\n'), Buffer.alloc(65 * 1024 * 1024, 0x78)]);
    const words = ['import', '--log', log, '--from', 'jsonl', '-'];
    const run = indelible(words, { input });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^0 imported, 0 repeated, 2 unmapped, 0 refused\n$/);
    assert.match(run.stderr, /^1 unmapped: the line is not UTF-8$/m);
    assert.match(run.stderr, /^1 unmapped: the line is longer than /m);
    const found = indelible(['query', '--log', log, 'action:import.unmapped', '--json', '--order', 'index']);
    const kept = found.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).metadata.originalLeftOut);
    assert.equal(kept[0].bytes, 65 * 1024 * 1024);
    assert.equal(kept[1].sha256, createHash('sha256').update(bad).digest('hex'));
    assert.match(indelible(words, { input }).stdout, /^0 imported, 2 repeated, 0 unmapped, 0 refused\n$/);
  });

  test('a line that names another event by the same id is refused by its number', (t) => {
    const log = setup(t);
    const line = (action: string): string =>
      `{"id":"one","action":"${action}","actor":{"type":"user","id":"u"}}\n`;
    const run = indelible(['import', '--log', log, '--from', 'jsonl', '-'], {
      input: line('a.b') + line('a.c'),
    });
    assert.equal(run.status, 2);
    assert.match(run.stdout, /^1 imported, 0 repeated, 0 unmapped, 1 refused\n$/);
    assert.match(run.stderr, /^line 2: .*id_conflict/m);
  });
});

describe('real records', { skip: samplesMissing }, () => {
  for (const [format, file, count] of [
    ['cloudtrail', 'cloudtrail.jsonl', 103],
    ['github', 'github-webhooks.jsonl', 164],
  ] as const) {
    test(`all ${count} of ${file} are mapped, with an original each`, () => {
      const lines = linesOf(join(samplesDir ?? '', file));
      assert.equal(lines.length, count);
      const ids = new Set<string | undefined>();
      for (const line of lines) {
        const { event, unmapped, originalLeftOut } = mapRecord(format, findRecord(line), new Occurrences());
        assert.equal(unmapped, undefined);
        assert.equal(originalLeftOut, false);
        assert.match(event.action, /^(?:aws|github)\.[a-z0-9_]+(?:\.[a-z0-9_]+)?$/);
        assert.ok(!event.actor.id.includes('@'));
        accept(event);
        ids.add(event.id);
      }
      assert.equal(ids.size, count);
    });
  }

  test('both files go in, are found and verified', (t) => {
    const log = join(temporaryFolder(t), 'log');
    indelible(['init', log, '--origin', 'test.example/real']);
    for (const [format, file] of [
      ['cloudtrail', 'cloudtrail.jsonl'],
      ['github', 'github-webhooks.jsonl'],
    ] as const) {
      const run = indelible(['import', '--log', log, '--from', format, join(samplesDir ?? '', file)]);
      assert.equal(run.status, 0, run.stderr);
    }
    const found = (query: string): JsonLine[] =>
      jsonLines(indelible(['query', '--log', log, query, '--json', '--limit', '1000']).stdout);
    assert.equal(found('action:aws.*').length, 103);
    assert.equal(found('action:github.*').length, 164);
    assert.equal(found('action:aws.sts.assume_role').length, 5);
    assert.ok(found('pedro').length >= 87);
    assert.equal(indelible(['verify', log, '--index']).status, 0);
  });
});
