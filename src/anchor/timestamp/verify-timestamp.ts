import { constants, createHash, verify, type X509Certificate } from 'node:crypto';
import { equalBytes, sha256, VerificationError } from '../../bytes/index.ts';
import { hashOf, SHA256, signatureOf } from './algorithms.ts';
import { loadAsn1, parsed } from './asn1.ts';
import {
  type Certificate,
  checkChain,
  checkSigner,
  checkValidity,
  oneLine,
  readCertificate,
} from './certificates.ts';
import {
  parseToken,
  refersTo,
  type SignerReference,
  type StampedInfo,
  signerUnknown,
  type Token,
} from './token.ts';

/** How far the clock of a time-stamping authority and ours may be apart, milliseconds. */
export const TIMESTAMP_TOLERANCE_MS = 300_000;

/** The fewest bits of an RSA key that is believed. */
const RSA_BITS_MIN = 2048;

const curves = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** What is to be verified, and whom to believe. */
export interface TimestampEvidence {
  /** What was stamped: the text of a note, which is what its signatures are over too. */
  readonly text: Uint8Array;
  /** The TimeStampToken: a CMS SignedData in DER. */
  readonly token: Uint8Array;
  /**
   * The certificates to trust, in DER, known from elsewhere: the authority's own, or any above it. Without them nothing is known of
   * who signed, and the verdict says `inside`.
   */
  readonly certificates?: readonly Uint8Array[] | undefined;
  /** Certificates in DER that may stand between the signer's and one that is trusted, besides those in the token. Trusted by nobody. */
  readonly intermediates?: readonly Uint8Array[] | undefined;
  /** The policy that the token must be issued under, an object identifier. */
  readonly policy?: string | undefined;
  /** The nonce that was asked with. */
  readonly nonce?: Uint8Array | undefined;
  /** The time now, milliseconds since the epoch: a stamp lies not ahead of it. Not compared if absent. */
  readonly now?: number | undefined;
  /** The time of the anchor before this one, milliseconds since the epoch: a stamp lies not before it. */
  readonly notBefore?: number | undefined;
  /** How far the two clocks may be apart, milliseconds. Default {@link TIMESTAMP_TOLERANCE_MS}. */
  readonly toleranceMs?: number | undefined;
}

/** What a time-stamp shows. */
export interface TimestampVerdict extends Omit<StampedInfo, 'nonce' | 'imprint'> {
  /** The subject of the certificate that signed, on one line. It came from outside. */
  readonly signer: string;
  /**
   * `anchored`: the signer's certificate leads to one that was given. `inside`: it is consistent with the certificate that came with
   * it, which whoever made it up would have brought too.
   */
  readonly trust: 'anchored' | 'inside';
}

/**
 * Verifies a time-stamp over a text (RFC 3161, RFC 5816): offline, with nothing but what it is given. It resolves only where all
 * holds, and rejects with a `VerificationError`: `malformed_timestamp`, `timestamp_algorithm_refused`,
 * `timestamp_imprint_mismatch`, `timestamp_nonce_mismatch`, `timestamp_policy_mismatch`, `timestamp_signer_invalid`,
 * `timestamp_signature_invalid`, `timestamp_certificate_expired`, `timestamp_untrusted`, `timestamp_time_invalid`.
 *
 * Revocation is not asked for: it would need the network, and a list that says what held at the time of the stamp.
 */
export async function verifyTimestamp(evidence: TimestampEvidence): Promise<TimestampVerdict> {
  const asn1 = await loadAsn1();
  const token = parseToken(asn1, evidence.token);
  const { info } = token;
  checkImprint(info, evidence.text);
  if (evidence.nonce !== undefined && !(info.nonce && equalBytes(info.nonce, evidence.nonce))) {
    throw new VerificationError(
      'timestamp_nonce_mismatch',
      'The time-stamp answers another question: its nonce is not the one that was sent.',
    );
  }
  if (evidence.policy !== undefined && info.policy !== evidence.policy) {
    throw new VerificationError(
      'timestamp_policy_mismatch',
      `The time-stamp was issued under the policy ${info.policy}, not ${evidence.policy}.`,
      { expected: evidence.policy, found: info.policy },
    );
  }
  const inside = [...token.certificates, ...(evidence.intermediates ?? [])].map((der) =>
    readCertificate(asn1, der),
  );
  const trusted = evidence.certificates?.map((der) => readCertificate(asn1, der));
  const signer = signerOf(token, [...inside, ...(trusted ?? [])]);
  checkSigner(signer);
  checkSignature(token, signer);
  checkValidity(signer, info.timeMs);
  if (trusted !== undefined) checkChain(signer, { inside, anchors: trusted, timeMs: info.timeMs });
  checkTime(info, evidence);
  const { nonce: _, imprint: __, ...shown } = info;
  return {
    ...shown,
    signer: oneLine(signer.x509.subject),
    trust: trusted === undefined ? 'inside' : 'anchored',
  };
}

