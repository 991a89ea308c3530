// A small log whose keys change, by the rules until a test breaks them.

import { base64Encode, utf8Decode } from 'indelible/bytes';
import { formatKeyStatement, type KeyStatement, keyChangeEvent } from 'indelible/event';
import { hashLeaf } from 'indelible/merkle';
import { type Signer, signNote } from 'indelible/note';
import { type KeyTimeline, keyTimeline } from 'indelible/verify';
import { createSigner, eventOf, origin, SmallLog } from './small-log.ts';

/** The root key of the test's log. */
export const root = createSigner(`${origin}/root`, 200);

/** The signing keys of the test's log, in the order in which they take over. */
export const keyOf = (number: number): Signer => createSigner(origin, 10 + number);

/** What a test says otherwise about a change. */
export interface Bent {
  readonly by?: readonly Signer[];
  readonly statement?: Partial<KeyStatement>;
  /** What the entry says, where it differs from what was signed. */
  readonly entry?: Partial<KeyStatement>;
}

/** A log with a root key, signed by `keyOf(0)`. */
export class RotatingLog extends SmallLog {
  number = 0;
  changes = 0;

  constructor() {
    super({ signer: keyOf(0), rootKey: root.vkey });
  }

  grow(events: number): this {
    for (let count = 0; count < events; count += 1) this.append(eventOf(this.size));
    return this.sign();
  }

  /** Puts the next key in the place of the one that signs, and signs with it. */
  rotate({ by, statement, entry }: Bent = {}): this {
    const next = keyOf(this.number + 1);
    this.change(
      {
        kind: 'rotation',
        ...this.place,
        oldKey: this.signer.vkey,
        newKey: next.vkey,
        ...statement,
      } as KeyStatement,
      by ?? [this.signer, root],
      entry,
    );
    this.number += 1;
    this.signer = next;
    return this.sign();
  }

  revoke(key: string, size: number, { by, statement, entry }: Bent = {}): this {
    const time = new Date(Date.UTC(2026, 0, 1) + size * 1000).toISOString();
    const since = { compromisedSince: { size, time } };
    this.change(
      { kind: 'revocation', ...this.place, key, ...since, ...statement } as KeyStatement,
      by ?? [root],
      entry,
    );
    return this.sign();
  }

  /** Writes the entry of a change. */
  change(statement: KeyStatement, by: readonly Signer[], entry: Partial<KeyStatement> = {}): void {
    const note = utf8Decode(signNote(formatKeyStatement(statement), by));
    this.append(keyChangeEvent({ ...statement, ...entry } as KeyStatement, note));
    this.changes += 1;
  }

  get place(): { origin: string; genesis: string; change: number } {
    return { origin, genesis: base64Encode(hashLeaf(this.rows[0]!.entry)), change: this.changes + 1 };
  }

  get timeline(): KeyTimeline {
    const [first, ...rest] = this.rows;
    return keyTimeline(
      first!.entry,
      rest.filter(({ id }) => id?.startsWith('log.key_change.')),
    );
  }
}
