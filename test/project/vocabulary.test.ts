// docs/vocabulary.md and the code have the same names, in the same order.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { actionVocabulary } from 'indelible/event';
import { projectRoot } from './source-tree.ts';

test('docs/vocabulary.md lists the actions of the code, each with when, targets and a mapping', () => {
  const text = readFileSync(path.join(projectRoot, 'docs/vocabulary.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_.]+)` \|(.*)\|$/gm)];
  assert.deepEqual(
    rows.map(([, action]) => action),
    [...actionVocabulary],
  );
  for (const [, action, rest] of rows) {
    const cells = rest!.split('|').map((cell) => cell.trim());
    assert.equal(cells.length, 3, action);
    assert.ok(
      cells.every((cell) => cell !== ''),
      action,
    );
    assert.match(cells[2]!, /^(—|`[a-z]+(_[a-z]+)+`)$/, `${action}: a name of OWASP's, or a dash`);
  }
});