function checkImprint({ imprint }: StampedInfo, text: Uint8Array): void {
  hashOf(imprint.algorithm, 'The imprint of the time-stamp');
  if (imprint.algorithm === SHA256 && equalBytes(imprint.hash, sha256(text))) return;
  throw new VerificationError(
    'timestamp_imprint_mismatch',
    'The time-stamp is over something else than this text.',
  );
}

/**
 * The certificate that signed. It is the one that the signed attributes name by its hash: what else the token says of its signer is
 * not signed, and anybody could put another certificate with the same key in its place.
 */
function signerOf(token: Token, certificates: readonly Certificate[]): Certificate {
  const { references } = token;
  if (references.length === 0) throw signerUnknown('does not name the certificate that signed it');
  const signer = certificates.find((certificate) =>
    references.every((reference) => isNamed(certificate, reference)),
  );
  if (signer === undefined) throw signerUnknown('names another certificate than any that came with it');
  return signer;
}

function isNamed({ der, serial, issuer }: Certificate, reference: SignerReference): boolean {
  // An ESSCertID of the first kind is a SHA-1, which only has to tell the certificates of one authority apart (RFC 5816).
  const hash = reference.algorithm === SHA1 ? 'sha1' : hashOf(reference.algorithm, 'The time-stamp');
  const digest = new Uint8Array(createHash(hash).update(der).digest());
  return refersTo(reference, { digest, serial, issuer });
}

const SHA1 = '1.3.14.3.2.26';

function checkSignature(token: Token, { x509 }: Certificate): void {
  const { digestAlgorithm, signatureAlgorithm, signature, signedAttributes, messageDigest, content } = token;
  const { key, hash } = signatureOf(signatureAlgorithm, digestAlgorithm, 'The signature of the time-stamp');
  const digest = new Uint8Array(createHash(hash).update(content).digest());
  if (!equalBytes(digest, messageDigest)) {
    throw new VerificationError(
      'timestamp_signature_invalid',
      'The time-stamp was changed: what it says is not what was signed.',
    );
  }
  // OpenSSL throws where it makes nothing of a key, or of a curve that is none.
  const isGood = parsed('The certificate of the time-stamping authority', () => {
    const { publicKey } = x509;
    checkKey(publicKey, key);
    const padding = key === 'rsa' ? { padding: constants.RSA_PKCS1_PADDING } : {};
    return verify(hash, signedAttributes, { key: publicKey, ...padding }, signature);
  });
  if (isGood) return;
  throw new VerificationError(
    'timestamp_signature_invalid',
    'The signature of the time-stamp does not verify under the certificate that it names.',
  );
}

function checkKey(publicKey: X509Certificate['publicKey'], kind: 'rsa' | 'ec'): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  const isStrong =
    kind === 'rsa' ? (details?.modulusLength ?? 0) >= RSA_BITS_MIN : curves.has(details?.namedCurve ?? '');
  if (type === kind && isStrong) return;
  throw new VerificationError(
    'timestamp_algorithm_refused',
    'The key of the time-stamping authority is of another kind than its signature, or too weak.',
  );
}

function checkTime(info: StampedInfo, { now, notBefore, toleranceMs }: TimestampEvidence): void {
  const tolerance = (toleranceMs ?? TIMESTAMP_TOLERANCE_MS) + (info.accuracyMs ?? 0);
  const wrong = (what: string): VerificationError =>
    new VerificationError('timestamp_time_invalid', `The time-stamp of ${info.time} lies ${what}.`, {
      time: info.time,
    });
  if (now !== undefined && info.timeMs > now + tolerance) throw wrong('in the future');
  if (notBefore !== undefined && info.timeMs < notBefore - tolerance) {
    throw wrong(`before the one over a smaller log, of ${new Date(notBefore).toISOString()}`);
  }
}
