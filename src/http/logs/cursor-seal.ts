import { createHmac, timingSafeEqual } from 'node:crypto';
import { misuse } from '../../bytes/index.ts';

/** Characters of the code in front of a cursor: 96 bits, base64url. */
const CODE_CHARACTERS = 16;

/** Binds cursors to the log, the question and the reader's own filter, by a code that only this server can make. */
export class CursorSeal {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** A cursor as it is handed out. `bound` is everything that it is good for. */
  seal(cursor: string, bound: readonly string[]): string {
    return `${this.#code(cursor, bound)}${cursor}`;
  }

  /** The inverse of {@link seal}. Throws a misuse `cursor_invalid` for any other text, and any other binding. */
  open(text: string, bound: readonly string[]): string {
    const cursor = text.slice(CODE_CHARACTERS);
    const given = Buffer.from(text.slice(0, CODE_CHARACTERS));
    const code = Buffer.from(this.#code(cursor, bound));
    if (given.length === code.length && timingSafeEqual(given, code)) return cursor;
    throw misuse('range', 'cursor_invalid', 'the cursor is not one of this log, query and credential');
  }

  #code(cursor: string, bound: readonly string[]): string {
    const text = JSON.stringify([...bound, cursor]);
    return createHmac('sha256', this.#secret).update(text).digest('base64url').slice(0, CODE_CHARACTERS);
  }
}
