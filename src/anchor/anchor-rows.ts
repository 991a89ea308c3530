/* What `anchors.db` holds, as plain data. */

/** A checkpoint that was shown to outside parties, with the signatures that they put under it so far. */
export interface PublishedCheckpoint {
  readonly size: number;
  /** The signed note, cosignatures included (c2sp.org/tlog-checkpoint). */
  readonly note: Uint8Array;
  /** When it was last changed: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
}

/** A signature line, and how many entries the log had once it was here: that was read after it had come. */
export interface SignatureArrival {
  /** The line, without its newline. */
  readonly line: string;
  readonly logSize: number;
}

/** A time-stamp token over the text of a checkpoint's note (RFC 3161). */
export interface StampedCheckpoint {
  readonly size: number;
  /** The name of the time-stamping authority in this log's settings. */
  readonly authority: string;
  /** The TimeStampToken: a CMS SignedData in DER, with its certificates. */
  readonly token: Uint8Array;
  /** The note whose text was stamped. */
  readonly note: Uint8Array;
  /** When it was taken: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
}

/** A place where a log is published as static files (c2sp.org/tlog-tiles), and how far. */
export interface Publication {
  /** `file:///…`, `s3://…` or `https://…`, without any credential. */
  readonly url: string;
  /** How many entries were there when it was last published to. */
  readonly size: number;
  /** When that was: by this machine's clock, milliseconds since the epoch. */
  readonly at: number;
  /** Until when the place itself refuses to delete or replace what lies there (WORM), milliseconds since the epoch. */
  readonly retainUntil?: number;
}

/** What is remembered of a witness between two requests. */
export interface WitnessRecord {
  /** Where it takes checkpoints. */
  readonly url: string;
  /** The size of the largest checkpoint that it is known to have cosigned; 0 for none. */
  readonly size: number;
  /**
   * Why it does not cosign. It holds another history (`fork`), or a longer one (`ahead`): it is not asked any more, until somebody
   * looks, and removes and adds the witness. It does not know the log, or the key that signs it (`unknown`): until it does.
   */
  readonly refusal?: {
    readonly kind: 'fork' | 'ahead' | 'unknown';
    /** The id of the entry that says so in the log, as soon as there is one. */
    readonly entry: string;
    /** The checkpoint that it would not cosign. */
    readonly note: Uint8Array;
  };
  readonly at: number;
}

/** A row as SQLite hands it over; whoever believes what is in it checks the signatures. */
type Row = Record<string, unknown>;

/** A row of `anchors.db`, as it is told. */
export function publishedOf({ size, note, at }: Row): PublishedCheckpoint {
  return { size: Number(size), note: note as Uint8Array, at: Number(at) };
}

/** A row of `anchors.db`, as it is told. */
export function witnessOf({ url, size, refusal, entry, note, at }: Row): WitnessRecord {
  return {
    url: String(url),
    size: Number(size),
    at: Number(at),
    ...((refusal === 'fork' || refusal === 'ahead' || refusal === 'unknown') && {
      refusal: { kind: refusal, entry: String(entry), note: note as Uint8Array },
    }),
  };
}

/** Bytes; of none SQLite makes nothing where it cuts them. */
function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** A row of `anchors.db`, as it is told. */
export function stampedOf({ size, authority, token, note, at }: Row): StampedCheckpoint {
  return {
    size: Number(size),
    authority: String(authority),
    token: bytesOf(token),
    note: bytesOf(note),
    at: Number(at),
  };
}

/** A row of `anchors.db`, as it is told. */
export function publicationOf({ url, size, at, retain_until: retainUntil }: Row): Publication {
  return {
    url: String(url),
    size: Number(size),
    at: Number(at),
    ...(retainUntil !== null && { retainUntil: Number(retainUntil) }),
  };
}
