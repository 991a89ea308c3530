import { parseJson, utf8Decode } from '../../bytes/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import type { Terms } from './terms.ts';

/** What the columns of the index say of an event: fields that stand in the open in every entry. */
export interface Columns {
  /** `occurredAt`, milliseconds since the epoch. */
  occurred: number;
  action: string;
  actorType: string;
  actorId: string;
  outcome: string;
  severity: string;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
