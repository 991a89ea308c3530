import { base64Decode, VerificationError } from '../../../src/bytes/index.ts';
import { openEntry, parseEntry, type RecordedEvent, type SealedField } from '../../../src/event/index.ts';
import { type Hash, hashLeaf } from '../../../src/merkle/index.ts';
import type { Row, RowVerdict } from './model.ts';

/** A row read from its bytes; its verdict is settled early where the bytes condemn themselves. */
export interface OpenedRow {
  readonly index: number;
  readonly leafHash: Hash | undefined;
  readonly event: RecordedEvent | undefined;
  readonly fields: readonly SealedField[];
  verdict: RowVerdict | undefined;
}

/** Hashes a row's bytes and reads the event out of them. What cannot be read is broken, and is not thrown. */
export function openRow({ index, entry, disclosures }: Row): OpenedRow {
  const row: OpenedRow = { index, leafHash: undefined, event: undefined, fields: [], verdict: undefined };
  try {
    const bytes = base64Decode(entry);
    const { event, fields, problems } = openEntry(parseEntry(bytes), disclosures, index);
    const problem = problems[0];
    const verdict: RowVerdict | undefined = problem && {
      state: 'broken',
      code: 'disclosure_unmatched',
      message: `A sealed value was exchanged or altered: ${problem.message}.`,
    };
    return { ...row, leafHash: hashLeaf(bytes), event, fields, verdict };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { ...row, verdict: { state: 'broken', code: error.code, message: error.message } };
  }
}
