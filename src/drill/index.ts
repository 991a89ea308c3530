/**
 * The drill: attacks on copies of a log, staged to see them caught.
 *
 * A log that says it is tamper-evident should be asked to show it, on your data, on your machine, before somebody else
 * asks. `drill(dir)` copies the folder once for each attack, lets an attacker at the copy with plain SQL and file edits,
 * and asks the ordinary verifier. It answers a list:
 *
 *     { attack: 'swap two entries', caught: true, expected: true, by: 'root_mismatch', words: 'The tree over …' }
 *
 * The attacker is a good one: whoever can edit a database can also drop its triggers, and put them back afterwards, so no
 * attack here is caught by a missing trigger. And the drill is honest about the limit of the whole design. Whoever holds
 * the signing key can rewrite history and sign it again, and a log alone cannot show that; a receipt that somebody kept
 * can. That attack is staged twice.
 *
 * The log itself is only read. Every file of it is hashed before and after, and a difference is an error.
 */

export { controlName } from './attacks.ts';
export { type DrillOptions, type DrillRow, drill } from './drill.ts';
