import { X509Certificate } from 'node:crypto';
import { base64Decode, equalBytes, utf8Decode, VerificationError } from '../../bytes/index.ts';
import { checkCertificateAlgorithm } from './algorithms.ts';
import { type Asn1, bufferOf, parsed } from './asn1.ts';
import { malformed, readDer, SEQUENCE, TAGGED_0 } from './der.ts';

/** Most certificates that a chain has, the trust anchor included. */
const CHAIN_MAX = 8;

/** Most certificates that are read from one token or one file. */
export const CERTIFICATES_MAX = 200;

const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const CERTIFICATE_POLICIES = '2.5.29.32';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const ANY_KEY_USAGE = '2.5.29.37.0';

/** `id-kp-timeStamping` (RFC 3161 section 2.3). */
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

/** Extensions whose meaning is known here: a critical one of any other kind is refused (RFC 5280 section 4.2). */
const understood = new Set([KEY_USAGE, BASIC_CONSTRAINTS, CERTIFICATE_POLICIES, EXTENDED_KEY_USAGE]);

/** A certificate, as OpenSSL reads it and as pkijs does: signatures and names by the one, extensions by the other. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly x509: X509Certificate;
  readonly parsed: InstanceType<Asn1['pkijs']['Certificate']>;
  /** Its serial number and the name of its issuer, in DER. */
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
}

/** Reads a certificate in DER. Throws `malformed_timestamp`. */
export function readCertificate(asn1: Asn1, der: Uint8Array): Certificate {
  const what = 'A certificate';
  const { parts = [] } = readDer(der, what).parts[0] ?? {};
  // The version comes first, in a tag of its own, unless it is 1.
  const [serial, , issuer] = parts[0]?.tag === TAGGED_0 ? parts.slice(1) : parts;
  if (serial === undefined || issuer === undefined) throw malformed(what, 'it names no issuer');
  return parsed(what, () => {
    const { result } = asn1.asn1js.fromBER(bufferOf(der));
    return {
      der,
      x509: new X509Certificate(der),
      parsed: new asn1.pkijs.Certificate({ schema: result }),
      serial: serial.bytes,
      issuer: issuer.bytes,
    };
  });
}

/**
 * The certificates in a file, in DER: PEM, any number of them with any text between, or the DER of one. Throws
 * `malformed_timestamp` where there is none, or one that is none.
 */
export function parseCertificates(file: Uint8Array): Uint8Array[] {
  const what = 'The file of certificates';
  if (file[0] === SEQUENCE) {
    readDer(file, what);
    return [file];
  }
  const text = utf8Decode(file);
  const blocks = [
    ...text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g),
  ];
  if (blocks.length === 0) throw malformed(what, 'it holds no certificate in PEM or DER');
  if (blocks.length > CERTIFICATES_MAX) throw malformed(what, `it holds more than ${CERTIFICATES_MAX}`);
  return blocks.map(([, body]) => {
    const der = base64Decode(body!.replace(/\s/g, ''));
    readDer(der, what);
    return der;
  });
}

/**
 * Checks that a certificate may sign time-stamps, and nothing else: its extended key usage is critical and holds that alone, and
 * no other extension forbids it (RFC 3161 section 2.3). Throws `timestamp_signer_invalid`, `timestamp_algorithm_refused`.
 */
export function checkSigner(signer: Certificate): void {
  const usage = extensionOf(signer, EXTENDED_KEY_USAGE);
  const purposes = purposesOf(signer);
  if (usage === undefined) throw unfit('does not say that it is for time-stamping');
  if (purposes.length !== 1 || purposes[0] !== TIME_STAMPING) {
    throw unfit('is not for time-stamping, or not for that alone');
  }
  if (!usage.critical) throw unfit('does not mark as critical that it is for time-stamping');
  checkExtensions(signer);
  const bits = keyUsageOf(signer);
  // digitalSignature or nonRepudiation.
  if (bits !== undefined && !bits.has(0) && !bits.has(1)) throw unfit('may not sign');
}

/** Checks that a certificate was valid at this time. Throws `timestamp_certificate_expired`. */
export function checkValidity(certificate: Certificate, timeMs: number): void {
  const { validFromDate, validToDate, validFrom, validTo, subject } = certificate.x509;
  if (validFromDate.getTime() <= timeMs && timeMs <= validToDate.getTime()) return;
  throw new VerificationError(
    'timestamp_certificate_expired',
    `The certificate of ${oneLine(subject)} was not valid at the time of the stamp: it is from ${validFrom} to ${validTo}.`,
    { time: new Date(timeMs).toISOString() },
  );
}

/**
 * Finds a chain from the signer to a trust anchor in which every certificate was valid at `timeMs`, may issue the one below it,
 * and has signed it. Throws `timestamp_untrusted` where there is none, or what the one that came furthest lacks.
 */
