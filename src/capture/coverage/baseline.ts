import { type JsonValue, misuse, parseJson } from '../../bytes/index.ts';
import type { CoverageFinding } from './scan.ts';

/** What is known to be unrecorded: names without lines, so that a file may change around them. */
export interface Baseline {
  readonly version: 1;
  readonly unrecorded: readonly string[];
}

/** What a report says against a baseline. */
export interface Standing {
  /** Unrecorded, and not in the baseline. */
  readonly fresh: readonly CoverageFinding[];
  /** Unrecorded, and known. */
  readonly known: readonly CoverageFinding[];
  /** In the baseline, and recorded or removed since. */
  readonly gone: readonly string[];
}

/** The baseline of a report: everything unrecorded in it is known from now on. */
export function baselineOf(found: readonly CoverageFinding[]): Baseline {
  return { version: 1, unrecorded: [...named(found).keys()].sort() };
}

/** Compares a report with what is known. */
export function compareBaseline(found: readonly CoverageFinding[], baseline: Baseline): Standing {
  const names = named(found);
  const known = new Set(baseline.unrecorded);
  const entries = [...names.entries()];
  return {
    fresh: entries.filter(([name]) => !known.has(name)).map(([, finding]) => finding),
    known: entries.filter(([name]) => known.has(name)).map(([, finding]) => finding),
    gone: baseline.unrecorded.filter((name) => !names.has(name)),
  };
}

/** Reads a baseline. Throws `VerificationError` `malformed_json`, misuse `argument_invalid`. */
export function parseBaseline(text: string): Baseline {
  const value = parseJson(text) as { readonly version?: JsonValue; readonly unrecorded?: JsonValue } | null;
  const { version, unrecorded } = value ?? {};
  if (version !== 1 || !Array.isArray(unrecorded) || unrecorded.some((name) => typeof name !== 'string')) {
    throw misuse(
      'type',
      'argument_invalid',
      'a baseline is {"version": 1, "unrecorded": [names]}, as --update writes it',
    );
  }
  return { version, unrecorded: unrecorded as string[] };
}

/** The unrecorded by name; a second of the same name in one file is `… #2`. */
function named(found: readonly CoverageFinding[]): Map<string, CoverageFinding> {
  const names = new Map<string, CoverageFinding>();
  for (const finding of found) {
    if (finding.recorded) continue;
    const name = `${finding.file}: ${finding.kind} ${finding.name}`;
    let unique = name;
    for (let count = 2; names.has(unique); count += 1) unique = `${name} #${count}`;
    names.set(unique, finding);
  }
  return names;
}
