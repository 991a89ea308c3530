// `timestamp` and `tier` as a user types them, against a time-stamping authority of ours.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Tier } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { type Chain, listen, makeChain, openssl, opensslMissing, rejected } from '../support/tsa.ts';
import { type Ended, indelible, started } from './cli-process.ts';

describe('timestamp and tier', { skip: opensslMissing }, () => {
  let folder: string;
  let chain: Chain;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const done = (ended: Ended): Ended => {
    assert.equal(ended.status, 0, ended.stderr);
    return ended;
  };

  test('an authority is added, asked, listed, its answer verified, exported for openssl, and removed', async (t) => {
    const tsa = await listen(t, folder, chain);
    const base = temporaryFolder(t);
    const log = join(base, 'audit');
    const vkey = done(indelible(['init', log, '--origin', 'example.com/audit'])).stdout.match(
      /^log key +(\S+)$/m,
    )![1]!;
    rmSync(join(log, 'root.key'));
    const none = indelible(['timestamp', 'now', '--log', log]);
    assert.deepEqual([none.status, none.stdout], [2, '']);
    assert.match(none.stderr, /nobody time-stamps this log: see timestamp add/);
    assert.match(
      done(indelible(['timestamp', 'list', '--log', log])).stderr,
      /^Nobody time-stamps this log\.\n$/,
    );

    const added = done(
      indelible([
        'timestamp',
        'add',
        tsa.url,
        '--log',
        log,
        '--name',
        'ours',
        '--ca',
        chain.root.cert,
        '--every',
        '30',
      ]),
    );
    assert.match(added.stderr, /^ours is asked where the log is opened to write\. Try it:/);
    assert.equal(
      indelible(['timestamp', 'add', tsa.url, '--log', log, '--name', 'ours']).status,
      2,
      'a name is taken once',
    );
    assert.equal(indelible(['timestamp', 'add', tsa.url, '--log', base]).status, 3, 'there is no log');
    const host = done(indelible(['timestamp', 'add', 'http://tsa.example.com:8080/x', '--log', log])).stderr;
    assert.match(
      host,
      /^tsa\.example\.com-8080 is asked .*, by whatever certificate it shows: pin it with --ca\./,
    );
    done(indelible(['timestamp', 'remove', 'tsa.example.com-8080', '--log', log]));

    const now = done(await started(['timestamp', 'now', '--log', log]));
    assert.match(now.stdout, /^ours {2}\d{4}-\S+Z {2}up to size 1 {2}by O=Test, CN=tsa\n$/);
    const listed = done(indelible(['timestamp', 'list', '--log', log]));
    assert.match(listed.stdout, /^ours {2}http:\S+ {2}pinned {2}size 1 at \S+Z\n$/);
    assert.match(listed.stderr, /every 30 minutes where the log grew/);
    const [line] = done(indelible(['timestamp', 'list', '--log', log, '--json']))
      .stdout.trim()
      .split('\n');
    assert.equal(JSON.parse(line!).stamped.size, 1);

    const verified = done(indelible(['verify', log, '--vkey', vkey, '--tsa-ca', chain.root.cert])).stdout;
    assert.match(verified, /^ {2}stamped {3}1 of 1 time-stamps agree$/m);
    assert.match(
      verified,
      /^ {2}anchored {2}consistent up to size 1; time-stamped by ours at \S+Z up to size 1; agrees with the mark beside the folder$/m,
    );
    const unpinned = done(indelible(['verify', log])).stdout;
    assert.match(unpinned, /by certificates that came with them; name yours with --tsa-ca$/m);
    assert.match(unpinned, /no outside anchor$/m);

    const out = join(base, 'evidence');
    done(indelible(['timestamp', 'export', '1', '--log', log, '--to', out]));
    assert.deepEqual(readdirSync(out).sort(), ['1-ours.checkpoint', '1-ours.tsr', '1-ours.txt']);
    assert.match(readFileSync(join(out, '1-ours.txt'), 'utf8'), /^example\.com\/audit\n1\n\S{44}\n$/);
    openssl([
      'ts',
      '-verify',
      '-in',
      join(out, '1-ours.tsr'),
      '-data',
      join(out, '1-ours.txt'),
      '-CAfile',
      chain.root.cert,
    ]);
    const missing = indelible(['timestamp', 'export', '7', '--log', log, '--to', out]);
    assert.equal(missing.status, 3);
    assert.match(missing.stderr, /nobody has time-stamped size 7 \(not_found\)\. the newest is of size 1/);

    // A foreign certificate: evidence that fails, and not the log.
    const other = makeChain(base, 'ec', 'other');
    const foreign = indelible(['verify', log, '--vkey', vkey, '--tsa-ca', other.root.cert]);
    assert.equal(foreign.status, 1);
    assert.match(
      foreign.stdout,
      /1 finding: evidence from outside does not hold; in the log itself no change was found\.\n {2}timestamp_invalid {2}A time-stamp by ours shows nothing: /,
    );

    tsa.behave = (_, response) => void response.end(rejected(14, 'no clock'));
    const refused = await started(['timestamp', 'now', '--log', log]);
    assert.deepEqual([refused.status, refused.stdout], [3, '']);
    assert.match(
      refused.stderr,
      /^ours: The time-stamping authority says rejected: no source of time; no clock\. \(timestamp_refused\)\n$/,
    );

    const tier = done(indelible(['tier', '--log', log])).stdout;
    const lines = [
      /^example\.com\/audit · 1 entry · root \S{44}\n {2}yes {2}chained {7}1 entry under one root; /,
      /^ {2}no {3}witnessed {5}no policy names a witness, and none cosigns$/m,
      /^ {2}yes {2}time-stamped {2}ours, .* ago, up to size 1$/m,
      /^whoever holds the signing key can sign another history, or show two: in part\n {2}answered by {2}time-stamped up to size 1 by ours; /m,
      /^ {2}unseen {7}show another history to somebody who has none of this/m,
      /^the operator and every witness together can invent a history from its beginning: in part$/m,
      /^whoever copies the files of this log can take the signing key: in part$/m,
    ];
    for (const word of lines) assert.match(tier, word);
    const json = JSON.parse(done(indelible(['tier', '--log', log, '--json'])).stdout) as Tier;
    assert.deepEqual(
      json.layers.filter(({ holds }) => holds).map(({ name }) => name),
      ['chained', 'signed', 'time-stamped'],
    );
    assert.equal(json.exposure.length, 7);
    // The same by URL.
    const place = `file://${join(base, 'public')}`;
    const told = done(indelible(['publish', '--log', log, '--to', place])).stdout;
    assert.match(told, /in 4 new files, 1 time-stamps among them\n$/);
    const asJson = done(indelible(['publish', '--log', log, '--to', place, '--json'])).stdout;
    assert.deepEqual([JSON.parse(asJson).written, JSON.parse(asJson).timestamps], [0, 0]);
    const byUrl = done(indelible(['verify', place, '--vkey', vkey, '--tsa-ca', chain.root.cert])).stdout;
    assert.match(byUrl, /^ {2}stamped {3}1 of 1 time-stamps agree$/m);
    assert.match(byUrl, /; time-stamped by ours at \S+Z up to size 1$/m);
    const foreignUrl = indelible(['verify', place, '--vkey', vkey, '--tsa-ca', other.root.cert]);
    assert.deepEqual(
      [foreignUrl.status, foreignUrl.stdout.match(/finding.*/)?.[0]],
      [1, foreign.stdout.match(/finding.*/)?.[0]],
    );
    const beside = indelible(['verify', place, '--anchors', join(log, 'anchors.db')]);
    assert.deepEqual([beside.status, /go with the folder/.test(beside.stderr)], [2, true]);
    const restored = join(base, 'restored');
    const words = ['restore', '--from', place, '--to', restored, '--vkey', vkey];
    assert.match(
      done(indelible(words)).stdout,
      /^1 time-stamps of this log came with it: verify --tsa-ca judges them\.$/m,
    );
    const again = done(
      indelible(['verify', restored, '--vkey', vkey, '--tsa-ca', chain.root.cert, '--tree']),
    ).stdout;
    assert.match(again, /time-stamped by ours at \S+Z up to size 1/);
    const link = join(base, 'public', 'timestamps', '001');
    symlinkSync(join(base, 'public', 'timestamps', '000'), link);
    const linked = indelible(['verify', place, '--vkey', vkey]);
    assert.equal(linked.status, 1);
    assert.match(
      linked.stdout,
      /evidence from outside does not hold.*\n {2}not_a_file {2}timestamps\/001 is a symbolic link/,
    );

    writeFileSync(join(log, 'policy'), 'nonsense');
    const contradicted = indelible(['tier', '--log', log]);
    assert.equal(contradicted.status, 1);
    assert.match(contradicted.stdout, /^ {2}contradicted {2}The policy of the log cannot be read/m);
  });
});
