import { malformed } from './der.ts';

/** The parsers of ASN.1: `asn1js` for what any structure is, `pkijs` for what RFC 3161, CMS and X.509 say with it. */
export interface Asn1 {
  readonly asn1js: typeof import('asn1js');
  readonly pkijs: typeof import('pkijs');
}

let loading: Promise<Asn1> | undefined;

/** Loads the parsers when they are first needed: who has no time-stamps does not wait for them. */
export function loadAsn1(): Promise<Asn1> {
  loading ??= Promise.all([import('asn1js'), import('pkijs')]).then(([asn1js, pkijs]) => ({ asn1js, pkijs }));
  return loading;
}

/** A copy in a buffer of its own, which is what the parsers take. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

/** Runs a parser of pkijs, and answers its failures in our own words. */
export function parsed<Result>(what: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && error.name === 'VerificationError') throw error;
    throw malformed(what, 'it does not have the shape that it should have', error);
  }
}
