import { httpRows } from './http.ts';
import { largeRows } from './large.ts';
import { postgresRows } from './postgres.ts';
import type { Row } from './row.ts';
import { writingRows } from './writing.ts';

export type { Check, Medians, Row } from './row.ts';

/** The table of what the project set itself to reach, in the order of the page. */
export const rows: readonly Row[] = [...writingRows, ...largeRows, ...httpRows, ...postgresRows];
