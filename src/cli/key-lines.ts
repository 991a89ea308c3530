import type { KeyHistory } from '../log/index.ts';
import type { ReportedKey } from '../verify/index.ts';
import { group } from './progress.ts';
import { type Painter, type Shown, show } from './terminal.ts';

/** The keys of a log, a line each, in the order in which they came. */
export function keyLines({ keys, rootVkey }: KeyHistory, paint: Painter): Shown[] {
  const lines = keys.map((key) => {
    const words = [spanOf(key), ...(key.last === undefined ? ['signs now'] : []), ...notesOn(key)].join('; ');
    return show`${paint('dim', 'log key ')}  ${key.vkey}  ${words}`;
  });
  return [...lines, show`${paint('dim', 'root key')}  ${rootVkey ?? 'none: the log key can never change'}`];
}

/** Which sizes a key signs, and what else is to be known of it. */
export function keyWords(key: ReportedKey): string {
  return [spanOf(key), ...notesOn(key)].join('; ');
}

function spanOf({ first, last }: ReportedKey): string {
  return last === undefined ? `from ${group(first)} entries on` : `${group(first)} to ${group(last)} entries`;
}

function notesOn({ isHandedOver, compromisedSince }: ReportedKey): string[] {
  return [
    ...(isHandedOver === false ? ['not handed over by the key before it'] : []),
    ...(compromisedSince === undefined
      ? []
      : [`revoked: not believed beyond ${group(compromisedSince.size)} entries, ${compromisedSince.time}`]),
  ];
}
