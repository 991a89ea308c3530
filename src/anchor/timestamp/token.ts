import { equalBytes, hexEncode, VerificationError } from '../../bytes/index.ts';
import { type Asn1, bufferOf, parsed } from './asn1.ts';
import { CERTIFICATES_MAX } from './certificates.ts';
import { type Element, malformed, OCTETS, readDer, SEQUENCE, TAGGED_0, wrapDer } from './der.ts';

/** Most bytes of a token, its certificates included: those of public authorities have 2 to 8 thousand. */
export const TOKEN_BYTES_MAX = 131_072;

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const SHA1 = '1.3.14.3.2.26';
const SHA256 = '2.16.840.1.101.3.4.2.1';

/** What an authority signs (RFC 3161 section 2.4.2). */
export interface StampedInfo {
  readonly policy: string;
  readonly imprint: { readonly algorithm: string; readonly hash: Uint8Array };
  /** In hexadecimal. */
  readonly serial: string;
  /** RFC 3339, as precise as the authority gave it, to the millisecond. */
  readonly time: string;
  readonly timeMs: number;
  /** How far the time may be off, milliseconds; absent where the authority does not say. */
  readonly accuracyMs?: number;
  readonly nonce?: Uint8Array;
}

/** The certificate that signed, as the signed attributes name it (RFC 2634, RFC 5035). */
export interface SignerReference {
  /** The hash of the certificate: an object identifier and the bytes. */
  readonly algorithm: string;
  readonly hash: Uint8Array;
  /** Issuer (a Name in DER) and serial number (an INTEGER in DER), where they are named too. */
  readonly issuer?: Uint8Array;
  readonly serial?: Uint8Array;
}

/** A TimeStampToken, taken apart and not yet believed. */
export interface Token {
  readonly info: StampedInfo;
  /** The TSTInfo as it was signed. */
  readonly content: Uint8Array;
  /** The certificates that came with it, in DER. */
  readonly certificates: readonly Uint8Array[];
  readonly references: readonly SignerReference[];
  readonly digestAlgorithm: string;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** The signed attributes as a SET OF, which is what the signature is over (RFC 5652 section 5.4). */
  readonly signedAttributes: Uint8Array;
  readonly messageDigest: Uint8Array;
}

const WHAT = 'The time-stamp';

/**
 * Takes a TimeStampToken apart: a CMS SignedData in DER with one signer, over a TSTInfo. Believes nothing of it. Throws
 * `malformed_timestamp`.
 */
export function parseToken(asn1: Asn1, bytes: Uint8Array): Token {
  if (bytes.length > TOKEN_BYTES_MAX) throw malformed(WHAT, `it has more than ${TOKEN_BYTES_MAX} bytes`);
  const { parts } = readDer(bytes, WHAT);
  const signedData = parts[1]?.parts[0];
  if (signedData === undefined) throw malformed(WHAT, 'it holds no signed data');
  const data = parsed(WHAT, () => {
    const { result } = asn1.asn1js.fromBER(bufferOf(bytes));
    const info = new asn1.pkijs.ContentInfo({ schema: result });
    if (info.contentType !== SIGNED_DATA) throw malformed(WHAT, 'it is no signed data');
    return new asn1.pkijs.SignedData({ schema: info.content });
  });
  const { encapContentInfo, signerInfos } = data;
  if (data.version !== 3 || encapContentInfo.eContentType !== TST_INFO) {
    throw malformed(WHAT, 'what is signed is no time');
  }
  const [signerInfo] = signerInfos;
  if (signerInfo === undefined || signerInfos.length > 1) {
    throw malformed(WHAT, `it has ${signerInfos.length} signers, and should have one`);
  }
  const content = contentOf(signedData);
  const signer = signerParts(asn1, signedData);
  const { digestAlgorithm, signatureAlgorithm, signature } = signerInfo;
  return {
    info: parseInfo(asn1, content),
    content,
    certificates: certificatesOf(signedData),
    ...signer,
    digestAlgorithm: digestAlgorithm.algorithmId,
    signatureAlgorithm: signatureAlgorithm.algorithmId,
    signature: signature.valueBlock.valueHexView,
  };
}

/** The octets of the content: in DER, one OCTET STRING inside `[0] EXPLICIT`. */
function contentOf(signedData: Element): Uint8Array {
  const octets = signedData.parts[2]?.parts[1]?.parts[0];
  if (octets?.tag !== OCTETS) throw malformed(WHAT, 'it does not bring what is signed');
  return octets.content;
}

function certificatesOf(signedData: Element): Uint8Array[] {
  const set = signedData.parts.slice(3, -1).find(({ tag }) => tag === TAGGED_0);
  // Other kinds than X.509 certificates have other tags, and nothing to say here.
  const certificates = (set?.parts ?? []).filter(({ tag }) => tag === SEQUENCE);
  if (certificates.length > CERTIFICATES_MAX) {
    throw malformed(WHAT, `it has more than ${CERTIFICATES_MAX} certificates`);
  }
  return certificates.map(({ bytes }) => bytes);
}

