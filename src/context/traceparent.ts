/** Which trace something belongs to, and which span of it. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** W3C Trace Context, section 3.2.2: version, trace-id, parent-id, trace-flags, all in lower case. */
const version00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** Section 4.3: a later version is read as far as 00 goes; what follows is behind another dash. */
const laterVersion =
  /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[\x21-\x7e]{0,512})?$/;

/**
 * The trace of a `traceparent` header (W3C Trace Context, level 1), or undefined where it is not one: then there is none, since
 * whoever sent it does not know how. `spanId` is the caller's own span.
 */
export function parseTraceparent(header: string | null | undefined): Trace | undefined {
  const match = version00.exec(header ?? '') ?? laterVersion.exec(header ?? '');
  return match === null ? undefined : traceOf(match[1], match[2]);
}

/** A trace of two ids, wherever they come from; undefined where one of them is none. All zeros are invalid (section 3.2.2.3). */
export function traceOf(traceId: unknown, spanId: unknown): Trace | undefined {
  if (typeof traceId !== 'string' || typeof spanId !== 'string') return undefined;
  if (!/^[0-9a-f]{32}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return undefined;
  return /^0+$/.test(traceId) || /^0+$/.test(spanId) ? undefined : { traceId, spanId };
}
