import { AnchorStore, formatStampFile } from '../anchor/index.ts';

export { parseStampPath } from '../anchor/index.ts';

/** What stands under a number whose token is none that could be published: a file that shows nothing. */
const NOTHING = new Uint8Array(0);

/**
 * The published form of the time-stamp with this number in `anchors.db`; undefined where there is none, or where it or one before it is
 * over more than `size` entries: numbers are taken one after the other. Throws `LogError` `io_failed`.
 * @internal
 */
export function stampFile(anchorsPath: string, number: number, size: number): Uint8Array | undefined {
  const anchors = AnchorStore.openReadable(anchorsPath);
  try {
    const [stamp] = anchors?.numberedTimestamps(number) ?? [];
    const isThere = stamp?.number === number && number < (anchors?.firstTimestampBeyond(size) ?? number + 1);
    return isThere ? (formatStampFile(stamp) ?? NOTHING) : undefined;
  } finally {
    anchors?.close();
  }
}
