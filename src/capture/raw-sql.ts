/*
 * Whether a text of SQL writes rows. Nothing here parses SQL: what is not plainly a read counts as a write, so that it is refused or
 * recorded rather than missed. What no text can show: a function that a SELECT calls may write, too.
 */

const readingWords: ReadonlySet<string> = new Set([
  'select',
  'values',
  'with',
  'table',
  'show',
  'explain',
  'pragma',
]);

/** Words that begin a session's own statements, which touch no row. */
const sessionWords: ReadonlySet<string> = new Set([
  'set',
  'reset',
  'listen',
  'unlisten',
  'notify',
  'analyze',
  'vacuum',
]);

const transactionWords: ReadonlySet<string> = new Set([
  'begin',
  'start',
  'commit',
  'end',
  'abort',
  'rollback',
  'savepoint',
  'release',
]);

const writingWord = /\b(?:insert|update|delete|merge|replace\s+into|truncate|copy|call|do|drop|into)\b/;
const rowLock = /\bfor\s+(?:no\s+key\s+)?update\b/g;

/** Whether a text begins or ends a transaction, behind the back of the library that keeps them. */
export function controlsTransaction(sql: string): boolean {
  return statementsIn(sql).some((text) => transactionWords.has(firstWord(text)));
}

/** The statements in a text, in both readings of a dollar: PostgreSQL quotes with it, and SQLite does not. */
function statementsIn(sql: string): string[] {
  const readings = sql.includes('$')
    ? [withoutQuoted(sql, dollarQuoted), withoutQuoted(sql, plainQuoted)]
    : [withoutQuoted(sql, plainQuoted)];
  return readings.flatMap((bare) => bare.toLowerCase().split(';')).filter((text) => text.trim() !== '');
}

function firstWord(statement: string): string {
  return /^[\s(]*([a-z]+)/.exec(statement)?.[1] ?? '';
}

/** Whether a text may write rows, or change what tables there are. */
export function mayWrite(sql: string): boolean {
  return statementsIn(sql).some((text) => {
    const first = firstWord(text);
    if (sessionWords.has(first)) return false;
    if (!readingWords.has(first)) return true;
    // `PRAGMA name = value` sets something; `EXPLAIN ANALYZE DELETE` deletes.
    if (first === 'pragma') return text.includes('=');
    return writingWord.test(text.replace(rowLock, ' '));
  });
}

// A text with backslashes begins with an `e` of its own: `like'\'` ends with its quote.
const plainQuoted =
  /--[^\n]*|\/\*[\s\S]*?\*\/|(?<![\w$\x80-\uffff])e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`/gi;
const dollarQuoted = new RegExp(`\\$(\\w*)\\$[\\s\\S]*?\\$\\1\\$|${plainQuoted.source}`, 'gi');

/** A text without comments, texts and quoted names: what is inside them says nothing about the statement. */
function withoutQuoted(sql: string, quoted: RegExp): string {
  return sql.replace(quoted, ' ');
}
