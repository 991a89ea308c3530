import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** Most bytes of one line if the caller sets no limit: a file of CloudTrail records is one line. */
const lineBytesDefault = 64 * 1024 * 1024;

/** One line of input: its number from 1, its bytes without the line end, and whether it was too long to keep. */
export interface InputLine {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly tooLong: boolean;
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
  yield* splitLines(unpacked(source), lineBytesMax);
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
 * Splits a stream of bytes into lines; empty lines are counted and left out. Of a line beyond `lineBytesMax` nothing is
 * kept: it is reported as too long, and the rest goes on.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax = lineBytesDefault,
): AsyncGenerator<InputLine[]> {
  let number = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const finish = (tail: Uint8Array): InputLine | undefined => {
    number += 1;
    const tooLong = heldBytes + tail.length > lineBytesMax;
    const joined = tooLong ? new Uint8Array(0) : held.length === 0 ? tail : Buffer.concat([...held, tail]);
    held = [];
    heldBytes = 0;
    const bytes = joined.at(-1) === carriageReturn ? joined.subarray(0, -1) : joined;
    return bytes.length === 0 && !tooLong ? undefined : { number, bytes, tooLong };
  };
  for await (const chunk of chunks) {
    const group: InputLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      const line = finish(chunk.subarray(start, end));
      if (line !== undefined) group.push(line);
      start = end + 1;
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start);
      heldBytes += rest.length;
      if (heldBytes <= lineBytesMax) held.push(rest);
      else held = [];
    }
    if (group.length > 0) yield group;
  }
  if (heldBytes > 0) {
    const line = finish(new Uint8Array(0));
    if (line !== undefined) yield [line];
  }
}
