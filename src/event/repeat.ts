import { type JsonObject, type JsonValue, utf8Encode } from '../bytes/index.ts';
import { type Draft, entryText, sealDraft } from './draft.ts';
import { type Entry, parseEntry } from './entry.ts';
import type { RecordedEvent } from './model.ts';
import { openEntry } from './open.ts';
import { escapeStep } from './refusal.ts';

/**
 * Whether a draft that bears the id of an entry is the same event handed in again: equal in everything that
 * the caller said, with the disclosures joined. `recordedAt`, `nonce` and `source` are the log's and not
 * compared, except for the credential; nor is `occurredAt` where the repeat did not give it, nor what was filled into the
 * repeat's `context`. A value that was erased matches anything.
 */
export function sameEvent(draft: Draft, entry: Entry, disclosures: readonly string[]): boolean {
  // Both are brought into one form by the road that the entry took. The salts do not matter, but no two may
  // be equal.
  const sealed = sealDraft(draft, countingBytes);
  const repeated = parseEntry(utf8Encode(entryText(sealed, entry.recordedAt)));
  if (repeated.source.credential !== entry.source.credential) return false;
  const again = openEntry(repeated, sealed.disclosures, 0).event;
  const { event } = openEntry(entry, disclosures, 0);
  if (sealed.givenOccurredAt && again.occurredAt !== event.occurredAt) return false;
  const [left, right] = [compared(again), compared(event)];
  // A context of which something is withheld is compared as it is: what is left of it says what it may lack.
  const isWhole = !event.withheld.some(({ path }) => path === '/context' || path.startsWith('/context/'));
  if (sealed.filled.length > 0 && isWhole) for (const side of [left, right]) setAside(side, sealed.filled);
  return new Comparison(event).same(left, right, '');
}

/** Takes these fields out of the context, and the context itself where nothing else is in it. */
function setAside(event: Record<string, JsonValue>, names: readonly string[]): void {
  const { context } = event;
  if (context === undefined) return;
  const rest = Object.entries(context as JsonObject).filter(([name]) => !names.includes(name));
  if (rest.length === 0) delete event['context'];
  else event['context'] = Object.fromEntries(rest);
}

/** Instead of random bytes: every 16 of them differ from every other 16. */
function countingBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, position) => (position % 2 === 0 ? position >> 4 : position >> 12));
}

/** What is compared of an event. */
function compared(event: RecordedEvent): Record<string, JsonValue> {
  const {
    index: _index,
    occurredAt: _occurred,
    recordedAt: _recorded,
    source: _source,
    withheld: _withheld,
    ...rest
  } = event;
  return { ...rest } as unknown as Record<string, JsonValue>;
}

/** Compares a repeat with what is stored, of which some values may be withheld. */
class Comparison {
  /** Pointers of withheld values whose names the entry tells. */
  readonly #named = new Set<string>();
  /** How many values without a name are withheld from the object at a pointer. */
  readonly #unnamed = new Map<string, number>();

  constructor({ withheld }: RecordedEvent) {
    for (const { path, name } of withheld) {
      if (name !== undefined) this.#named.add(path);
      else this.#unnamed.set(path, (this.#unnamed.get(path) ?? 0) + 1);
    }
  }

  same(again: JsonValue, stored: JsonValue, pointer: string): boolean {
    if (typeof again !== 'object' || again === null || typeof stored !== 'object' || stored === null)
      return again === stored;
    if (Array.isArray(again) || Array.isArray(stored)) {
      return Array.isArray(again) && Array.isArray(stored) && this.#sameList(again, stored, pointer);
    }
    return this.#sameObject(again as JsonObject, stored as JsonObject, pointer);
  }

  #sameList(again: readonly JsonValue[], stored: readonly JsonValue[], pointer: string): boolean {
    return (
      again.length === stored.length &&
      again.every((element, position) => this.same(element, stored[position]!, `${pointer}/${position}`))
    );
  }

  #sameObject(again: JsonObject, stored: JsonObject, pointer: string): boolean {
    let unnamed = 0;
    let named = 0;
    for (const name of Object.keys(again)) {
      const path = `${pointer}/${escapeStep(name)}`;
      if (Object.hasOwn(stored, name)) {
        if (!this.same(again[name]!, stored[name]!, path)) return false;
      } else if (this.#named.has(path)) named += 1;
      else unnamed += 1;
    }
    // Whatever the repeat has more must be what is withheld here, and the other way round.
    const hasAll = Object.keys(stored).every((name) => Object.hasOwn(again, name));
    return hasAll && unnamed === (this.#unnamed.get(pointer) ?? 0) && named === this.#namedIn(pointer);
  }

  #namedIn(pointer: string): number {
    let count = 0;
    for (const path of this.#named) if (path.slice(0, path.lastIndexOf('/')) === pointer) count += 1;
    return count;
  }
}