/** What the one signer signed beside the content: each attribute that counts once, with one value (RFC 5652 section 11). */
function signerParts(
  asn1: Asn1,
  signedData: Element,
): Pick<Token, 'references' | 'signedAttributes' | 'messageDigest'> {
  const attributes = signedData.parts.at(-1)?.parts[0]?.parts[3];
  if (attributes?.tag !== TAGGED_0) {
    throw malformed(WHAT, 'its signer signed no attributes');
  }
  const values = new Map<string, Element>();
  for (const { parts } of attributes.parts) {
    const name = identifierOf(asn1, parts[0]);
    if (values.has(name) || parts[1]?.parts.length !== 1)
      throw malformed(WHAT, 'an attribute is there twice');
    values.set(name, parts[1].parts[0]!);
  }
  if (identifierOf(asn1, values.get(CONTENT_TYPE)) !== TST_INFO) {
    throw malformed(WHAT, 'its attributes are for another content');
  }
  const digest = values.get(MESSAGE_DIGEST);
  if (digest?.tag !== OCTETS) throw malformed(WHAT, 'its attributes hold no digest');
  const references = [
    ...referencesOf(asn1, values.get(SIGNING_CERTIFICATE), SHA1),
    ...referencesOf(asn1, values.get(SIGNING_CERTIFICATE_V2), SHA256),
  ];
  return {
    references,
    signedAttributes: wrapDer(0x31, attributes.content),
    messageDigest: digest.content,
  };
}

/** The first certificate that a SigningCertificate or SigningCertificateV2 names: it is the signer's. */
function referencesOf(asn1: Asn1, attribute: Element | undefined, algorithm: string): SignerReference[] {
  if (attribute === undefined) return [];
  const first = attribute.parts[0]?.parts[0];
  const parts = [...(first?.parts ?? [])];
  // The algorithm is left out where it is the default.
  const named = parts[0]?.tag === SEQUENCE ? parts.shift() : undefined;
  const [hash, issuerAndSerial] = parts;
  if (hash?.tag !== OCTETS) throw malformed(WHAT, 'it does not name its certificate');
  const issuer = issuerAndSerial?.parts[0]?.parts[0]?.parts[0]?.bytes;
  const serial = issuerAndSerial?.parts[1]?.bytes;
  return [
    {
      algorithm: named === undefined ? algorithm : identifierOf(asn1, named.parts[0]),
      hash: hash.content,
      ...(issuer !== undefined && { issuer }),
      ...(serial !== undefined && { serial }),
    },
  ];
}

function identifierOf({ asn1js }: Asn1, element: Element | undefined): string {
  if (element === undefined) return '';
  const { result } = asn1js.fromBER(bufferOf(element.bytes));
  return result instanceof asn1js.ObjectIdentifier ? result.valueBlock.toString() : '';
}

function parseInfo(asn1: Asn1, content: Uint8Array): StampedInfo {
  const { parts } = readDer(content, WHAT);
  const info = parsed(WHAT, () => {
    const { result } = asn1.asn1js.fromBER(bufferOf(content));
    return new asn1.pkijs.TSTInfo({ schema: result });
  });
  if (info.version !== 1) throw malformed(WHAT, `it is of version ${info.version}`);
  if (info.extensions?.some(({ critical }) => critical)) {
    throw malformed(WHAT, 'it has a critical extension, and none is known here');
  }
  const { accuracy, nonce, messageImprint } = info;
  return {
    policy: info.policy,
    imprint: {
      algorithm: messageImprint.hashAlgorithm.algorithmId,
      hash: messageImprint.hashedMessage.valueBlock.valueHexView,
    },
    serial: hexEncode(parts[3]!.content),
    ...parseTime(parts[4]!.content),
    ...(accuracy !== undefined && { accuracyMs: accuracyMsOf(accuracy) }),
    ...(nonce !== undefined && { nonce: nonce.valueBlock.valueHexView }),
  };
}

function accuracyMsOf(accuracy: { seconds?: number; millis?: number; micros?: number }): number {
  const { seconds = 0, millis = 0, micros = 0 } = accuracy;
  return seconds * 1000 + millis + Math.ceil(micros / 1000);
}

/**
 * A GeneralizedTime as RFC 3161 has it: in UTC, with seconds, a fraction without trailing zeros. Read from its text: what parses it
 * otherwise may take a time that does not exist for the one after it.
 */
function parseTime(bytes: Uint8Array): { readonly time: string; readonly timeMs: number } {
  const text = String.fromCharCode(...bytes.slice(0, 40));
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/.exec(text);
  if (match === null || bytes.length > 40) throw malformed(WHAT, 'its time is none');
  const [, year, month, day, hour, minute, second, fraction = ''] = match;
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== time)
    throw malformed(WHAT, 'its time is none');
  return { time, timeMs };
}

/** Whether the signed attributes mean this certificate. */
export function refersTo(
  { hash, issuer, serial }: SignerReference,
  certificate: { readonly digest: Uint8Array; readonly issuer: Uint8Array; readonly serial: Uint8Array },
): boolean {
  if (!equalBytes(hash, certificate.digest)) return false;
  if (issuer !== undefined && !equalBytes(issuer, certificate.issuer)) return false;
  return serial === undefined || equalBytes(serial, certificate.serial);
}

/** Why a token's signer cannot be told. */
export function signerUnknown(why: string): VerificationError {
  return new VerificationError('timestamp_signer_invalid', `The time-stamp ${why}.`);
}
