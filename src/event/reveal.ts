import { misuse } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import { openEntry } from './open.ts';
import { escapeStep } from './refusal.ts';

/** Which sealed values are shown: all of them, none, or those at these places within the event and below them. */
export type Reveal = 'all' | 'none' | readonly string[];

/**
 * The JSON pointer that a place is: one already, or dotted as people write it, `actor.name`, `targets.0.email`. Throws a misuse
 * `argument_invalid` for what is neither.
 */
export function revealPointer(place: string): string {
  const isPointer = place.startsWith('/');
  const pointer = isPointer ? place : `/${place.split('.').map(escapeStep).join('/')}`;
  if (/^(\/([^~/]|~0|~1)+)+$/.test(pointer)) return pointer;
  throw misuse(
    'type',
    'argument_invalid',
    `${JSON.stringify(place)} is no place in an event: actor.name, /changes`,
  );
}

/**
 * The disclosures of an entry that may be shown, in their order. What does not belong to the entry is never among them, unless all
 * are shown: then a reader sees that something does not fit.
 */
export function revealed(entry: Entry, disclosures: readonly string[], reveal: Reveal): string[] {
  if (reveal === 'all') return [...disclosures];
  if (reveal === 'none') return [];
  const pointers = reveal.map(revealPointer);
  const isWanted = (path: string): boolean =>
    pointers.some((pointer) => path === pointer || path.startsWith(`${pointer}/`));
  const { fields } = openEntry(entry, disclosures, 0);
  const shown = new Set(fields.filter(({ path }) => isWanted(path)).map(({ disclosure }) => disclosure));
  return disclosures.filter((_, position) => shown.has(position));
}
