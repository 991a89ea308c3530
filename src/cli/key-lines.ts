import type { KeyHistory } from '../log/index.ts';
import { group } from './progress.ts';
import { type Painter, type Shown, show } from './terminal.ts';

/** The keys of a log, a line each, in the order in which they came. */
export function keyLines({ keys, rootVkey }: KeyHistory, paint: Painter): Shown[] {
  const lines = keys.map(({ vkey, first, last, isHandedOver, compromisedSince }) => {
    const span =
      last === undefined ? `from ${group(first)} entries on` : `${group(first)} to ${group(last)} entries`;
    const notes = [
      ...(last === undefined ? ['signs now'] : []),
      ...(isHandedOver === false ? ['not handed over by the key before it'] : []),
      ...(compromisedSince === undefined
        ? []
        : [`revoked: not believed beyond ${group(compromisedSince.size)} entries, ${compromisedSince.time}`]),
    ];
    return show`${paint('dim', 'log key ')}  ${vkey}  ${span}${notes.length === 0 ? '' : `; ${notes.join('; ')}`}`;
  });
  return [...lines, show`${paint('dim', 'root key')}  ${rootVkey ?? 'none: the log key can never change'}`];
}