export function checkChain(
  signer: Certificate,
  {
    inside,
    anchors,
    timeMs,
  }: {
    readonly inside: readonly Certificate[];
    readonly anchors: readonly Certificate[];
    readonly timeMs: number;
  },
): void {
  const isAnchor = ({ der }: Certificate): boolean => anchors.some((anchor) => equalBytes(anchor.der, der));
  let nearest: VerificationError | undefined;
  // Certificates that the token brings are an attacker's: how many steps are tried is bounded as well as how deep.
  let steps = 0;
  const climb = (chain: readonly Certificate[]): boolean => {
    const last = chain.at(-1)!;
    if (isAnchor(last)) return true;
    if (chain.length === CHAIN_MAX) return false;
    for (const issuer of [...anchors, ...inside]) {
      if (chain.some(({ der }) => equalBytes(der, issuer.der)) || !last.x509.checkIssued(issuer.x509))
        continue;
      steps += 1;
      if (steps > CERTIFICATES_MAX) return false;
      try {
        checkIssuer(issuer, chain, timeMs);
      } catch (error) {
        if (!(error instanceof VerificationError)) throw error;
        nearest = error;
        continue;
      }
      if (climb([...chain, issuer])) return true;
    }
    return false;
  };
  if (climb([signer])) return;
  throw (
    nearest ??
    new VerificationError(
      'timestamp_untrusted',
      `The certificate of ${oneLine(signer.x509.subject)} does not lead to one that is trusted.`,
      { subject: oneLine(signer.x509.subject) },
    )
  );
}

/** Checks that a certificate may stand above a chain, and has signed its last one. */
function checkIssuer(issuer: Certificate, below: readonly Certificate[], timeMs: number): void {
  const last = below.at(-1)!;
  checkCertificateAlgorithm(last.parsed.signatureAlgorithm.algorithmId, 'A certificate');
  const untrusted = (why: string): VerificationError => {
    const subject = oneLine(issuer.x509.subject);
    return new VerificationError('timestamp_untrusted', `The certificate of ${subject} ${why}.`, { subject });
  };
  if (!isSignedBy(last, issuer)) throw untrusted('has not signed the one below it');
  const limit = pathLengthOf(issuer);
  if (limit === undefined) throw untrusted('may not issue certificates');
  // The signer itself does not count; nor do certificates that renew their own issuer (RFC 5280 section 4.2.1.9).
  const between = below.slice(1).filter(({ x509 }) => x509.subject !== x509.issuer).length;
  if (between > limit) throw untrusted('does not allow so many certificates below it');
  const bits = keyUsageOf(issuer);
  if (bits !== undefined && !bits.has(5)) throw untrusted('may not sign certificates');
  const purposes = purposesOf(issuer);
  if (purposes.length > 0 && !purposes.includes(TIME_STAMPING) && !purposes.includes(ANY_KEY_USAGE)) {
    throw untrusted('is not for time-stamping');
  }
  checkExtensions(issuer);
  checkValidity(issuer, timeMs);
}

/** Whether one certificate signed the other. A key that OpenSSL makes nothing of has signed nothing. */
function isSignedBy({ x509 }: Certificate, issuer: Certificate): boolean {
  try {
    return x509.verify(issuer.x509.publicKey);
  } catch {
    return false;
  }
}

/** How many certificates may stand between this one and the last; undefined where it may issue none. */
function pathLengthOf(certificate: Certificate): number | undefined {
  const value = readExtension(certificate, BASIC_CONSTRAINTS, 'cA');
  if (value === undefined || !('cA' in value) || value.cA !== true) return undefined;
  const limit = value.pathLenConstraint;
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  return typeof limit === 'number' ? limit : 0;
}

/** The bits of the key usage that are set; undefined where it says nothing. */
function keyUsageOf(certificate: Certificate): ReadonlySet<number> | undefined {
  const value = readExtension(certificate, KEY_USAGE, 'valueBlock');
  if (value === undefined || !('valueBlock' in value)) return undefined;
  const [first = 0, second = 0] = (value.valueBlock as { valueHexView: Uint8Array }).valueHexView;
  const bits = first * 256 + second;
  return new Set([...Array(16).keys()].filter((bit) => Math.floor(bits / 2 ** (15 - bit)) % 2 === 1));
}

function purposesOf(certificate: Certificate): readonly string[] {
  const value = readExtension(certificate, EXTENDED_KEY_USAGE, 'keyPurposes');
  return value !== undefined && 'keyPurposes' in value ? value.keyPurposes : [];
}

/** What an extension says, undefined where it is not there. One that is there and cannot be read is refused, not ignored. */
function readExtension(certificate: Certificate, identifier: string, member: string) {
  const extension = extensionOf(certificate, identifier);
  if (extension === undefined) return undefined;
  return parsed('A certificate', () => {
    const value = extension.parsedValue;
    if (value === undefined || !(member in value) || 'parsingError' in value) {
      throw malformed('A certificate', 'an extension is not what it should be');
    }
    return value;
  });
}

function extensionOf({ parsed: { extensions = [] } }: Certificate, identifier: string) {
  return extensions.find(({ extnID }) => extnID === identifier);
}

function checkExtensions({ parsed: { extensions = [] } }: Certificate): void {
  const identifiers = extensions.map(({ extnID }) => extnID);
  if (new Set(identifiers).size < identifiers.length) throw unfit('has an extension twice');
  const unknown = extensions.find(({ extnID, critical }) => critical && !understood.has(extnID));
  if (unknown !== undefined) throw unfit(`has a critical extension that is unknown here: ${unknown.extnID}`);
}

function unfit(why: string): VerificationError {
  return new VerificationError('timestamp_signer_invalid', `A certificate of the time-stamp ${why}.`);
}

/** A subject on one line, as people write it. It came from outside: whoever prints it escapes it. */
export function oneLine(subject: string): string {
  return subject.split('\n').join(', ').slice(0, 300);
}
