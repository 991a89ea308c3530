import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A folder of its own for one test, removed afterwards; what lies beside a log (its mark) lies in it too. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'indelible-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The smallest event that is one. */
export function signIn(id?: string, actor = 'u_1') {
  return {
    ...(id === undefined ? {} : { id }),
    action: 'user.signed_in',
    actor: { type: 'user', id: actor, name: `Name of ${actor}` },
    targets: [],
    context: { ip: '203.0.113.9', userAgent: 'test' },
  };
}
