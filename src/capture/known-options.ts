import { misuse } from '../bytes/index.ts';
import { nearestName } from '../event/index.ts';

/** Refuses options that nobody reads, by name, with the one that was probably meant. Throws `TypeError` `option_unknown`. */
export function checkKnownOptions(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
    throw misuse('type', 'option_unknown', `unknown option ${name}: ${hint}`);
  }
}
