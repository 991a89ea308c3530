import { sha256, VerificationError } from '../../bytes/index.ts';
import { SHA256 } from './algorithms.ts';
import { type Asn1, bufferOf, parsed } from './asn1.ts';
import { malformed, readDer, wrapDer, wrapSequence } from './der.ts';

/** Bytes of a nonce: enough that no answer fits two questions. */
export const NONCE_BYTES = 16;

/** A question to a time-stamping authority. */
export interface Question {
  /** What is to be stamped: the text of a note. */
  readonly text: Uint8Array;
  /** Random bytes, {@link NONCE_BYTES} of them, as {@link positive} makes them. */
  readonly nonce: Uint8Array;
  /** The policy to be stamped under; the authority's own if not given. */
  readonly policy?: string | undefined;
}

/** A TimeStampReq in DER (RFC 3161 section 2.4.1): version 1, SHA-256, a nonce, and the certificates to be sent along. */
export function encodeQuestion({ asn1js, pkijs }: Asn1, { text, nonce, policy }: Question): Uint8Array {
  const request = new pkijs.TimeStampReq({
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: new pkijs.AlgorithmIdentifier({
        algorithmId: SHA256,
        algorithmParams: new asn1js.Null(),
      }),
      hashedMessage: new asn1js.OctetString({ valueHex: bufferOf(sha256(text)) }),
    }),
    nonce: new asn1js.Integer({ valueHex: bufferOf(nonce) }),
    certReq: true,
    ...(policy === undefined ? {} : { reqPolicy: policy }),
  });
  // The library writes a version only where it is not the default of its own, which is not the default of the standard.
  request.version = 1;
  return new Uint8Array(request.toSchema().toBER(false));
}

/**
 * The first byte of a nonce is kept between 1 and 127: then it is a positive number of this very length, in the one way in which
 * DER writes it.
 */
export function positive(nonce: Uint8Array): Uint8Array {
  const bytes = nonce.slice();
  bytes[0] = (bytes[0]! % 127) + 1;
  return bytes;
}

/** What an authority may say instead of a time (RFC 3161 section 2.4.2). */
const statuses = [
  'granted',
  'granted with modifications',
  'rejected',
  'waiting',
  'revocation warning',
  'revoked',
];

/** Why it may say no, by the bit of PKIFailureInfo. */
const failures: Readonly<Record<number, string>> = {
  0: 'unknown algorithm',
  2: 'bad request',
  5: 'bad data format',
  14: 'no source of time',
  15: 'unknown policy',
  16: 'unknown extension',
  17: 'additional information not available',
  25: 'system failure',
};

/**
 * The token out of a TimeStampResp. Throws `timestamp_refused` where the authority did not grant one, with its reasons;
 * `malformed_timestamp`.
 */
export function tokenOfAnswer(asn1: Asn1, answer: Uint8Array): Uint8Array {
  const what = 'The answer of the time-stamping authority';
  const { parts } = readDer(answer, what);
  const response = parsed(what, () => {
    const { result } = asn1.asn1js.fromBER(bufferOf(answer));
    return new asn1.pkijs.TimeStampResp({ schema: result });
  });
  const { status, statusStrings = [], failInfo } = response.status;
  const token = parts[1];
  if (status === 0 || status === 1) {
    if (token === undefined) throw malformed(what, 'it grants a time-stamp and holds none');
    return token.bytes;
  }
  const bits = failInfo === undefined ? [] : bitsOf(failInfo.valueBlock.valueHexView);
  const reasons = [
    ...bits.map((bit) => failures[bit] ?? `reason ${bit}`),
    ...statusStrings.map((text) => text.valueBlock.value.slice(0, 200)),
  ];
  throw new VerificationError(
    'timestamp_refused',
    `The time-stamping authority says ${statuses[status] ?? `status ${status}`}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}.`,
    { status, failures: bits },
  );
}

/** The answer that an authority would have given with this token: what other tools take for a `.tsr` file. */
export function answerAround(token: Uint8Array): Uint8Array {
  const granted = wrapSequence(wrapDer(0x02, new Uint8Array([0])));
  return wrapSequence(granted, token);
}

function bitsOf(bytes: Uint8Array): number[] {
  const bits: number[] = [];
  bytes.forEach((byte, position) => {
    for (let bit = 0; bit < 8; bit += 1) {
      if (Math.floor(byte / 2 ** (7 - bit)) % 2 === 1) bits.push(position * 8 + bit);
    }
  });
  return bits;
}
