import { VerificationError } from '../../bytes/index.ts';

/** Hashes that are believed, by their object identifier (RFC 5754). SHA-1 and MD5 are not among them. */
export const hashes: Readonly<Record<string, 'sha256' | 'sha384' | 'sha512'>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** SHA-256, which is what we ask to be stamped. */
export const SHA256 = '2.16.840.1.101.3.4.2.1';

/** A way to sign: the kind of key, and the hash where the identifier itself says which. */
interface SignatureAlgorithm {
  readonly key: 'rsa' | 'ec';
  readonly hash?: 'sha256' | 'sha384' | 'sha512';
}

/** Signatures that are believed (RFC 3279, RFC 5754, RFC 5758). */
const signatures: Readonly<Record<string, SignatureAlgorithm>> = {
  '1.2.840.113549.1.1.1': { key: 'rsa' },
  '1.2.840.113549.1.1.11': { key: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', hash: 'sha512' },
  '1.2.840.10045.2.1': { key: 'ec' },
  '1.2.840.10045.4.3.2': { key: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', hash: 'sha512' },
};

/** The hash behind an identifier. Throws `timestamp_algorithm_refused`. */
export function hashOf(identifier: string, what: string): 'sha256' | 'sha384' | 'sha512' {
  const hash = Object.hasOwn(hashes, identifier) ? hashes[identifier] : undefined;
  if (hash === undefined) throw refused(identifier, what);
  return hash;
}

/**
 * How a signature was made, out of its own identifier and, where that leaves it open, the one of the digest. The two must agree.
 * Throws `timestamp_algorithm_refused`.
 */
export function signatureOf(
  identifier: string,
  digest: string,
  what: string,
): { readonly key: 'rsa' | 'ec'; readonly hash: 'sha256' | 'sha384' | 'sha512' } {
  const algorithm = Object.hasOwn(signatures, identifier) ? signatures[identifier] : undefined;
  if (algorithm === undefined) throw refused(identifier, what);
  const hash = hashOf(digest, what);
  if (algorithm.hash !== undefined && algorithm.hash !== hash) throw refused(identifier, what);
  return { key: algorithm.key, hash };
}

/** Refuses certificates that are signed over a weak hash. Throws `timestamp_algorithm_refused`. */
export function checkCertificateAlgorithm(identifier: string, what: string): void {
  if (identifier === ED25519) return;
  if (!Object.hasOwn(signatures, identifier) || signatures[identifier]?.hash === undefined) {
    throw refused(identifier, what);
  }
}

/** Ed25519 (RFC 8410): for certificates of authorities above the one that stamps. */
const ED25519 = '1.3.101.112';

function refused(identifier: string, what: string): VerificationError {
  return new VerificationError(
    'timestamp_algorithm_refused',
    `${what} uses an algorithm that is not believed: ${nameOf(identifier)}.`,
    { identifier },
  );
}

/** What people call the ones that are met most. */
const names: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'MD5',
  '1.3.14.3.2.26': 'SHA-1',
  '1.2.840.113549.1.1.4': 'MD5 with RSA',
  '1.2.840.113549.1.1.5': 'SHA-1 with RSA',
  '1.2.840.113549.1.1.10': 'RSASSA-PSS',
  '1.2.840.10045.4.1': 'ECDSA with SHA-1',
};

function nameOf(identifier: string): string {
  return Object.hasOwn(names, identifier) ? `${names[identifier]} (${identifier})` : identifier;
}
