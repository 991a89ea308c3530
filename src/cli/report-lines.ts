import type { LogReport } from '../log/index.ts';
import type { Held } from '../verify/index.ts';
import { group } from './progress.ts';
import { type Painter, type Shown, show } from './terminal.ts';

/*
 * A verdict that a person can act on: what was read, by whose key it was judged, what nothing outside the log vouches
 * for, and then every finding with the entries that it concerns. Never a bare OK: integrity ("what is here was not
 * changed") and completeness ("nothing is missing") are two things, and the last lines keep them apart.
 */

/** Findings printed in full; a log with more is not read line by line. `--json` has them all. */
const findingsMax = 200;

function row(label: string, value: Shown, paint: Painter): Shown {
  return show`  ${paint('dim', label.padEnd(9))} ${value}`;
}

/** The lines of an audit's report; a published log has no search index. */
export function reportLines(
  report: LogReport,
  held: readonly Held[] | undefined,
  paint: Painter,
  isPublished = false,
): Shown[] {
  const { counts, findings } = report;
  const key = report.key === 'pinned' ? 'the key you gave' : 'with the key found inside; pin it with --vkey';
  const lines = [
    show`${paint('bold', report.origin)} · ${group(report.size)} entries · root ${report.root}`,
    row(
      'read',
      show`${group(counts.entries)} entries, ${group(counts.disclosures)} sealed values beside them`,
      paint,
    ),
    row('sealed', sealedWords(report), paint),
    row('key', show`${key}`, paint),
  ];
  if (counts.pruned > 0) {
    const what = show`${group(counts.pruned)} entries are gone with a record of it; their hashes are in the tree`;
    lines.push(row('pruned', what, paint));
  }
  if (report.keys !== undefined) {
    const { length } = report.keys;
    lines.push(
      row('keys', show`${length} signed this log, one after the other; key list prints them`, paint),
    );
  }
  if (report.forkedFrom !== undefined) {
    const { origin, size } = report.forkedFrom;
    lines.push(row('forked', show`in the place of ${origin}, which ended at ${group(size)} entries`, paint));
  }
  if (report.index !== undefined) {
    const { covered, of } = report.index;
    lines.push(row('index', show`covers ${group(covered)} of ${group(of)} entries`, paint));
  }
  if (held !== undefined) lines.push(row('held', heldWords(held), paint));
  if (report.stamped !== undefined) lines.push(row('stamped', stampedWords(report.stamped), paint));
  lines.push(row('anchored', show`${report.anchored}`, paint), show``);
  if (findings.length === 0) {
    lines.push(show`${paint('green', 'No change was found.')} What is here is what was signed.`);
    if (report.index === undefined && !isPublished)
      lines.push(show`The search index was not compared: --index does.`);
    return lines;
  }
  const noun = findings.length === 1 ? 'finding' : 'findings';
  const isOfEvidence = findings.every(({ detail }) => detail?.['about'] === 'evidence');
  const isOfStamps = findings.some(({ code }) => code === 'timestamp_invalid' || code === 'not_a_file');
  const verdict = !isOfEvidence
    ? 'this log is not what was signed.'
    : isOfStamps
      ? 'evidence from outside does not hold; in the log itself no change was found.'
      : 'what was held is not of this log, in which no change was found.';
  lines.push(show`${paint('red', `${group(findings.length)} ${noun}`)}: ${verdict}`);
  const listed = findings.slice(0, findingsMax);
  const codeWidth = Math.max(...listed.map(({ code }) => code.length));
  for (const finding of listed) {
    lines.push(show`  ${paint('yellow', finding.code.padEnd(codeWidth))}  ${finding.message}`);
  }
  const more = findings.length - listed.length + report.omitted;
  if (more > 0) lines.push(show`  and ${group(more)} more; --json lists the first thousand of each kind`);
  return lines;
}

function sealedWords({ counts, sealed, depth }: LogReport): Shown {
  if (sealed === 'elsewhere') return show`not looked at: --subject-keys reads what is published of them`;
  if (depth === 'tree') return show`not looked at`;
  const { present, erased, unrecorded = 0, missing } = counts;
  const waiting =
    unrecorded === 0
      ? ''
      : `, ${group(unrecorded)} erased by their keys, of which no record is published yet`;
  return show`${group(present)} present, ${group(erased - unrecorded)} erased with a record of it${waiting}, ${group(missing)} missing`;
}

function stampedWords({ given, agree, newest }: NonNullable<LogReport['stamped']>): Shown {
  const isKnown = newest.some(({ trust }) => trust === 'anchored');
  const pin = isKnown || agree === 0 ? '' : ', by certificates that came with them; name yours with --tsa-ca';
  return show`${group(agree)} of ${group(given)} time-stamps agree${pin}`;
}

function heldWords(held: readonly Held[]): Shown {
  const receipts = held.filter((item) => typeof item !== 'string').length;
  if (receipts === 0) return show`a checkpoint of yours was compared`;
  return show`${group(receipts)} ${receipts === 1 ? 'receipt of yours was' : 'receipts of yours were'} compared`;
}
