import { escapeText } from '../bytes/index.ts';

/*
 * RFC 4180. A spreadsheet runs a cell that begins with one of = + - @ (or their full-width forms, or a tab or a
 * carriage return before one) as a formula, so such a cell gets an apostrophe in front (OWASP, CWE-1236). CSV is for
 * people and spreadsheets; evidence is exported as JSON lines, where no byte of a value is touched.
 */

const formula = /^[\s\u0000-\u0020]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/u;
const plain = /^[A-Za-z0-9 _./:-]*$/;

/** One cell: a formula defused, control characters but line feeds written out, quoted unless it is plain. */
export function csvCell(value: string | number | undefined): string {
  if (value === undefined) return '';
  const text = String(value);
  const defused = typeof value === 'string' && formula.test(text) ? `'${text}` : text;
  const escaped = defused.split('\n').map(escapeText).join('\n');
  return plain.test(escaped) ? escaped : `"${escaped.replaceAll('"', '""')}"`;
}

/** One record with the line end of RFC 4180. */
export function csvRecord(values: readonly (string | number | undefined)[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}
