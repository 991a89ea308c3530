/**
 * The client of a server, for any runtime that has `fetch`.
 */

export type { ReceiptWire } from '../wire/index.ts';
