import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UsageError } from './exit.ts';

/** Most bytes of one line if the caller sets no limit: a file of CloudTrail records is one line. */
const lineBytesDefault = 64 * 1024 * 1024;

/** One line of input: its number from 1, its bytes without the line end, and whether it was too long to keep. */
export interface InputLine {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly tooLong: boolean;
  /** Of a line that was too long: how many bytes it had without its line feed, and their SHA-256 in hexadecimal. */
  readonly digest?: { readonly bytes: number; readonly sha256: string };
}

const readBytes = 1024 * 1024;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * The lines of a file, or of standard input for `-` or nothing, in the groups in which they arrive: a person who types
 * a line is answered at once, a file comes in large groups. A gzip file is unpacked on the way.
 */
export async function* readLines(
  file: string | undefined,
  stdin: Readable,
  lineBytesMax = lineBytesDefault,
): AsyncGenerator<InputLine[]> {
  const source =
    file === undefined || file === '-' ? stdin : createReadStream(file, { highWaterMark: readBytes });
  try {
    yield* splitLines(unpacked(source), lineBytesMax);
  } catch (error) {
    throw isOfZlib(error) ? new UsageError(cutOff(file, error)) : error;
  }
}

/** Whether unpacking failed: what zlib cannot make sense of, or an end before the end (nodejs.org/api/zlib.html). */
function isOfZlib(error: unknown): error is Error {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.startsWith('Z_');
}

function cutOff(file: string | undefined, error: Error): string {
  const name = file === undefined || file === '-' ? 'standard input' : file;
  return `${name} is a gzip file that is cut off or damaged (${error.message}); what came before that was taken`;
}

/** Passes a stream on, unpacked if its first two bytes are those of gzip (RFC 1952). */
async function* unpacked(source: Readable): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  }
  const packed = first.value[0] === 0x1f && first.value[1] === 0x8b;
  if (!packed) yield* whole();
  // A failure on either side destroys the unpacker, and so reaches whoever reads it.
  else yield* pipeline(Readable.from(whole()), createGunzip(), () => undefined) as AsyncIterable<Uint8Array>;
}

/**
 * Splits a stream of bytes into lines; empty lines are counted and left out. Of a line beyond `lineBytesMax` only the
 * digest is kept: it is reported as too long, and the rest goes on.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax = lineBytesDefault,
): AsyncGenerator<InputLine[]> {
  let number = 0;
  let begun = new BegunLine(lineBytesMax);
  const finish = (tail: Uint8Array): InputLine[] => {
    number += 1;
    const line = begun.end(number, tail);
    begun = new BegunLine(lineBytesMax);
    return line.bytes.length === 0 && !line.tooLong ? [] : [line];
  };
  for await (const chunk of chunks) {
    const group: InputLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      group.push(...finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) begun.add(chunk.subarray(start));
    if (group.length > 0) yield group;
  }
  if (begun.bytes === 0) return;
  const last = finish(new Uint8Array(0));
  if (last.length > 0) yield last;
}

/** A line of which the end has not come yet: its parts, or, once it is too long, only the digest of them. */
class BegunLine {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #hash: Hash | undefined;
  /** Bytes so far. */
  bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(part: Uint8Array): void {
    this.bytes += part.length;
    if (this.#hash !== undefined) {
      this.#hash.update(part);
      return;
    }
    this.#parts.push(part);
    if (this.bytes <= this.#bytesMax) return;
    this.#hash = createHash('sha256');
    for (const known of this.#parts) this.#hash.update(known);
    this.#parts = [];
  }

  /** The line, with its last part. */
  end(number: number, tail: Uint8Array): InputLine {
    // Most lines lie within one chunk and are not copied.
    if (this.bytes > 0 || tail.length > this.#bytesMax) this.add(tail);
    if (this.#hash !== undefined) {
      const digest = { bytes: this.bytes, sha256: this.#hash.digest('hex') };
      return { number, bytes: new Uint8Array(0), tooLong: true, digest };
    }
    const joined = this.bytes === 0 ? tail : Buffer.concat(this.#parts);
    const bytes = joined.at(-1) === carriageReturn ? joined.subarray(0, -1) : joined;
    return { number, bytes, tooLong: false };
  }
}
