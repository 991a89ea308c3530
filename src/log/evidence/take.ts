import { type AuditEvent, exportedEvent, filterOf, formatFilter } from '../../event/index.ts';
import { LogError } from '../../store/index.ts';
import { type EvidenceParts, type EvidenceWriting, writeEvidence } from './evidence.ts';
import type { EvidenceSelection } from './selection.ts';

/** What the taking of evidence needs of a log. */
export interface TakingParts extends Omit<EvidenceParts, 'seal'> {
  /** Signs the note that binds the file; undefined where the log was opened for reading only. */
  readonly seal: EvidenceParts['seal'] | undefined;
  recordOwn(event: AuditEvent): Promise<unknown>;
}

/** Writes evidence, and records that it was taken, whole or not. Throws as `writeEvidence` does, and `LogError` `read_only`. */
export async function* takeEvidence(
  { seal, recordOwn, ...parts }: TakingParts,
  selection: EvidenceSelection,
  writing: EvidenceWriting,
): AsyncGenerator<string> {
  if (seal === undefined) {
    const hint = 'evidence is signed by the key of the log: open it for writing';
    throw new LogError('read_only', 'the log was opened for reading only', { hint });
  }
  const pieces = writeEvidence({ ...parts, seal }, selection, writing);
  let [isWhole, events] = [false, 0];
  try {
    for (let next = await pieces.next(); ; next = await pieces.next()) {
      if (next.done === true) {
        events = next.value.selected;
        break;
      }
      yield next.value;
    }
    isWhole = true;
  } finally {
    const query = selection.query === undefined ? '' : formatFilter(filterOf(selection.query));
    const queries = query === '' ? [] : [query];
    await recordOwn(
      exportedEvent({ actor: writing.by, format: 'evidence', events, fields: [], queries, isWhole }),
    );
  }
}
