import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_ROOT, Frontier, hashLeaf } from 'indelible/merkle';
import { type Append, MemoryStore } from 'indelible/store';

const bytes = (text: string) => new TextEncoder().encode(text);

function honest(): Append {
  const entry = bytes('{"n":1}');
  const tree = Frontier.empty();
  tree.append(hashLeaf(entry));
  return {
    entries: [{ id: 'a', entry, disclosures: [] }],
    tiles: [],
    head: { size: 1, root: tree.root(), recordedAt: 1, checkpoint: bytes('note') },
  };
}

async function offer(append: Append): Promise<void> {
  const transaction = await new MemoryStore().begin();
  await transaction.append(append);
  await transaction.commit();
}

describe('the memory store polices the contract', () => {
  test('it takes an honest append', () => offer(honest()));

  const lies: Record<string, (append: Append) => Append> = {
    'a root of other entries': (append) => ({ ...append, head: { ...append.head, root: EMPTY_ROOT } }),
    'an unsigned checkpoint': (append) => ({ ...append, head: { ...append.head, checkpoint: bytes('') } }),
    'a size with a gap': (append) => ({ ...append, head: { ...append.head, size: 2 } }),
    'a partial tile of level 0': (append) => ({
      ...append,
      tiles: [{ level: 0, index: 0, hashes: new Uint8Array(32) }],
    }),
    'an id used twice': (append) => ({ ...append, entries: [append.entries[0]!, append.entries[0]!] }),
    'time before the epoch': (append) => ({ ...append, head: { ...append.head, recordedAt: -1 } }),
  };
  for (const [name, lie] of Object.entries(lies)) {
    test(`it refuses ${name}`, async () => {
      await assert.rejects(offer(lie(honest())), { name: 'LogError', code: 'store_contract' });
    });
  }
});
