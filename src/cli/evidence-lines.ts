import type { EvidenceReport, EvidenceStamp } from '../verify/index.ts';
import { readableTime } from './event-lines.ts';
import { keyWords } from './key-lines.ts';
import { group } from './progress.ts';
import { type Painter, type Shown, show } from './terminal.ts';

/** Sources that are named one by one; of more, how many they are. */
const SOURCES_NAMED_MAX = 5;

/** The report of a file of evidence, but for its verdict. */
export function evidenceLines(report: EvidenceReport, paint: Painter): Shown[] {
  const { counts, made, complete, size, origin } = report;
  const asked = made.ids === null ? `query ${JSON.stringify(made.query)}` : `${made.ids.length} named by id`;
  const lines = [
    show`${origin} · ${many(counts.selected, 'entry', 'entries')} of ${size}${counts.support > 0 ? ` · ${counts.support} in support` : ''}`,
    show`  made      ${readableTime(made.at)} by ${made.by}, ${asked}`,
    show`  asked     ${askedWords(report)}`,
    show`  sealed    ${many(counts.shown, 'value', 'values')} shown, ${counts.withheld} left out, ${counts.erased} erased with a record of it`,
    show`  signed    ${report.signedBy.join(', ') || 'by nobody that is trusted'}`,
    ...report.keys.map((key) => show`  key       ${key.vkey}  ${keyWords(key)}`),
    complete === null
      ? show`  complete  not claimed`
      : show`  complete  every entry from ${complete.from} to ${complete.to - 1}`,
    ...sourceLines(report),
    show`  witnessed ${witnessedWords(report)}`,
    ...cosignatureLines(report),
    ...report.timestamps.map((stamp) => show`  stamped   ${stampWords(stamp)}`),
  ];
  if (report.ok) for (const statement of report.statements) lines.push(show`  ${paint('dim', statement)}`);
  for (const { code, message } of report.findings) lines.push(show`${paint('red', code)}  ${message}`);
  if (report.omitted > 0) lines.push(show`and ${report.omitted} findings more`);
  return lines;
}

/** The verdict in a line: what it rests on is part of it. */
export function verdictLine({ verdict, key }: EvidenceReport, paint: Painter): Shown {
  if (verdict === 'does not hold') return show`${paint('red', 'This evidence does not hold.')}`;
  if (key === 'found inside') {
    return show`${paint('yellow', 'Consistent with the key inside.')} Whoever makes such a file may put any key into it: pin yours with --vkey.`;
  }
  return show`${paint('green', 'Verified.')} What is here is what was signed.`;
}

function askedWords({ asked, made }: EvidenceReport): string {
  const isOne = asked.matched === 1;
  const what =
    made.ids !== null
      ? isOne
        ? 'is the one that was named'
        : 'are those that were named'
      : isOne
        ? 'matches the query'
        : 'match the query';
  const unjudged =
    asked.unjudged === 0 ? '' : `; ${asked.unjudged} could not be judged, since values are withheld`;
  return `${many(asked.matched, 'entry', 'entries')} ${what}${unjudged}`;
}

function sourceLines({ sources }: EvidenceReport): Shown[] {
  if (sources.length > SOURCES_NAMED_MAX)
    return [show`  sources   ${group(sources.length)} without a gap in their numbers`];
  return sources.map(
    ({ service, instance, from, to }) =>
      show`  source    ${service} (${instance}): every number from ${from} to ${to}`,
  );
}

function witnessedWords({ witnessed }: EvidenceReport): string {
  if (witnessed === null) return 'by nobody';
  const { size, policy, quorum, behind } = witnessed;
  const whose =
    quorum === null
      ? policy === 'given'
        ? 'your policy asks for no quorum'
        : policy === 'inside'
          ? 'by witnesses of the policy inside, which is the operator’s own statement: name yours with --policy'
          : 'by whom is not known: no policy names a witness'
      : quorum
        ? 'as the quorum of your policy asks'
        : 'not as the quorum of your policy asks';
  const newer = behind === 0 ? '' : `; ${many(behind, 'selected entry is', 'selected entries are')} newer`;
  return `${group(size)} entries, ${whose}${newer}`;
}

function cosignatureLines({ witnessed }: EvidenceReport): Shown[] {
  return (witnessed?.cosignatures ?? []).map(({ vkey, timestamp }) => {
    // The time is the witness's word, and may be no time at all.
    const time = new Date(timestamp * 1000);
    const at =
      timestamp === 0 || Number.isNaN(time.getTime()) ? '' : ` at ${readableTime(time.toISOString())}`;
    return show`  cosigned  by ${vkey}${at}`;
  });
}

/** Never that an authority is to be trusted: whether its certificate leads to one that the verifier was given. */
function stampWords({ authority, size, verdict }: EvidenceStamp): string {
  const what = `${group(size)} entries by ${authority}`;
  if (verdict === undefined) return `${what}: carried, not checked here`;
  if (!('time' in verdict)) return `${what}: ${verdict.code}`;
  const chain =
    verdict.trust === 'anchored'
      ? 'its chain ends at a certificate that you gave'
      : 'by a certificate that nobody vouches for; name yours with --tsa-ca';
  return `${what} at ${verdict.time}, signed by ${verdict.signer ?? 'somebody'}: ${chain}`;
}

function many(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}
